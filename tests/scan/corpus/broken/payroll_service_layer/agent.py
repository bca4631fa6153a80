"""Broken: both tools hand `ctx.deps.session` on to service functions of another module, and run at once."""

from deps import PayrollDeps
from pydantic_ai import Agent, RunContext
from services import leave_of, salary_of
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE salaries (employee int PRIMARY KEY, amount numeric);
CREATE TABLE leave (id serial PRIMARY KEY, employee int, year int, days int);
"""

payroll = Agent(deps_type=PayrollDeps)


@payroll.tool
async def salary(ctx: RunContext[PayrollDeps]) -> str:
    """The employee's salary."""
    amount = await salary_of(ctx.deps.session, ctx.deps.employee)  # expect-any: shared_by_tools
    return str(amount or "unknown")


@payroll.tool
async def leave(ctx: RunContext[PayrollDeps], year: int) -> int:
    """Days of leave in a year."""
    return await leave_of(ctx.deps.session, ctx.deps.employee, year)  # expect-any: shared_by_tools


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    maker = async_sessionmaker(bind=engine, autoflush=False)
    async with maker() as session:
        deps = PayrollDeps(session, employee=12)  # expect-any: shared_by_tools
        result = await payroll.run(  # expect-any: shared_by_tools
            "How much leave have I left, and what do I earn?", deps=deps, model=model
        )
    await engine.dispose()
    return result.output
