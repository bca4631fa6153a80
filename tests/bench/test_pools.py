"""How small a pool may be: what is predicted, what is measured, and what of it is known."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from fixtures.backend.adapter import backend
from fixtures.minimal import backend as minimal
from harness.bench.messages import message
from harness.bench.pools import Pools, describe_pools, pools, smallest_pool
from harness.report.bench_document import ArmDocument
from harness.scenario import SessionMode
from tests.bench.conftest import Measure
from tests.report.bench_documents import arm, case, estimate

LONGER_SECONDS = 0.24
"""Work beside which the stagger of tools on a busy processor is small."""


def load(turns: int, tools: int) -> Pools:
    return next(each for each in pools(backend, full=True) if (each.turns, each.tools) == (turns, tools))


def pool_arm(size: int, ratio: float, *, spread: float = 0.01, failure: str | None = None) -> ArmDocument:
    known = None if failure is not None else estimate(ratio, spread=spread)
    return arm(f"pool of {size}", ratio / 4, pool_size=size, ratio=known, failure=failure)


@pytest.mark.processes
async def test_the_predicted_pool_is_the_smallest_in_which_no_tool_waits(measure_case: Measure) -> None:
    """One connection for each tool at work; with one less some tool waits for as long as another one works."""
    compared = load(2, 2)
    names = [f"pool of {size}" for size in (8, compared.predicted, compared.predicted - 1)]
    messages = (message(compared.tools, seconds=LONGER_SECONDS),) * compared.turns

    case = await measure_case({name: replace(compared.settings[name], messages=messages) for name in names})

    large, enough, too_small = (each.parts["pool"] + each.parts["serial"] for each in case.arms)
    assert compared.predicted == smallest_pool(compared.mode, turns=2, tools=2) == 4
    assert max(large, enough) < LONGER_SECONDS * 0.4
    assert too_small >= LONGER_SECONDS * 0.4  # of the mean turn: one of two turns waits for a whole tool
    assert [each.failure for each in case.arms] == [None] * 3
    assert [each.promised for each in case.arms] == [False] * 3  # they show how small it may be, and are not judged


@pytest.mark.parametrize("full", [False, True])
def test_each_load_has_pools_on_both_sides_of_the_prediction(full: bool) -> None:
    """The largest is the reference, and twice what is needed or all that is asked for."""
    for compared in pools(backend, full=full):
        sizes = [setting.pool.size for setting in compared.settings.values() if setting.pool is not None]
        assert sizes == sorted(sizes, reverse=True)
        assert {compared.predicted, compared.predicted - 1, 1} <= set(sizes)
        assert compared.predicted <= sizes[0] <= 2 * compared.predicted
        assert str(compared.predicted) in compared.question


@pytest.mark.processes
@pytest.mark.parametrize("mode", [SessionMode.SHARED, SessionMode.LOCKED])
async def test_a_session_for_the_turn_needs_a_connection_for_each_turn(
    measure_case: Measure, mode: SessionMode
) -> None:
    """With fewer, a turn waits for another one; if its tools share the session, the second one is refused meanwhile."""
    (compared,) = (each for each in pools(backend, full=True) if each.mode is mode)
    messages = (message(compared.tools, seconds=LONGER_SECONDS),) * compared.turns
    patient = {
        name: replace(each, messages=messages, pool=replace(each.pool_settings, timeout=20.0))
        for name, each in compared.settings.items()
    }

    case = await measure_case(patient)

    large, enough, too_small = case.arms
    assert (compared.name, compared.predicted) == (f"pool_size, 2 x 2, {mode}", 2)
    assert [each.pool_size for each in case.arms] == [4, 2, 1]
    assert max(large.parts["pool"], enough.parts["pool"]) < LONGER_SECONDS * 0.4
    if mode is SessionMode.SHARED:
        assert too_small.failure is not None
        assert "InvalidRequestError" in too_small.failure
    else:
        assert too_small.parts["pool"] >= LONGER_SECONDS * 0.8  # of the mean turn: one of two waits for two tools


def test_the_modes_are_those_of_the_backend() -> None:
    """In full all of them, in quick form the repair and the shared session."""
    assert [each.mode for each in pools(minimal, full=True)] == [SessionMode.PER_OPERATION] * 5
    assert {each.mode for each in pools(backend, full=True)} == set(SessionMode)
    assert [each.name for each in pools(backend, full=False)] == [
        "pool_size, 1 x 2",
        "pool_size, 2 x 2",
        "pool_size, 2 x 2, shared",
    ]


def test_in_full_the_pools_go_from_1_to_32() -> None:
    """With thirty-two tools at work at once."""
    widest = load(8, 4)

    assert widest.predicted == 32
    assert list(widest.settings) == [f"pool of {size}" for size in (32, 31, 16, 8, 4, 2, 1)]


@pytest.mark.parametrize(
    ("arms", "measured", "saturated", "timed_out"),
    [
        ([pool_arm(8, 1.0), pool_arm(4, 1.02), pool_arm(2, 1.6)], 4, (2,), ()),
        ([pool_arm(8, 1.0), pool_arm(4, 1.6), pool_arm(2, 2.6)], 8, (2, 4), ()),
        ([pool_arm(8, 1.0), pool_arm(4, 1.15), pool_arm(2, 1.6)], 8, (2,), ()),
        ([pool_arm(8, 1.0), pool_arm(4, 1.1, spread=0.2)], 8, (), ()),
        (
            [pool_arm(8, 1.0), pool_arm(4, 1.0), pool_arm(1, 9.0, failure="with sqlalchemy.exc.TimeoutError")],
            4,
            (),
            (1,),
        ),
        ([pool_arm(8, 1.0), pool_arm(1, 9.0, failure="with ValueError")], 8, (), ()),
    ],
    ids=["as predicted", "larger than predicted", "in between", "too noisy", "patience ends", "another failure"],
)
def test_whole_intervals_say_which_pool_is_enough(
    arms: Sequence[ArmDocument], measured: int, saturated: tuple[int, ...], timed_out: tuple[int, ...]
) -> None:
    """What lies on both sides is neither enough nor too small."""
    document = describe_pools(load(2, 2), case(*arms))

    assert (document.turns, document.tools, document.predicted) == (2, 2, 4)
    assert (document.measured, document.saturated, document.timed_out) == (measured, saturated, timed_out)


def test_without_the_largest_pool_nothing_is_enough() -> None:
    """It failed, or there were too few repetitions."""
    failed = arm("pool of 8", 0.25, pool_size=8, seconds=None, ratio=None, samples=(), failure="no answer")

    assert describe_pools(load(2, 2), case(failed)).measured is None
