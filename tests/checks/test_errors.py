"""The errors check: one finding per cause, by its kind, and none for what was intended."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import exc
from sqlalchemy.orm import Session

from harness.checks import Errors
from harness.checks.classification import core
from harness.evidence import ErrorRecord, ErrorSource, PlannedCall
from harness.verdict import FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build

ALCHEMY_INTERFACE = "sqlalchemy.exc.InterfaceError"
ASYNCPG_INTERFACE = "asyncpg.exceptions._base.InterfaceError"
BUSY = "cannot perform operation: another operation is in progress"
POISONED = "cannot use Connection.transaction() in a manually started transaction"
INVALID = "sqlalchemy.exc.InvalidRequestError"
UNIQUE = 'duplicate key value violates unique constraint "person_pkey"'
INTEGRITY = "sqlalchemy.exc.IntegrityError"
UNIQUE_CLASS = "asyncpg.exceptions.UniqueViolationError"

SPEAKS = [
    (INVALID, "This session is provisioning a new connection", {"code": "isce"}, "concurrent_operation"),
    ("sqlalchemy.exc.IllegalStateChangeError", "Method 'close()' …", {"code": "isce"}, "illegal_state"),
    ("sqlalchemy.exc.ResourceClosedError", "This transaction is closed", {}, "illegal_state"),
    (INVALID, "Session is already flushing", {}, "illegal_state"),
    (
        INVALID,
        "This session is in 'prepared' state; no further SQL can be emitted within this transaction.",
        {},
        "illegal_state",
    ),
    (INVALID, "A transaction is already begun on this Session.", {}, "illegal_state"),
    ("sqlalchemy.exc.PendingRollbackError", "rolled back", {"code": "7s2a"}, "aborted_transaction"),
    ("sqlalchemy.exc.PendingRollbackError", "Can't reconnect", {"code": "8s2b"}, "aborted_transaction"),
    (
        INVALID,
        "This session is in 'inactive' state, due to the SQL transaction being rolled back; no further SQL …",
        {},
        "aborted_transaction",
    ),
    (
        "sqlalchemy.exc.DBAPIError",
        "current transaction is aborted",
        {"sqlstate": "25P02", "code": "dbapi"},
        "aborted_transaction",
    ),
    (ALCHEMY_INTERFACE, f"<class '{ASYNCPG_INTERFACE}'>: {BUSY}", {"code": "rvf5"}, "driver_busy"),
    (ASYNCPG_INTERFACE, BUSY, {}, "driver_busy"),
    (ASYNCPG_INTERFACE, BUSY, {"chain": ("RuntimeError",)}, "foreign_loop"),
    ("RuntimeError", "Task … got Future … attached to a different loop", {}, "foreign_loop"),
    ("RuntimeError", "Event loop is closed", {}, "foreign_loop"),
    ("sqlalchemy.exc.TimeoutError", "QueuePool limit of size 2", {"code": "3o7r"}, "pool_exhausted"),
    (ASYNCPG_INTERFACE, POISONED, {}, "poisoned_connection"),
    (
        "logging.ERROR",
        "The garbage collector is trying to clean up non-checked-in connection <…>",
        {"source": ErrorSource.LOGGED, "logger": "sqlalchemy.pool.impl.AsyncAdaptedQueuePool"},
        "connection_leak",
    ),
    (
        "postgresql.ERROR",
        "current transaction is aborted, commands ignored until end of transaction block",
        {"source": ErrorSource.SERVER},
        "aborted_transaction",
    ),
    ("logging.ERROR", f"cost_tracking_failed: {BUSY}", {"source": ErrorSource.LOGGED}, "driver_busy"),
    # of a cause
    (
        "app.ToolFailed",
        "search failed",
        {"chain": ("sqlalchemy.exc.PendingRollbackError",)},
        "aborted_transaction",
    ),
    ("app.ToolFailed", "search failed", {"chain": (INVALID,), "code": "isce"}, "concurrent_operation"),
    (
        "app.ToolFailed",
        "search failed",
        {"chain": ("sqlalchemy.exc.IllegalStateChangeError",), "code": "isce"},
        "illegal_state",
    ),
    (
        "sqlalchemy.exc.IllegalStateChangeError",
        "close()",
        {"chain": (INVALID,), "code": "isce"},
        "illegal_state",
    ),
]

ORDINARY = [
    (INVALID, "Entity namespace for 'person' has no property 'nam'", {}),
    ("sqlalchemy.exc.ResourceClosedError", "This result object does not return rows.", {}),
    ("app.Busy", BUSY, {}),
    ("ValueError", POISONED, {}),
    ("ValueError", "the future is attached to a different loop", {}),
    ("TimeoutError", "", {}),
    ("sqlalchemy.exc.OperationalError", "deadlock detected", {"sqlstate": "40P01", "code": "e3q8"}),
    ("app.Cached", "Session is already flushing", {}),
]


@pytest.mark.parametrize(("type_", "message", "fields", "kind"), SPEAKS)
def test_a_cause_has_its_kind(build: "Build", type_: str, message: str, fields: dict[str, object], kind: str) -> None:
    """Each sign of a collision is recognised by its class, its code, or failing that its text."""
    result = Errors()(build.evidence(errors=[build.error(type_, message, **fields)]))

    assert [finding.kind for finding in result.findings] == [kind]


@pytest.mark.parametrize(("type_", "message", "fields"), ORDINARY)
def test_what_only_looks_like_a_collision_is_an_unexpected_error(
    build: "Build", type_: str, message: str, fields: dict[str, object]
) -> None:
    """Another class with the same words, or the same class with other words, is no collision."""
    result = Errors()(build.evidence(errors=[build.error(type_, message, **fields)]))

    assert [finding.kind for finding in result.findings] == [FindingKind.UNEXPECTED_ERROR]


def test_the_texts_are_those_of_the_installed_library() -> None:
    """SQLAlchemy still says it in the words that are matched, and still without a code."""
    session = Session()
    session._flushing = True

    with pytest.raises(exc.InvalidRequestError, match="Session is already flushing") as caught:
        session.flush()

    assert caught.value.code is None


def test_a_code_is_read_from_the_link_of_a_text(build: "Build") -> None:
    """A span or a log line has no code, but the link in SQLAlchemy's text ends with it."""
    message = "search_failed: not permitted (Background on this error at: https://sqlalche.me/e/21/isce)"
    record = build.error("logfire.search_failed", message, source=ErrorSource.SPAN)

    result = Errors()(build.evidence(errors=[record]))

    assert [finding.kind for finding in result.findings] == [FindingKind.CONCURRENT_OPERATION]


