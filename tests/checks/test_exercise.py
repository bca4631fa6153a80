"""The exercise check: unknown unless every tool did to the database what its role promises."""

from typing import TYPE_CHECKING, Any

import pytest

from harness.checks import Exercise
from harness.evidence import ErrorSource, ToolOutcome
from harness.sql import writes_rows
from harness.verdict import CheckResult, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build

INSERT = "INSERT INTO messages (text) VALUES ($1)"
RAISED: dict[str, Any] = {"outcome": ToolOutcome.RAISED, "error_type": "sqlalchemy.exc.IntegrityError"}
MAY_FAIL = {"rollback", "fail"}


def _check(build: "Build", role: str = "read", **records: Any) -> CheckResult:
    """Call `a` of a role, which ran one `SELECT` and returned unless records say otherwise."""
    turn = build.turn(planned=(build.call("a", role=role, may_fail=role in MAY_FAIL),))
    given: dict[str, Any] = {"tools": [build.run("a")], "statements": [build.statement("a")]}
    return Exercise()(build.evidence(turn, **given | records))


def _refusal(build: "Build", **fields: Any) -> list[Any]:
    given: dict[str, Any] = {"source": ErrorSource.DATABASE, "sqlstate": "23505"} | fields
    return [build.error("sqlalchemy.exc.IntegrityError", "duplicate key", **given)]


def test_a_tool_that_reads_is_exercised(build: "Build") -> None:
    """One statement of its own is what reading promises."""
    assert _check(build).verdict is Verdict.PASSED
    assert _check(build, "search").verdict is Verdict.PASSED


def test_a_tool_without_a_statement_is_not(build: "Build") -> None:
    """Nor by the delay that the harness put before it, nor by a sibling's or another turn's statement."""
    others = [
        build.statement("a", injected=True),
        build.statement("b"),
        build.statement("a", turn="t2"),
    ]

    result = _check(build, statements=others)

    assert result.verdict is Verdict.UNKNOWN
    assert result.findings == ()
    assert result.reason == (
        "tool 'search_directory' (call 'a') returned without a statement: the scenario was not exercised"
    )


def test_a_tool_with_fewer_statements_than_operations_is_not(build: "Build") -> None:
    """It was to do several, one after the other; more than one statement for each is its own affair."""
    turn = build.turn(planned=(build.call("a", "browse_directory", role="series", operations=3),))

    def check(statements: int) -> CheckResult:
        made = [build.statement("a", injected=True), *([build.statement("a")] * statements)]
        return Exercise()(build.evidence(turn, tools=[build.run("a")], statements=made))

    assert check(0).reason.startswith("tool 'browse_directory' (call 'a') returned without a statement: ")
    assert check(2).reason.startswith(
        "tool 'browse_directory' (call 'a') ran 2 of at least 3 statements, one for each planned operation: "
    )
    assert [check(statements).verdict for statements in (3, 4)] == [Verdict.PASSED] * 2


def test_a_tool_that_did_not_run_is_not(build: "Build") -> None:
    """Though the turn was answered."""
    assert _check(build, tools=[]).reason.startswith("tool 'search_directory' (call 'a') did not run: ")


def test_the_same_lack_of_several_calls_is_said_once(build: "Build") -> None:
    """Turns of pairs call the same tools again and again."""
    turns = [build.turn(name, planned=(build.call(f"{name}-a"),)) for name in ("t1", "t2", "t3")]
    runs = [build.run(f"{turn.id}-a", turn=turn.id) for turn in turns]

    result = Exercise()(build.evidence(*turns, tools=runs))

    assert result.reason == (
        "tool 'search_directory' (call 't1-a' and 2 more) returned without a statement: the scenario was not exercised"
    )


