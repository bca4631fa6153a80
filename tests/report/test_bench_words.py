"""How the numbers of a benchmark are put in words: which change would be found, what helps, and what is not shown."""

import pytest

from harness.report import bench_words as wording
from tests.report import bench_documents
from tests.report.bench_documents import arm, case


def test_the_reference_tells_no_change() -> None:
    """Its ratio to itself is 1, whatever became of it."""
    itself = arm("a", 0.25, ratio=bench_documents.estimate(1.0).model_copy(update={"detectable": 0.0}))

    assert wording.ended(case(itself)) == "every interval is as narrow as was asked for after 12 s"
    assert wording.ended(case(itself, arm("b", 0.5))).endswith("; a change of 4.0% of any ratio would be found")


def test_what_makes_intervals_narrower_can_be_done() -> None:
    """There is no option that measures for longer, but for those things that `--full` does measure closer."""
    said = wording.too_wide(case(arm("a", 0.25)))

    assert said.endswith(
        "measure again on a machine that does nothing else, or (the headline, latencies, and costs) with --full"
    )
    assert "±5.0% of its median" in wording.too_wide(bench_documents.cost(reference=None))


@pytest.mark.parametrize("repetitions", range(5))
def test_milliseconds_without_a_share_are_not_shown(repetitions: int) -> None:
    """Too few repetitions have no interval for either."""
    few = arm("a", 0.25, samples=(0.25,) * repetitions, seconds=None, ratio=None, pool_size=1)

    assert wording.part(few, "work") == ("too few", "")
    assert wording.part(few.model_copy(update={"failure": "no"}), "work") == ("failed", "")
    assert wording.part(arm("a", 0.25), "work") == ("240.0", "96% [95%, 97%]")
    assert wording.part(arm("a", 0.25, shares={}), "work") == ("-", "")  # a turn of which nothing is known
