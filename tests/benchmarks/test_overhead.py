"""What the harness costs: measurements that are read, not tests that pass. `tox run -e overhead` runs them.

Bare turns, with nothing of the harness but the scripted model, and turns under the recorders and the barrier are
interleaved in one process and compared by ratio, because absolute times drift. The tools' latency is in the database
itself, behind views that sleep, and so in both.
"""

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import click
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from fixtures.backend.adapter import backend
from harness.backend import Application, BackendSettings, ChatRequest, PoolSettings
from harness.conversation import Conversation
from harness.explorer.gate import Gate
from harness.explorer.pool_state import bring_into
from harness.observe.attribution import attributed
from harness.observe.observation import Observation
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.providers.create import create_provider
from harness.providers.provider import Provider, ScriptedCall, ScriptedResponse, TurnScript
from harness.scenario import Cell, ModelTier, PoolState, SessionMode
from scenarios.test_two_parallel_tools import TWO_PARALLEL_TOOLS

pytestmark = pytest.mark.benchmark_suite

PAIRS = 20
TOOL_SECONDS = 0.24
TABLES = ("directory_entries", "documents")
CELL = Cell(
    scenario=TWO_PARALLEL_TOOLS.scaled(0),  # the gate adds no latency
    mode=SessionMode.PER_OPERATION,
    pool_state=PoolState.WARM,
    tier=ModelTier.SCRIPTED,
)


class Turns:
    """Turns of one application, bare or under the recorders and the barrier."""

    def __init__(self, application: Application, provider: Provider, *, server_log: Path | None) -> None:
        self._application = application
        self._provider = provider
        self._server_log = server_log

    @classmethod
    @asynccontextmanager
    async def of(cls, database_url: str, *, server_log: Path | None) -> AsyncIterator["Turns"]:
        provider = create_provider(CELL.tier)
        settings = BackendSettings(
            database_url=database_url,
            session_mode=CELL.mode,
            pool=PoolSettings.for_state(CELL.pool_state),
            model=provider.model,
        )
        async with backend.start(settings) as application:
            await bring_into(application.engine, CELL.pool_state, connections=4)
            yield cls(application, provider, server_log=server_log)

    async def bare(self) -> float:
        """How long one turn takes of which the harness only plays the model."""
        tenant, turn = backend.tenants[0], str(uuid4())
        message = f"{tenant.message} (reference {turn})"
        self._provider.expect(_script(turn, message))
        request = ChatRequest(account=tenant.account, agent=tenant.agent, message=message, conversation_id=turn)
        start = perf_counter()
        await self._application.send(request)
        return perf_counter() - start

    async def observed(self) -> float:
        """How long one turn takes as the engine holds it; installing and removing the recorders is not part of it."""
        engine = self._application.engine
        observation = Observation(engine, server_log=self._server_log)
        gate = Gate(engine, caller=attributed)
        observation.on_tool_end(gate.leave)
        conversation = Conversation(
            cell=CELL,
            backend=backend,
            provider=self._provider,
            gate=gate,
            note=observation.note,
            announce=lambda *_: None,
            timeout=30,
        )
        async with gate, observation:
            start = perf_counter()
            await conversation.hold(self._application)
            seconds = perf_counter() - start
        assert conversation.turns[0].answer is not None
        return seconds


def _script(turn: str, message: str) -> TurnScript:
    """What the model does in a turn of the cell, as the harness would say it."""
    tools, plan = backend.tenants[0].tools, CELL.scenario.messages[0].plan
    uses = [tools[step.role] for step in plan.rounds[0]]
    calls = tuple(
        ScriptedCall(tool=use.tool, arguments=use.arguments, tool_call_id=f"{turn}-{position}")
        for position, use in enumerate(uses)
    )
    asking, answering = plan.usages
    responses = (ScriptedResponse(usage=asking, calls=calls), ScriptedResponse(usage=answering, text=plan.answer))
    return TurnScript(turn=turn, message=message, responses=responses)


async def _slow_down(database_url: str) -> None:
    """Put a view that sleeps in the place of each table that the tools search."""
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        for table in TABLES:
            await connection.execute(text(f"ALTER TABLE {table} RENAME TO {table}_at_once"))
            await connection.execute(
                text(
                    f"CREATE VIEW {table} AS WITH waited AS MATERIALIZED (SELECT pg_sleep({TOOL_SECONDS})) "
                    f"SELECT at_once.* FROM {table}_at_once AS at_once, waited"
                )
            )
    await engine.dispose()


async def _compare(database_url: str, server_log: Path | None) -> list[tuple[float, float]]:
    """Seconds of a bare and of an observed turn, in pairs."""
    await _slow_down(database_url)
    async with Turns.of(database_url, server_log=server_log) as turns:
        for measure in (turns.bare, turns.observed):
            assert TOOL_SECONDS <= await measure() < 10 * TOOL_SECONDS
        pairs = []
        for number in range(PAIRS):
            if number % 2:
                bare, observed = await turns.bare(), await turns.observed()
            else:
                observed, bare = await turns.observed(), await turns.bare()
            pairs.append((bare, observed))
        return pairs


def test_turn_under_the_recorders(
    benchmark: BenchmarkFixture,
    sessionproof_clones: Clones,
    sessionproof_server: RunningServer,
    reference_template: str,
) -> None:
    """A turn of two tools of 0.24 s, observed, against the same turn bare: the median ratio and its interval."""

    async def measure() -> list[tuple[float, float]]:
        async with sessionproof_clones.clone(reference_template, label="overhead") as database:
            return await _compare(database.url, sessionproof_server.log_path)

    pairs: list[tuple[float, float]] = benchmark.pedantic(lambda: asyncio.run(measure()), rounds=1)  # type: ignore[no-untyped-call]  # the library's

    ratios = sorted(observed / bare for bare, observed in pairs)
    added = statistics.median(observed - bare for bare, observed in pairs)
    # the 6th and the 15th of 20 values: a distribution-free interval for the median, coverage 95.9 %
    benchmark.extra_info["ratio"] = {
        "median": statistics.median(ratios),
        "interval": [ratios[5], ratios[14]],
        "all": ratios,
        "added_seconds": added,
    }
    click.echo(
        f"\nobserved / bare: {statistics.median(ratios):.4f} [{ratios[5]:.4f}, {ratios[14]:.4f}], "
        f"{PAIRS} pairs; {added * 1000:.1f} ms more a turn"
    )


def test_clone_of_a_database(benchmark: BenchmarkFixture, sessionproof_clones: Clones, reference_template: str) -> None:
    """Making a clone of the template, without dropping it."""
    with asyncio.Runner() as runner:
        exits = AsyncExitStack()

        def clone() -> None:
            context = sessionproof_clones.clone(reference_template, label="clone")
            runner.run(exits.enter_async_context(context))

        benchmark.pedantic(clone, rounds=40, warmup_rounds=2)  # type: ignore[no-untyped-call]  # the library's
        runner.run(exits.aclose())
