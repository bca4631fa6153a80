"""Cells whose turns have everything that a timeline shows: where two tools share a session, and repaired."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from harness.evidence import (
    AccessSeen,
    Answer,
    Arrival,
    Charge,
    ErrorRecord,
    ErrorSource,
    Evidence,
    Interval,
    LedgerRow,
    LoopStall,
    ModelResponseSeen,
    OperationKind,
    PlaceSeen,
    PlannedCall,
    PoolEvent,
    PoolEventKind,
    PoolWait,
    RaceKind,
    Record,
    SessionOperation,
    SessionRace,
    SpanRecord,
    Statement,
    ToolOutcome,
    ToolRun,
    Turn,
)
from harness.report.document import CellDocument, RunDocument
from harness.scenario import SessionMode
from harness.verdict import Expectation, Finding, FindingKind
from tests.report import documents

__all__ = ["SQL", "START", "evidence", "racing", "repaired", "run", "turn_id"]

START = 1000.0
SQL = "SELECT name FROM directory_entries WHERE name ILIKE $1"
SERVED = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
FIRST = (PlaceSeen(file="app/services/directory_service.py", line=42, function="search"),)
SECOND = (PlaceSeen(file="app/services/vector_service.py", line=21, function="search"),)
MADE = (PlaceSeen(file="app/database.py", line=23, function="Database.get_db_session"),)
CREATED = (PlaceSeen(file="app/agents/simple_chat.py", line=105, function="SimpleChat.answer"),)
_BUG = Expectation(
    required=frozenset({FindingKind.SESSION_OVERLAP, FindingKind.CONCURRENT_OPERATION, FindingKind.MISSING_ROW})
)


def turn_id(number: int) -> str:
    """The identifier of a turn."""
    return f"turn-{number}"


def _at(number: int, seconds: float) -> float:
    return START + number + seconds


def _between(number: int, start: float, end: float) -> Interval:
    return Interval(start=_at(number, start), end=_at(number, end))


def evidence(turns: int = 1, *, shared: bool = True) -> Evidence:
    """So many turns of two tools, each a second after the one before, on one session or on one each."""
    numbers = range(turns)
    return Evidence(
        turns=tuple(_turn(number, shared=shared) for number in numbers),
        spans=Record.of("spans", [span for number in numbers for span in _spans(number)]),
        tools=Record.of("tools", [run for number in numbers for run in _tools(number, shared=shared)]),
        statements=Record.of("statements", [each for number in numbers for each in _statements(number, shared=shared)]),
        operations=Record.of("operations", [each for number in numbers for each in _operations(number, shared=shared)]),
        pool=Record.of("pool", [each for number in numbers for each in _pool(number, shared=shared)]),
        waits=Record.of("waits", [_wait(number) for number in numbers]),
        arrivals=Record.of("arrivals", [each for number in numbers for each in _arrivals(number)]),
        errors=Record.of("errors", [_error(number) for number in numbers] if shared else []),
        races=Record.of("races", [_race(number) for number in numbers] if shared else []),
        stalls=Record.of(
            "stalls", [LoopStall(interval=_between(0, 0.004, 0.006), stack=("app/x.py:1 in f",), samples=3, share=1.0)]
        ),
        invoice=Record.of("invoice", [each for number in numbers for each in _charges(number)]),
        responses=Record.of("responses", [each for number in numbers for each in _responses(number)]),
        ledger=Record.of("ledger", [] if shared else [_row(number) for number in numbers]),
    )


def racing(scenario: str = "two_parallel_tools", *, turns: int = 1) -> CellDocument:
    """The shared form: an overlap, a refusal, and a lost row in each turn."""
    findings = [finding for number in range(turns) for finding in _findings(number)]
    return documents.cell(
        scenario, SessionMode.SHARED, findings=findings, expectation=_BUG, evidence=evidence(turns, shared=True)
    )


def repaired(scenario: str = "two_parallel_tools", *, turns: int = 1) -> CellDocument:
    """The repaired form: both tools at the same time, and a row for the turn."""
    return documents.cell(scenario, SessionMode.PER_OPERATION, evidence=evidence(turns, shared=False))


def run(*, turns: int = 1) -> RunDocument:
    """Both, and another scenario."""
    return documents.document(
        [racing(turns=turns), repaired(turns=turns), documents.cell("single_tool", SessionMode.SHARED)]
    )


def _call(number: int, tool: int) -> str:
    return f"call-{number}-{tool}"


def _turn(number: int, *, shared: bool) -> Turn:
    row = None if shared else UUID(int=number + 1)
    return Turn(
        id=turn_id(number),
        tenant="wyckoff",
        agent="simple-chat",
        message="Who can I talk to in cardiology?",
        interval=_between(number, 0.0, 0.2 if shared else 0.12),
        planned=tuple(
            PlannedCall(tool_call_id=_call(number, place), tool=tool, role="read", round=0)
            for place, tool in enumerate(("search_directory", "search_documents"))
        ),
        planned_responses=2,
        answer=Answer(text="Here is what I found.", llm_request_id=row, session_id=turn_id(number)),
    )


def _spans(number: int) -> list[SpanRecord]:
    named = {"chat gpt-4o": (0.002, 0.008), "invoke_agent simple-chat": (0.001, 0.1), "execute_tool x": (0.01, 0.09)}
    return [
        SpanRecord(
            name=name,
            interval=_between(number, *when),
            trace_id="0" * 32,
            span_id=f"{place:016x}",
            parent_id=None,
            error=False,
            attributes={},
            turn=turn_id(number),
        )
        for place, (name, when) in enumerate(named.items())
    ]


def _tools(number: int, *, shared: bool) -> list[ToolRun]:
    ends = (0.07, 0.13) if shared else (0.07, 0.072)
    return [
        ToolRun(
            tool=tool,
            tool_call_id=_call(number, place),
            turn=turn_id(number),
            task=tool,
            interval=_between(number, 0.010 + place / 1000, ends[place]),
            outcome=ToolOutcome.RAISED if shared and place else ToolOutcome.RETURNED,
            error_type="sqlalchemy.exc.InvalidRequestError" if shared and place else None,
        )
        for place, tool in enumerate(("search_directory", "search_documents"))
    ]


def _statements(number: int, *, shared: bool) -> list[Statement]:
    made = []
    for place, tool in enumerate(("search_directory", "search_documents")):
        start = 0.015 + (0.056 * place if shared else 0.0)
        process = 1 if shared else 1 + place
        for injected, when in ((True, (start, start + 0.05)), (False, (start + 0.0502, start + 0.054))):
            made.append(
                Statement(
                    sql="SELECT pg_sleep($1)" if injected else SQL,
                    interval=_between(number, *when),
                    connection=process,
                    backend_pid=4000 + process,
                    turn=turn_id(number),
                    tool_call_id=_call(number, place),
                    task=tool,
                    injected=injected,
                )
            )
    return made


def _operations(number: int, *, shared: bool) -> list[SessionOperation]:
    sessions = (1, 1) if shared else (1, 2)
    planned = [
        (OperationKind.BEGIN, 0, 0.013, 0),
        (OperationKind.FLUSH, 0, 0.0695, 2),
        (OperationKind.COMMIT, 0, 0.0698, 0),
        *([] if shared else [(OperationKind.BEGIN, 1, 0.014, 0), (OperationKind.ROLLBACK, 1, 0.0715, 0)]),
    ]
    return [
        SessionOperation(
            kind=kind,
            session=sessions[place],
            at=_at(number, at),
            turn=turn_id(number),
            tool_call_id=_call(number, place),
            task="search_directory",
            rows=rows,
            stack=tuple(map(str, FIRST)),
        )
        for kind, place, at, rows in planned
    ]


def _pool(number: int, *, shared: bool) -> list[PoolEvent]:
    processes = (1,) if shared else (1, 2)
    return [
        PoolEvent(
            kind=kind,
            connection=process,
            backend_pid=4000 + process,
            at=_at(number, at),
            turn=turn_id(number),
            tool_call_id=_call(number, process - 1),
            task="search_directory",
        )
        for process in processes
        for kind, at in (
            (PoolEventKind.CONNECT, 0.0125),
            (PoolEventKind.CHECKOUT, 0.0128),
            (PoolEventKind.CHECKIN, 0.125 if shared else 0.0718),
        )
    ]


def _wait(number: int) -> PoolWait:
    return PoolWait(interval=_between(number, 0.0115, 0.0128), turn=turn_id(number), tool_call_id=_call(number, 0))


def _arrivals(number: int) -> list[Arrival]:
    return [
        Arrival(tool_call_id=_call(number, place), turn=turn_id(number), at=_at(number, 0.0112), released="together")
        for place in (0, 1)
    ]


def _error(number: int) -> ErrorRecord:
    return ErrorRecord(
        source=ErrorSource.RAISED,
        type="sqlalchemy.exc.InvalidRequestError",
        message="This session is provisioning a new connection",
        at=_at(number, 0.128),
        code="isce",
        turn=turn_id(number),
        tool_call_id=_call(number, 1),
        stack=tuple(map(str, SECOND)),
    )


def _race(number: int) -> SessionRace:
    accesses = [
        AccessSeen(
            operation="Session.execute",
            task=tool,
            stack=stack,
            task_created=CREATED,
            turn=turn_id(number),
            tool=tool,
            tool_call_id=_call(number, place),
        )
        for place, (tool, stack) in enumerate((("search_directory", FIRST), ("search_documents", SECOND)))
    ]
    return SessionRace(
        kind=RaceKind.OVERLAP,
        subject="Session 1",
        first=accesses[0],
        second=accesses[1],
        at=_at(number, 0.02),
        subject_created=MADE,
    )


def _findings(number: int) -> list[Finding]:
    where = {"turn": turn_id(number), "tool_call_id": _call(number, 1), "stack": tuple(map(str, SECOND))}
    return [
        Finding(kind=FindingKind.SESSION_OVERLAP, message="on Session 1, b began in a", check="sessions", **where),  # type: ignore[arg-type]
        Finding(kind=FindingKind.CONCURRENT_OPERATION, message="refused", check="errors", **where),  # type: ignore[arg-type]
        Finding(kind=FindingKind.MISSING_ROW, message="no row bills it", check="ledger", turn=turn_id(number)),
    ]


def _charges(number: int) -> list[Charge]:
    return [
        Charge(
            response_id=f"response-{number}-{place}",
            turn=turn_id(number),
            provider="openai",
            model="gpt-4o",
            prompt_tokens=prompt,
            completion_tokens=62,
            served_at=SERVED + timedelta(seconds=place),
        )
        for place, prompt in enumerate((431, 1204))
    ]


def _responses(number: int) -> list[ModelResponseSeen]:
    return [
        ModelResponseSeen(
            turn=turn_id(number),
            response_id=charge.response_id,
            model=charge.model,
            prompt_tokens=charge.prompt_tokens,
            completion_tokens=charge.completion_tokens,
        )
        for charge in _charges(number)
    ]


def _row(number: int) -> LedgerRow:
    return LedgerRow(
        id=UUID(int=number + 1),
        session_id=turn_id(number),
        account_slug="wyckoff",
        agent_instance_slug="simple-chat",
        provider="openai",
        model="gpt-4o",
        prompt_tokens=1635,
        completion_tokens=124,
        total_tokens=1759,
        prompt_cost=Decimal("0.0040875"),
        completion_cost=Decimal("0.00124"),
        total_cost=Decimal("0.0053275"),
        completion_status="complete",
        created_at=SERVED,
    )
