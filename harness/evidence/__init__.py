"""What was seen in one cell, frozen.

Every recorder gives one `Record`: its items, or the reason why it could not record, which is raised when a check
asks for the items. Times are seconds of `time.perf_counter` in the process under test; moments that leave the
process (ledger, invoice) are aware datetimes. Money is `Decimal`.
"""

from harness.evidence.cell import Evidence
from harness.evidence.database import (
    IdleTransaction,
    OperationKind,
    PoolEvent,
    PoolEventKind,
    PoolWait,
    SessionOperation,
    Statement,
)
from harness.evidence.errors import ErrorRecord, ErrorSource, SpanRecord
from harness.evidence.ledger import LedgerGrain, LedgerRow
from harness.evidence.model import Charge, FaultSeen, ModelRequestSeen, ModelResponseSeen, ReplayDifference
from harness.evidence.races import AccessSeen, PlaceSeen, RaceKind, SessionRace
from harness.evidence.record import Interval, Record
from harness.evidence.timing import Arrival, LoopStall, TimingPair
from harness.evidence.turns import Answer, PlannedCall, StuckTask, ToolOutcome, ToolRun, Turn

__all__ = [
    "AccessSeen",
    "Answer",
    "Arrival",
    "Charge",
    "ErrorRecord",
    "ErrorSource",
    "Evidence",
    "FaultSeen",
    "IdleTransaction",
    "Interval",
    "LedgerGrain",
    "LedgerRow",
    "LoopStall",
    "ModelRequestSeen",
    "ModelResponseSeen",
    "OperationKind",
    "PlaceSeen",
    "PlannedCall",
    "PoolEvent",
    "PoolEventKind",
    "PoolWait",
    "RaceKind",
    "Record",
    "ReplayDifference",
    "SessionOperation",
    "SessionRace",
    "SpanRecord",
    "Statement",
    "StuckTask",
    "TimingPair",
    "ToolOutcome",
    "ToolRun",
    "Turn",
]
