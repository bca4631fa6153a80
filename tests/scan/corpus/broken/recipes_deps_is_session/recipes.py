"""Broken: the deps are the session itself, so that every tool is handed the same one."""

from pydantic_ai import Agent, RunContext
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.ext.asyncio.session import AsyncSession


class Recipe(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str
    minutes: int


class Ingredient(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    recipe_id: int = Field(foreign_key="recipe.id")
    name: str


cook = Agent(deps_type=AsyncSession, instructions="You suggest recipes.")


@cook.tool
async def quick_recipes(ctx: RunContext[AsyncSession], minutes: int) -> list[str]:
    """Recipes that take no longer."""
    found = await ctx.deps.exec(select(Recipe.name).where(Recipe.minutes <= minutes))  # expect-any: shared_by_tools
    return list(found.all())


@cook.tool
async def recipes_with(ctx: RunContext[AsyncSession], ingredient: str) -> list[int]:
    """Recipes that use an ingredient."""
    session = ctx.deps
    found = await session.exec(  # expect-any: shared_by_tools
        select(Ingredient.recipe_id).where(col(Ingredient.name).icontains(ingredient)).distinct()
    )
    return list(found.all())


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url, pool_size=5)
    async with AsyncSession(engine) as session:
        result = await cook.run("Something quick with leeks?", deps=session, model=model)  # expect-any: shared_by_tools
    await engine.dispose()
    return result.output
