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
