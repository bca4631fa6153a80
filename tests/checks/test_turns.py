"""The turns check: a turn without an answer is a finding."""

from typing import TYPE_CHECKING

from harness.checks import Turns
from harness.evidence import StuckTask
from harness.verdict import Finding, FindingKind, Verdict

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


LOCK = "/usr/lib/python3.13/asyncio/locks.py:213 in Event.wait"
PARTS = "turn 't1' gave no answer within 10.000 s; "


def _timed_out(build: "Build", *stuck: StuckTask) -> Finding:
    (finding,) = Turns()(build.evidence(build.turn(answer=None, timed_out=True, stuck=stuck))).findings
    assert finding.kind is FindingKind.TURN_TIMED_OUT
    return finding


def test_a_turn_that_timed_out_shows_where_its_own_tasks_wait(build: "Build") -> None:
    """Its tools first, each by the application's innermost line; unrelated tasks are only counted."""
    finding = _timed_out(
        build,
        StuckTask(name="Task-3", stack=(LOCK,)),
        StuckTask(name="search_directory", stack=("app/tools.py:1 in f", ".venv/lib/site-packages/x.py:2 in g", LOCK)),
        StuckTask(name="turn t1", stack=("app/main.py:7 in chat",)),
        StuckTask(name="turn t2", stack=("app/main.py:7 in chat",)),
    )

    assert finding.message == (
        f"{PARTS}task 'search_directory' waits at app/tools.py:1 in f, in {LOCK}; "
        "task 'turn t1' waits at app/main.py:7 in chat; other tasks that were still running: 2"
    )
    assert finding.stack[0] == "app/tools.py:1 in f"


def test_a_tool_of_another_place_is_shown_by_the_frame_before_the_last(build: "Build") -> None:
    """An application outside the working directory has absolute paths; what follows them is what is waited for."""
    finding = _timed_out(build, StuckTask(name="search_documents", stack=("/srv/app/tools.py:4 in f", LOCK)))

    assert finding.message == f"{PARTS}task 'search_documents' waits at /srv/app/tools.py:4 in f, in {LOCK}"


def test_without_a_task_of_the_turn_all_are_shown(build: "Build") -> None:
    """They are all that is known."""
    tasks = StuckTask(name="Task-3", stack=(LOCK,)), StuckTask(name="Task-4", stack=())

    assert _timed_out(build, *tasks).message == (
        f"{PARTS}task 'Task-3' waits at {LOCK}; task 'Task-4' waits at an unknown place"
    )
    assert _timed_out(build).message == f"{PARTS}no task was still running"
