"""The coach."""

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

Factory = async_sessionmaker[AsyncSession]
coach = Agent("openai:gpt-5", deps_type=Factory, defer_model_check=True)


@coach.tool
async def last_runs(ctx: RunContext[Factory], runner: str) -> list[int]:
    """The last five distances of a runner."""
    async with ctx.deps() as session:
        rows = await session.scalars(
            text("SELECT metres FROM runs WHERE runner = :r ORDER BY id DESC LIMIT 5"), {"r": runner}
        )
        return list(rows)


@coach.tool
async def best_time(ctx: RunContext[Factory], runner: str, metres: int) -> int | None:
    """A runner's best time over a distance."""
    async with ctx.deps() as session:
        return await session.scalar(
            text("SELECT min(seconds) FROM runs WHERE runner = :r AND metres = :m"), {"r": runner, "m": metres}
        )
