"""Right: `__post_init__` makes a factory of the engine, and the tools call it, each for itself."""

from dataclasses import InitVar, dataclass, field

from pydantic_ai import Agent, RunContext
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
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
    engine: InitVar[AsyncEngine]
    db: async_sessionmaker[AsyncSession] = field(init=False)

    def __post_init__(self, engine: AsyncEngine) -> None:
        self.db = async_sessionmaker(engine)


gardener = Agent(deps_type=GardenDeps)


@gardener.tool
async def thirsty(ctx: RunContext[GardenDeps], bed: int) -> list[str]:
    """Plants of a bed that need water."""
    db = ctx.deps.db()
    try:
        return list(await db.scalars(select(Plant.name).where(Plant.bed == bed, Plant.thirsty)))
    finally:
        await db.close()


@gardener.tool
async def watered(ctx: RunContext[GardenDeps], bed: int) -> str:
    """Note that a bed was watered."""
    async with ctx.deps.db() as db:
        await db.execute(update(Plant).where(Plant.bed == bed).values(thirsty=False))
        await db.commit()
    return "noted"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    result = await gardener.run("I watered bed 2", deps=GardenDeps(engine), model=model)
    await engine.dispose()
    return result.output
