"""The mode `log` in production: how often it says what, how much it remembers, and how many stacks it takes."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from harness.errors import UsageError
from harness.evidence import AccessSeen, PlaceSeen, RaceKind, SessionRace
from harness.sanitizer import LogLimits, Suppressions, WatchMode, watch_sessions
from harness.sanitizer.places import Sampler
from harness.sanitizer.race_log import RaceLog
from harness.sanitizer.reports import Guard, Noted
from harness.sanitizer.runtime import runtime
from harness.sanitizer.watch import SAMPLED
from harness.suppressions import Place, Suppression
from tests.sanitizer.ablation_programs.pairs import by_luck
from tests.sanitizer.conftest import MakeWorld
from tests.sanitizer.world import Steps, World

LOGGER = logging.getLogger("tests.race_log")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _noted(cause: str, count: int) -> Noted:
    place = PlaceSeen(file=f"/srv/{cause}.py", line=3, function="use")
    access = AccessSeen(operation="Session.execute", task="Ada", stack=(place,))
    finding = SessionRace(
        kind=RaceKind.OVERLAP, subject="Session 1", first=access, second=access, at=0.0, subject_created=(place,)
    )
    return Noted(key=cause, finding=finding, count=count, is_new=count == 1)


def _first_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    said = [record.getMessage().splitlines()[0] for record in caplog.records]
    caplog.clear()
    return [
        line.partition(" on Session 1")[0] if "since" not in line else line.rpartition("flight ")[2] for line in said
    ]


def test_each_cause_is_logged_once_in_an_interval(caplog: pytest.LogCaptureFixture) -> None:
    """And again after it, when it is seen again, with the count since."""
    clock = Clock()
    log = RaceLog(LOGGER, LogLimits(interval=60), clock=clock)

    for count in range(1, 51):
        log.note(_noted("chat", count))
    assert _first_lines(caplog) == ["session race (overlap)"]

    clock.now += 60
    for count in range(51, 101):
        log.note(_noted("chat", count))
    assert _first_lines(caplog) == ["(seen 50 more times since it was last logged)"]

    clock.now += 600
    assert _first_lines(caplog) == []
    log.note(_noted("chat", 150))
    assert _first_lines(caplog) == ["(seen 99 more times since it was last logged)"]


def test_different_causes_have_a_cap(caplog: pytest.LogCaptureFixture) -> None:
    """What is above it is counted, said when the interval is over, and has its turn then."""
    clock = Clock()
    log = RaceLog(LOGGER, LogLimits(interval=60, causes=2, kept=4), clock=clock)

    for cause in "abcd":
        log.note(_noted(cause, 1))
    log.note(None)
    assert _first_lines(caplog)[:2] == ["session race (overlap)"] * 2

    clock.now += 60
    log.note(_noted("d", 2))
    assert [record.getMessage().splitlines()[0] for record in caplog.records] == snapshot(
        [
            "3 session races were not logged: there are lines about 2 causes at most in 60 s, and 4 are kept",
            "session race (overlap, 2 times) on Session 1: the second operation began while the first was in flight",
        ]
    )
    assert vars(caplog.records[0])["session_race_left_out"] == 3


def test_that_there_will_be_no_more_lines_is_said_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """When the last cause that has room is logged, once in each interval; and when one is not kept, once."""
    clock = Clock()
    log = RaceLog(LOGGER, LogLimits(interval=60, causes=2, kept=4), clock=clock)

    clock.now += 15
    for cause in "abcde":
        log.note(_noted(cause, 1))
    for _ in range(3):
        log.note(None)
    assert _first_lines(caplog) == snapshot(
        [
            "session race (overlap)",
            "session race (overlap)",
            "lines about causes of session races are at their limit (2 in 60 s): others are only counted for 45 s",
            "session races have more causes than are kept (4): others are only counted from now on",
        ]
    )

    clock.now += 60
    log.note(_noted("c", 2))
    log.note(None)
    assert len(_first_lines(caplog)) == 2
    log.note(_noted("d", 2))
    log.note(_noted("e", 2))
    assert len(_first_lines(caplog)) == 2


def test_what_was_left_out_is_said_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    """In one line, each with its reason; what has been said is not said again, and of nothing nothing is said."""
    clock = Clock()
    log = RaceLog(LOGGER, LogLimits(interval=60, causes=2, kept=4), clock=clock)
    log.close()
    log.note(_noted("a", 1))
    log.close()
    assert _first_lines(caplog) == ["session race (overlap)"]

    for count in range(2, 7):
        log.note(_noted("a", count))
    log.note(_noted("b", 1))
    log.note(_noted("c", 1))
    for _ in range(3):
        log.note(None)
    caplog.clear()
    log.close()
    log.close()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.split(": ")[0] == "the log of session races ends, and 9 were not logged"
    assert said.split(": ")[1].split("; ") == snapshot(
        [
            "5 of causes that there is a line about",
            "1 of causes beyond the limit of 2 in 60 s",
            "3 of causes beyond the 4 that are kept",
        ]
    )
    assert vars(caplog.records[0])["session_race_left_out"] == 9

    caplog.clear()
    log.note(_noted("b", 2))
    clock.now += 60
    log.note(_noted("b", 3))
    caplog.clear()
    log.close()
    assert caplog.records == []


async def test_stop_says_what_was_left_out(make_world: MakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    """Once, whether the watch is stopped or left."""
    async with make_world() as world:
        watch = watch_sessions("log", stacks=1.0).start()
        for _ in range(3):
            await _race(world)
        caplog.clear()
        watch.stop()
        watch.stop()

    assert [record.getMessage() for record in caplog.records] == [
        "the log of session races ends, and 2 were not logged: 2 of causes that there is a line about"
    ]


def test_the_log_samples_stacks() -> None:
    """By itself, and as it is told; the other modes take all, and so does the log where suppressions need them."""
    entry = Suppression(number=1, reason="known", expires=date(9999, 1, 1), at=(Place.parse("shop.py"),))
    suppressions = Suppressions(root=Path("/srv"), entries=(entry,))

    assert watch_sessions("log").stacks == SAMPLED == 0.1
    assert watch_sessions("log", stacks=1.0).stacks == 1.0
    assert watch_sessions("log", stacks=0.0).stacks == 0.0
    assert watch_sessions("log", suppressions=suppressions).stacks == 1.0
    assert {watch_sessions(mode).stacks for mode in WatchMode if mode is not WatchMode.LOG} == {1.0}
    with watch_sessions("log"):
        assert not runtime.sampler.all
    assert runtime.sampler.all


def test_the_fields_of_a_line(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a name of its own, for logs that are searched; secrets are masked in them and in the text."""
    monkeypatch.setenv("SHOP_API_KEY", "value-from-the-environment")
    place = PlaceSeen(file="/srv/chat.py", line=3, function="use")
    one = AccessSeen(operation="Session.add", task="value-from-the-environment", stack=(place,), tool="note")
    finding = SessionRace(kind=RaceKind.BLEED, subject="Session 1", first=one, second=one, at=0.0)
    log = RaceLog(LOGGER, LogLimits())

    log.note(Noted(key="a", finding=finding, count=1, is_new=True))

    fields = {name: value for name, value in vars(caplog.records[0]).items() if name.startswith("session_race_")}
    assert fields == snapshot(
        {
            "session_race_kind": "bleed",
            "session_race_subject": "Session 1",
            "session_race_made_at": None,
            "session_race_first_operation": "Session.add",
            "session_race_first_task": "***",
            "session_race_first_tool": "note",
            "session_race_first_at": "/srv/chat.py:3 in use",
            "session_race_second_operation": "Session.add",
            "session_race_second_task": "***",
            "session_race_second_tool": "note",
            "session_race_second_at": "/srv/chat.py:3 in use",
            "session_race_count": 1,
            "session_race_since": 1,
        }
    )
    assert "value-from-the-environment" not in caplog.text