@pytest.mark.parametrize("role", ["flush", "commit"])
def test_a_writing_role_must_write(build: "Build", role: str) -> None:
    """By a flush of rows, or by a statement of Core that did not fail."""
    flush, empty = build.operation("flush", "a", 1), build.operation("flush", "a", 1, rows=0)
    insert, failed = build.statement("a", sql=INSERT), build.statement("a", sql=INSERT, failed=True)

    assert _check(build, role, operations=[flush]).verdict is Verdict.PASSED
    assert _check(build, role, statements=[insert]).verdict is Verdict.PASSED
    for records in ({}, {"operations": [empty]}, {"statements": [failed]}):
        assert f"wrote nothing, and its role is {role!r}" in _check(build, role, **records).reason


def test_a_rollback_must_be_refused(build: "Build") -> None:
    """By the database, in its own call, for its own statement."""
    failed = build.statement("a", sql=INSERT, failed=True)

    assert _check(build, "rollback", errors=_refusal(build)).verdict is Verdict.PASSED
    assert _check(build, "rollback", statements=[failed]).verdict is Verdict.PASSED
    for errors in (
        [],
        _refusal(build, tool_call_id="b"),
        _refusal(build, sqlstate="40P01"),
        _refusal(build, source=ErrorSource.RAISED),
    ):
        reason = _check(build, "rollback", errors=errors).reason
        assert "was refused nothing by the database, and its role is 'rollback'" in reason


def test_a_failing_tool_must_be_refused_and_raise(build: "Build") -> None:
    """Either alone is not what is planned."""
    raised = [build.run("a", **RAISED)]

    assert _check(build, "fail", errors=_refusal(build), tools=raised).verdict is Verdict.PASSED
    assert "did not raise, and its role is 'fail'" in _check(build, "fail", errors=_refusal(build)).reason
    assert "was refused nothing" in _check(build, "fail", tools=raised).reason
    assert "raised without a statement" in _check(build, "fail", tools=raised, statements=[]).reason


def test_a_tool_that_raised_is_left_to_the_errors_check(build: "Build") -> None:
    """But to ask the model to try again is no error, and nobody would say anything."""
    raised = build.run("a", outcome=ToolOutcome.RAISED, error_type="ValueError")
    retry = build.run("a", outcome=ToolOutcome.RAISED, error_type="pydantic_ai.exceptions.ModelRetry")

    assert _check(build, "commit", tools=[raised], statements=[]).verdict is Verdict.PASSED
    assert "raised without a statement" in _check(build, "commit", tools=[retry], statements=[]).reason


def test_a_turn_with_a_collision_is_left_to_the_errors_check(build: "Build") -> None:
    """One tool's row may have been sent by another, or nothing at all."""
    collision = build.error("sqlalchemy.exc.InvalidRequestError", "provisioning", code="isce", tool_call_id="b")

    assert _check(build, "rollback", statements=[], errors=[collision]).verdict is Verdict.PASSED


def test_without_an_answered_turn_nothing_was_exercised(build: "Build") -> None:
    """The turns check has the finding; this one has nothing to look at."""
    result = Exercise()(build.evidence(build.turn(answer=None, error="broken")))

    assert result.reason == "no turn was answered: the scenario was not exercised"


def test_a_turn_without_tools_needs_none(build: "Build") -> None:
    """All that was planned was done."""
    assert Exercise()(build.evidence(build.turn(planned=()))).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("sql", "writes"),
    [
        (INSERT, True),
        ("  -- a comment\n/* another */ (update person set name = $1)", True),
        ("WITH gone AS (DELETE FROM person RETURNING id) SELECT * FROM gone", True),
        ("WITH one AS (SELECT 1) INSERT INTO person SELECT * FROM one", True),
        ("WITH one AS (SELECT update_count FROM person) SELECT * FROM one FOR UPDATE", False),
        ("SELECT 1 FOR UPDATE", False),
        ("SELECT pg_sleep($1)", False),
        ("INSERTED", False),
        ("", False),
    ],
)
def test_which_statements_write(sql: str, writes: bool) -> None:
    """By the first word, and in a `WITH` by any of its parts."""
    assert writes_rows(sql) is writes
