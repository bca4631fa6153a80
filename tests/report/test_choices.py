"""What a report says of turns in which a model decided by itself."""

import pytest

from harness.report import digest
from harness.report.document import CellDocument
from harness.scenario import SessionMode
from harness.verdict import Finding, FindingKind, ModelChoices, Share
from tests.report import documents

STRAY = Finding(kind=FindingKind.IDLE_IN_TRANSACTION, message="m", check="pool")


def cell(*findings: Finding, unknown: str = "", wrong: int = 0, at_most: float | None = None) -> CellDocument:
    made = ModelChoices(
        turns=20,
        outcomes={"answered": 20},
        calls={"search_directory": 30},
        refused=0,
        called_together=12,
        together=10,
        share=Share(value=0.5, low=0.3, high=0.7),
        wrong=wrong,
        at_most=at_most,
    )
    plain = documents.cell("free", SessionMode.PER_OPERATION, findings=findings, unknown=unknown)
    return plain.model_copy(update={"choices": made})


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (cell(at_most=0.26), "in none of these was anything found: with 95 % confidence at most 26.0% of such turns"),
        (cell(STRAY, wrong=2), "in 2 of these something was found"),
        (cell(STRAY), "but outside of them something was (1 finding): nothing follows for other turns"),
        (cell(unknown="no log"), "but what ledger asked could not be decided: nothing follows for other turns"),
    ],
)
def test_nothing_follows_where_something_was_found_elsewhere_or_is_open(of: CellDocument, said: str) -> None:
    """How many turns called several tools, and in how many these met, are two numbers."""
    (line,) = digest.choices(documents.document([of]))

    assert said in line
    assert "several were called together in 12, and came to the database together in 10, 50% [30%, 70%]; " in line
