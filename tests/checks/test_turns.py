"""The turns check: a turn without an answer is a finding."""

from typing import TYPE_CHECKING

from harness.checks import Turns
from harness.evidence import StuckTask
from harness.verdict import FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build


def test_an_answered_turn_passes(build: "Build") -> None:
    """Nothing is said of it."""
    assert Turns()(build.evidence()).verdict is Verdict.PASSED


def test_a_failed_turn_shows_its_error(build: "Build") -> None:
    """By the class and the first line of the text."""
    turn = build.turn(answer=None, error="bad thing\nmore", error_type="ValueError")

    (finding,) = Turns()(build.evidence(turn)).findings

    assert finding.kind is FindingKind.TURN_FAILED
    assert finding.message == "turn 't1' gave no answer: ValueError: bad thing"
    assert finding.where == "turn 't1' of wyckoff/chat"


def test_a_turn_with_neither_answer_nor_error_has_failed(build: "Build") -> None:
    """It is not passed over."""
    (finding,) = Turns()(build.evidence(build.turn(answer=None))).findings

    assert finding.message.endswith("it ended with neither an answer nor an error")


def test_a_turn_that_timed_out_shows_where_its_tasks_wait(build: "Build") -> None:
    """Each by its innermost frame."""
    stuck = (
        StuckTask(name="search_directory", stack=("a.py:1 in f", "queue.py:9 in get")),
        StuckTask(name="other", stack=()),
    )

    (finding,) = Turns()(build.evidence(build.turn(answer=None, timed_out=True, stuck=stuck))).findings

    assert finding.kind is FindingKind.TURN_TIMED_OUT
    assert finding.message == (
        "turn 't1' gave no answer within 10.000 s; task 'search_directory' waits at queue.py:9 in get; "
        "task 'other' waits at an unknown place"
    )
    assert finding.stack == ("a.py:1 in f", "queue.py:9 in get")
