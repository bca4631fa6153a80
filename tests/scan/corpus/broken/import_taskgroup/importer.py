"""Broken: each line of the file gets a task of its own, and all tasks add and flush in one session."""

import asyncio
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
    member = await session.scalar(select(Member).where(Member.email == line["email"]))  # expect-any: shared_by_tasks
    if member is None:
        session.add(Member(email=line["email"], name=line["name"]))  # expect-any: shared_by_tasks
    else:
        member.name = line["name"]
    await session.flush()  # expect-any: shared_by_tasks


async def import_members(session: AsyncSession, content: str) -> None:
    async with asyncio.TaskGroup() as group:
        for line in csv.DictReader(io.StringIO(content)):
            group.create_task(import_member(session, line))  # expect-any: shared_by_tasks
    await session.commit()


async def main(url: str) -> None:
    engine = create_async_engine(url)
    try:
        async with AsyncSession(engine) as session:
            await import_members(session, "email,name\na@x.org,Ada\nb@x.org,Ben\nc@x.org,Cy\n")
    finally:
        await engine.dispose()