def test_without_errors_it_passes(build: "Build") -> None:
    """An empty record of errors is evidence that there was none."""
    assert Errors()(build.evidence()).verdict is Verdict.PASSED


def test_a_busy_driver_in_a_turn_with_a_foreign_loop_is_the_loop(build: "Build") -> None:
    """The same text has two causes; another error of the turn tells which."""
    busy = build.error(ASYNCPG_INTERFACE, BUSY)
    foreign = build.error("RuntimeError", "Event loop is closed", tool_call_id="b")

    same = Errors()(build.evidence(errors=[busy, foreign]))
    other = Errors()(build.evidence(errors=[busy, replace(foreign, turn="t2")]))

    assert {finding.kind for finding in same.findings} == {FindingKind.FOREIGN_LOOP}
    assert {finding.kind for finding in other.findings} == {
        FindingKind.DRIVER_BUSY,
        FindingKind.FOREIGN_LOOP,
    }


def _seen_by_all(build: "Build") -> list[ErrorRecord]:
    chain = ("sqlalchemy.dialects.postgresql.asyncpg.AsyncAdapt_asyncpg_dbapi.IntegrityError", UNIQUE_CLASS)
    message = f"({chain[0]}) <class '{UNIQUE_CLASS}'>: {UNIQUE}\nDETAIL:  Key (id)=(1) already exists.\n[SQL: …]"
    raised = build.error(INTEGRITY, message, code="gkpj", sqlstate="23505", chain=chain, stack=("tools.py:9",))
    tool_span = replace(raised, source=ErrorSource.SPAN, message=f"running tool: {message}", stack=())
    return [
        build.error(
            "postgresql.ERROR",
            f"{UNIQUE} (detail: Key (id)=(1) already exists.)",
            source=ErrorSource.SERVER,
            turn=None,
            tool_call_id=None,
        ),
        replace(tool_span, tool_call_id=None, message=f"agent run: {message}"),
        tool_span,
        replace(raised, source=ErrorSource.DATABASE, stack=("a.py:1", "b.py:2")),
        build.error("logfire.search_failed", f"search failed: {UNIQUE}", source=ErrorSource.LOGGED),
        build.error("app.ChatFailed", "no answer", source=ErrorSource.SPAN, tool_call_id=None, chain=(INTEGRITY,)),
        raised,
    ]


