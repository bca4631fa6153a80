"""Broken: the audit runs in a task of its own on the session with which the function goes on."""

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
    await session.execute(insert(AuditEntry).values(what=what))  # expect-any: shared_by_tasks
    await session.commit()  # expect-any: shared_by_tasks


async def read_feed(session: AsyncSession, limit: int) -> list[str]:
    noted = asyncio.create_task(audit(session, f"feed of {limit}"))  # expect-any: shared_by_tasks
    posts = await session.scalars(  # expect-any: shared_by_tasks
        select(Post.body).order_by(Post.id.desc()).limit(limit)
    )
    bodies = list(posts)
    await noted
    return bodies


async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        await read_feed(session, 20)
    await engine.dispose()
