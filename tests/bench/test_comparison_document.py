"""A comparison as a document: reports see all of it, and say the same words."""

import io

from rich.console import Console

from harness.bench.baseline import Change, Comparison, Gate, Growth
from harness.command.comparison import comparison_document
from harness.report.bench_document import ChangeOutcome
from harness.report.bench_terminal import show_comparison

COMPARED = Comparison(
    gate=Gate(threshold=1.2),
    changes=(
        Change(
            case="headline",
            arm="[bold]shared",
            what="ratio",
            before="1.000 [0.990, 1.010]",
            now="1.500 [1.490, 1.510]",
            outcome=ChangeOutcome.WORSE,
            growth=Growth(value=1.5, low=1.48, high=1.52),
            parts={"serial": 0.1, "loop": -0.1},
        ),
        Change(
            case="headline",
            arm="locked",
            what="together",
            before="100%",
            now="not known",
            outcome=ChangeOutcome.UNDECIDED,
        ),
    ),
    notes=("a note",),
)


def test_a_document_has_all_of_a_comparison() -> None:
    """With the same words for what became of it."""
    document = comparison_document(COMPARED)
    first, second = document.changes

    assert (document.threshold, document.outcome, document.notes) == (1.2, ChangeOutcome.WORSE, ("a note",))
    assert (first.case, first.arm, first.what) == ("headline", "[bold]shared", "ratio")
    assert (first.before, first.now) == ("1.000 [0.990, 1.010]", "1.500 [1.490, 1.510]")
    assert (first.outcome, second.outcome) == (ChangeOutcome.WORSE, ChangeOutcome.UNDECIDED)
    assert first.growth is not None
    assert (first.growth.value, first.growth.low, first.growth.high) == (1.5, 1.48, 1.52)
    assert first.spent == {"serial": 0.1, "loop": -0.1}
    assert second.growth is None


def test_it_is_shown_as_text() -> None:
    """What an arm is called is no markup."""
    text = io.StringIO()
    show_comparison(comparison_document(COMPARED), Console(file=text, width=200, color_system=None))

    assert (
        "WORSE: headline, [bold]shared, ratio: 1.000 [0.990, 1.010] to 1.500 [1.490, 1.510]; in serial +100.0 ms"
        in (text.getvalue())
    )
    assert "headline: locked together 100% not known - UNDECIDED" in [
        " ".join(line.split()) for line in text.getvalue().splitlines()
    ]
    assert text.getvalue().endswith("WORSE: looked for a growth of ratios by 1.2 times or more\n")