def test_one_cause_seen_by_six_sources_is_one_finding(build: "Build") -> None:
    """The richest source gives the words and the stack, and all are named."""
    result = Errors()(build.evidence(errors=_seen_by_all(build)))

    (finding,) = result.findings
    assert finding.kind is FindingKind.UNEXPECTED_ERROR
    assert finding.message == f"{INTEGRITY}: {UNIQUE} (seen by: raised, database, span, logged, server)"
    assert finding.where == "turn 't1', tool 'search_directory' (call 'a')"
    assert finding.stack == ("tools.py:9",)


def test_the_same_failure_of_two_tools_is_two_findings(build: "Build") -> None:
    """Tool calls are kept apart, and their turn's own record joins one of them."""
    raised = build.error(INVALID, "provisioning", code="isce")
    records = [raised, replace(raised, tool_call_id="b"), replace(raised, tool_call_id=None)]

    result = Errors()(build.evidence(errors=records))

    assert [finding.tool_call_id for finding in result.findings] == ["a", "b"]


def test_a_failure_outside_the_tools_is_a_finding_of_its_own(build: "Build") -> None:
    """The cost tracker meets a tool's aborted transaction; the driver tells that it happened twice."""
    tool = build.error("sqlalchemy.exc.DBAPIError", "current transaction is aborted", sqlstate="25P02")
    tracker = replace(tool, source=ErrorSource.DATABASE, tool_call_id=None)
    logged = replace(tracker, source=ErrorSource.LOGGED, message="cost_tracking_failed: it is aborted")

    result = Errors()(build.evidence(errors=[logged, tracker, tool, replace(tool, source=ErrorSource.DATABASE)]))

    assert [(finding.kind, finding.tool_call_id) for finding in result.findings] == [
        (FindingKind.ABORTED_TRANSACTION, "a"),
        (FindingKind.ABORTED_TRANSACTION, None),
    ]
    assert [finding.message.split("seen by: ")[1] for finding in result.findings] == [
        "raised, database)",
        "database, logged)",
    ]


def test_an_error_that_quotes_what_came_before_it_is_new(build: "Build") -> None:
    """`PendingRollbackError` gives the original exception's text; one that wraps a collision is not new."""
    original = build.error(INTEGRITY, UNIQUE, sqlstate="23505")
    pending = build.error(
        "sqlalchemy.exc.PendingRollbackError",
        f"Original exception was: {UNIQUE}",
        code="7s2a",
        tool_call_id=None,
    )
    wrapper = build.error("app.ChatFailed", f"no answer: Original exception was: {UNIQUE}", tool_call_id=None)

    new = Errors()(build.evidence(errors=[original, pending]))
    wrapped = Errors()(build.evidence(errors=[pending, wrapper]))

    assert [(finding.kind, finding.tool_call_id) for finding in new.findings] == [
        (FindingKind.UNEXPECTED_ERROR, "a"),
        (FindingKind.ABORTED_TRANSACTION, None),
    ]
    assert [finding.kind for finding in wrapped.findings] == [FindingKind.ABORTED_TRANSACTION]


def test_what_a_collision_came_from_in_the_same_tool_is_the_same_finding(build: "Build") -> None:
    """The session was closed by another while the tool's own error was handled: one chain, told once."""
    original = build.error(INTEGRITY, UNIQUE, sqlstate="23505", source=ErrorSource.DATABASE)
    closed = build.error("sqlalchemy.exc.ResourceClosedError", "This transaction is closed", chain=(INTEGRITY,))

    one = Errors()(build.evidence(errors=[original, closed]))
    two = Errors()(build.evidence(errors=[replace(original, tool_call_id="b"), closed]))

    assert [finding.kind for finding in one.findings] == [FindingKind.ILLEGAL_STATE]
    assert {finding.kind for finding in two.findings} == {
        FindingKind.ILLEGAL_STATE,
        FindingKind.UNEXPECTED_ERROR,
    }


