"""Right: every tool is marked `sequential`, so that none overlaps another, and each ends its own transaction."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE salaries (employee int PRIMARY KEY, amount numeric);
CREATE TABLE leave (id serial PRIMARY KEY, employee int, days int);
"""


@dataclass
class PayrollDeps:
    session: AsyncSession
    employee: int


payroll = Agent(deps_type=PayrollDeps)


@payroll.tool(sequential=True)
async def salary(ctx: RunContext[PayrollDeps]) -> str:
    """The employee's salary."""
    async with ctx.deps.session.begin():
        statement = text("SELECT amount FROM salaries WHERE employee = :id")
        return str(await ctx.deps.session.scalar(statement, {"id": ctx.deps.employee}))


@payroll.tool(sequential=True)
async def take_leave(ctx: RunContext[PayrollDeps], days: int) -> str:
    """Take days of leave."""
    async with ctx.deps.session.begin():
        values = {"id": ctx.deps.employee, "days": days}
        await ctx.deps.session.execute(text("INSERT INTO leave (employee, days) VALUES (:id, :days)"), values)
    return "noted"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with async_sessionmaker(engine)() as session:
        result = await payroll.run("Three days off, please", deps=PayrollDeps(session, employee=12), model=model)
    await engine.dispose()
    return result.output
