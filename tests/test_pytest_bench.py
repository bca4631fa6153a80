"""Arms as benchmarks: what is timed, who holds an application, and when there is none."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from fixtures.backend.adapter import backend as reference
from fixtures.minimal import MinimalBackend, Shop
from fixtures.minimal import backend as minimal
from harness.backend import Backend, BackendSettings, Tenant
from harness.bench.curves import curves
from harness.bench.headline import headline
from harness.bench.messages import Latency
from harness.bench.pools import pools
from harness.bench.yardstick import NAME as YARDSTICK
from harness.config import Config
from harness.errors import UsageError
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.pytest_bench import Benchmarks
from harness.scenario import SessionMode, ToolRole

CONFIG = Config(backend="fixtures.minimal:backend")
POINT = "tools_per_turn, 1 tools"
UNPLAYED = {
    "operations_per_tool": "series",
    "writes_per_turn": "commit",
    "latency_provider": "delegate",
    "latency_both": "delegate",
}
"""By case or curve, the role that the minimal backend has no tool for."""


class Timed:
    """What pytest-benchmark's fixture does, by the timer of an arm's own mark."""

    def __init__(self, timer: Callable[[], float], *, most: int = 2) -> None:
        self._timer = timer
        self._most = most
        self.extra_info: dict[str, Any] = {}
        self.seconds: list[float] = []
        self.rounds = 0

    def pedantic(self, target: Callable[[], object], *, rounds: int, warmup_rounds: int) -> None:
        self.rounds = rounds
        for number in range(warmup_rounds + min(rounds, self._most)):
            start = self._timer()
            target()
            if number >= warmup_rounds:
                self.seconds.append(self._timer() - start)


class Watched(MinimalBackend):
    """Notes by which task it is started, asked and stopped."""

    def __init__(self, *, fails_at: int = 0) -> None:
        self._fails_at = fails_at
        self.noted: list[tuple[str, asyncio.Task[Any] | None]] = []

    @asynccontextmanager
    async def start(self, settings: BackendSettings) -> AsyncIterator[Shop]:
        self.noted.append(("start", asyncio.current_task()))
        async with super().start(settings) as shop:
            try:
                yield _Failing(shop.engine, settings) if self._fails_at else shop
            finally:
                self.noted.append(("stop", asyncio.current_task()))


class _Failing(Shop):
    async def send(self, request: Any) -> Any:
        raise ValueError(f"no answer from {self.settings.database_url}")


def parameters(benchmarks: Benchmarks, case: str) -> dict[str, Any]:
    return {parameter.id: parameter for parameter in benchmarks.parameters(case)}


def timed(parameter: Any) -> Timed:
    (mark,) = parameter.marks
    assert mark.name == "benchmark"

    return Timed(mark.kwargs["timer"])


def test_pools_are_benchmarks_too() -> None:
    """A group for each load, with a benchmark for each size."""
    found = parameters(Benchmarks(reference, CONFIG), "pools")

    assert [parameter.values for parameter in found.values()] == [
        (compared.name, name) for compared in pools(reference, full=False) for name in compared.settings
    ]
    assert "pool_size-2x2-shared-pool_of_1" in found


@pytest.mark.parametrize("backend", [reference, minimal], ids=lambda backend: backend.name)
def test_what_is_measured_is_what_the_command_measures(backend: Backend) -> None:
    """Each arm of the headline and of each point, and a reason for each session mode that there is none of."""
    benchmarks = Benchmarks(backend, CONFIG)
    found = {
        (each.values[0], each.values[1]): each
        for case in ("headline", "latency", "curves")
        for each in benchmarks.parameters(case)
    }

    groups = {
        "headline": headline(backend),
        **{f"latency_{each}": headline(backend, latency=each) for each in (Latency.PROVIDER, Latency.BOTH)},
    } | {
        f"{curve.name}, {point.place(curve.axis)}": point.settings
        for curve in curves(backend, full=False)
        for point in curve.points
    }
    lacking = {mode.value for mode in SessionMode if mode not in backend.modes}
    expected = {(group, name) for group, settings in groups.items() for name in {*settings, *lacking} - {YARDSTICK}}
    assert set(found) == expected
    for (group, name), parameter in found.items():
        (mark,) = parameter.marks
        if name in lacking:
            assert mark.kwargs == {"reason": f"backend {backend.name!r} has no session mode {name!r}"}
        elif backend is minimal and (role := UNPLAYED.get(group.partition(",")[0])):
            assert mark.kwargs["reason"].endswith(f"has no tool for the role {role!r}")
        else:
            assert mark.kwargs["group"] == group
    assert len({parameter.id for parameter in found.values()}) == len(found)
    assert not any(" " in parameter.id for parameter in found.values())


def test_session_modes_can_be_chosen() -> None:
    """As for cells."""
    benchmarks = Benchmarks(reference, replace(CONFIG, modes=(SessionMode.SHARED,)))

    assert list(parameters(benchmarks, "headline")) == ["shared"]


def test_a_tool_that_the_backend_lacks_is_a_reason() -> None:
    """In the words of the suite."""

    class Closed(MinimalBackend):
        name = "closed"
        tenants: Sequence[Tenant] = tuple(
            replace(tenant, tools={role: use for role, use in tenant.tools.items() if role != ToolRole.SEARCH})
            for tenant in MinimalBackend.tenants
        )

    (mark,) = parameters(Benchmarks(Closed(), CONFIG), "headline")["per_operation"].marks

    assert mark.name == "skip"
    assert mark.kwargs["reason"].endswith("has no tool for the role 'search'")


def test_seconds_are_those_of_the_turns(sessionproof_server: RunningServer, sessionproof_clones: Clones) -> None:
    """Whatever was done around them: the parts of the mean turn add up to the mean of the seconds."""
    benchmarks = Benchmarks(minimal, CONFIG)
    benchmark = timed(parameters(benchmarks, "curves")["tools_per_turn-1-per_operation"])

    benchmarks.measurer(benchmark, sessionproof_server, sessionproof_clones, rounds=7)(POINT, "per_operation")

    assert benchmark.rounds == 7
    assert sum(benchmark.extra_info["parts"].values()) == pytest.approx(sum(benchmark.seconds) / len(benchmark.seconds))
    assert benchmark.extra_info["parts"]["work"] == pytest.approx(0.05)
    assert {name: benchmark.extra_info[name] for name in ("curve", "x", "axis")} == {
        "curve": "tools_per_turn",
        "x": 1,
        "axis": "tools",
    }
    assert benchmark.extra_info["session_mode"] == "per_operation"
    assert benchmark.extra_info["pool"]["size"] == 2
    assert benchmark.extra_info["server"]["kind"] == sessionproof_server.kind


def test_one_task_holds_an_application(sessionproof_server: RunningServer, sessionproof_clones: Clones) -> None:
    """It may have scopes that no other task can leave; and there are no fewer rounds than the command has."""
    backend = Watched()
    benchmarks = Benchmarks(backend, CONFIG)
    benchmark = timed(parameters(benchmarks, "curves")["tools_per_turn-1-per_operation"])

    benchmarks.measurer(benchmark, sessionproof_server, sessionproof_clones, rounds=1)(POINT, "per_operation")

    assert [what for what, _ in backend.noted] == ["start", "stop"]
    assert len({task for _, task in backend.noted}) == 1
    assert benchmark.rounds == 5


def test_an_arm_that_does_not_answer_is_stopped(
    sessionproof_server: RunningServer, sessionproof_clones: Clones
) -> None:
    """Its test fails with the reason, without the password, and it has no seconds."""
    backend = Watched(fails_at=1)
    benchmarks = Benchmarks(backend, CONFIG)
    benchmark = timed(parameters(benchmarks, "curves")["tools_per_turn-1-per_operation"])
    measure = benchmarks.measurer(benchmark, sessionproof_server, sessionproof_clones, rounds=1)

    with pytest.raises(pytest.fail.Exception, match=r"1 of 1 turns failed: ValueError: no answer from \S+:\*\*\*@"):
        measure(POINT, "per_operation")

    assert [what for what, _ in backend.noted] == ["start", "stop"]
    assert benchmark.seconds == []
    assert benchmark.extra_info == {}


def test_an_arm_for_which_there_is_no_room_is_skipped(
    sessionproof_server: RunningServer, sessionproof_clones: Clones
) -> None:
    """Before its application is started."""

    async def none(_: RunningServer) -> int:
        return 0

    backend = Watched()
    benchmarks = Benchmarks(backend, CONFIG, room=none)
    benchmark = timed(parameters(benchmarks, "curves")["tools_per_turn-1-per_operation"])
    measure = benchmarks.measurer(benchmark, sessionproof_server, sessionproof_clones, rounds=1)

    with pytest.raises(pytest.skip.Exception, match="its pool wants 1 connections, and the server has 0 left"):
        measure(POINT, "per_operation")

    assert backend.noted == []


def test_what_is_not_planned_is_wrong_usage(sessionproof_server: RunningServer, sessionproof_clones: Clones) -> None:
    """A case that does not exist, and an arm of none."""
    benchmarks = Benchmarks(minimal, CONFIG)
    measure = benchmarks.measurer(Timed(float), sessionproof_server, sessionproof_clones, rounds=1)

    with pytest.raises(UsageError, match="there is no benchmark 'costs'; there are headline, latency, pools, curves"):
        list(benchmarks.parameters("costs"))
    with pytest.raises(pytest.fail.Exception, match=r"there is no arm 'shared' of 'headline' .* mark the test by"):
        measure("headline", "shared")
