"""Right: the deps are a sessionmaker of SQLModel sessions, and each tool calls it."""

from pydantic_ai import Agent, RunContext
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession


class Dish(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    minutes: int


cook = Agent(deps_type=async_sessionmaker)


@cook.tool
async def quick_dishes(ctx: RunContext[async_sessionmaker[AsyncSession]], minutes: int) -> list[str]:
    """Dishes that take no longer."""
    async with ctx.deps() as session:
        return list((await session.exec(select(Dish.name).where(Dish.minutes <= minutes))).all())


@cook.tool
async def dishes_named(ctx: RunContext[async_sessionmaker[AsyncSession]], name: str) -> list[int]:
    """Dishes by name."""
    async with ctx.deps() as session:
        return list((await session.exec(select(col(Dish.minutes)).where(col(Dish.name).icontains(name)))).all())


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url, pool_size=5)
    factory = async_sessionmaker(engine, class_=AsyncSession)
    result = await cook.run("Something quick with leeks?", deps=factory, model=model)
    await engine.dispose()
    return result.output
