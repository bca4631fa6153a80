"""Arms run in turn, until their ratios are known: in which order, for how long, and what is kept."""

from collections.abc import Awaitable, Callable, Iterator
from itertools import chain, cycle, islice, repeat

import pytest

from harness.bench.estimate import median_of
from harness.bench.interleave import Ended, Limits, Sample, interleave, orders
from harness.errors import BackendError, MissingEvidence, UsageError


class Clock:
    """A clock that only moves when an arm runs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ran: list[str] = []

    def __call__(self) -> float:
        return self.now

    def arm(self, name: str, seconds: Iterator[float]) -> Callable[[], Awaitable[Sample]]:
        async def run() -> Sample:
            taken = next(seconds)
            self.ran.append(name)
            self.now += taken
            return Sample(seconds=taken, parts={"work": taken})

        return run

    def arms(self, **seconds: Iterator[float]) -> dict[str, Callable[[], Awaitable[Sample]]]:
        return {name: self.arm(name, each) for name, each in seconds.items()}


def test_every_arm_stands_in_every_place_equally_often() -> None:
    """A B C, C A B, B C A, and again."""
    assert list(islice(orders("ABC"), 4)) == [tuple("ABC"), tuple("CAB"), tuple("BCA"), tuple("ABC")]


async def test_arms_run_in_turn_and_the_first_repetitions_do_not_count() -> None:
    """The reference first; what warms up is not among the samples."""
    clock = Clock()
    arms = clock.arms(b=chain([90.0], repeat(2.0)), a=chain([100.0], repeat(1.0)))

    measured = await interleave(arms, reference="a", limits=Limits(warm_up=1, least=6, seconds=1000), clock=clock)

    assert clock.ran[:6] == ["a", "b", "b", "a", "a", "b"]
    assert measured.series["a"].seconds == [1.0] * 6
    assert measured.series["b"].seconds == [2.0] * 6
    assert measured.ended is Ended.INTERVAL
    assert measured.ratio("b").value == pytest.approx(2.0)
    assert measured.elapsed == pytest.approx(190.0 + 18.0)


async def test_at_a_limit_the_intervals_are_looked_at_once_more() -> None:
    """So that a measurement which is narrow enough by then does not end as too noisy."""
    clock = Clock()
    arms = clock.arms(a=repeat(1.0), b=repeat(2.0))
    limits = Limits(warm_up=0, least=50, most=7, seconds=1000)

    measured = await interleave(arms, reference="a", limits=limits, clock=clock)

    assert len(measured.series["b"].samples) == 7
    assert measured.ended is Ended.INTERVAL


async def test_what_the_harness_cannot_see_is_no_failure_of_the_arm() -> None:
    """It is told apart from an application that fails."""
    clock = Clock()

    async def unseen() -> Sample:
        raise MissingEvidence("nobody looked")

    async def broken() -> Sample:
        raise BackendError("no answer")

    arms = {**clock.arms(a=repeat(1.0)), "b": unseen, "c": broken}
    measured = await interleave(arms, reference="a", limits=Limits(warm_up=0, least=5), clock=clock)

    assert {name: (each.failure, each.unseen) for name, each in measured.series.items()} == {
        "a": (None, False),
        "b": ("nobody looked", True),
        "c": ("no answer", False),
    }


async def test_it_ends_when_somebody_asks_for_it() -> None:
    """After the run that goes on; the repetition that is not whole does not count."""
    clock = Clock()
    arms = clock.arms(a=repeat(1.0), b=repeat(2.0))
    limits = Limits(warm_up=0, least=50, seconds=1000)

    measured = await interleave(arms, reference="a", limits=limits, stop=lambda: len(clock.ran) == 13, clock=clock)

    assert len(clock.ran) == 13
    assert measured.ended is Ended.INTERRUPTED
    assert [len(series.samples) for series in measured.series.values()] == [6, 6]
    assert measured.ratio("b").value == pytest.approx(2.0)


async def test_a_reference_that_nothing_is_compared_with_must_be_known_itself() -> None:
    """By its own interval, which is as wide with one arm as with several."""
    limits = Limits(half_width=0.1, warm_up=0, least=8, most=8, seconds=1000)

    noisy = await interleave(Clock().arms(a=cycle([1.0, 3.0])), reference="a", limits=limits)
    steady = await interleave(Clock().arms(a=cycle([1.0, 1.05])), reference="a", limits=limits)

    assert (noisy.ended, steady.ended) == (Ended.REPETITIONS, Ended.INTERVAL)


async def test_it_goes_on_until_the_interval_is_narrow() -> None:
    """And tells how wide it still is."""
    clock, told = Clock(), list[tuple[int, float | None]]()
    wide = chain([1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 1.0], repeat(2.0))

    measured = await interleave(
        clock.arms(a=repeat(1.0), b=wide),
        reference="a",
        limits=Limits(half_width=0.01, least=8, most=500, seconds=1e9),
        progress=lambda repetitions, half_width: told.append((repetitions, half_width)),
        clock=clock,
    )

    assert measured.ended is Ended.INTERVAL
    assert measured.ratio("b").half_width <= 0.01
    assert len(measured.series["b"].samples) > 8
    assert told[0] == (0, None)
    assert told[-1][0] == len(measured.series["b"].samples)
    widths = [half_width for _, half_width in told if half_width is not None]
    assert widths[0] > 0.1
    assert widths[-1] <= 0.01


@pytest.mark.parametrize(
    ("limits", "ended", "repetitions"),
    [
        (Limits(half_width=0.001, warm_up=0, least=6, most=12, seconds=1e9), Ended.REPETITIONS, 12),
        (Limits(half_width=0.001, warm_up=0, least=6, most=1000, seconds=30), Ended.TIME, 10),
        (Limits(half_width=0.001, warm_up=0, least=6, most=3, seconds=1e9), Ended.REPETITIONS, 3),
    ],
)
async def test_a_noisy_machine_ends_at_a_limit_and_what_was_measured_stays(
    limits: Limits, ended: Ended, repetitions: int
) -> None:
    """The interval stays as wide as it is; with too few repetitions there is none."""
    clock = Clock()
    noisy = iter([1.0, 3.0] * 1000)

    measured = await interleave(clock.arms(a=repeat(1.0), b=noisy), reference="a", limits=limits, clock=clock)

    assert measured.ended is ended
    assert len(measured.series["b"].samples) == repetitions
    if repetitions >= 5:
        assert measured.ratio("b").half_width > 0.001
    else:
        with pytest.raises(MissingEvidence, match="3 repetitions have no interval"):
            measured.ratio("b")


def failing(clock: Clock, after: int) -> Callable[[], Awaitable[Sample]]:
    runs = iter(range(after))

    async def run() -> Sample:
        if next(runs, None) is None:
            raise BackendError("QueuePool limit of size 1 overflow 0 reached")
        clock.now += 1
        return Sample(seconds=1.0)

    return run


async def test_an_arm_that_fails_says_why_and_the_others_go_on() -> None:
    """What it gave before is kept; it has no ratio."""
    clock = Clock()
    arms = {**clock.arms(a=repeat(1.0), b=repeat(2.0)), "c": failing(clock, 3)}

    measured = await interleave(arms, reference="a", limits=Limits(warm_up=0, least=6, seconds=1e9), clock=clock)

    assert measured.ended is Ended.INTERVAL
    assert measured.ratio("b").value == pytest.approx(2.0)
    assert len(measured.series["c"].samples) == 3
    with pytest.raises(MissingEvidence, match="c: QueuePool limit of size 1 overflow 0 reached"):
        measured.ratio("c")


async def test_a_reference_that_fails_ends_it() -> None:
    """There is nothing left to compare with."""
    clock = Clock()
    arms = {**clock.arms(b=repeat(2.0)), "a": failing(clock, 2)}

    measured = await interleave(arms, reference="a", limits=Limits(warm_up=0), clock=clock)

    assert measured.ended is Ended.FAILURE
    assert len(measured.series["b"].samples) == 3
    with pytest.raises(MissingEvidence, match="a: QueuePool limit"):
        measured.ratio("b")


async def test_without_anything_left_to_compare_it_ends() -> None:
    """That is no narrow interval."""
    clock = Clock()
    arms = {**clock.arms(a=repeat(1.0)), "b": failing(clock, 2), "c": failing(clock, 4)}

    measured = await interleave(arms, reference="a", limits=Limits(warm_up=0, least=8), clock=clock)

    assert measured.ended is Ended.FAILURE


async def test_without_a_reference_every_median_is_to_be_known() -> None:
    """In the order in which the arms were given; one that fails ends nothing, all of them do."""
    clock = Clock()
    wide = chain([1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 1.0], repeat(2.0))
    arms = {**clock.arms(b=wide, a=repeat(1.0)), "c": failing(clock, 2)}

    measured = await interleave(
        arms, reference=None, limits=Limits(half_width=0.01, warm_up=0, least=6, most=500, seconds=1e9), clock=clock
    )
    none_left = await interleave({"c": failing(clock, 2)}, reference=None, limits=Limits(warm_up=0), clock=clock)

    assert list(measured.series) == ["b", "a", "c"]
    assert measured.ended is Ended.INTERVAL
    assert len(measured.series["b"].samples) > 6
    assert median_of(measured.series["b"].seconds).half_width <= 0.01
    assert none_left.ended is Ended.FAILURE
    with pytest.raises(MissingEvidence, match="a: there is nothing that it is compared with"):
        measured.ratio("a")


async def test_a_slow_arm_gets_the_repetitions_of_an_interval() -> None:
    """Though the time is up, as long as that does not take several times as long."""
    limits = Limits(half_width=-1.0, warm_up=0, least=8, most=100, seconds=30.0)  # never narrow enough
    clock, slower = Clock(), Clock()

    ten = await interleave(clock.arms(a=repeat(4.0), b=repeat(6.0)), reference="a", limits=limits, clock=clock)
    fifty = await interleave(slower.arms(a=repeat(25.0), b=repeat(25.0)), reference="a", limits=limits, clock=slower)

    assert (ten.ended, len(ten.series["b"].samples)) == (Ended.TIME, 5)
    assert (fifty.ended, len(fifty.series["b"].samples)) == (Ended.TIME, 2)


async def test_errors_of_another_kind_are_not_swallowed() -> None:
    """A defect of ours is no result."""

    async def broken() -> Sample:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await interleave({"a": broken}, reference="a", limits=Limits())


async def test_a_reference_that_is_no_arm_is_refused() -> None:
    """With the arms that there are."""
    with pytest.raises(UsageError, match="there is no arm 'c' to compare with; there are a, b"):
        await interleave(Clock().arms(a=repeat(1.0), b=repeat(1.0)), reference="c", limits=Limits())
