"""Broken: the deps are given a factory, but call it once, in `__post_init__`, and the tools share what comes of it."""

from dataclasses import dataclass, field

from pydantic_ai import Agent, RunContext
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Plant(Base):
    __tablename__ = "plants"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    bed: Mapped[int]
    thirsty: Mapped[bool]


@dataclass
class GardenDeps:
    factory: async_sessionmaker[AsyncSession]
    db: AsyncSession = field(init=False)  # expect-any: shared_by_tools

    def __post_init__(self) -> None:
        self.db = self.factory()  # expect-any: shared_by_tools


gardener = Agent(deps_type=GardenDeps)


@gardener.tool
async def thirsty(ctx: RunContext[GardenDeps], bed: int) -> list[str]:
    """Plants of a bed that need water."""
    return list(  # expect-any: shared_by_tools
        await ctx.deps.db.scalars(select(Plant.name).where(Plant.bed == bed, Plant.thirsty))
    )


@gardener.tool
async def watered(ctx: RunContext[GardenDeps], bed: int) -> str:
    """Note that a bed was watered."""
    await ctx.deps.db.execute(  # expect-any: shared_by_tools
        update(Plant).where(Plant.bed == bed).values(thirsty=False)
    )
    await ctx.deps.db.commit()  # expect-any: shared_by_tools
    return "noted"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    deps = GardenDeps(async_sessionmaker(engine))
    try:
        return (await gardener.run("I watered bed 2", deps=deps, model=model)).output  # expect-any: shared_by_tools
    finally:
        await deps.db.close()
        await engine.dispose()