def test_what_cannot_be() -> None:
    """Is refused before anything is watched."""
    unusable: dict[str, tuple[Any, ...]] = {
        "interval": (0, float("nan"), "a", None),
        "causes": (0, 5.5, "20", None),
        "kept": (-1, 1000.0, [1]),
    }
    for name, values in unusable.items():
        said = f"{name}=.* is no limit of a log: it has to be a (whole )?number above 0"
        for value in values:
            with pytest.raises(UsageError, match=said):
                LogLimits(**{name: value})
    shares: tuple[Any, ...] = (-0.1, 1.5, float("nan"), "x", [0.5])
    for share in shares:
        with pytest.raises(UsageError, match="is no share of all accesses"):
            watch_sessions("log", stacks=share)
    with pytest.raises(UsageError, match="limits are for the mode 'log', and the mode is 'collect'"):
        watch_sessions("collect", limits=LogLimits())


async def _use(session: AsyncSession) -> None:
    await session.execute(text("SELECT 1"))


async def _flush(session: AsyncSession) -> None:
    await session.flush()


async def _race(world: World, other: Callable[[AsyncSession], Awaitable[None]] = _use) -> None:
    world.steps = Steps()
    async with world.session() as session:
        await by_luck(world, partial(_use, session), partial(other, session))


