"""What the network and the server do to database connections, and whether the ledger is right all the same.

Each fault strikes one tool's connection, or the connection of whoever writes the bill.
"""

from typing import Any

from harness.fault import DatabaseFault, DatabaseFaultKind, Moment, Target
from harness.fault_scenario import LOST, fault_scenario
from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep
from harness.verdict import FindingKind

D = DatabaseFaultKind
AT_BEGIN, AT_STATEMENT, AT_COMMIT = Moment.BEGIN, Moment.STATEMENT, Moment.COMMIT
USAGES = (
    TokenUsage(prompt_tokens=418, completion_tokens=61),
    TokenUsage(prompt_tokens=1130, completion_tokens=95),
)
TOOLS = (ToolStep(role=ToolRole.READ), ToolStep(role=ToolRole.SEARCH))
TURN = Message(plan=ToolPlan(rounds=(TOOLS,), usages=USAGES))
FIRST_THEN_SECOND = Message(plan=ToolPlan(rounds=(TOOLS,), usages=USAGES, order=(0, 1)))
"""On a connection that two tools share, only one at a time is certain to be the one that is struck."""

TURN_SECONDS = 8.0
"""How long a turn may take that would wait for ever."""


def at_tool(kind: DatabaseFaultKind, moment: Moment, what: str, *, seconds: float = 0.0, **fields: Any) -> Scenario:
    """A fault at the first tool's connection: the bill is somebody else's business, unless they share a session."""
    fault = DatabaseFault(kind=kind, target=Target.TOOL, moment=moment, seconds=seconds)
    name = f"tool_{kind.value}_{moment.value}"
    return fault_scenario(name, f"{what} (a tool's)", FIRST_THEN_SECOND, database_faults=(fault,), **fields)


def at_bill(kind: DatabaseFaultKind, moment: Moment, what: str, *, seconds: float = 0.0, **fields: Any) -> Scenario:
    """A fault at the connection that writes the bill."""
    fault = DatabaseFault(kind=kind, target=Target.LEDGER, moment=moment, seconds=seconds)
    name = fields.pop("name", f"bill_{kind.value}_{moment.value}")
    return fault_scenario(name, f"{what} (the bill's)", TURN, database_faults=(fault,), **fields)


NOT_TOLD = frozenset({FindingKind.UNBILLED_RESPONSE})
"""The row is there, and the answer says that it is not."""

BOTH_LOSE: dict[str, Any] = {"shared": LOST, "per_operation": LOST}
DATABASE_FAULTS = [
    at_tool(D.TERMINATE, AT_STATEMENT, "pg_terminate_backend", shared=LOST),
    at_tool(D.CANCEL, AT_STATEMENT, "pg_cancel_backend", shared=LOST),
    at_tool(D.CUT_BEFORE, AT_BEGIN, "connection cut at BEGIN", shared=LOST),
    at_tool(D.CUT_BEFORE, AT_STATEMENT, "connection cut at a statement", shared=LOST),
    at_tool(D.CUT_AFTER, AT_STATEMENT, "connection cut after a statement was sent", shared=LOST),
    at_tool(D.SERIALIZATION_FAILURE, AT_STATEMENT, "serialization failure", shared=LOST),
    at_tool(
        D.RESTART,
        AT_STATEMENT,
        "server stopped and started again",
        shared=LOST,
        plain_may=LOST,  # the bill is written while the server is away, or when it is back
    ),
    at_tool(D.DELAY, AT_STATEMENT, "latency", seconds=0.3),
    at_tool(D.HALF_OPEN, AT_STATEMENT, "half-open connection", turn_seconds=TURN_SECONDS, shared=LOST),
    at_tool(D.TOO_MANY_CONNECTIONS, AT_STATEMENT, "too many connections", **BOTH_LOSE),
    at_tool(D.AWAY, AT_STATEMENT, "the database goes away, and comes back", **BOTH_LOSE),
    at_bill(D.TERMINATE, AT_STATEMENT, "pg_terminate_backend", **BOTH_LOSE),
    at_bill(D.CUT_BEFORE, AT_STATEMENT, "connection cut at the row", **BOTH_LOSE),
    at_bill(D.CUT_AFTER, AT_STATEMENT, "connection cut after the row was sent", **BOTH_LOSE),
    at_bill(D.CUT_BEFORE, AT_COMMIT, "connection cut at COMMIT", **BOTH_LOSE),
    at_bill(
        D.CUT_AFTER,
        AT_COMMIT,
        "connection cut after COMMIT was sent, before its answer",
        shared=NOT_TOLD,
        per_operation=NOT_TOLD,
    ),
    at_bill(
        D.CUT_AFTER,
        AT_COMMIT,
        "connection cut after COMMIT was sent, with a row for each request",
        name="bill_cut_after_commit_per_request",
        ledger_grain="request",
        shared=LOST,
        per_operation=LOST,
    ),
    at_bill(D.SERIALIZATION_FAILURE, AT_STATEMENT, "serialization failure at the row", **BOTH_LOSE),
    at_bill(D.SERIALIZATION_FAILURE, AT_COMMIT, "serialization failure at COMMIT", **BOTH_LOSE),
    at_bill(D.DELAY, AT_COMMIT, "latency", seconds=0.3),
    at_bill(D.HALF_OPEN, AT_STATEMENT, "half-open connection at the row", turn_seconds=TURN_SECONDS, **BOTH_LOSE),
    at_bill(D.HALF_OPEN, AT_COMMIT, "half-open connection at COMMIT", turn_seconds=TURN_SECONDS, **BOTH_LOSE),
    at_bill(D.TOO_MANY_CONNECTIONS, AT_STATEMENT, "too many connections", **BOTH_LOSE),
    at_bill(D.AWAY, AT_STATEMENT, "the database goes away, and comes back", **BOTH_LOSE),
    at_bill(
        D.AWAY,
        AT_COMMIT,
        "the database goes away, the application is restarted",
        name="bill_delivered_after_restart",
        heals_after_stop=True,
        **BOTH_LOSE,
    ),
    at_bill(D.RESTART, AT_STATEMENT, "server stopped and started again", **BOTH_LOSE),
]


@scenario(*DATABASE_FAULTS)
async def test_database_fault(verify_cell: VerifyCell) -> None:
    """The durable ledger equals the invoice under each; what the plain ones lose is named."""
    await verify_cell()
