"""A model that decides by itself which tools it calls, in which order, with which arguments, and how many at once.

What a script calls is what its author thought of. Here nothing is asserted about the model: whatever it calls, tools
that have a session each leave each other alone, each request is billed, and tools that were called together run
together; and where tools share a session, turns in which they were called together show it.
"""

from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, ModelTier, PoolState, Scenario, SessionMode, ToolPlan
from harness.verdict import Expectation, FindingKind

_TIERS = (ModelTier.RECORDED, ModelTier.LOCAL, ModelTier.LIVE)
"""The tiers in which a model decides by itself."""

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


def _turns(*each: int, stream: bool = False) -> tuple[Message, ...]:
    """So many turns of each tenant, one after the other, with another question each time.

    A tenant's turns follow each other: a server that has read its instructions need not read them again.
    """
    plan = ToolPlan(rounds=(), usages=(), chosen=True, chosen_seconds=0.05)
    order = [(tenant, question) for tenant, count in enumerate(each) for question in range(count)]
    return tuple(
        Message(plan=plan, tenant=tenant, question=question, wave=wave, stream=stream)
        for wave, (tenant, question) in enumerate(order)
    )


REAL_MODEL = Scenario(
    name="real_model",
    question="Whatever a real model calls, do tools leave each other alone?",
    messages=_turns(30, 30),
    expectations={
        (SessionMode.SHARED, PoolState.COLD): _OPENING,
        (SessionMode.SHARED, PoolState.WARM): _WARM,
    },
    pool_states={
        SessionMode.SHARED: (PoolState.COLD, PoolState.WARM),
        SessionMode.PER_OPERATION: (PoolState.WARM,),
    },
    tiers=_TIERS,
)

REAL_MODEL_STREAMED = Scenario(
    name="real_model_streamed",
    question="Whatever a real model calls in a streamed turn, do tools leave each other alone?",
    messages=_turns(16, 4, stream=True),
    expectations={(SessionMode.SHARED, PoolState.WARM): _WARM},
    pool_states={SessionMode.SHARED: (PoolState.WARM,), SessionMode.PER_OPERATION: (PoolState.WARM,)},
    tiers=_TIERS,
)


@scenario(REAL_MODEL, REAL_MODEL_STREAMED)
async def test_real_model(verify_cell: VerifyCell) -> None:
    """A session each is enough for whatever a model does, and a shared one is not."""
    await verify_cell()
