"""What happens within a turn, and whether the ledger is right all the same: failing tools, limits, cancellations."""

from functools import partial
from typing import Any

from harness.fault_scenario import LOST, fault_scenario
from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, TokenUsage, ToolPlan, ToolRole, ToolStep
from harness.verdict import FindingKind

READ, SEARCH = ToolStep(role=ToolRole.READ), ToolStep(role=ToolRole.SEARCH)
NOT_COUNTED = frozenset({FindingKind.WRONG_TOKENS})
"""What the client did not receive to its end is not on the bill."""
ROUNDS_BEYOND_THE_LIMIT = 60


def usages(count: int) -> tuple[TokenUsage, ...]:
    """Different tokens for each response, so that none can stand for another."""
    return tuple(TokenUsage(prompt_tokens=400 + 37 * number, completion_tokens=60 + number) for number in range(count))


def turn(*steps: ToolStep, stream: bool = False, **fields: Any) -> Message:
    """One round of tools, and an answer."""
    return Message(plan=ToolPlan(rounds=(steps,), usages=usages(2)), stream=stream, **fields)


def rejected(*, stream: bool) -> Message:
    """An answer that the agent does not accept, and one that it does."""
    return Message(plan=ToolPlan(rounds=((READ,),), usages=usages(3), rejected_answers=1), stream=stream)


def specialist(*, stream: bool) -> Message:
    """A tool that asks another agent, beside one that reads."""
    delegated = TokenUsage(prompt_tokens=97, completion_tokens=31)
    steps = (ToolStep(role=ToolRole.DELEGATE), READ)
    return Message(plan=ToolPlan(rounds=(steps,), usages=usages(2), delegated=delegated), stream=stream)


def endless() -> Message:
    """More rounds of tools than a turn may have."""
    rounds = ((READ,),) * ROUNDS_BEYOND_THE_LIMIT
    return Message(plan=ToolPlan(rounds=rounds, usages=usages(len(rounds) + 1)))


answered = partial(fault_scenario, answered=True)
TURN_FAULTS = [
    answered("tool_raises", "a tool raises", turn(ToolStep(role=ToolRole.FAIL), SEARCH), shared=LOST),
    answered("tool_retries", "a tool asks the model to try again", turn(ToolStep(role=ToolRole.RETRY), SEARCH)),
    fault_scenario("usage_limit", "the turn's limit of requests is hit", endless(), answered=False),
    answered("answer_rejected", "the answer is rejected and asked for again", rejected(stream=False)),
    answered("answer_rejected_streamed", "the answer is rejected, streamed", rejected(stream=True)),
    answered("specialist", "a tool asks another agent", specialist(stream=False)),
    answered("specialist_streamed", "a tool asks another agent, streamed", specialist(stream=True)),
    answered(
        "two_agents", "two agents of one customer at once", turn(READ, SEARCH), Message(plan=turn(READ).plan, tenant=2)
    ),
    fault_scenario(
        "client_leaves",
        "the client disconnects in the middle of the stream",
        turn(READ, SEARCH, stream=True, leave_after=2),
        shared=NOT_COUNTED,
        per_operation=NOT_COUNTED,
    ),
    fault_scenario(
        "cancelled",
        "the turn is cancelled at each of its awaits",
        turn(READ, SEARCH, cancel_at=0),
        shared=LOST,
        per_operation=LOST,
        plain_may=NOT_COUNTED,
    ),
    fault_scenario(
        "cancelled_streamed",
        "the turn is cancelled at each of its awaits, streamed",
        turn(READ, SEARCH, stream=True, cancel_at=0),
        shared=LOST,
        per_operation=LOST,
        plain_may=NOT_COUNTED,
    ),
]


@scenario(*TURN_FAULTS)
async def test_turn_fault(verify_cell: VerifyCell) -> None:
    """The durable ledger equals the invoice under each; what the plain ones lose is named."""
    await verify_cell()
