"""Code that holds the event loop is found, and a busy machine is not blamed on it."""

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from harness.errors import MissingEvidence
from harness.evidence import LoopStall
from harness.observe.observation import Observation
from harness.observe.stalls import StallsRecorder, _RunDelay

CONVICTING_SHARE = 0.8
CONVICTING_SAMPLES = 5


@pytest.fixture
def idle_engine() -> AsyncEngine:
    """An engine that is never connected."""
    return create_async_engine("postgresql+asyncpg://nobody@127.0.0.1:1/none")


@pytest.fixture
def loaded() -> Iterator[None]:
    """This process shares one processor with three others that never rest."""
    if sys.platform != "linux":
        pytest.skip("processes cannot be bound to one processor here")
    with ExitStack() as stack:  # whatever fails, no process stays busy, and this one has its processors again
        allowed = os.sched_getaffinity(0)
        stack.callback(os.sched_setaffinity, 0, allowed)
        os.sched_setaffinity(0, {min(allowed)})
        for _ in range(3):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


def convicted(stalls: tuple[LoopStall, ...]) -> list[LoopStall]:
    return [stall for stall in stalls if stall.share >= CONVICTING_SHARE and stall.samples >= CONVICTING_SAMPLES]


async def sleeping_tool() -> None:
    time.sleep(0.4)  # noqa: ASYNC251  # that is the defect


def spin(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        step()


def step() -> int:
    return sum(range(100))


async def honest_tool(seconds: float) -> None:
    """Work in small steps, so that others can work between them."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        spin(0.002)
        await asyncio.sleep(0)


async def short_tool() -> None:
    spin(0.002)


async def test_a_blocking_call_is_found_with_its_line(idle_engine: AsyncEngine) -> None:
    """A tool that sleeps in the thread of the loop is named by function, for as long as it slept."""
    async with Observation(idle_engine) as observation:
        await asyncio.sleep(0.05)
        await asyncio.create_task(sleeping_tool())

    (stall,) = convicted(observation.records["stalls"].items)
    assert stall.stack[-1].endswith("in sleeping_tool")
    assert stall.interval.seconds == pytest.approx(0.4, abs=0.15)


async def test_a_computation_is_found_with_who_called_it(idle_engine: AsyncEngine) -> None:
    """A computation that calls helpers all the time is one stall, whose stack leads to the tool."""

    async def computing_tool() -> None:
        spin(1.5)

    async with Observation(idle_engine) as observation:
        await asyncio.create_task(computing_tool())

    stalls = convicted(observation.records["stalls"].items)
    assert stalls
    assert any("computing_tool" in line for line in stalls[0].stack)


async def test_many_short_steps_are_not_one_long_one(idle_engine: AsyncEngine) -> None:
    """A hundred tasks that take their time in one round of the loop hold it together, but none of them does."""
    async with Observation(idle_engine) as observation:
        await asyncio.gather(*(short_tool() for _ in range(150)))

    assert convicted(observation.records["stalls"].items) == []


@pytest.mark.usefixtures("loaded")
async def test_a_starved_process_is_not_a_stalled_loop(idle_engine: AsyncEngine) -> None:
    """On a busy processor an honest loop is late all the time, and nobody is accused of it."""
    async with Observation(idle_engine) as observation:
        await asyncio.gather(honest_tool(1.0), honest_tool(1.0))

    assert convicted(observation.records["stalls"].items) == []


@pytest.mark.usefixtures("loaded")
async def test_a_blocking_call_is_found_on_a_busy_processor_too(idle_engine: AsyncEngine) -> None:
    """A call that sleeps does not need the processor, so that being starved is no excuse."""
    async with Observation(idle_engine) as observation:
        await asyncio.create_task(sleeping_tool())

    assert any(stall.stack[-1].endswith("in sleeping_tool") for stall in convicted(observation.records["stalls"].items))


def test_the_run_delay_is_read_anew_each_time(tmp_path: Path) -> None:
    """From a file that stays open until it is closed; where there is none, nothing is known."""
    file = tmp_path / "schedstat"
    file.write_text("1 2000000000 3\n")
    delay, nowhere = _RunDelay(file), _RunDelay(tmp_path / "none")
    first = delay.seconds()
    file.write_text("1 2500000000 3\n")
    second = delay.seconds()
    delay.close()
    delay.close()

    assert (first, second, delay.seconds(), nowhere.seconds()) == (2.0, 2.5, 0.0, 0.0)


def opened() -> list[Path]:
    """The files that tell of run delays and are open."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link for link in links if os.path.realpath(link).endswith("/schedstat")]


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed by Linux")
async def test_nothing_stays_open(idle_engine: AsyncEngine) -> None:
    """An observation closes what it reads."""
    async with Observation(idle_engine):
        during = opened()

    assert len(during) == 1
    assert opened() == []


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed by Linux")
async def test_without_a_thread_nothing_is_open_and_the_record_says_why(
    idle_engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system that has no thread left; to stop what did not start is harmless."""

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    recorder = StallsRecorder()
    monkeypatch.setattr(threading.Thread, "start", start)
    async with Observation(idle_engine, recorders=[recorder]) as observation:
        during = opened()
    recorder.stop()

    assert during == opened() == []
    with pytest.raises(MissingEvidence, match="can't start new thread"):
        _ = observation.records["stalls"].items