def _pieces_of_work(count: int) -> list[Callable[[Session], object]]:
    """Functions that are the same on different lines, so that each two of one make a finding of their own."""
    made = []
    for number in range(count):
        names: dict[str, Any] = {"text": text}
        source = "\n" * number + "def use(session):\n    session.execute(text('SELECT 1'))\n"
        exec(compile(source, __file__, "exec"), names)
        made.append(names["use"])
    return made


async def _race_in_threads(work: Sequence[Callable[[Session], object]]) -> None:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    for each in work:
        session = Session(engine)
        both = (asyncio.to_thread(each, session) for _ in range(2))
        await asyncio.gather(*both, return_exceptions=True)
        with suppress(SQLAlchemyError):  # what two threads have left of its state may not let itself be closed
            session.close()
    engine.dispose()


def test_findings_are_read_while_threads_find_more() -> None:
    """What was found by then, whoever is just adding to it."""
    interval = sys.getswitchinterval()
    ended = threading.Event()

    def read() -> list[int]:
        counts = []
        while not ended.is_set():
            counts.append(len(watch.findings))
        return counts

    sys.setswitchinterval(1e-4)
    try:
        with ThreadPoolExecutor() as pool, watch_sessions() as watch:
            reading = pool.submit(read)
            try:
                asyncio.run(_race_in_threads(_pieces_of_work(150)))
            finally:
                ended.set()
            counts = reading.result()
    finally:
        sys.setswitchinterval(interval)

    assert counts == sorted(counts)
    assert len(watch.findings) >= 150  # none is lost; two pieces of work may meet besides
    assert watch.problems == ()


async def test_memory_is_bounded_in_causes(make_world: MakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    """What is one too many is counted, and `limits` says so."""
    async with make_world() as world:
        with watch_sessions("log", stacks=1.0, limits=LogLimits(kept=1)) as watch:
            for other in (_use, _flush, _flush):
                await _race(world, other)

    assert len(watch.findings) == 1
    assert "2 findings were not kept, because they have more root causes than are kept at most" in watch.limits
    assert _first_lines(caplog) == [
        "session race (unordered)",
        "session races have more causes than are kept (1): others are only counted from now on",
        "the log of session races ends, and 2 were not logged: 2 of causes beyond the 1 that are kept",
    ]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.999, 1.0])
def test_a_share_of_all(share: float) -> None:
    """About so many, and the same ones again, whatever rhythm the program has."""
    sampler, again = Sampler(), Sampler()
    sampler.take(share)
    again.take(share)
    taken = [sampler.all or sampler.takes() for _ in range(100_000)]

    assert taken == [again.all or again.takes() for _ in range(100_000)]
    for rhythm in (1, 2, 7, 100):
        for beat in range(rhythm):
            each = taken[beat::rhythm]
            assert sum(each) == pytest.approx(share * len(each), abs=5 * (share * (1 - share) * len(each)) ** 0.5)