def test_two_causes_in_one_tool_are_two_findings(build: "Build") -> None:
    """Errors that share nothing but their tool and their class stay apart."""
    records = [build.error("ValueError", "no such ward"), build.error("ValueError", "no such doctor")]

    assert len(Errors()(build.evidence(errors=records)).findings) == 2


def _with_intended(build: "Build", role: str = "fail", *, may_fail: bool = True) -> tuple[PlannedCall, ...]:
    return (build.call("a", role=role, may_fail=may_fail), build.call("b", "search_documents"))


@pytest.mark.parametrize("role", ["fail", "rollback"])
def test_an_intended_error_is_a_note_whoever_saw_it(build: "Build", role: str) -> None:
    """The server's line and the agent's span carry no tool call; they follow the error that they repeat."""
    turn = build.turn(planned=_with_intended(build, role))

    result = Errors()(build.evidence(turn, errors=_seen_by_all(build)))

    assert result.verdict is Verdict.PASSED
    assert len(result.notes) == 1


def test_the_same_error_is_a_finding_if_nobody_intended_it(build: "Build") -> None:
    """Only `may_fail` makes the difference."""
    turn = build.turn(planned=_with_intended(build, may_fail=False))

    assert Errors()(build.evidence(turn, errors=_seen_by_all(build))).verdict is Verdict.FAILED


def test_the_same_error_is_a_finding_in_a_sibling(build: "Build") -> None:
    """One tool's licence to fail does not cover another's failure."""
    turn = build.turn(planned=_with_intended(build))
    records = [replace(record, tool_call_id="b") for record in _seen_by_all(build) if record.tool_call_id]

    assert Errors()(build.evidence(turn, errors=records)).verdict is Verdict.FAILED


def _met_by(build: "Build", tool_call_id: str | None, **records: Any) -> list[FindingKind]:
    """Call `a` is to be refused a row, and collided; the refusal met another, or nobody."""
    turn = build.turn(planned=_with_intended(build, "rollback"))
    refusal = build.error(INTEGRITY, UNIQUE, sqlstate="23505", tool_call_id=tool_call_id)
    collision = build.error(INVALID, "provisioning", code="isce")
    given: dict[str, Any] = {"tools": [build.run("a"), build.run("b")], "errors": [refusal, collision]}
    return [finding.kind for finding in Errors()(build.evidence(turn, **given | records)).findings]


@pytest.mark.parametrize("tool_call_id", ["b", None])
def test_a_refusal_of_another_tools_row_is_a_foreign_error(build: "Build", tool_call_id: str | None) -> None:
    """A sibling's autoflush or the tracker's commit sent it, on the session that they share."""
    assert FindingKind.FOREIGN_ERROR in _met_by(build, tool_call_id)
    assert FindingKind.UNEXPECTED_ERROR not in _met_by(build, tool_call_id)


def test_one_session_of_two_tools_is_shared_without_a_collision(build: "Build") -> None:
    """The session's operations tell; without them, or on a session each, the refusal is the tool's own."""
    refusal = build.error(INTEGRITY, UNIQUE, sqlstate="23505", tool_call_id="b")
    shared = [build.operation("begin", "a", 1), build.operation("rollback", "b", 2)]
    apart = [build.operation("begin", "a", 1), build.operation("rollback", "b", 2, session=2)]

    assert _met_by(build, "b", errors=[refusal], operations=shared) == [FindingKind.FOREIGN_ERROR]
    assert _met_by(build, "b", errors=[refusal], operations=apart) == [FindingKind.UNEXPECTED_ERROR]
    assert _met_by(build, "b", errors=[refusal]) == [FindingKind.UNEXPECTED_ERROR]


