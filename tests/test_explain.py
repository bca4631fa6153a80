"""The explanations that reports give."""

from harness.explain import EXPLANATIONS
from harness.verdict import FindingKind


def test_every_kind_of_finding_is_explained() -> None:
    """With a cause and a repair, in one to three sentences each."""
    assert set(EXPLANATIONS) == set(FindingKind)
    for explanation in EXPLANATIONS.values():
        for text in (explanation.cause, explanation.repair):
            assert text.endswith(".")
            assert 20 < len(text) < 300


def test_a_cost_that_was_not_written_is_among_the_causes_of_a_wrong_one() -> None:
    """A row with NULL, whose model has a price, is told as a wrong cost: nothing was computed wrongly there."""
    assert "NULL, none was written" in EXPLANATIONS[FindingKind.WRONG_COST].cause
