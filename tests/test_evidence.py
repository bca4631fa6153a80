"""Evidence: absence is never emptiness."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import MissingEvidence
from harness.evidence import Evidence, Interval, Record, TimingPair

PLAIN = {"turns", "ledger_grain", "notes", "planned_faults"}
RECORDS = [field.name for field in fields(Evidence) if field.name not in PLAIN]


def test_a_record_that_was_made_gives_its_items() -> None:
    """Also if there is none."""
    record = Record.of("pool", [1, 2])

    assert (record.items, list(record), len(record)) == ((1, 2), [1, 2], 2)
    assert list(Record.of("pool", [])) == []


def test_a_record_that_could_not_be_made_raises_its_reason() -> None:
    """Whatever way one asks for its items."""
    record: Record[int] = Record.absent("pool", "the disk was full")

    for ask in (list, len, lambda record: record.items):
        with pytest.raises(MissingEvidence, match=r"^recorder 'pool': the disk was full$"):
            ask(record)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_that_nobody_made_is_absent(name: str) -> None:
    """Every one, by default, under its own name."""
    record = getattr(Evidence(), name)

    with pytest.raises(MissingEvidence, match=f"recorder '{name}': it was not installed"):
        len(record)


@pytest.mark.parametrize(
    ("start", "end", "seconds"), [(0, 4, 2.0), (2, 2.5, 0.5), (3, 9, 0.0), (1, 3, 2.0), (-5, 0, 0.0)]
)
def test_intervals_overlap_for_the_time_that_both_last(start: float, end: float, seconds: float) -> None:
    """With the interval from 1 to 3; those that only touch do not overlap."""
    assert Interval(start=1, end=3).overlap(Interval(start=start, end=end)) == seconds


@given(st.lists(st.floats(-100, 100), min_size=4, max_size=4))
def test_overlap_is_symmetric_and_no_longer_than_either(moments: list[float]) -> None:
    """For any two intervals."""
    one, other = (
        Interval(start=min(moments[:2]), end=max(moments[:2])),
        Interval(start=min(moments[2:]), end=max(moments[2:])),
    )

    assert one.overlap(other) == other.overlap(one)
    assert 0 <= one.overlap(other) <= min(one.seconds, other.seconds)
    assert one.overlap(one) == one.seconds


def test_a_speedup_is_the_ratio_of_the_times() -> None:
    """Two for a parallel turn that takes half."""
    assert TimingPair(parallel=2.4, sequential=4.8).speedup == 2