def test_what_is_nobodys_intended_row_is_no_foreign_error(build: "Build") -> None:
    """Another kind of refusal, one beside that of the tool itself, and one without a tool that ran."""
    collision = build.error(INVALID, "provisioning", code="isce")
    undefined = build.error("sqlalchemy.exc.ProgrammingError", "no column", sqlstate="42703", tool_call_id="b")
    refusal = build.error(INTEGRITY, UNIQUE, sqlstate="23505", tool_call_id="b")
    own = replace(refusal, tool_call_id="a", message="duplicate key value of its own")

    for records in (
        {"errors": [undefined, collision]},
        {"errors": [refusal, own, collision]},
        {"errors": [refusal, collision], "tools": [build.run("b")]},
        {"errors": [build.error("ValueError", "no title", tool_call_id="b"), collision]},
    ):
        assert FindingKind.FOREIGN_ERROR not in _met_by(build, "b", **records)
        assert FindingKind.UNEXPECTED_ERROR in _met_by(build, "b", **records)


@pytest.mark.parametrize(
    ("type_", "message", "fields", "kind"),
    [
        (INVALID, "provisioning", {"code": "isce"}, FindingKind.CONCURRENT_OPERATION),
        ("sqlalchemy.exc.DBAPIError", "aborted", {"sqlstate": "25P02"}, FindingKind.ABORTED_TRANSACTION),
        ("AttributeError", "no attribute", {}, FindingKind.UNEXPECTED_ERROR),
        ("sqlalchemy.exc.DBAPIError", "deadlock", {"sqlstate": "40P01"}, FindingKind.UNEXPECTED_ERROR),
    ],
)
def test_a_call_that_may_fail_may_not_fail_otherwise(
    build: "Build", type_: str, message: str, fields: dict[str, object], kind: FindingKind
) -> None:
    """It may be refused by the database for its own statement; a collision or a bug is still a finding."""
    turn = build.turn(planned=_with_intended(build))

    result = Errors()(build.evidence(turn, errors=[build.error(type_, message, **fields)]))

    assert [finding.kind for finding in result.findings] == [kind]


def test_a_planned_failure_that_did_not_happen_is_noted(build: "Build") -> None:
    """The tool returned although its role is to fail."""
    turn = build.turn(planned=_with_intended(build))

    result = Errors()(build.evidence(turn, tools=[build.run("a")]))

    assert result.verdict is Verdict.PASSED
    assert len(result.notes) == 1
    assert result.notes[0].endswith("(call 'a'), and the tool returned normally")


def test_a_retry_is_control_flow_and_an_error_behind_it_is_not(build: "Build") -> None:
    """`ModelRetry` marks its span as an error, and the run succeeds."""
    retry = build.error("pydantic_ai.exceptions.ModelRetry", "try again", source=ErrorSource.SPAN)
    because = replace(retry, chain=("KeyError",))

    assert Errors()(build.evidence(errors=[retry])).verdict is Verdict.PASSED
    assert Errors()(build.evidence(errors=[because])).verdict is Verdict.FAILED


def test_a_cancellation_follows_from_something_else_or_is_a_finding(build: "Build") -> None:
    """A sibling is cancelled when a tool fails; a cancellation without any reason is unexpected."""
    cancelled = build.error("asyncio.exceptions.CancelledError", "", tool_call_id="b")

    alone = Errors()(build.evidence(errors=[cancelled]))
    after = Errors()(build.evidence(errors=[cancelled, build.error()]))
    timed_out = Errors()(build.evidence(build.turn(answer=None, timed_out=True), errors=[cancelled]))

    assert [finding.kind for finding in alone.findings] == [FindingKind.UNEXPECTED_ERROR]
    assert [finding.tool_call_id for finding in after.findings] == ["a"]
    assert timed_out.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (f"(x.y.Error) <class 'a.B'>: {UNIQUE}\nDETAIL: …", UNIQUE),
        (f"(raised as a result of Query-invoked autoflush; …)\n(x.y.Error) {UNIQUE}\n[SQL: …]", UNIQUE),
        ("ERROR:  division by zero", "division by zero"),
        ("no (Background on this error at: https://sqlalche.me/e/21/isce)", "no"),
        ("", ""),
    ],
)
def test_what_all_sources_repeat_of_a_message(message: str, text: str) -> None:
    """Classes, links, severity and further lines differ between sources."""
    assert core(message) == text
