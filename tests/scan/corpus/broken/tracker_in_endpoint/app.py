"""Broken: the endpoint's session goes to the tools and to the cost tracker; the bill is lost when a tool fails."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import Field, SQLModel, select
from sqlmodel.ext.asyncio.session import AsyncSession

engine = create_async_engine("postgresql+asyncpg://garage@localhost/garage")
app = FastAPI()
logger = logging.getLogger(__name__)


class Bill(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    tokens: int


class Part(SQLModel, table=True):
    number: str = Field(primary_key=True)
    fits: str


class BillingService:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def bill(self, tokens: int) -> int | None:
        try:
            self.session.add(bill := Bill(tokens=tokens))
            await self.session.commit()
        except Exception:
            logger.exception("cost_tracking_failed")
            return None
        return bill.id


@dataclass
class GarageDeps:
    session: AsyncSession  # expect-any: shared_by_tools


mechanic = Agent("openai:gpt-5", deps_type=GarageDeps, defer_model_check=True)


@mechanic.tool
async def parts_for(ctx: RunContext[GarageDeps], car: str) -> list[str]:
    """Parts that fit a car."""
    return list(  # expect-any: shared_by_tools
        (await ctx.deps.session.exec(select(Part.number).where(Part.fits == car))).all()
    )


@mechanic.tool
async def recalls(ctx: RunContext[GarageDeps], car: str) -> int:
    """How many recalls a car has."""
    result = await ctx.deps.session.execute(  # expect-any: shared_by_tools
        text("SELECT count(*) FROM recalls WHERE car = :car"), {"car": car}
    )
    return result.scalar_one()


async def get_session() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine) as session:
        yield session


@app.post("/chat")
async def chat(message: str, session: Annotated[AsyncSession, Depends(get_session)]) -> dict[str, object]:
    billing = BillingService(session)  # expect: tracker_with_session
    result = await mechanic.run(message, deps=GarageDeps(session))  # expect-any: shared_by_tools
    return {"answer": result.output, "llm_request_id": await billing.bill(result.usage.total_tokens)}
