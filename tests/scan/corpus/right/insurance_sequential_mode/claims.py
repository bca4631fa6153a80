"""Right: the run is put into the mode in which the tools of one response run one after the other."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession


class Claim(SQLModel, table=True):
    __tablename__ = "claims"

    id: int | None = Field(default=None, primary_key=True)
    policy: str = Field(index=True)
    amount: int


@dataclass
class ClaimsDeps:
    db: AsyncSession
    policy: str


adjuster = Agent(deps_type=ClaimsDeps)


@adjuster.tool
async def claims(ctx: RunContext[ClaimsDeps]) -> list[int]:
    """Amounts of the claims."""
    async with ctx.deps.db.begin():
        return list((await ctx.deps.db.exec(select(Claim.amount).where(Claim.policy == ctx.deps.policy))).all())


@adjuster.tool
async def file_claim(ctx: RunContext[ClaimsDeps], amount: int) -> str:
    """File a new claim."""
    async with ctx.deps.db.begin():
        ctx.deps.db.add(Claim(policy=ctx.deps.policy, amount=amount))
    return "filed"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as db:
        with adjuster.parallel_tool_call_execution_mode("sequential"):
            result = await adjuster.run("My bicycle is gone", deps=ClaimsDeps(db, "P-1"), model=model)
    await engine.dispose()
    return result.output
