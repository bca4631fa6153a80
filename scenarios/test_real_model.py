"""A model that decides by itself which tools it calls, in which order, with which arguments, and how many at once.

What a script calls is what its author thought of. Here nothing is asserted about the model: whatever it calls, tools
that have a session each leave each other alone, each request is billed, and tools that were called together run
together; and where tools share a session, the first turn in which they were called together shows it.
"""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, ModelTier, PoolState, Scenario, SessionMode, ToolPlan
from harness.verdict import Expectation, FindingKind

QUESTIONS = 30
"""How many turns each of the two tenants has in a cell."""

_FOLLOWS = frozenset(
    {
        FindingKind.ABORTED_TRANSACTION,
        FindingKind.BLEED,
        FindingKind.CONCURRENT_OPERATION,
        FindingKind.CONNECTION_LEAK,
        FindingKind.DRIVER_BUSY,
        FindingKind.FOREIGN_ERROR,
        FindingKind.IDLE_IN_TRANSACTION,
        FindingKind.ILLEGAL_STATE,
        FindingKind.LOST_WRITE,
        FindingKind.MISSING_ROW,
        FindingKind.POISONED_CONNECTION,
        FindingKind.SERIALISED,
        FindingKind.SESSION_OVERLAP,
        FindingKind.SESSION_UNORDERED,
        FindingKind.TURN_FAILED,
        FindingKind.UNBILLED_RESPONSE,
    }
)
"""What may come of a shared session, by which tools the model calls."""

_OPENING = Expectation(
    required=frozenset({FindingKind.CONCURRENT_OPERATION}),
    allowed=_FOLLOWS,
    undecided=frozenset({"choice", "timing", "sessions"}),
)
_WARM = Expectation(
    required=frozenset({FindingKind.SESSION_OVERLAP}), allowed=_FOLLOWS, undecided=frozenset({"choice", "timing"})
)

REAL_MODEL = Scenario(
    name="real_model",
    question="Whatever a real model calls, do tools leave each other alone?",
    messages=tuple(
        Message(
            plan=ToolPlan(rounds=(), usages=(), chosen=True, chosen_seconds=0.05),
            tenant=tenant,
            question=question,
            wave=2 * question + tenant,
        )
        for question in range(QUESTIONS)
        for tenant in range(2)
    ),
    expectations={
        (SessionMode.SHARED, PoolState.COLD): _OPENING,
        (SessionMode.SHARED, PoolState.WARM): _WARM,
    },
    pool_states={
        SessionMode.SHARED: (PoolState.COLD, PoolState.WARM),
        SessionMode.PER_OPERATION: (PoolState.WARM,),
    },
    tiers=(ModelTier.RECORDED, ModelTier.LOCAL, ModelTier.LIVE),
)


@scenario(REAL_MODEL)
async def test_real_model(verify_cell: VerifyCell) -> None:
    """A session each is enough for whatever a model does, and a shared one is not."""
    await verify_cell()
