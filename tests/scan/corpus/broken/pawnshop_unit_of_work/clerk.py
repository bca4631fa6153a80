"""Broken: one unit of work is in the deps, and both tools use repositories that share its session."""

from dataclasses import dataclass

from domain import UnitOfWork
from pydantic_ai import Agent, RunContext
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine


@dataclass
class ClerkDeps:
    work: UnitOfWork  # expect-any: shared_by_tools


clerk = Agent(deps_type=ClerkDeps, instructions="You help at the counter.")


@clerk.tool
async def pledged_items(ctx: RunContext[ClerkDeps]) -> list[str]:
    """What is in the safe."""
    return [pledge.item for pledge in await ctx.deps.work.pledges.all()]  # expect-any: shared_by_tools


@clerk.tool
async def open_loans(ctx: RunContext[ClerkDeps]) -> int:
    """The sum of all loans."""
    loans = await ctx.deps.work.loans.all()  # expect-any: shared_by_tools
    return sum(loan.amount for loan in loans)


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with UnitOfWork(async_sessionmaker(engine, expire_on_commit=False)) as work:
        result = await clerk.run(
            "What is in the safe?", deps=ClerkDeps(work), model=model
        )  # expect-any: shared_by_tools
        await work.commit()
    await engine.dispose()
    return result.output
