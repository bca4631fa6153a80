"""Broken: the profile's session keeps its transaction and connection while the model thinks, and tools need more."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Profile(Base):
    __tablename__ = "profiles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    turns: Mapped[int] = mapped_column(default=0)


class Song(Base):
    __tablename__ = "songs"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    mood: Mapped[str]


@dataclass
class RadioDeps:
    sessions: async_sessionmaker[AsyncSession]
    listener: str


radio = Agent(deps_type=RadioDeps)


@radio.tool
async def songs(ctx: RunContext[RadioDeps], mood: str) -> list[str]:
    """Songs for a mood."""
    async with ctx.deps.sessions() as session:
        return list(await session.scalars(select(Song.title).where(Song.mood == mood)))


async def chat(sessions: async_sessionmaker[AsyncSession], profile_id: int, message: str, model: object) -> str:
    async with sessions() as session:  # expect-any: held_across_run
        profile = await session.get(Profile, profile_id)  # expect-any: held_across_run
        name = profile.name if profile else "friend"
        result = await radio.run(message, deps=RadioDeps(sessions, name), model=model)  # expect-any: held_across_run
        if profile is not None:
            profile.turns += 1
        await session.commit()
    return result.output


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=2)
    try:
        return await chat(async_sessionmaker(engine), 1, "Something calm", model)
    finally:
        await engine.dispose()
