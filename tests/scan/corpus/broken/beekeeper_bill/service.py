"""Broken: the service makes its meter with the session of the tool, so that a bill publishes a half harvest."""

from dataclasses import dataclass

from billing import Meter, SqlMeter
from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(slots=True)
class HiveDeps:
    session: AsyncSession
    account: int


bees = Agent("openai:gpt-5-mini", deps_type=HiveDeps, defer_model_check=True)


@bees.tool(sequential=True)
async def harvest(ctx: RunContext[HiveDeps], hive: int, grams: int) -> str:
    """Note a harvest."""
    await ctx.deps.session.execute(
        text("INSERT INTO harvests (hive, grams) VALUES (:hive, :grams)"), {"hive": hive, "grams": grams}
    )
    return "noted"


class HiveService:
    def __init__(self, session: AsyncSession, meter: Meter | None = None) -> None:
        self.session = session
        self.meter = meter or SqlMeter(session)  # expect-any: tracker_with_session

    async def answer(self, account: int, message: str) -> str:
        result = await bees.run(message, deps=HiveDeps(self.session, account))
        await self.meter.add(account, result.usage)  # expect-any: tracker_with_session
        return result.output
