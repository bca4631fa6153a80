"""Two tools together and one by one, measured: by structure and by what the seconds went to, never by seconds alone."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from fixtures.backend.adapter import backend
from fixtures.broken import slow_sessions
from fixtures.minimal import backend as minimal
from harness.backend import PoolSettings
from harness.bench.arm import Setting
from harness.bench.baseline import compare
from harness.bench.change import Gate
from harness.bench.headline import ONE_BY_ONE, REFERENCE, headline, yardstick
from harness.bench.messages import Latency, series
from harness.errors import BackendError, UsageError
from harness.report.bench_document import ArmDocument, CaseDocument, ChangeOutcome, Concurrency
from harness.scenario import ModelTier, SessionMode
from tests.bench.conftest import FEW, Measure
from tests.report.bench_documents import benchmark

pytestmark = pytest.mark.processes

TOOL_SECONDS = 0.1
LONGER_SECONDS = 0.4
"""Beside which it is short how long a busy processor takes to send a request over HTTP."""
APART = ("per_operation", "durable", "deferred", "yardstick")
"""The arms whose tools have sessions of their own."""
MOSTLY = 4
"""Of five repetitions: a busy processor may begin one tool when the other is done."""


def arms_of(case: CaseDocument) -> Mapping[str, ArmDocument]:
    return {arm.name: arm for arm in case.arms}


def alone(**changes: Any) -> dict[str, Setting]:
    """The reference, and the same turn under another name, changed."""
    reference = headline(backend, tool_seconds=TOOL_SECONDS)[REFERENCE]
    return {REFERENCE: reference, "other": replace(reference, name="other", **changes)}


async def test_the_headline(measure_case: Measure) -> None:
    """Side by side only with a session each; what the others lose is that one tool waits for the other."""
    case = await measure_case({**headline(backend, tool_seconds=TOOL_SECONDS), **yardstick(tool_seconds=TOOL_SECONDS)})

    arms = arms_of(case)
    modes = ("shared", "locked", "sequential", "durable", "deferred")
    assert list(arms) == ["per_operation", "one by one", *modes, "yardstick"]
    assert case.yardstick == "yardstick"
    assert {name for name, arm in arms.items() if arm.failure is not None} == set()
    assert arms["one by one"].overlapped is None
    assert {name: arms[name].overlapped for name in ("shared", "locked", "sequential")} == dict.fromkeys(
        ("shared", "locked", "sequential"), 0
    )
    assert min(arms[name].overlapped or 0 for name in APART) >= MOSTLY
    for arm in case.arms:
        assert arm.parts["work"] == pytest.approx(TOOL_SECONDS)
        assert sum(arm.parts.values()) == pytest.approx(sum(arm.samples) / 5)
        assert len(arm.fixed) == len(arm.samples)
        assert sum(arm.fixed) / 5 >= arm.parts["work"] + arm.parts["serial"] - 1e-9
        assert min(arm.parts["ledger"], arm.parts["model"], arm.parts["application"]) > 0
        waited = arm.parts["serial"] >= TOOL_SECONDS * 0.9
        assert waited is (arm.name not in APART), arm
        assert arm.promised is (arm.name in APART and arm.name != case.yardstick)
    assert {name: arm.concurrency for name, arm in arms.items()} == {
        name: Concurrency.SIDE_BY_SIDE if name in APART else None if name == "one by one" else Concurrency.ONE_BY_ONE
        for name in arms
    }
    assert {name: arms[name].lost_to for name in ("shared", "locked", "sequential", "per_operation")} == {
        **dict.fromkeys(("shared", "locked", "sequential"), "serial"),
        "per_operation": None,
    }
    assert case.reached
    assert case.tool_seconds == TOOL_SECONDS


async def test_the_model_s_time_over_http_is_the_model_s(measure_case: Measure) -> None:
    """In the tier `wire` a request takes longer than in process, and that is where it goes."""
    alike = alone()[REFERENCE]
    (reference,) = (await measure_case({REFERENCE: alike})).arms
    (wire,) = (await measure_case({REFERENCE: replace(alike, tier=ModelTier.WIRE)})).arms

    assert (reference.tier, wire.tier) == (ModelTier.SCRIPTED, ModelTier.WIRE)
    assert wire.parts["model"] > reference.parts["model"]


@pytest.mark.parametrize(
    ("latency", "when_shared"),
    [(Latency.PROVIDER, Concurrency.SIDE_BY_SIDE), (Latency.BOTH, Concurrency.ONE_BY_ONE)],
)
async def test_tools_that_wait_for_a_provider_need_no_session_meanwhile(
    measure_case: Measure, latency: Latency, when_shared: Concurrency
) -> None:
    """So that a shared one keeps nobody; but one that must read something first waits for one that is reading."""
    arms = headline(backend, tool_seconds=LONGER_SECONDS, latency=latency)

    machine = yardstick(tool_seconds=LONGER_SECONDS, tier=ModelTier.WIRE)
    case = await measure_case({**{name: arms[name] for name in ("per_operation", "one by one", "shared")}, **machine})

    apart, one_by_one, shared, _ = case.arms
    assert {arm.tier for arm in case.arms} == {ModelTier.WIRE}
    assert case.tool_seconds == LONGER_SECONDS
    assert case.arms[-1].overlapped is not None  # its tools are in the database
    for arm in case.arms:
        assert arm.failure is None
        assert arm.overlapped is None or arm.name == "yardstick"
        assert arm.parts["work"] == pytest.approx(LONGER_SECONDS)
    assert (apart.concurrency, shared.concurrency) == (Concurrency.SIDE_BY_SIDE, when_shared)
    assert one_by_one.parts["serial"] >= LONGER_SECONDS * 0.9


async def test_operations_of_a_tool_have_a_session_each(measure_case: Measure) -> None:
    """What more of them cost is the tools' sessions."""
    plans = {operations: (series(2, operations=operations, seconds=TOOL_SECONDS),) for operations in (1, 30)}
    reference = headline(backend, tool_seconds=TOOL_SECONDS)[REFERENCE]

    case = await measure_case(
        {str(count): replace(reference, name=str(count), messages=plan) for count, plan in plans.items()}
    )

    one, thirty = case.arms
    assert thirty.failure is None
    assert thirty.parts["sessions"] > one.parts["sessions"] * 2
    assert thirty.parts["work"] == pytest.approx(TOOL_SECONDS)


