"""The arms of `sessionproof bench` as benchmarks of pytest-benchmark, for tools that read its JSON.

Problem: pytest-benchmark times a call of a plain function. What is to be timed is a turn, without the recorders that
are put in place around it; and an engine belongs to one event loop, and an application to the task that started it.

Mechanism: one task of one `asyncio.Runner` starts an arm, sends its messages once for each round, and stops it. The
benchmark's timer is a clock that stands still, but for the seconds of each sample. The first round warms up.

Guarantee: the seconds are those that `sessionproof bench` would have taken. An arm that is not answered fails its test,
and has no seconds.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any, Protocol

import pytest

from harness.backend import Backend
from harness.bench.arm import Arm, Setting
from harness.bench.curves import curves
from harness.bench.headline import FULL_SECONDS, QUICK_SECONDS, headline
from harness.bench.interleave import Sample
from harness.bench.messages import Latency
from harness.bench.parts import Part
from harness.bench.pools import pools
from harness.bench.run import free_connections
from harness.config import Config
from harness.errors import SessionproofError, UsageError
from harness.gaps import first_gap
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.redact import masker
from harness.scenario import SessionMode
from harness.startup import in_time

__all__ = ["BenchmarkFixture", "Benchmarks"]

WARM_UP = 1
_HEADLINE_ROUNDS = 10
_POINT_ROUNDS = 5


class BenchmarkFixture(Protocol):
    """What is used of pytest-benchmark's fixture `benchmark`."""

    extra_info: dict[str, Any]
    """Goes into the JSON beside the seconds."""

    def pedantic(self, target: Callable[[], object], *, rounds: int, warmup_rounds: int) -> object:
        """Call the target so often, and keep what the timer says of each call that does not warm up."""
        ...


