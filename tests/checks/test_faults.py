"""The faults check: did what was to go wrong go wrong?"""

from typing import Any

import pytest

from harness.checks import run_checks
from harness.checks.faults import Faults
from harness.evidence import Evidence, FaultSeen, ToolOutcome
from harness.verdict import Verdict


def evidence_of(build: Any, *turns: Any, came: tuple[str, ...] = (), **records: Any) -> Evidence:
    seen = tuple(FaultSeen(label=label) for label in came)
    evidence: Evidence = build.evidence(*turns, faults=seen, **records)
    return evidence


def test_a_fault_that_came_as_often_as_planned_leaves_no_doubt(build: Any) -> None:
    """With the responses that were planned."""
    evidence = evidence_of(
        build,
        build.turn(planned_responses=1),
        came=("cut", "cut"),
        planned_faults=("cut", "cut"),
        invoice=[build.charge()],
    )

    assert Faults()(evidence).verdict is Verdict.PASSED


@pytest.mark.parametrize(("came", "times"), [((), 0), (("cut",), 1), (("cut", "reset"), 1)])
def test_a_fault_that_did_not_come_is_a_doubt(build: Any, came: tuple[str, ...], times: int) -> None:
    """With how often it came, and how often it was planned; another fault is no substitute."""
    evidence = evidence_of(
        build, build.turn(planned_responses=1), came=came, planned_faults=("cut", "cut"), invoice=[build.charge()]
    )

    result = Faults()(evidence)

    assert result.verdict is Verdict.UNKNOWN
    assert result.reason == f"the fault 'cut' struck {times} times, and was planned 2"


def test_an_answer_before_the_last_planned_response_is_a_doubt(build: Any) -> None:
    """The scenario was not played to its end."""
    evidence = evidence_of(build, build.turn(planned_responses=2), invoice=[build.charge()])

    assert "was answered after 1 of 2 planned model responses" in Faults()(evidence).reason


def test_a_turn_that_failed_or_was_interrupted_owes_no_responses(build: Any) -> None:
    """It was to end before its end."""
    failed = build.turn("t1", planned_responses=9, answer=None, error="HTTP 502")
    interrupted = build.turn("2", planned_responses=9, interrupted="client left after 2 events")

    assert Faults()(evidence_of(build, failed, interrupted, invoice=[build.charge()])).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("role", "outcome"),
    [("fail", ToolOutcome.RAISED), ("retry", ToolOutcome.RAISED), ("delegate", ToolOutcome.RETURNED)],
)
def test_a_call_whose_failure_is_the_fault_must_do_what_its_role_says(
    build: Any, role: str, outcome: ToolOutcome
) -> None:
    """Another outcome, or none, is a doubt that names the tool."""
    turn = build.turn(planned=(build.call("a", "search_directory", role=role),), planned_responses=0)
    other = ToolOutcome.RAISED if outcome is ToolOutcome.RETURNED else ToolOutcome.RETURNED
    right, wrong = (build.run("a", outcome=each) for each in (outcome, other))

    assert Faults()(evidence_of(build, turn, tools=[right])).verdict is Verdict.PASSED
    for runs in ([wrong], []):
        result = Faults()(evidence_of(build, turn, tools=runs))
        assert f"tool 'search_directory' (call 'a') did not do what its role {role!r} says" in result.reason


@pytest.mark.parametrize("record", ["faults", "invoice", "tools"])
def test_what_was_not_recorded_is_not_taken_for_nothing(build: Any, record: str) -> None:
    """The recorder's reason is raised."""
    evidence = build.without(evidence_of(build), record)

    (result,) = run_checks(evidence, [Faults()])

    assert result.verdict is Verdict.UNKNOWN
    assert "the disk was full" in result.reason


@pytest.mark.parametrize("must", [True, False, None])
def test_a_turn_that_must_be_answered_or_must_not_be_is_asked_about(build: Any, must: bool | None) -> None:
    """What came of it the other way is a doubt: the limit was not hit, or the fault is another."""
    answered = build.turn(planned_responses=1, to_be_answered=must)
    failed = build.turn(planned_responses=1, answer=None, error="HTTP 502", to_be_answered=must)

    verdicts = {
        turn.answer is not None: Faults()(evidence_of(build, turn, invoice=[build.charge()])).verdict
        for turn in (answered, failed)
    }

    assert verdicts[True] is (Verdict.UNKNOWN if must is False else Verdict.PASSED)
    assert verdicts[False] is (Verdict.UNKNOWN if must is True else Verdict.PASSED)


def test_a_turn_that_failed_before_anything_was_served_was_struck_by_a_fault(build: Any) -> None:
    """Otherwise it failed by itself, and shows nothing of the fault."""
    failed = build.turn(answer=None, error="HTTP 503")

    assert "failed before anything was served" in Faults()(evidence_of(build, failed)).reason
    struck = evidence_of(build, failed, came=("cut",), planned_faults=("cut",))
    assert Faults()(struck).verdict is Verdict.PASSED