async def test_a_pool_that_is_too_small_costs_waiting_for_it(measure_case: Measure) -> None:
    """Two tools, and one connection."""
    case = await measure_case(alone(pool=PoolSettings(size=1, max_overflow=0)))

    reference, small = case.arms
    assert small.overlapped == 0
    assert small.parts["pool"] >= TOOL_SECONDS * 0.9
    assert small.parts["serial"] < TOOL_SECONDS * 0.1
    assert (small.concurrency, small.lost_to, small.promised) == (Concurrency.ONE_BY_ONE, "pool", False)
    assert reference.parts["pool"] < TOOL_SECONDS * 0.5


async def test_a_pool_whose_patience_ends_is_a_failure_with_its_reason(measure_case: Measure) -> None:
    """The other arms are measured all the same."""
    case = await measure_case(alone(pool=PoolSettings(size=1, max_overflow=0, timeout=TOOL_SECONDS / 4)))

    reference, impatient = case.arms
    assert reference.failure is None
    assert len(reference.samples) == 5
    assert impatient.failure is not None
    assert re.search(r"^1 tool calls failed: search_\w+ with sqlalchemy\.exc\.TimeoutError$", impatient.failure)
    assert impatient.ratio is None


async def test_several_turns_at_once_are_one_sample(measure_case: Measure) -> None:
    """From the first one's start to the last one's end; the parts are those of the mean turn."""
    reference = headline(backend, tool_seconds=TOOL_SECONDS)[REFERENCE]
    case = await measure_case(alone(messages=reference.messages * 3))

    three = arms_of(case)["other"]
    assert three.turns == 3
    assert three.overlapped is not None
    assert three.overlapped >= MOSTLY
    assert sum(three.parts.values()) <= sum(three.samples) / 5 + 1e-9


