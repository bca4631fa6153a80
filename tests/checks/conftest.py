"""Evidence to order: small builders with defaults of an ordinary turn in which nothing went wrong."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

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
    RaceKind,
    Record,
    SessionOperation,
    SessionRace,
    Statement,
    ToolOutcome,
    ToolRun,
    Turn,
)

SERVED_AT = datetime(2026, 1, 2, 12, tzinfo=UTC)
RECORDS = (
    "errors",
    "tools",
    "statements",
    "operations",
    "races",
    "pool",
    "idle_transactions",
    "stalls",
    "arrivals",
    "refusals",
    "invoice",
    "responses",
    "ledger",
    "faults",
    "pairs",
    "requests",
    "replay",
)


class Build:
    """Values of the evidence; every builder takes fields by name and fills in the rest."""

    def evidence(self, *turns: Turn, **records: Any) -> Evidence:
        """Evidence in which every record was made; those that are not named are empty."""
        other: dict[str, Any] = {name: records.pop(name) for name in tuple(records) if name not in RECORDS}
        made: dict[str, Any] = {name: Record.of(name, tuple(records.get(name, ()))) for name in RECORDS}
        return Evidence(turns=turns or (self.turn(),), **made, **other)

    def without(self, evidence: Evidence, record: str) -> Evidence:
        """The same evidence, but one record could not be made."""
        absent: Record[Any] = Record.absent(record, "the disk was full")
        return replace(evidence, **{record: absent})  # type: ignore[arg-type]  # one field by its name

    def call(self, tool_call_id: str = "a", tool: str = "search_directory", **fields: Any) -> PlannedCall:
        """A planned read."""
        given: dict[str, Any] = {"role": "read", "round": 0, "database_seconds": 1.0}
        return PlannedCall(tool_call_id=tool_call_id, tool=tool, **(given | fields))

    @property
    def two_calls(self) -> tuple[PlannedCall, ...]:
        """Two tools that are called together."""
        return (self.call("a", "search_directory"), self.call("b", "search_documents"))

    def answer(self, number: int | None = 1, **fields: Any) -> Answer:
        """An answer that names a ledger row by its number."""
        return Answer(text="Found.", llm_request_id=None if number is None else UUID(int=number), **fields)

    def turn(self, turn: str = "t1", **fields: Any) -> Turn:
        """A turn of the hospital's chat agent that was answered."""
        given: dict[str, Any] = {
            "tenant": "wyckoff",
            "agent": "chat",
            "message": "Who is on call?",
            "interval": Interval(start=0.0, end=10.0),
            "planned": self.two_calls,
            "planned_responses": 2,
            "answer": self.answer(),
        }
        return Turn(id=turn, **(given | fields))

    def error(self, type_: str = "ValueError", message: str = "it broke badly", **fields: Any) -> ErrorRecord:
        """An error that tool call `a` of turn `t1` raised."""
        given: dict[str, Any] = {
            "source": ErrorSource.RAISED,
            "at": 1.0,
            "turn": "t1",
            "tool_call_id": "a",
        }
        return ErrorRecord(type=type_, message=message, **(given | fields))

    def run(self, tool_call_id: str = "a", start: float = 0.0, end: float = 5.0, **fields: Any) -> ToolRun:
        """A run of a tool that returned."""
        given: dict[str, Any] = {
            "tool": "search_directory",
            "turn": "t1",
            "task": tool_call_id,
            "outcome": ToolOutcome.RETURNED,
        }
        return ToolRun(tool_call_id=tool_call_id, interval=Interval(start=start, end=end), **(given | fields))

    def statement(self, tool_call_id: str = "a", start: float = 0.0, end: float = 1.0, **fields: Any) -> Statement:
        """A statement on backend 4711."""
        given: dict[str, Any] = {
            "sql": "SELECT 1",
            "connection": 1,
            "backend_pid": 4711,
            "turn": "t1",
            "task": tool_call_id,
        }
        interval = Interval(start=start, end=end)
        return Statement(tool_call_id=tool_call_id, interval=interval, **(given | fields))

    def operation(self, kind: str, tool_call_id: str | None, at: float, **fields: Any) -> SessionOperation:
        """What a session did, by default the first one."""
        given: dict[str, Any] = {"session": 1, "turn": "t1", "task": tool_call_id or "turn", "rows": 0}
        if kind == "flush":
            given["rows"] = 1
        return SessionOperation(kind=OperationKind(kind), tool_call_id=tool_call_id, at=at, **(given | fields))

    def access(self, tool_call_id: str | None, line: int, **fields: Any) -> AccessSeen:
        """A use of a session at a line of one file, by default an execution."""
        tool = PlaceSeen(file="app/tools.py", line=9, function="tool")
        service = PlaceSeen(file="app/service.py", line=line, function="work")
        given: dict[str, Any] = {"operation": "Session.execute", "task": tool_call_id or "turn", "turn": "t1"}
        return AccessSeen(tool_call_id=tool_call_id, **(given | {"stack": (tool, service)} | fields))

    def race(
        self, kind: str, first: AccessSeen | None = None, second: AccessSeen | None = None, **fields: Any
    ) -> SessionRace:
        """What the sanitizer found: by default tool call `b` came after `a`."""
        first, second = first or self.access("a", 1), second or self.access("b", 2)
        given: dict[str, Any] = {"subject": "Session 3", "at": 3.0}
        return SessionRace(kind=RaceKind(kind), first=first, second=second, **(given | fields))

    def pool_event(self, kind: str, at: float, connection: int = 1, **fields: Any) -> PoolEvent:
        """What happened to a connection, on behalf of tool call `a`."""
        given: dict[str, Any] = {"backend_pid": 4711, "turn": "t1", "tool_call_id": "a", "task": "a"}
        return PoolEvent(kind=PoolEventKind(kind), connection=connection, at=at, **(given | fields))

    def stall(self, start: float = 1.0, end: float = 2.0, **fields: Any) -> LoopStall:
        """A second in which one frame held the loop."""
        given: dict[str, Any] = {"stack": ("tools.py:3 in crunch",), "samples": 100, "share": 0.9}
        return LoopStall(interval=Interval(start=start, end=end), **(given | fields))

    def arrival(self, tool_call_id: str, released: str = "together", *, turn: str = "t1") -> Arrival:
        """An arrival at the barrier."""
        return Arrival(tool_call_id=tool_call_id, turn=turn, at=0.5, released=released)

    def charge(self, number: int = 1, prompt: int = 1000, completion: int = 100, **fields: Any) -> Charge:
        """A line of the invoice for `gpt-4o`: 2.50 and 10 dollars for a million tokens."""
        given: dict[str, Any] = {
            "turn": "t1",
            "provider": "openai",
            "model": "gpt-4o",
            "served_at": SERVED_AT,
        }
        return Charge(
            response_id=f"response-{number}",
            prompt_tokens=prompt,
            completion_tokens=completion,
            **(given | fields),
        )

    def seen(self, charge: Charge, **fields: Any) -> ModelResponseSeen:
        """The response that a line of the invoice is for."""
        given: dict[str, Any] = {
            "turn": charge.turn,
            "response_id": charge.response_id,
            "model": charge.model,
            "prompt_tokens": charge.prompt_tokens,
            "completion_tokens": charge.completion_tokens,
        }
        return ModelResponseSeen(**(given | fields))

    def row(self, number: int = 1, prompt: int = 1000, completion: int = 100, **fields: Any) -> LedgerRow:
        """A right row for so many tokens of `gpt-4o`."""
        prompt_cost, completion_cost = prompt * Decimal("0.0000025"), completion * Decimal("0.00001")
        given: dict[str, Any] = {
            "id": UUID(int=number),
            "session_id": "t1",
            "account_slug": "wyckoff",
            "agent_instance_slug": "chat",
            "provider": "openai",
            "model": "gpt-4o",
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_cost": prompt_cost,
            "completion_cost": completion_cost,
            "total_cost": prompt_cost + completion_cost,
            "completion_status": "complete",
            "created_at": SERVED_AT,
        }
        return LedgerRow(**(given | fields))


@pytest.fixture(scope="session")
def build() -> Build:
    """The builders."""
    return Build()
