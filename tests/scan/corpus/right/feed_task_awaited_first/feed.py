"""Right: the audit has a task of its own, but it has ended before the session is used again."""

import asyncio

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Post(Base):
    __tablename__ = "posts"

    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str]


class AuditEntry(Base):
    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str]


async def audit(session: AsyncSession, what: str) -> None:
    await session.execute(insert(AuditEntry).values(what=what))
    await session.commit()


async def read_feed(session: AsyncSession, limit: int) -> list[str]:
    noted = asyncio.create_task(audit(session, f"feed of {limit}"))
    await noted
    posts = await session.scalars(select(Post.body).order_by(Post.id.desc()).limit(limit))
    return list(posts)


async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        await read_feed(session, 20)
    await engine.dispose()
