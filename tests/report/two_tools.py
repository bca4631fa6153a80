"""Runs in which two tools meet on one session, with everything that recorders see of that."""

from collections.abc import Sequence
from dataclasses import replace

from harness.evidence import (
    AccessSeen,
    Answer,
    Evidence,
    Interval,
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
from harness.report.document import CellDocument, CheckDocument, RunDocument, SourceDocument
from harness.scenario import PoolState, SessionMode
from harness.verdict import CheckResult, Expectation, Finding, FindingKind
from tests.report import documents

__all__ = ["DIRECTORY", "bleed", "evidence", "finding", "overlap", "own_sessions", "race", "run", "shared"]

DIRECTORY = "/home/ci/shop"
TURN = "0f8b6f3e-0000-4000-8000-000000000001"
_K = OperationKind
_SEARCH = PlaceSeen(file=f"{DIRECTORY}/app/services/directory.py", line=42, function="search")
_FIND = PlaceSeen(file="app/services/vector.py", line=21, function="VectorService.find")
_TOOL = PlaceSeen(file=f"{DIRECTORY}/app/tools.py", line=7, function="search_directory")
_AGENT = PlaceSeen(file=f"{DIRECTORY}/app/agent.py", line=105, function="Agent.answer")
_MADE = PlaceSeen(file=f"{DIRECTORY}/app/database.py", line=23, function="Database.session")


def overlap(*, turn: str = TURN, at: float = 10.030, line: int = 21) -> SessionRace:
    """The second tool's statement begins while the first one's is in flight."""
    return SessionRace(
        kind=RaceKind.OVERLAP,
        subject="Session 1",
        first=_access("search_directory", turn, 0, (_TOOL, _SEARCH)),
        second=_access("search_documents", turn, 1, (replace(_FIND, line=line),)),
        at=at,
        subject_created=(_AGENT, _MADE),
    )


def _access(tool: str, turn: str, number: int, stack: tuple[PlaceSeen, ...]) -> AccessSeen:
    return AccessSeen(
        operation="Session.execute",
        task=tool,
        stack=stack,
        task_created=(_AGENT,),
        turn=turn,
        tool=tool,
        tool_call_id=f"call-{turn[:8]}-{number}",
    )


def bleed(*, turn: str = TURN) -> SessionRace:
    """The second tool's commit covers the first one's row."""
    made = overlap(turn=turn)
    return replace(made, kind=RaceKind.BLEED, second=replace(made.second, operation="Session.commit"))


def race(kind: RaceKind, *, turn: str = TURN) -> SessionRace:
    """One of that kind."""
    return bleed(turn=turn) if kind is RaceKind.BLEED else replace(overlap(turn=turn), kind=kind)


def finding(seen: SessionRace) -> Finding:
    """What the check says of it."""
    kind = FindingKind.BLEED if seen.kind is RaceKind.BLEED else FindingKind(f"session_{seen.kind}")
    return Finding(
        kind=kind,
        message=f"on {seen.subject}, {seen.second.operation} of search_documents began while another was in flight",
        check="sessions",
        where=f"turn {seen.second.turn!r}",
        turn=seen.second.turn,
        tool_call_id=seen.second.tool_call_id,
        stack=tuple(str(place) for place in seen.second.stack),
    )


def evidence(
    *, turn: str = TURN, start: float = 10.0, shared: bool = True, races: Sequence[SessionRace] = (), rows: int = 1
) -> Evidence:
    """One turn of two tools, on one session or on two; the first one reads, the second one reads and writes."""
    calls = [f"call-{turn[:8]}-{number}" for number in range(2)]
    tools = ("search_directory", "search_documents")
    sessions = (1, 1) if shared else (1, 2)
    return Evidence(
        turns=(_turn(turn, calls, tools, start),),
        tools=Record.of(
            "tools",
            [
                ToolRun(
                    tool=tool,
                    tool_call_id=call,
                    turn=turn,
                    task=tool,
                    interval=Interval(start=start + 0.01, end=start + 0.09),
                    outcome=ToolOutcome.RETURNED,
                )
                for tool, call in zip(tools, calls, strict=True)
            ],
        ),
        operations=Record.of("operations", _operations(turn, calls, tools, sessions, start=start, rows=rows)),
        statements=Record.of(
            "statements",
            [
                _statement(
                    "SELECT 1\n  FROM directory", turn, calls[0], tools[0], connection=sessions[0], at=start + 0.02
                ),
                _statement(
                    "INSERT INTO notes VALUES ($1)", turn, calls[1], tools[1], connection=sessions[1], at=start + 0.04
                ),
            ],
        ),
        pool=Record.of("pool", _pool(turn, calls, tools, sessions, start=start)),
        waits=Record.of("waits", [_wait(turn, calls[1], start)]),
        spans=Record.of("spans", [_span("chat gpt-4o", turn, start + 0.001), _span("execute_tool", turn, start)]),
        races=Record.of("races", list(races)),
        errors=Record.of("errors", []),
        stalls=Record.of("stalls", []),
        requests=Record.of("requests", []),
    )


def _turn(turn: str, calls: Sequence[str], tools: Sequence[str], start: float) -> Turn:
    return Turn(
        id=turn,
        tenant="wyckoff",
        agent="simple_chat",
        message="Who is there?",
        interval=Interval(start=start, end=start + 0.1),
        planned=tuple(
            PlannedCall(tool_call_id=call, tool=tool, role="read", round=0)
            for call, tool in zip(calls, tools, strict=True)
        ),
        planned_responses=2,
        answer=Answer(text="Nobody.", llm_request_id=None),
    )


def _operations(
    turn: str, calls: Sequence[str], tools: Sequence[str], sessions: Sequence[int], *, start: float, rows: int
) -> list[SessionOperation]:
    def operation(kind: OperationKind, number: int, at: float, *, rows: int = 0) -> SessionOperation:
        return SessionOperation(
            kind=kind,
            session=sessions[number],
            at=start + at,
            turn=turn,
            tool_call_id=calls[number],
            task=tools[number],
            rows=rows,
            stack=(f"app/{tools[number]}.py:{10 + number} in {tools[number]}",),
        )

    begun = [operation(_K.BEGIN, 0, 0.015)]
    if sessions[0] != sessions[1]:
        begun.append(operation(_K.BEGIN, 1, 0.016))
    return [*begun, operation(_K.FLUSH, 1, 0.06, rows=rows), operation(_K.COMMIT, 1, 0.07)]


def _statement(sql: str, turn: str, call: str, task: str, *, connection: int, at: float) -> Statement:
    interval = Interval(start=at, end=at + 0.015)
    return Statement(
        sql=sql,
        interval=interval,
        connection=connection,
        backend_pid=4000 + connection,
        turn=turn,
        tool_call_id=call,
        task=task,
    )


def _pool(
    turn: str, calls: Sequence[str], tools: Sequence[str], sessions: Sequence[int], *, start: float
) -> list[PoolEvent]:
    return [
        PoolEvent(
            kind=kind,
            connection=connection,
            backend_pid=4000 + connection,
            at=start + at,
            turn=turn,
            tool_call_id=calls[connection - 1],
            task=tools[connection - 1],
        )
        for connection in sorted(set(sessions))
        for kind, at in ((PoolEventKind.CHECKOUT, 0.014), (PoolEventKind.CHECKIN, 0.08))
    ]


def _wait(turn: str, call: str, start: float) -> PoolWait:
    return PoolWait(interval=Interval(start=start + 0.012, end=start + 0.014), turn=turn, tool_call_id=call)


def _span(name: str, turn: str, start: float) -> SpanRecord:
    interval = Interval(start=start, end=start + 0.005)
    return SpanRecord(
        name=name, interval=interval, trace_id="a", span_id="b", parent_id=None, error=False, attributes={}, turn=turn
    )


def shared(
    *, expected: bool = True, turn: str = TURN, start: float = 10.0, pool_state: PoolState = PoolState.WARM
) -> CellDocument:
    """Two tools meet on one session, as expected or not."""
    seen = overlap(turn=turn, at=start + 0.030)
    told = finding(seen)
    return documents.cell(
        "two_parallel_tools",
        SessionMode.SHARED if expected else SessionMode.PER_OPERATION,
        pool_state=pool_state,
        findings=[told],
        expectation=Expectation(required=frozenset({told.kind})) if expected else None,
        evidence=evidence(turn=turn, start=start, races=[seen]),
    )


def own_sessions(*, turn: str = TURN, start: float = 20.0, pool_state: PoolState = PoolState.WARM) -> CellDocument:
    """Each tool has its own session, and nothing is found."""
    made = documents.cell(
        "two_parallel_tools",
        SessionMode.PER_OPERATION,
        pool_state=pool_state,
        evidence=evidence(turn=turn, start=start, shared=False),
    )
    looked = CheckDocument.of(CheckResult.of("sessions", []))
    return made.model_copy(update={"checks": (*made.checks, looked)})


def run(*cells: CellDocument, problems: Sequence[str] = (), told: bool = True) -> RunDocument:
    """A run of these cells, which was started in `DIRECTORY`; with its sources, if they were told."""
    made = documents.document(cells, problems=problems)
    source = SourceDocument(repository="https://github.com/o/shop", revision="c0ffee", branch="main") if told else None
    environment = made.environment.model_copy(update={"directory": DIRECTORY, "source": source})
    return made.model_copy(update={"environment": environment})
