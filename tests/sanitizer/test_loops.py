"""The verdicts do not depend on the event loop; of one that shows nothing, `limits` says so."""

import asyncio
import heapq
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any, TypeVar

import pytest
import uvloop
from sqlalchemy import text

from harness.evidence import SessionRace
from harness.sanitizer import watch_sessions
from tests.sanitizer.ablation_programs.pairs import by_luck
from tests.sanitizer.conftest import MakeWorld
from tests.sanitizer.corpus import Program
from tests.sanitizer.legal_programs import eager
from tests.sanitizer.legal_programs.work import count, write
from tests.sanitizer.racy_programs.consequences import shared_session
from tests.sanitizer.test_corpora import LEGAL, RACY, lines_of, marked_lines, shown
from tests.sanitizer.world import World

PROGRAMS = {program.name: program for program in (*LEGAL, *RACY)}
Result = TypeVar("Result")
NewLoop = Callable[[], asyncio.AbstractEventLoop]
Future, Task = asyncio.Future, asyncio.Task
"""asyncio's own classes, whatever the names stand for later."""


async def observe(program: Program, make_world: MakeWorld) -> tuple[tuple[SessionRace, ...], tuple[str, ...]]:
    """What the sanitizer says of a program, and of its own limits."""
    async with make_world(warm=program.warm, label=program.name) as world:
        with watch_sessions() as watch:
            async with asyncio.timeout(30):
                await program.run(world)
        assert watch.problems == ()
        return watch.findings, watch.limits


