"""A second model takes over: what the first was paid for, and what the second is, belongs on one bill."""

from harness.fault import WireFault, WireFaultKind
from harness.fault_scenario import fault_scenario
from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, TokenUsage, ToolPlan, ToolRole, ToolStep
from harness.verdict import FindingKind

K = WireFaultKind
WRONG = frozenset({FindingKind.WRONG_TOKENS})
USAGES = (TokenUsage(prompt_tokens=418, completion_tokens=61), TokenUsage(prompt_tokens=1130, completion_tokens=95))


def turn(kind: WireFaultKind, *, stream: bool = False) -> Message:
    """The first model fails at the request for the answer."""
    fault = WireFault(kind=kind, response=1)
    plan = ToolPlan(rounds=((ToolStep(role=ToolRole.READ),),), usages=USAGES, faults=(fault,))
    return Message(plan=plan, stream=stream)


FALLBACKS = [
    fault_scenario(
        "fallback", "a fallback model takes over from HTTP 503", turn(K.UNAVAILABLE), fallback=True, answered=True
    ),
    fault_scenario(
        "fallback_streamed",
        "a fallback model takes over, streamed",
        turn(K.UNAVAILABLE, stream=True),
        fallback=True,
        answered=True,
    ),
    fault_scenario(
        "fallback_after_reset",
        "a fallback model takes over from an answer that was reset, and billed",
        turn(K.RESET_IN_ANSWER),
        fallback=True,
        answered=True,
        shared=WRONG,
        per_operation=WRONG,
    ),
]


@scenario(*FALLBACKS)
async def test_fallback(verify_cell: VerifyCell) -> None:
    """The durable ledger equals the invoice of both models."""
    await verify_cell()
