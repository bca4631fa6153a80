"""Right: all lines go through one session, one after the other."""

import csv
import io

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Member(Base):
    __tablename__ = "members"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]


async def import_member(session: AsyncSession, line: dict[str, str]) -> None:
    member = await session.scalar(select(Member).where(Member.email == line["email"]))
    if member is None:
        session.add(Member(email=line["email"], name=line["name"]))
    else:
        member.name = line["name"]
    await session.flush()


async def import_members(session: AsyncSession, content: str) -> None:
    jobs = [import_member(session, line) for line in csv.DictReader(io.StringIO(content))]
    for job in jobs:
        await job
    await session.commit()


async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        await import_members(session, "email,name\na@x.org,Ada\nb@x.org,Ben\n")
    await engine.dispose()
