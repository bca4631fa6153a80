"""What became of one cell, by definition."""

from collections.abc import Mapping, Sequence

import pytest

from harness.report.cell_change import Became
from harness.report.digest import Outcome
from harness.report.document import CellDocument, CheckDocument
from harness.report.run_change import change_status, compare_runs
from harness.scenario import SessionMode
from harness.verdict import FindingKind, Verdict
from tests.report import documents, two_tools

P, R, F, U = Outcome.PASSED, Outcome.REPRODUCED, Outcome.FAILED, Outcome.UNKNOWN
WORSE, UNDECIDED, OTHER, BETTER, SAME = Became
NEVER_SEEN = "expected finding 'session_overlap' did not appear"


def judged(
    outcome: Outcome, *, seen: Sequence[tuple[FindingKind, bool]] = (), checks: Mapping[str, Verdict] | None = None
) -> CellDocument:
    """A cell with that outcome, with findings, each of which may be there or not, and checks."""
    told = checks or {"errors": Verdict.PASSED, "ledger": Verdict.UNKNOWN if outcome is U else Verdict.PASSED}
    blank = documents.cell("single_tool", SessionMode.SHARED)
    finding = two_tools.shared().findings[0]
    return blank.model_copy(
        update={
            "verdict": {P: Verdict.PASSED, U: Verdict.UNKNOWN}.get(outcome, Verdict.FAILED),
            "expected": "reproduced" if outcome is R else "clean",
            "as_expected": outcome.good,
            "objections": {F: (NEVER_SEEN,), U: ("check 'ledger' could not decide: no table",)}.get(outcome, ()),
            "findings": tuple(
                finding.model_copy(update={"kind": kind, "unexpected": not admitted, "check": "errors"})
                for kind, admitted in seen
            ),
            "checks": tuple(
                CheckDocument(check=name, verdict=verdict, reason="", notes=()) for name, verdict in told.items()
            ),
        }
    )


TABLE = [
    # was, is, and what that is if no finding appeared, one that may be there, and one that must not
    (P, P, SAME, OTHER, WORSE),
    (P, R, OTHER, OTHER, WORSE),
    (P, F, WORSE, WORSE, WORSE),
    (P, U, UNDECIDED, UNDECIDED, WORSE),
    (R, P, OTHER, OTHER, WORSE),
    (R, R, SAME, OTHER, WORSE),
    (R, F, WORSE, WORSE, WORSE),
    (R, U, UNDECIDED, UNDECIDED, WORSE),
    (F, P, BETTER, BETTER, WORSE),
    (F, R, BETTER, BETTER, WORSE),
    (F, F, SAME, OTHER, WORSE),
    (F, U, UNDECIDED, UNDECIDED, WORSE),
    (U, P, BETTER, BETTER, WORSE),
    (U, R, BETTER, BETTER, WORSE),
    (U, F, WORSE, WORSE, WORSE),
    (U, U, SAME, OTHER, WORSE),
]
STATUSES = {WORSE: 1, UNDECIDED: 3, OTHER: 0, BETTER: 0, SAME: 0}
APPEARED: tuple[Sequence[tuple[FindingKind, bool]], ...] = (
    [],
    [(FindingKind.MISSING_ROW, True)],
    [(FindingKind.MISSING_ROW, False)],
)


@pytest.mark.parametrize(
    ("was", "now", "appeared", "became"),
    [
        pytest.param(was, now, appeared, became, id=f"{was}-{now}-{name}")
        for was, now, *columns in TABLE
        for name, appeared, became in zip(("none", "admitted", "unexpected"), APPEARED, columns, strict=True)
    ],
)
def test_every_change_of_a_cell_is_what_it_is_by_definition(
    was: Outcome, now: Outcome, appeared: Sequence[tuple[FindingKind, bool]], became: Became
) -> None:
    """1 if something got worse, 3 if something that was known is not known any more, and else 0."""
    known = (FindingKind.SESSION_OVERLAP, True)
    before, after = judged(was, seen=[known]), judged(now, seen=[known, *appeared])

    change = compare_runs(documents.document([before]), documents.document([after]))

    assert [each.became for each in change.changed] == ([] if became is SAME else [became])
    assert change_status(change) == STATUSES[became]


def test_the_table_has_every_pair_of_outcomes() -> None:
    """None is forgotten."""
    assert {row[:2] for row in TABLE} == {(was, now) for was in (P, R, F, U) for now in (P, R, F, U)}


PASSED, FAILED, UNKNOWN = Verdict.PASSED, Verdict.FAILED, Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("was", "now", "checks", "became"),
    [
        (F, F, {"errors": FAILED, "ledger": UNKNOWN}, UNDECIDED),
        (F, F, {"errors": FAILED}, UNDECIDED),
        (P, P, {"errors": PASSED}, UNDECIDED),
        (F, P, {"errors": PASSED}, UNDECIDED),
        (U, U, {"errors": UNKNOWN, "ledger": UNKNOWN}, UNDECIDED),
        (R, R, {"errors": FAILED, "ledger": UNKNOWN}, SAME),
        (F, F, {"errors": PASSED, "ledger": PASSED, "more": UNKNOWN}, SAME),
    ],
)
def test_a_check_that_no_longer_decides_leaves_the_cell_undecided(
    was: Outcome, now: Outcome, checks: Mapping[str, Verdict], became: Became
) -> None:
    """Also if the outcome is the same, or better; but not one that its scenario lets be undecided."""
    change = compare_runs(documents.document([judged(was)]), documents.document([judged(now, checks=checks)]))

    assert [each.became for each in change.changed] == ([] if became is SAME else [became])
    assert change_status(change) == STATUSES[became]


@pytest.mark.parametrize(
    ("objections", "checks", "became"),
    [
        ([NEVER_SEEN, "expected finding 'bleed' did not appear"], None, WORSE),
        ([NEVER_SEEN, "expected finding 'bleed' did not appear"], {"errors": FAILED, "ledger": UNKNOWN}, UNDECIDED),
        ([NEVER_SEEN, "unexpected finding 'missing_row'"], None, SAME),
        ([NEVER_SEEN, "check 'errors' could not decide: why"], {"errors": UNKNOWN, "ledger": FAILED}, UNDECIDED),
    ],
)
def test_what_must_appear_and_no_longer_does_is_worse(
    objections: list[str], checks: Mapping[str, Verdict] | None, became: Became
) -> None:
    """If everybody looked: in a cell that failed before, too."""
    known = [(FindingKind.MISSING_ROW, False)]
    before, after = judged(F, seen=known), judged(F, seen=known, checks=checks)
    after = after.model_copy(update={"objections": tuple(objections)})

    change = compare_runs(documents.document([before]), documents.document([after]))

    assert [each.became for each in change.changed] == ([] if became is SAME else [became])


def test_a_record_that_is_not_there_any_more_leaves_the_cell_undecided() -> None:
    """Whatever its checks say; and one that neither run has changes nothing."""
    before = two_tools.own_sessions()
    gap = {"operations": before.evidence.operations.model_copy(update={"missing": "the recorder died", "items": ()})}
    after = before.model_copy(update={"evidence": before.evidence.model_copy(update=gap)})

    lost = compare_runs(documents.document([before]), documents.document([after]))
    neither = compare_runs(documents.document([after]), documents.document([after]))

    assert [(each.became, each.lost) for each in lost.changed] == [
        (UNDECIDED, ("no record of operations: the recorder died",))
    ]
    assert change_status(lost) == STATUSES[UNDECIDED]
    assert neither.changed == ()
