"""The replay check: whether a recorded model was asked what it was asked when it was recorded."""

from typing import TYPE_CHECKING

from harness.checks import Replayed, default_checks
from harness.checks.check import run_checks
from harness.evidence import ReplayDifference
from harness.verdict import Expectation, FindingKind, Verdict, judge

if TYPE_CHECKING:
    from tests.checks.conftest import Build

OTHER = ReplayDifference(message="POST /v1/chat/completions was sent, and was not recorded", sent=True, turn="t1")
LEFT = ReplayDifference(message="recorded request 2 of 2 was not sent", sent=False)


def test_a_replay_that_is_the_recording_passes(build: "Build") -> None:
    """Everything was sent, and nothing else."""
    assert Replayed()(build.evidence()).verdict is Verdict.PASSED


def test_what_was_not_recorded_is_found(build: "Build") -> None:
    """With its turn for a reader, but not as one of the turns that have a defect."""
    result = Replayed()(build.evidence(replay=[OTHER, OTHER, LEFT]))

    assert result.verdict is Verdict.FAILED
    assert [finding.kind for finding in result.findings] == [FindingKind.UNRECORDED_REQUEST] * 2
    assert {(finding.message, finding.where, finding.turn) for finding in result.findings} == {
        (OTHER.message, "turn 't1'", None)
    }


def test_what_was_not_sent_leaves_it_open(build: "Build") -> None:
    """Never passed: a part of the recording was not made use of."""
    result = Replayed()(build.evidence(replay=[LEFT, LEFT]))

    assert (result.verdict, result.findings) == (Verdict.UNKNOWN, ())
    assert result.reason == f"2 recorded requests were not sent; the first: {LEFT.message}"


def test_neither_is_as_expected_anywhere(build: "Build") -> None:
    """Also not in a cell that is to show a shared session."""
    reproduces = Expectation(required=frozenset({FindingKind.SESSION_OVERLAP}))
    for difference in (OTHER, LEFT):
        result = Replayed()(build.evidence(replay=[difference]))
        for expectation in (Expectation(), reproduces):
            assert not judge([result], expectation).as_expected


def test_it_is_asked_of_recorded_cells_alone(build: "Build") -> None:
    """There, a recording that nobody played leaves it unknown."""
    evidence = build.without(build.evidence(), "replay")
    results = {result.check: result.verdict for result in run_checks(evidence, default_checks(recorded=True))}

    assert results["replay"] is Verdict.UNKNOWN
    assert "replay" not in {check.name for check in default_checks(chosen=True)}
