"""What the harness costs: measurements that are read, not tests that pass. `tox run -e overhead` runs them.

Turns with and without the recorders are interleaved in one process and compared by ratio, because absolute times drift.
The latency of the tools is part of the experiment, and is in both.
"""

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter
from typing import Any

import click
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from fixtures.backend.adapter import backend
from harness.backend import Application, BackendSettings, PoolSettings
from harness.conversation import Conversation
from harness.explorer.gate import Gate
from harness.explorer.pool_state import bring_into
from harness.observe.attribution import attributed
from harness.observe.observation import Observation
from harness.observe.tools import ToolsRecorder
from harness.postgres.clones import Clones
from harness.providers.create import create_provider
from harness.scenario import Cell, ModelTier, PoolState, SessionMode
from scenarios.test_two_parallel_tools import TWO_PARALLEL_TOOLS

pytestmark = pytest.mark.benchmark_suite

PAIRS = 20
CELL = Cell(
    scenario=TWO_PARALLEL_TOOLS,
    mode=SessionMode.PER_OPERATION,
    pool_state=PoolState.WARM,
    tier=ModelTier.SCRIPTED,
)


class Turns:
    """Turns of one application, bare or under the recorders and the barrier."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._provider: Any = None

    @classmethod
    @asynccontextmanager
    async def of(cls, database_url: str) -> AsyncIterator["Turns"]:
        provider = create_provider(CELL.tier)
        settings = BackendSettings(
            database_url=database_url,
            session_mode=CELL.mode,
            pool=PoolSettings.for_state(CELL.pool_state),
            model=provider.model,
        )
        async with backend.start(settings) as application:
            await bring_into(application.engine, CELL.pool_state, connections=4)
            turns = cls(application)
            turns._provider = provider
            yield turns

    async def seconds(self, *, observed: bool) -> float:
        """How long one turn takes; installing and removing the recorders is not part of it."""
        engine = self._application.engine
        async with AsyncExitStack() as stack:
            gate = await stack.enter_async_context(Gate(engine, caller=attributed, barrier=observed))
            recorders = None if observed else (ToolsRecorder(),)  # who runs must be known for the latency
            await stack.enter_async_context(Observation(engine, recorders=recorders))
            conversation = Conversation(
                cell=CELL, backend=backend, provider=self._provider, gate=gate, note=print, timeout=30
            )
            start = perf_counter()
            await conversation.hold(self._application)
            return perf_counter() - start


async def _compare(database_url: str) -> list[float]:
    async with Turns.of(database_url) as turns:
        for observed in (False, True):
            await turns.seconds(observed=observed)
        ratios = []
        for number in range(PAIRS):
            order = (False, True) if number % 2 else (True, False)
            seconds = {observed: await turns.seconds(observed=observed) for observed in order}
            ratios.append(seconds[True] / seconds[False])
        return sorted(ratios)


def test_turn_under_the_recorders(
    benchmark: BenchmarkFixture, sessionproof_clones: Clones, reference_template: str
) -> None:
    """A turn of two tools of 0.24 s, observed, against the same turn bare: the median ratio and its interval."""

    async def measure() -> list[float]:
        async with sessionproof_clones.clone(reference_template, label="overhead") as database:
            return await _compare(database.url)

    ratios: list[float] = benchmark.pedantic(lambda: asyncio.run(measure()), rounds=1)  # type: ignore[no-untyped-call]  # the library's

    # the 6th and the 15th of 20 values: a distribution-free interval for the median, coverage 95.9 %
    benchmark.extra_info["ratio"] = {
        "median": statistics.median(ratios),
        "interval": [ratios[5], ratios[14]],
        "all": ratios,
    }
    click.echo(f"\nobserved / bare: {statistics.median(ratios):.4f} [{ratios[5]:.4f}, {ratios[14]:.4f}], {PAIRS} pairs")


def test_clone_of_a_database(benchmark: BenchmarkFixture, sessionproof_clones: Clones, reference_template: str) -> None:
    """Making a clone of the template, without dropping it."""
    with asyncio.Runner() as runner:
        exits = AsyncExitStack()

        def clone() -> None:
            context = sessionproof_clones.clone(reference_template, label="clone")
            runner.run(exits.enter_async_context(context))

        benchmark.pedantic(clone, rounds=40, warmup_rounds=2)  # type: ignore[no-untyped-call]  # the library's
        runner.run(exits.aclose())
