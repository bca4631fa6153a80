"""One cost, measured: ways are described with their ratios, and what fails or is missing is a reason, and no number."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from harness.bench.cost import Way, Ways, measure
from harness.bench.interleave import Ended, Sample
from harness.errors import EnvironmentMissing
from harness.report.bench_document import CostDocument
from tests.bench.grounds import cost


async def of(**ways: Way) -> CostDocument:
    @asynccontextmanager
    async def found() -> AsyncIterator[Ways]:
        yield Ways(ways=ways, missing=("c: not here",))

    return await measure(cost(found, reference="a"))


def way(seconds: float, *, fails_after: int = 1000) -> Way:
    runs = iter(range(fails_after))

    async def once() -> Sample:
        if next(runs, None) is None:
            raise EnvironmentMissing("no more of these")
        return Sample(seconds=seconds)

    return once


async def test_ways_are_described_with_their_ratios() -> None:
    """The reference first; what is missing is named, what fails too, and without an interval there is no number."""
    document = await of(b=way(3.0), a=way(2.0), d=way(1.0, fails_after=3))

    a, b, d = document.arms
    assert (document.reference, document.ended, document.missing) == ("a", Ended.INTERVAL, ("c: not here",))
    assert [arm.name for arm in document.arms] == ["a", "b", "d"]
    assert a.seconds is not None
    assert a.seconds.value == 2.0
    assert b.ratio is not None
    assert b.ratio.value == pytest.approx(1.5)
    assert (len(d.samples), d.seconds, d.ratio, d.failure) == (3, None, None, "no more of these")


async def test_without_a_reference_nothing_is_compared() -> None:
    """Nor if it cannot be had here."""
    document = await of(b=way(3.0), d=way(1.0))

    assert document.reference is None
    assert [arm.ratio for arm in document.arms] == [None, None]
    assert all(arm.seconds is not None for arm in document.arms)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (asyncpg.DiskFullError("no space"), "DiskFullError: no space"),
        (ConnectionResetError("reset by peer"), "ConnectionResetError: reset by peer"),
        (TimeoutError("too late"), "TimeoutError: too late"),
        (asyncpg.InterfaceError("connection is closed"), "InterfaceError: connection is closed"),
    ],
)
async def test_a_server_that_fails_is_a_reason(error: Exception, said: str) -> None:
    """Of the arm, if it does in one; of the whole, before and after them. What was measured is kept."""

    async def fails() -> Sample:
        raise error

    @asynccontextmanager
    async def found(*, entered: bool) -> AsyncIterator[Ways]:
        if not entered:
            raise error
        yield Ways(ways={"a": way(1.0), "b": way(2.0)}, missing=("c: not here",))
        raise error

    arm = await of(a=way(1.0), b=fails, d=way(2.0))
    entering = await measure(cost(lambda: found(entered=False), reference="a"))
    leaving = await measure(cost(lambda: found(entered=True), reference="a"))

    assert [each.failure for each in arm.arms] == [None, said, None]
    assert (entering.arms, entering.missing) == ((), (f"x: {said}",))
    assert [len(each.samples) for each in leaving.arms] == [5, 5]
    assert leaving.missing == ("c: not here", f"x: {said}")


async def test_a_defect_of_the_harness_is_no_reason() -> None:
    """It is raised."""

    async def fails() -> Sample:
        raise LookupError("a defect")

    with pytest.raises(LookupError, match="a defect"):
        await of(a=way(1.0), b=fails)
