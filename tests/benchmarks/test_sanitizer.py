"""What watching sessions costs: measurements, not tests. `tox run -e sanitizer-bench` runs them.

Each program runs in short chunks, watched and bare in turn, in one process; the pool's connections were opened under a
watch, as in an application that is watched from its start. What is compared is the ratio within a pair of neighbouring
chunks, and its median with a distribution-free interval, because times drift on a shared machine. Installing is no
part of it, and neither is what follows from it: CPython specialises code for classes as they are, and when one changes
it begins again after some fifty executions. So every chunk is preceded by as many rounds that are not timed.
"""

import asyncio
import gc
import tracemalloc
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import click
import pytest
from pydantic_ai import Agent, ModelMessage, ModelResponse, RunContext, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pytest_benchmark.fixture import BenchmarkFixture
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from harness import watch_sessions
from harness.checks.speedup import median_interval
from harness.postgres.clones import Clones
from harness.sanitizer.watch import SAMPLED
from tests.sanitizer.world import Author

pytestmark = pytest.mark.benchmark_suite

PAIRS = 50
Run = Callable[[AsyncEngine, int], Coroutine[Any, Any, object]]


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program: how many rounds a chunk has, and the factor that is aimed at."""

    name: str
    run: Run
    rounds: int
    at_most: float
    warm_up: int = 60


async def _select_1(engine: AsyncEngine, rounds: int) -> None:
    async with AsyncSession(engine) as session:
        for _ in range(rounds):
            await session.execute(text("select 1"))


async def _orm_row(engine: AsyncEngine, rounds: int) -> None:
    async with AsyncSession(engine) as session:
        for _ in range(rounds):
            (await session.execute(select(Author).where(Author.id == 1))).scalar_one()


async def _add_and_flush(engine: AsyncEngine, rounds: int) -> None:
    async with AsyncSession(engine) as session:
        for _ in range(rounds):
            session.add(Author(name="Cleo"))
            await session.flush()
        await session.rollback()


async def _fifty_tasks(engine: AsyncEngine, rounds: int) -> None:
    async def work() -> None:
        async with AsyncSession(engine) as session:
            for _ in range(rounds):
                await session.execute(text("select 1"))

    await asyncio.gather(*(work() for _ in range(50)))


def _agent() -> Agent[AsyncEngine, str]:
    def model(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse(parts=[ToolCallPart("count", {}), ToolCallPart("look_up", {})])
        return ModelResponse(parts=[TextPart("done")])

    agent = Agent(FunctionModel(model), deps_type=AsyncEngine)

    @agent.tool
    async def count(context: RunContext[AsyncEngine]) -> int:
        async with AsyncSession(context.deps) as session:
            found: int = (await session.execute(text("select 1"))).scalar_one()
            return found

    @agent.tool
    async def look_up(context: RunContext[AsyncEngine]) -> str:
        async with AsyncSession(context.deps) as session:
            return (await session.execute(select(Author.name).where(Author.id == 1))).scalar_one()

    return agent


async def _agent_run(engine: AsyncEngine, rounds: int) -> None:
    agent = _agent()
    for _ in range(rounds):
        await agent.run("go", deps=engine)


async def _ten_tasks_sleep(_engine: AsyncEngine, rounds: int) -> None:
    async def work() -> None:
        for _ in range(rounds):
            await asyncio.sleep(0)

    await asyncio.gather(*(work() for _ in range(10)))


async def _create_tasks(_engine: AsyncEngine, rounds: int) -> None:
    async def nothing() -> None:
        """A task with nothing in it."""

    for _ in range(rounds):
        await asyncio.create_task(nothing())


async def _queue(_engine: AsyncEngine, rounds: int) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(1)

    async def produce() -> None:
        for number in range(rounds):
            await queue.put(number)

    async def consume() -> None:
        for _ in range(rounds):
            await queue.get()

    await asyncio.gather(produce(), consume())


PROGRAMS = (
    Program(name="select 1", run=_select_1, rounds=200, at_most=1.10),
    Program(name="ORM select of one row", run=_orm_row, rounds=100, at_most=1.08),
    Program(name="add and flush", run=_add_and_flush, rounds=80, at_most=1.08),
    Program(name="fifty tasks with own sessions", run=_fifty_tasks, rounds=2, at_most=1.10, warm_up=2),
    Program(name="agent run with two database tools", run=_agent_run, rounds=10, at_most=1.05),
    Program(name="ten tasks sleep(0)", run=_ten_tasks_sleep, rounds=500, at_most=2.0),
    Program(name="create tasks", run=_create_tasks, rounds=2000, at_most=2.0),
    Program(name="queue of one place", run=_queue, rounds=2000, at_most=2.0),
)


class Comparison:
    """Chunks of one program, watched and bare, in one event loop on one engine; with this share of stacks."""

    def __init__(self, runner: asyncio.Runner, program: Program, url: str, *, stacks: float = 1.0) -> None:
        self._runner = runner
        self._stacks = stacks
        self._program = program
        with watch_sessions():
            self._engine = runner.run(_engine(url))
            runner.run(program.run(self._engine, program.rounds))

    def pairs(self) -> list[tuple[float, float]]:
        """Seconds of a bare and of a watched chunk, in pairs."""
        found = []
        for number in range(PAIRS):
            first, second = (self._bare, self._watched) if number % 2 else (self._watched, self._bare)
            one, other = first(), second()
            found.append((one, other) if number % 2 else (other, one))
        self._runner.run(self._engine.dispose())
        return found

    def _bare(self) -> float:
        run, rounds = self._program.run, self._program.rounds
        self._runner.run(run(self._engine, max(rounds, self._program.warm_up)))
        gc.collect()
        start = perf_counter()
        self._runner.run(run(self._engine, rounds))
        return perf_counter() - start

    def _watched(self) -> float:
        with watch_sessions(stacks=self._stacks) as watch:
            seconds = self._bare()
        assert not watch.findings
        assert not watch.problems
        return seconds


async def _engine(url: str) -> AsyncEngine:
    return create_async_engine(url, pool_size=10, max_overflow=40)


@pytest.mark.parametrize("stacks", [1.0, SAMPLED, 0.01])
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_program_under_the_sanitizer(
    program: Program, stacks: float, benchmark: BenchmarkFixture, sessionproof_clones: Clones, notes_template: str
) -> None:
    """The program watched, against the same program bare: the median ratio and its interval."""
    with asyncio.Runner() as runner:
        exits = AsyncExitStack()
        clone = sessionproof_clones.clone(notes_template, label="watched")
        database = runner.run(exits.enter_async_context(clone))
        comparison = Comparison(runner, program, database.url, stacks=stacks)
        pairs: list[tuple[float, float]] = benchmark.pedantic(comparison.pairs, rounds=1)  # type: ignore[no-untyped-call]  # the library's
        runner.run(exits.aclose())

    interval = median_interval([watched / bare for bare, watched in pairs], confidence=0.95)
    benchmark.extra_info["ratio"] = {"median": interval.median, "interval": [interval.low, interval.high]}
    bare = min(bare for bare, _ in pairs) / program.rounds * 1e6
    click.echo(
        f"\n{program.name}, {stacks:.0%} of the stacks: watched / bare "
        f"{interval.median:.3f} [{interval.low:.3f}, {interval.high:.3f}], aim {program.at_most:.2f}; "
        f"bare {bare:.1f} us a round, {PAIRS} pairs"
    )


def test_memory_is_flat(benchmark: BenchmarkFixture) -> None:
    """Memory after 1,000,000 operations and 100,000 tasks, against that after a tenth of them."""

    async def work(session: Session) -> None:
        for _ in range(10):
            session.expire_all()

    async def program(tasks: int) -> None:
        session = Session()
        for _ in range(tasks):
            await asyncio.create_task(work(session))

    def measure() -> list[int]:
        sizes: list[int] = []
        with watch_sessions() as watch, asyncio.Runner() as runner:
            runner.run(program(100))
            tracemalloc.start()
            for tasks in (10_000, 90_000):
                runner.run(program(tasks))
                gc.collect()
                sizes.append(tracemalloc.get_traced_memory()[0])
            tracemalloc.stop()
        assert not watch.findings
        assert not watch.problems
        return sizes

    sizes: Any = benchmark.pedantic(measure, rounds=1)  # type: ignore[no-untyped-call]  # the library's
    benchmark.extra_info["bytes"] = sizes
    click.echo(f"\nmemory of the process: {sizes[0]:,} bytes more after 10,000 tasks, {sizes[1]:,} after 100,000")
