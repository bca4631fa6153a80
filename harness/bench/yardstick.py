"""An application of the harness's own, that measures the machine by the same kind of work as the backend does.

Problem: a turn that takes longer than last time may be the backend's doing or the machine's, and seconds cannot tell.

Mechanism: an agent with two tools, each with a session of its own, and a row for the bill, on the same libraries as a
backend is made of. It takes its turn among the arms. What slows the machine down slows both, in proportion to what they
compute; what was done to the backend slows the backend alone.

Guarantee: it changes with the harness's version only. Libraries that become slower slow it down as well, and do not
show against it.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pydantic_ai import Agent, RunContext
from sqlalchemy import NullPool, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from harness.backend import BackendSettings, Capability, ChatRequest, PoolSettings, Tenant, ToolUse
from harness.evidence import Answer, LedgerRow
from harness.scenario import SessionMode, ToolRole

__all__ = ["NAME", "Yardstick"]

NAME = "yardstick"
"""The name of its arm."""

Sessions = async_sessionmaker[AsyncSession]


class _Base(DeclarativeBase):
    """The schema."""


class _Article(_Base):
    __tablename__ = "yardstick_articles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class _Bill(_Base):
    __tablename__ = "yardstick_bills"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation: Mapped[str]
    tokens: Mapped[int]


async def _first(ctx: RunContext[Sessions]) -> str:
    """The first article."""
    return await _article(ctx.deps, 1)


async def _second(ctx: RunContext[Sessions]) -> str:
    """The second article."""
    return await _article(ctx.deps, 2)


async def _article(sessions: Sessions, number: int) -> str:
    async with sessions() as session:
        return (await session.scalars(select(_Article).where(_Article.id == number))).one().name


@dataclass(frozen=True, slots=True, kw_only=True)
class _Application:
    """The started application."""

    engine: AsyncEngine
    agent: Agent[Sessions, str]
    settings: BackendSettings

    async def send(self, request: ChatRequest) -> Answer:
        """Run the agent, and write the bill."""
        sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        result = await self.agent.run(request.message, deps=sessions, model=self.settings.model)
        usage = result.usage
        bill = _Bill(id=uuid4(), conversation=request.conversation_id, tokens=usage.input_tokens + usage.output_tokens)
        async with sessions.begin() as session:
            session.add(bill)
        return Answer(text=result.output, llm_request_id=bill.id, session_id=request.conversation_id)


class Yardstick:
    """The application, as a backend."""

    name = NAME
    modes = frozenset({SessionMode.PER_OPERATION})
    capabilities: frozenset[Capability] = frozenset()
    tenants: Sequence[Tenant] = (
        Tenant(
            account=NAME,
            agent=NAME,
            message="Which articles are there?",
            tools={ToolRole.READ: ToolUse(tool="first"), ToolRole.SEARCH: ToolUse(tool="second")},
        ),
    )
    ledger_table = _Bill.__tablename__

    async def prepare(self, database_url: str) -> None:
        """Make the tables, and two articles."""
        engine = create_async_engine(database_url)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(_Base.metadata.create_all)
                await connection.execute(insert(_Article), [{"id": 1, "name": "apples"}, {"id": 2, "name": "pears"}])
        finally:
            await engine.dispose()

    @asynccontextmanager
    async def start(self, settings: BackendSettings) -> AsyncIterator[_Application]:
        """Make the engine and the agent, and dispose of the engine at the end."""
        engine = create_async_engine(settings.database_url, **_pool_arguments(settings.pool))
        agent = Agent(deps_type=Sessions, defer_model_check=True)
        agent.tool(name="first")(_first)
        agent.tool(name="second")(_second)
        try:
            yield _Application(engine=engine, agent=agent, settings=settings)
        finally:
            await engine.dispose()

    async def read_ledger(self, connection: AsyncConnection) -> Sequence[LedgerRow]:  # noqa: ARG002  # the protocol's
        """Nothing: it is timed, and not verified."""
        return ()


def _pool_arguments(pool: PoolSettings) -> dict[str, Any]:
    if pool.null:
        return {"poolclass": NullPool}
    return {
        "pool_size": pool.size,
        "max_overflow": pool.max_overflow,
        "pool_timeout": pool.timeout,
        "pool_pre_ping": pool.pre_ping,
    }