@dataclass(slots=True)
class _Clock:
    """Stands still, but for what is added to it."""

    seconds: float = 0.0

    def seconds_of_turns(self) -> float:
        """How long all turns took by now; the JSON names a benchmark's timer by this function."""
        return self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Arms that are compared with each other, each in so many `rounds`; `place` says where on a curve they are."""

    name: str
    settings: Mapping[str, Setting]
    rounds: int
    place: Mapping[str, object] = field(default_factory=dict)

    def id(self, arm: str) -> str:
        """What tells an arm's test from those of its module."""
        place = f"{self.place['curve']}-{self.place['x']}-" if self.place else ""
        return f"{place}{arm.replace(' ', '_')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """One arm, and the clock by which it is timed."""

    group: _Group
    setting: Setting
    clock: _Clock = field(default_factory=_Clock)


class Benchmarks:
    """What a backend's benchmarks are, and how each is measured."""

    def __init__(
        self, backend: Backend, config: Config, *, room: Callable[[RunningServer], Awaitable[int]] = free_connections
    ) -> None:
        self._backend = backend
        self._config = config
        self._room = room
        self._planned: dict[tuple[str, str], _Planned] = {}

    def parameters(self, case: str) -> Iterator[Any]:
        """The group and the name of each arm of a case; what the backend cannot do is skipped with the reason.

        Only the session modes that were asked for are in it.

        Raises:
            UsageError: there is no such case.
        """
        cases = {
            "headline": self._headline,
            "latency": self._latency,
            "pools": self._pools,
            "curves": self._curves,
        }
        if case not in cases:
            raise UsageError(f"there is no benchmark {case!r}; there are {', '.join(cases)}")
        asked = self._config.modes or tuple(SessionMode)
        for group in cases[case]():
            for name, setting in group.settings.items():
                if setting.mode in asked and not setting.yardstick:
                    yield self._parameter(_Planned(group=group, setting=setting), name)
            for mode in asked if case != "pools" else ():
                if mode not in self._backend.modes and mode.value not in group.settings:
                    reason = f"backend {self._backend.name!r} has no session mode {mode.value!r}"
                    yield _skipped(group, mode.value, reason)

    def _parameter(self, planned: _Planned, name: str) -> Any:
        group = planned.group
        if gap := first_gap(planned.setting.cell, self._backend):
            return _skipped(group, name, gap)
        self._planned[group.name, name] = planned
        mark = pytest.mark.benchmark(group=group.name, timer=planned.clock.seconds_of_turns)
        return pytest.param(group.name, name, id=group.id(name), marks=mark)

    def _headline(self) -> Iterator[_Group]:
        seconds = FULL_SECONDS if self._config.full_length else QUICK_SECONDS
        settings = headline(self._backend, tool_seconds=seconds)
        yield _Group(name="headline", settings=settings, rounds=_HEADLINE_ROUNDS)

    def _latency(self) -> Iterator[_Group]:
        seconds = FULL_SECONDS if self._config.full_length else QUICK_SECONDS
        for latency in (Latency.PROVIDER, Latency.BOTH):
            settings = headline(self._backend, tool_seconds=seconds, latency=latency)
            place = {"curve": "latency", "x": latency.value, "axis": "latency"}
            yield _Group(name=f"latency_{latency.value}", settings=settings, rounds=_POINT_ROUNDS, place=place)

    def _pools(self) -> Iterator[_Group]:
        for compared in pools(self._backend, full=self._config.full_length):
            place = {"curve": "pool_size", "x": f"{compared.turns}x{compared.tools}-{compared.mode}", "axis": "load"}
            yield _Group(name=compared.name, settings=compared.settings, rounds=_POINT_ROUNDS, place=place)

    def _curves(self) -> Iterator[_Group]:
        for curve in curves(self._backend, full=self._config.full_length):
            for point in curve.points:
                yield _Group(
                    name=f"{curve.name}, {point.place(curve.axis)}",
                    settings=point.settings,
                    rounds=_POINT_ROUNDS,
                    place={"curve": curve.name, "x": point.label or point.x, "axis": curve.axis},
                )

    def measurer(
        self, benchmark: BenchmarkFixture, running: RunningServer, clones: Clones, *, rounds: int
    ) -> Callable[[str, str], None]:
        """What a test calls with its group and arm to measure it, in so many `rounds` at least."""

        def measure(group: str, arm: str) -> None:
            try:
                planned = self._of(group, arm)
                counted = self._measure(planned, benchmark, running, clones, max(rounds, planned.group.rounds))
            except SessionproofError as error:
                pytest.fail(masker()(str(error)), pytrace=False)
            benchmark.extra_info.update(self._described(planned, counted, running))

        return measure

    def _of(self, group: str, arm: str) -> _Planned:
        if (group, arm) not in self._planned:
            raise UsageError(
                f"there is no arm {arm!r} of {group!r} to measure; mark the test by benchmarks(...), and hand on its "
                "arguments 'group' and 'arm'"
            )
        return self._planned[group, arm]

    def _measure(
        self, planned: _Planned, benchmark: BenchmarkFixture, running: RunningServer, clones: Clones, rounds: int
    ) -> Sequence[Sample]:
        """The samples that count, as many as there are rounds."""
        wanted = planned.setting.connections
        samples: list[Sample] = []
        with asyncio.Runner() as runner:
            if (room := runner.run(self._free(running))) < wanted:
                pytest.skip(  # a small server is no failure of the backend, and there is no verdict here
                    f"its pool wants {wanted} connections, and the server has {room} left; "
                    "give it a higher max_connections"
                )
            turns = _Turns(lambda: self._started(planned.setting, clones))

            def repeat() -> None:
                samples.append(runner.run(turns.send()))
                planned.clock.seconds += samples[-1].seconds

            benchmark.pedantic(repeat, rounds=rounds, warmup_rounds=WARM_UP)
            runner.run(turns.end())
        return samples[WARM_UP : WARM_UP + rounds]  # a profile is of turns that come after these

    async def _free(self, running: RunningServer) -> int:
        return await self._room(running)

    @asynccontextmanager
    async def _started(self, setting: Setting, clones: Clones) -> AsyncIterator[Arm]:
        prepared = clones.template(self._backend.name, self._backend.prepare)
        failure = f"backend {self._backend.name!r} did not prepare its database"
        template = await in_time(prepared, failure, self._config.turn_timeout)
        async with Arm.started(setting, self._backend, clones, template) as arm:
            yield arm

    def _described(self, planned: _Planned, samples: Sequence[Sample], running: RunningServer) -> dict[str, object]:
        """What `sessionproof bench` says of an arm, beside its seconds; the parts are in seconds of the mean turn."""
        setting = planned.setting
        overlaps = [sample.overlapped for sample in samples if sample.overlapped is not None]
        return {
            "backend": self._config.backend,
            "session_mode": setting.mode.value,
            "parallel": setting.parallel,
            "tier": setting.tier.value,
            "turns": len(setting.messages),
            "tools_per_turn": max(sum(map(len, message.plan.rounds)) for message in setting.messages),
            **planned.group.place,
            "pool": {"state": setting.pool_state.value, **asdict(setting.pool_settings)},
            "server": {"kind": running.kind, "version": running.version},
            "parts": {str(part): fmean(sample.parts[part] for sample in samples) for part in Part},
            "overlapped": sum(overlaps) if overlaps else None,
            "overlap_known": len(overlaps),
            "gained": [sample.gained for sample in samples],
        }


class _Turns:
    """The turns of one application: a task starts it before the first and stops it after the last, and holds them all.

    An application may have scopes that only the task that entered them can leave.
    """

    def __init__(self, start: Callable[[], AbstractAsyncContextManager[Callable[[], Awaitable[Sample]]]]) -> None:
        self._start = start
        self._wanted: asyncio.Queue[asyncio.Future[Sample] | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def send(self) -> Sample:
        """One repetition; raises what kept the application from starting or answering, which is then stopped."""
        self._task = self._task or asyncio.create_task(self._hold(), name="arm")
        sample: asyncio.Future[Sample] = asyncio.get_running_loop().create_future()
        self._wanted.put_nowait(sample)
        either: set[asyncio.Future[Any]] = {sample, self._task}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not sample.done():
            self._task.result()
        return sample.result()

    async def end(self) -> None:
        """Stop the application; raises what it raises."""
        if self._task is not None:
            self._wanted.put_nowait(None)
            await self._task

    async def _hold(self) -> None:
        async with self._start() as repeat:
            while (sample := await self._wanted.get()) is not None:
                sample.set_result(await repeat())


def _skipped(group: _Group, name: str, reason: str) -> Any:
    # What a backend cannot do is not measured, and says why.
    return pytest.param(group.name, name, id=group.id(name), marks=pytest.mark.skip(reason=reason))
