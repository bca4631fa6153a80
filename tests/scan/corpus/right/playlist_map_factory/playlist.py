"""Right: the partial binds the factory, and each of the gathered coroutines opens a session with it."""

import asyncio
from functools import partial

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Play(Base):
    __tablename__ = "plays"

    id: Mapped[int] = mapped_column(primary_key=True)
    song: Mapped[int]


async def plays_of(session: async_sessionmaker[AsyncSession], song: int) -> int:
    async with session() as db:
        return await db.scalar(select(func.count()).where(Play.song == song)) or 0


async def most_played(session: async_sessionmaker[AsyncSession], songs: list[int]) -> int:
    count = partial(plays_of, session)
    counts = await asyncio.gather(*map(count, songs))
    return max(zip(counts, songs, strict=True))[1]


async def main(url: str) -> None:
    engine = create_async_engine(url)
    await most_played(async_sessionmaker(engine), [1, 2, 3, 4])
    await engine.dispose()