@pytest.mark.parametrize(
    ("broken", "part", "overlapped"),
    [
        ("fixtures.broken.tool_holds_loop:backend", "loop", None),
        ("fixtures.broken.one_lock:backend", "serial", 0),
        ("fixtures.broken.pool_too_small:backend", "pool", 0),
    ],
)
async def test_what_makes_a_parallel_backend_slow_is_attributed(
    measure_case: Measure, broken: str, part: str, overlapped: int | None
) -> None:
    """A tool that holds the event loop, a lock around all sessions, a pool of one: each is the largest part."""
    case = await measure_case(alone(), backend=broken)

    for arm in case.arms:
        lost = {name: seconds for name, seconds in arm.parts.items() if name != "work"}
        assert max(lost, key=lost.__getitem__) == part, lost
        assert lost[part] >= TOOL_SECONDS * 0.9
        assert overlapped in {None, arm.overlapped}
        assert arm.promised
        assert (arm.concurrency, arm.lost_to) == (Concurrency.ONE_BY_ONE, part)


@pytest.mark.parametrize(
    ("ends_transaction", "at_least"), [(True, {"sessions": 2}), (False, {"sessions": 1, "ledger": 1})]
)
async def test_sessions_that_became_slower_are_found_against_the_yardstick(
    measure_case: Measure, monkeypatch: pytest.MonkeyPatch, ends_transaction: bool, at_least: dict[str, int]
) -> None:
    """Worse than the same backend without that, though all work side by side: the tools' sessions, and the bill's.

    What is slow in the bill's own transaction is the ledger's.
    """
    monkeypatch.setattr(slow_sessions, "ENDS_TRANSACTION", ends_transaction)
    arms = {REFERENCE: alone()[REFERENCE], **yardstick(tool_seconds=TOOL_SECONDS)}
    monkeypatch.setattr(slow_sessions, "SLOWER_SECONDS", 0.6)  # found on a busy processor too

    enough = replace(FEW, warm_up=1, half_width=0.05, least=6, most=40, seconds=25.0)  # more of them if it is noisy

    before = await measure_case(arms, limits=enough)
    slower = await measure_case(arms, limits=enough, backend="fixtures.broken.slow_sessions:backend")

    compared = compare(benchmark(slower), benchmark(before), Gate(threshold=1.10))
    (time, together) = compared.changes
    assert (time.what, time.outcome) == ("time", ChangeOutcome.WORSE)
    assert together.outcome is ChangeOutcome.NOT_WORSE
    assert set(list(time.parts)[: len(at_least)]) == set(at_least)
    for part, times in at_least.items():
        low = time.parts[part].low
        assert low is not None
        assert low >= slow_sessions.SLOWER_SECONDS * times * 0.8


async def test_a_backend_of_one_mode_is_compared_with_its_tools_one_by_one(measure_case: Measure) -> None:
    """With one arm alone there is nothing but its seconds, and with none it is wrong usage."""
    settings = headline(minimal, tool_seconds=TOOL_SECONDS)

    assert list(settings) == [REFERENCE, ONE_BY_ONE]
    case = await measure_case({REFERENCE: settings[REFERENCE]}, backend="fixtures.minimal:backend")
    assert case.reached
    assert case.arms[0].seconds is not None
    with pytest.raises(UsageError, match="backend 'minimal' has none of the session modes that are measured; it has"):
        await measure_case({}, backend="fixtures.minimal:backend")


async def test_a_pool_of_the_wrong_kind_is_refused(measure_case: Measure) -> None:
    """The arm takes no part, and the others do."""
    case = await measure_case(alone(pool=PoolSettings(null=True), mode=SessionMode.SHARED))

    reference, other = case.arms
    assert reference.failure is None
    assert other.failure is not None
    assert "pool state 'warm' was asked for, and the backend's pool is a NullPool" in other.failure


async def test_a_backend_that_does_not_start_says_why(measure_case: Measure) -> None:
    """In its own words, and without a traceback of ours."""
    with pytest.raises(BackendError, match=r"did not start: .*the secrets store refused the connection"):
        await measure_case(alone(), backend="fixtures.broken.does_not_start:backend")