async def test_without_stacks_the_same_is_found(make_world: MakeWorld, caplog: pytest.LogCaptureFixture) -> None:
    """By kind and object; that no stack was taken is said."""
    async with make_world() as world:
        with watch_sessions("log", stacks=0.0) as watch:
            await _race(world)
            await _race(world)

    (finding,) = watch.findings
    assert (finding.kind, finding.subject, finding.count) == (RaceKind.UNORDERED, "Session 1", 2)
    assert (finding.first.stack, finding.second.stack, finding.subject_created) == ((), (), ())
    assert caplog.records[0].getMessage().count("    no stack was taken") == 2
    assert watch.problems == ()


async def test_a_share_of_the_stacks(make_world: MakeWorld) -> None:
    """Is found in what is seen often: findings with both stacks, with one and with none are told apart."""
    async with make_world() as world:
        with watch_sessions("log", stacks=0.3, limits=LogLimits()) as watch:
            for _ in range(60):
                await _race(world, _flush)

    assert sum(each.count for each in watch.findings) == 60
    seen = {(bool(each.first.stack), bool(each.second.stack)) for each in watch.findings}
    assert seen == {(False, False), (False, True), (True, False), (True, True)}
    assert {each.first.place.function for each in watch.findings if each.first.place is not None} == {"_use"}
    assert {each.second.place.function for each in watch.findings if each.second.place is not None} == {"_flush"}


def _shares(watches: Sequence[float]) -> list[bool]:
    """Whether all stacks are taken while these watches are active, one after the other joining in."""
    begun = [watch_sessions(stacks=share) for share in watches]
    seen = []
    for watch in begun:
        watch.start()
        seen.append(runtime.sampler.all)
    for watch in begun:
        watch.stop()
    return seen


def test_the_watch_that_wants_the_most_gets_it() -> None:
    """Beside others; and when none is left, all is as at first."""
    assert _shares([0.5, 1.0]) == [False, True]
    assert _shares([1.0, 0.5]) == [True, True]
    assert _shares([0.5, 0.0]) == [False, False]
    assert runtime.sampler.all


def test_a_handler_is_called_past_the_guard() -> None:
    """One that waits for a thread that finds a race, too, hangs neither of the two."""
    log = RaceLog(LOGGER, LogLimits())
    ended = []

    def wait(record: logging.LogRecord) -> bool:
        if "other.py" not in record.getMessage():
            other = threading.Thread(target=log.note, args=(_noted("other", 1),), daemon=True)
            other.start()
            other.join(10)
            ended.append(not other.is_alive())
        return True

    LOGGER.addFilter(wait)
    try:
        log.note(_noted("chat", 1))
    finally:
        LOGGER.removeFilter(wait)

    assert ended == [True]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_while_another_thread_counts() -> None:
    """Has a guard that nobody holds."""
    guard, held, ended = Guard(), threading.Event(), threading.Event()

    def hold() -> None:
        with guard():
            held.set()
            ended.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    process = os.fork()
    if not process:
        free: Any = guard()
        os._exit(0 if free.acquire(blocking=False) else 1)
    ended.set()
    thread.join()

    assert os.waitpid(process, 0)[1] == 0


async def test_a_sanitizer_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """As an error: nobody looks at `problems` in production."""
    with watch_sessions("log") as watch:
        runtime.fail(RuntimeError("broken"), "this test")
        await asyncio.sleep(0)

    assert [(record.levelno, record.getMessage().partition(": ")[0]) for record in caplog.records] == [
        (logging.ERROR, "sessions are not watched any more")
    ]
    assert len(watch.problems) == 1


async def test_a_handler_that_fails(make_world: MakeWorld) -> None:
    """Is the application's: the sanitizer goes on, and says how many findings were told to nobody."""

    def refuse(_: object) -> Any:
        raise OSError("the disk is full")

    logger = logging.getLogger("harness.sanitizer")
    logger.addFilter(refuse)
    try:
        async with make_world() as world:
            with watch_sessions("log") as logged, watch_sessions(on_finding=refuse) as called:
                await _race(world)
                await _race(world, _flush)
    finally:
        logger.removeFilter(refuse)

    said = "2 findings were not told, because the application's handler failed"
    for watch in (logged, called):
        assert (watch.problems, len(watch.findings)) == ((), 2)
        assert said in watch.limits
