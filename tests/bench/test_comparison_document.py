"""A comparison as a document: reports see all of it, and say the same words."""

import io

from rich.console import Console

from harness.bench.change import Change, Comparison, Gate, Growth
from harness.bench.estimate import Grown
from harness.command.comparison import comparison_document
from harness.report.bench_document import ChangeOutcome, GrownDocument
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
            parts={"serial": Grown(seconds=0.1, low=0.09, high=0.11), "loop": Grown(seconds=-0.1)},
        ),
        Change(
            case="headline",
            arm="locked",
            what="together",
            before="10 of 10",
            now="not known",
            outcome=ChangeOutcome.UNDECIDED,
            reason="measure again",
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
    assert first.spent == {
        "serial": GrownDocument(seconds=0.1, low=0.09, high=0.11),
        "loop": GrownDocument(seconds=-0.1),
    }
    assert second.growth is None
    assert (second.decisive, second.reason) == (True, "measure again")
    assert document.doubts == ("together of headline (locked): measure again",)


def test_what_is_worse_comes_first_and_then_what_leaves_all_undecided() -> None:
    """Writers show as much as there is room for; what is alike stays in its order."""

    def change(arm: str, outcome: ChangeOutcome, *, decisive: bool = True) -> Change:
        return Change(case="c", arm=arm, what="time", before="1", now="2", outcome=outcome, decisive=decisive)

    changes = (
        change("a", ChangeOutcome.NOT_WORSE),
        change("b", ChangeOutcome.UNDECIDED, decisive=False),
        change("c", ChangeOutcome.UNDECIDED),
        change("d", ChangeOutcome.WORSE, decisive=False),
        change("e", ChangeOutcome.UNDECIDED),
        change("f", ChangeOutcome.WORSE),
    )

    document = comparison_document(Comparison(gate=Gate(), changes=changes, notes=()))

    assert "".join(each.arm for each in document.changes) == "dfceab"


def test_it_is_shown_as_text() -> None:
    """What an arm is called is no markup."""
    text = io.StringIO()
    show_comparison(comparison_document(COMPARED), Console(file=text, width=200, color_system=None))

    assert (
        "WORSE: headline, [bold]shared, ratio: 1.000 [0.990, 1.010] to 1.500 [1.490, 1.510]; in serial +100.0 ms "
        "[90.0, 110.0]\n"
    ) in text.getvalue()
    assert "UNDECIDED: together of headline (locked): measure again\n" in text.getvalue()
    assert "headline: locked together 10 of 10 not known - UNDECIDED" in [
        " ".join(line.split()) for line in text.getvalue().splitlines()
    ]
    assert text.getvalue().endswith("WORSE: looked for a growth of ratios by 1.2 times or more\n")
