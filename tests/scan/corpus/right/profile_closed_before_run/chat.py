"""Right: the profile is read in a session that ends before the model is asked; another one writes after the answer."""

from pydantic_ai import Agent, RunContext
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Sessions = async_sessionmaker[AsyncSession]


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


radio = Agent(deps_type=async_sessionmaker)


@radio.tool
async def songs(ctx: RunContext[Sessions], mood: str) -> list[str]:
    """Songs for a mood."""
    async with ctx.deps() as session:
        return list(await session.scalars(select(Song.title).where(Song.mood == mood)))


async def chat(sessions: Sessions, profile_id: int, message: str, model: object) -> str:
    async with sessions() as session:
        profile = await session.get(Profile, profile_id)
        name = profile.name if profile else "friend"
    result = await radio.run(f"{name} says: {message}", deps=sessions, model=model)
    async with sessions.begin() as session:
        profile = await session.get(Profile, profile_id)
        if profile is not None:
            profile.turns += 1
    return result.output


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=2)
    try:
        return await chat(async_sessionmaker(engine), 1, "Something calm", model)
    finally:
        await engine.dispose()
