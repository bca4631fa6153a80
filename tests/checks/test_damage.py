"""The count of what a fault took with it."""

from typing import Any

import pytest

from harness.checks.damage import damage_of
from harness.evidence import ToolOutcome
from harness.verdict import CheckResult, Damage, Finding, FindingKind


def found(*kinds: FindingKind) -> list[CheckResult]:
    return [CheckResult.of("ledger", [Finding(kind=kind, message="", check="ledger") for kind in kinds])]


def test_an_ordinary_turn_has_no_damage(build: Any) -> None:
    """One turn of one tool, all well."""
    evidence = build.evidence(build.turn(planned=(build.call(),)), tools=[build.run("a")])

    assert damage_of(evidence, found()) == Damage(
        missing=0, duplicate=0, wrong=0, tools=1, failed_tools=0, turns=1, failed_turns=0
    )


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        (FindingKind.MISSING_ROW, (1, 0, 0)),
        (FindingKind.DUPLICATE_ROW, (0, 1, 0)),
        (FindingKind.WRONG_TOKENS, (0, 0, 1)),
        (FindingKind.ZERO_COST, (0, 0, 1)),
        (FindingKind.NULL_PRICED_AS_ZERO, (0, 0, 1)),
        (FindingKind.FOREIGN_ROW, (0, 0, 1)),
        (FindingKind.NIL_IDENTIFIER, (0, 0, 1)),
        (FindingKind.UNSEEN_RESPONSE, (0, 0, 0)),
        (FindingKind.UNBILLED_RESPONSE, (0, 0, 0)),
        (FindingKind.UNEXPECTED_ERROR, (0, 0, 0)),
    ],
)
def test_findings_about_rows_are_counted_by_what_they_say_of_the_ledger(
    build: Any, kind: FindingKind, counts: tuple[int, int, int]
) -> None:
    """What the answer says of its row, and what was not received, is no row."""
    damage = damage_of(build.evidence(), found(kind))

    assert (damage.missing, damage.duplicate, damage.wrong) == counts


def test_a_call_that_was_begun_and_did_not_return_has_failed(build: Any) -> None:
    """One that raised, and one that was cut off; one that asked the model to try again has not."""
    calls = tuple(build.call(name) for name in "abcd")
    runs = [
        build.run("a", outcome=ToolOutcome.RAISED, error_type="sqlalchemy.exc.DBAPIError"),
        build.run("b", outcome=ToolOutcome.UNFINISHED),
        build.run("c", outcome=ToolOutcome.RAISED, error_type="pydantic_ai.exceptions.ModelRetry"),
        build.run("d"),
    ]

    damage = damage_of(build.evidence(build.turn(planned=calls), tools=runs), found())

    assert (damage.failed_tools, damage.tools) == (2, 4)


def test_a_turn_that_the_harness_interrupted_has_not_failed(build: Any) -> None:
    """Nor have its tools; it is counted among the turns."""
    cut = build.turn("1", answer=None, error="cancelled", interrupted="task cancelled at await 3")
    failed = build.turn("2", answer=None, error="HTTP 502")
    evidence = build.evidence(cut, failed, tools=[build.run("a", turn="1", outcome=ToolOutcome.RAISED)])

    damage = damage_of(evidence, found())

    assert (damage.failed_turns, damage.turns, damage.failed_tools) == (1, 2, 0)


def test_without_a_record_of_the_tools_none_are_counted(build: Any) -> None:
    """Rather than none that failed."""
    damage = damage_of(build.without(build.evidence(build.turn(planned=(build.call(),))), "tools"), found())

    assert (damage.tools, damage.failed_tools) == (None, None)


@pytest.mark.parametrize("side", ["invoice", "responses", "ledger"])
def test_without_one_of_the_three_sides_no_rows_are_counted(build: Any, side: str) -> None:
    """Rather than none that are missing."""
    damage = damage_of(build.without(build.evidence(), side), [CheckResult.unknown("ledger", f"there is no {side}")])

    assert (damage.missing, damage.duplicate, damage.wrong) == (None, None, None)


def test_without_the_ledger_check_no_rows_are_counted(build: Any) -> None:
    """As for a backend that did not start."""
    damage = damage_of(build.evidence(), [CheckResult.unknown("backend", "it did not start")])

    assert (damage.missing, damage.duplicate, damage.wrong) == (None, None, None)
