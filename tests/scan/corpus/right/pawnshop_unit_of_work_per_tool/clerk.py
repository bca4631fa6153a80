"""Right: what makes a unit of work is in the deps, and each tool begins one of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from domain import UnitOfWork
from pydantic_ai import Agent, RunContext
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine


@dataclass
class ClerkDeps:
    begin: Callable[[], UnitOfWork]


clerk = Agent(deps_type=ClerkDeps, instructions="You help at the counter.")


@clerk.tool
async def pledged_items(ctx: RunContext[ClerkDeps]) -> list[str]:
    """What is in the safe."""
    async with ctx.deps.begin() as work:
        return [pledge.item for pledge in await work.pledges.all()]


@clerk.tool
async def open_loans(ctx: RunContext[ClerkDeps]) -> int:
    """The sum of all loans."""
    async with ctx.deps.begin() as work:
        loans = await work.loans.all()
    return sum(loan.amount for loan in loans)


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    factory = async_sessionmaker(engine, expire_on_commit=False)
    result = await clerk.run("What is in the safe?", deps=ClerkDeps(partial(UnitOfWork, factory)), model=model)
    await engine.dispose()
    return result.output
