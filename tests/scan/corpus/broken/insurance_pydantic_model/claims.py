"""Broken: a pydantic model carries the session to both tools, and the model calls them together."""

from pydantic import BaseModel, ConfigDict
from pydantic_ai import Agent, RunContext
from sqlmodel import Field, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession


class Claim(SQLModel, table=True):
    __tablename__ = "claims"

    id: int | None = Field(default=None, primary_key=True)
    policy: str = Field(index=True)
    amount: int
    state: str = "open"


class ClaimsDeps(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    db: AsyncSession  # expect-any: shared_by_tools
    policy: str


adjuster = Agent("openai:gpt-5-mini", deps_type=ClaimsDeps, defer_model_check=True)


@adjuster.tool
async def open_claims(ctx: RunContext[ClaimsDeps]) -> list[int]:
    """Amounts of the open claims."""
    statement = select(Claim.amount).where(Claim.policy == ctx.deps.policy, Claim.state == "open")
    return list((await ctx.deps.db.exec(statement)).all())  # expect-any: shared_by_tools


@adjuster.tool
async def file_claim(ctx: RunContext[ClaimsDeps], amount: int) -> int | None:
    """File a new claim."""
    claim = Claim(policy=ctx.deps.policy, amount=amount)
    ctx.deps.db.add(claim)  # expect-any: shared_by_tools
    await ctx.deps.db.commit()  # expect-any: shared_by_tools
    await ctx.deps.db.refresh(claim)  # expect-any: shared_by_tools
    return claim.id


async def handle(db: AsyncSession, policy: str, message: str) -> str:
    result = await adjuster.run(message, deps=ClaimsDeps(db=db, policy=policy))  # expect-any: shared_by_tools
    return result.output