def run(new_loop: NewLoop, program: Coroutine[Any, Any, Result]) -> Result:
    """Run it in such a loop."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(program)


# -- loops that show everything ---------------------------------------------------------------------------------

SEEN: dict[str, NewLoop] = {"selector": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}

SILENT = (
    "anyio_condition_waited_for",
    "anyio_task_group",
    "asyncpg_connection_handed_over",
    "asyncpg_pool",
    "barrier_waited_for",
    "call_later_waited_for",
    "call_soon_threadsafe_given_before",
    "gather_within_gather",
    "grandchild_hands_back_to_the_grandparent",
    "joined_queue_given_before",
    "polled_future_given_before",
    "pool_of_one",
    "psycopg_engine",
    "task_group_whose_children_ended_early",
    "thread_wakes_a_task_up",
    "tools_with_sessions_of_their_own",
)
REPORTED = (
    "a_callback_that_adds",
    "a_connection_behind_a_lock",
    "a_function_in_a_thread_adds",
    "a_psycopg_session_executes_twice_at_once",
    "a_session_beside_its_driver_by_luck",
    "add_during_slow_flush",
    "close_after_insert_by_text_by_luck",
    "execute_during_execute",
    "fetch_after_fetch",
    "siblings_in_a_task_group",
    "two_tools_execute_by_luck",
)


@pytest.mark.parametrize("loop", SEEN)
@pytest.mark.parametrize("name", SILENT)
def test_a_legal_program(name: str, loop: str, make_world: MakeWorld) -> None:
    """Silence, and no limits."""
    findings, limits = run(SEEN[loop], observe(PROGRAMS[name], make_world))

    assert shown(findings) == []
    assert limits == ()


@pytest.mark.parametrize("loop", SEEN)
@pytest.mark.parametrize("name", REPORTED)
def test_a_racy_program(name: str, loop: str, make_world: MakeWorld) -> None:
    """The right kinds, at the right lines."""
    program = PROGRAMS[name]

    findings, limits = run(SEEN[loop], observe(program, make_world))

    kinds = {str(finding.kind) for finding in findings}
    assert program.kinds <= kinds <= program.kinds | program.also, shown(findings)
    assert marked_lines(program) in map(lines_of, findings)
    assert limits == ()


EAGER = [] if sys.version_info < (3, 12) else ["selector"] if sys.version_info >= (3, 13) else ["selector", "uvloop"]
"""Loops with eager tasks: asyncio's since Python 3.12; uvloop's, on its own, not with the factories of Python 3.13."""


@pytest.mark.parametrize("loop", EAGER)
@pytest.mark.parametrize("program", eager.CORPUS.programs, ids=lambda program: program.name)
def test_eager_tasks(program: Program, loop: str, make_world: MakeWorld) -> None:
    """Silence; of eager tasks of another class `limits` tells."""
    findings, limits = run(SEEN[loop], observe(program, make_world))

    assert shown(findings) == []
    assert ["ApplicationTask" in limit for limit in limits] == [True] * ("class_of_their_own" in program.name)


@pytest.mark.parametrize("loop", EAGER)
def test_a_race_of_eager_tasks(loop: str, make_world: MakeWorld) -> None:
    """What they do after they have suspended is ordered by nothing."""

    async def race(world: World) -> tuple[SessionRace, ...]:
        with eager.eager_tasks(), watch_sessions() as watch:
            await select_by_luck(world)
        return watch.findings

    async def main() -> tuple[SessionRace, ...]:
        async with make_world() as world:
            return await race(world)

    assert [str(each.kind) for each in run(SEEN[loop], main())] == ["unordered"]


async def select_by_luck(world: World) -> None:
    """Two tasks use a session one after the other, and nothing orders them."""
    async with shared_session(world) as session:
        use = partial(session.execute, text("SELECT 1"))
        await by_luck(world, use, use)


# -- a loop that shows nothing ----------------------------------------------------------------------------------


_SelectorEventLoop: Any = asyncio.SelectorEventLoop


class BlindLoop(_SelectorEventLoop):  # type: ignore[misc]  # what it overrides has types of an older way
    """A loop that schedules, and makes futures and tasks, in its own way."""

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready: Any
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = self.call_soon(callback, *args, context=context)
        self._write_to_self()
        return handle

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._scheduled: Any
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # as asyncio's loops do
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        return Future(loop=self)

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        return Task(coro, loop=self, **options)


def on_a_blind_loop(
    work: Callable[[World], Coroutine[Any, Any, object]], make_world: MakeWorld
) -> tuple[list[str], tuple[str, ...]]:
    """The kinds that are found, and the limits."""

    async def main() -> tuple[list[str], tuple[str, ...]]:
        async with make_world() as world:
            with watch_sessions() as watch:
                async with asyncio.timeout(30):
                    await work(world)
            assert watch.problems == ()
            return [str(each.kind) for each in watch.findings], watch.limits

    return run(BlindLoop, main())


@pytest.mark.parametrize(
    "name",
    [
        "anyio_task_group",
        "asyncpg_pool",
        "core_with_options",
        "factory_that_begins",
        "gather_within_gather",
        "requests_one_after_the_other",
        "sibling_awaits_sibling",
        "task_group_whose_children_ended_early",
        "tool_that_is_retried",
        "tools_with_sessions_of_their_own",
    ],
)
def test_a_legal_program_on_a_blind_loop(name: str, make_world: MakeWorld) -> None:
    """What nobody can see orders may be ordered; and children are known by what they inherit."""
    findings, limits = run(BlindLoop, observe(PROGRAMS[name], make_world))

    assert shown(findings) == []
    assert len(limits) == 1
    assert f"the event loop {BlindLoop.__module__}.BlindLoop shows nothing" in limits[0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("execute_during_execute", "overlap"),
        ("add_during_slow_flush", "overlap"),
        ("fetch_during_fetch", "overlap"),
        ("commit_after_insert_by_the_orm_behind_a_guard", "bleed"),
        ("a_connection_behind_a_lock", "bleed"),
        ("a_function_in_a_thread_adds", "foreign_thread"),
    ],
)
def test_a_racy_program_on_a_blind_loop(name: str, kind: str, make_world: MakeWorld) -> None:
    """What overlaps is found, what a transaction covers, and strangers; and nothing is predicted."""
    findings, _ = run(BlindLoop, observe(PROGRAMS[name], make_world))

    assert {str(each.kind) for each in findings} == {kind}
    assert marked_lines(PROGRAMS[name]) in map(lines_of, findings)


def test_luck_on_a_blind_loop(make_world: MakeWorld) -> None:
    """It is nothing that could be told from order."""
    assert on_a_blind_loop(select_by_luck, make_world)[0] == []


def test_threads_of_a_blind_loop(make_world: MakeWorld) -> None:
    """What a thread did is not ordered after what its loop did, as far as anybody can see."""

    async def work(world: World) -> None:
        async with world.session() as session:
            await count(session)
            await asyncio.to_thread(int)
            await write(session, await asyncio.to_thread(str, "by the loop"))
            await session.commit()

    assert on_a_blind_loop(work, make_world)[0] == []


def test_limits_of_a_task_factory(make_world: MakeWorld) -> None:
    """Tasks of the application's own making are compared as long as they live, and `limits` says so."""

    class OwnTask(Task):  # type: ignore[misc, valid-type]  # asyncio's own class, by another name
        """A task of the application's own."""

    async def main() -> tuple[list[str], tuple[str, ...]]:
        async with make_world() as world:
            factory: Any = lambda loop, coro, **options: OwnTask(coro, loop=loop, **options)  # noqa: E731
            asyncio.get_running_loop().set_task_factory(factory)
            with watch_sessions() as watch:
                await select_by_luck(world)
            asyncio.get_running_loop().set_task_factory(None)
            return [str(each.kind) for each in watch.findings], watch.limits

    kinds, limits = run(asyncio.SelectorEventLoop, main())

    assert kinds == []
    assert len(limits) == 1
    assert limits[0].endswith("OwnTask tell nobody what they did: it is compared only as long as they live")
