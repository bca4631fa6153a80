"""Everything that was seen in one cell."""

from dataclasses import dataclass, field
from typing import TypeVar

from harness.evidence.database import IdleTransaction, PoolEvent, PoolWait, SessionOperation, Statement
from harness.evidence.errors import ErrorRecord, SpanRecord
from harness.evidence.ledger import LedgerGrain, LedgerRow
from harness.evidence.model import Charge, FaultSeen, ModelRequestSeen, ModelResponseSeen, ReplayDifference
from harness.evidence.races import SessionRace
from harness.evidence.record import Record
from harness.evidence.timing import Arrival, LoopStall, TimingPair
from harness.evidence.turns import ToolRun, Turn

__all__ = ["Evidence"]

T = TypeVar("T")


def _absent(recorder: str) -> Record[T]:
    return Record.absent(recorder, "it was not installed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything seen in one cell; a record that nobody made is absent, and says so.

    `notes` says what could not be looked at without making a record absent. `refusals` has a sentence for each
    request to another machine that was not let through. `planned_faults` has the label of each fault that the scenario
    asks for, as often as it is to strike.
    """

    turns: tuple[Turn, ...] = ()
    ledger_grain: LedgerGrain = LedgerGrain.TURN
    notes: tuple[str, ...] = ()
    planned_faults: tuple[str, ...] = ()
    errors: Record[ErrorRecord] = field(default_factory=lambda: _absent("errors"))
    spans: Record[SpanRecord] = field(default_factory=lambda: _absent("spans"))
    tools: Record[ToolRun] = field(default_factory=lambda: _absent("tools"))
    statements: Record[Statement] = field(default_factory=lambda: _absent("statements"))
    operations: Record[SessionOperation] = field(default_factory=lambda: _absent("operations"))
    races: Record[SessionRace] = field(default_factory=lambda: _absent("races"))
    pool: Record[PoolEvent] = field(default_factory=lambda: _absent("pool"))
    waits: Record[PoolWait] = field(default_factory=lambda: _absent("waits"))
    idle_transactions: Record[IdleTransaction] = field(default_factory=lambda: _absent("idle_transactions"))
    stalls: Record[LoopStall] = field(default_factory=lambda: _absent("stalls"))
    arrivals: Record[Arrival] = field(default_factory=lambda: _absent("arrivals"))
    refusals: Record[str] = field(default_factory=lambda: _absent("refusals"))
    invoice: Record[Charge] = field(default_factory=lambda: _absent("invoice"))
    responses: Record[ModelResponseSeen] = field(default_factory=lambda: _absent("responses"))
    ledger: Record[LedgerRow] = field(default_factory=lambda: _absent("ledger"))
    faults: Record[FaultSeen] = field(default_factory=lambda: _absent("faults"))
    pairs: Record[TimingPair] = field(default_factory=lambda: _absent("pairs"))
    requests: Record[ModelRequestSeen] = field(default_factory=lambda: _absent("requests"))
    replay: Record[ReplayDifference] = field(default_factory=lambda: _absent("replay"))
