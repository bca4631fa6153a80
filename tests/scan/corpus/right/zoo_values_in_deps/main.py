"""Right: what the tools need was read before the run, as plain values, by a session that is closed by then."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Animal(Base):
    __tablename__ = "animals"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    species: Mapped[str]
    keeper: Mapped[str]


@dataclass(frozen=True)
class Zoo:
    species: dict[str, list[str]]
    keepers: dict[str, str]


async def load(session: AsyncSession) -> Zoo:
    species: dict[str, list[str]] = {}
    keepers: dict[str, str] = {}
    for name, kind, keeper in await session.execute(select(Animal.name, Animal.species, Animal.keeper)):
        species.setdefault(kind, []).append(name)
        keepers[name] = keeper
    return Zoo(species, keepers)


guide = Agent(deps_type=Zoo)


@guide.tool
async def animals_of(ctx: RunContext[Zoo], species: str) -> list[str]:
    """Names of a species' animals."""
    return ctx.deps.species.get(species, [])


@guide.tool
async def keeper_of(ctx: RunContext[Zoo], name: str) -> str | None:
    """Who keeps an animal."""
    return ctx.deps.keepers.get(name)


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        zoo = await load(session)
    result = await guide.run("Who keeps Bruno?", deps=zoo, model=model)
    await engine.dispose()
    return result.output
