"""Broken: the partial binds one session, and `map` makes as many coroutines of it as there are songs, all gathered."""

import asyncio
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Play(Base):
    __tablename__ = "plays"

    id: Mapped[int] = mapped_column(primary_key=True)
    song: Mapped[int]


async def plays_of(session: AsyncSession, song: int) -> int:
    return await session.scalar(select(func.count()).where(Play.song == song)) or 0  # expect-any: shared_by_tasks


async def most_played(session: AsyncSession, songs: list[int]) -> int:
    count = partial(plays_of, session)  # expect-any: shared_by_tasks
    counts = await asyncio.gather(*map(count, songs))  # expect-any: shared_by_tasks
    return max(zip(counts, songs, strict=True))[1]


async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        await most_played(session, [1, 2, 3, 4])
    await engine.dispose()
