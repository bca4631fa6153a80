"""What providers and networks do to model requests, and whether the ledger is right all the same.

The provider says what it bills. It bills an answer also where the connection breaks before the client has it: then the
client cannot know the tokens, and has to ask.
"""

from functools import partial
from typing import Any

from harness.fault import WireFault, WireFaultKind
from harness.fault_scenario import LOST, fault_scenario
from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep
from harness.verdict import FindingKind

K = WireFaultKind
TOOLS = ((ToolStep(role=ToolRole.READ), ToolStep(role=ToolRole.SEARCH)),)
FIRST = TokenUsage(prompt_tokens=418, completion_tokens=61)
SECOND = TokenUsage(prompt_tokens=1130, completion_tokens=95)
WRONG = frozenset({FindingKind.WRONG_TOKENS})
ONE_TOKEN = TokenUsage(prompt_tokens=1, completion_tokens=1)
MORE_THAN_32_BITS = TokenUsage(prompt_tokens=3_000_000_000, completion_tokens=95)
CACHED = TokenUsage(prompt_tokens=1130, completion_tokens=95, cached_tokens=1024)
REASONED = TokenUsage(prompt_tokens=1130, completion_tokens=895, reasoning_tokens=832)


def turn(
    *faults: WireFault, stream: bool = False, second: TokenUsage = SECOND, served_model: str | None = None
) -> Message:
    """Two tools at once, and an answer."""
    plan = ToolPlan(rounds=TOOLS, usages=(FIRST, second), faults=faults, served_model=served_model)
    return Message(plan=plan, stream=stream)


def struck(kind: WireFaultKind, *, stream: bool = False, response: int = 1, times: int = 1, **fields: Any) -> Message:
    """A turn with one fault, by default at the request for its answer."""
    return turn(WireFault(kind=kind, response=response, times=times, **fields), stream=stream)


def refused(kind: WireFaultKind, status: str) -> list[Scenario]:
    """A refusal that the client's second attempt gets past, plain and streamed, and one that it does not."""
    name, retried = kind.value, dict[str, Any](client_retries=2)
    return [
        fault_scenario(name, f"{status}, tried again", struck(kind), **retried),
        fault_scenario(f"{name}_streamed", f"{status}, tried again, streamed", struck(kind, stream=True), **retried),
        fault_scenario(f"{name}_for_good", f"{status} at every attempt", struck(kind, times=3), **retried),
    ]


def broken(kind: WireFaultKind, what: str, **fields: Any) -> list[Scenario]:
    """An answer that the client does not get and the provider bills, plain and streamed."""
    return [
        fault_scenario(
            f"{kind.value}{suffix}",
            f"{what}, billed{streamed}",
            struck(kind, stream=bool(suffix), **fields),
            shared=WRONG,
            per_operation=WRONG,
        )
        for suffix, streamed in (("", ""), ("_streamed", ", streamed"))
    ]


answered = partial(fault_scenario, answered=True)
WIRE_FAULTS = [
    *refused(K.RATE_LIMITED, "HTTP 429 with Retry-After"),
    *refused(K.SERVER_ERROR, "HTTP 500"),
    *refused(K.UNAVAILABLE, "HTTP 503"),
    *broken(K.RESET_BEFORE_ANSWER, "connection reset before the first byte"),
    *broken(K.RESET_IN_ANSWER, "connection reset in the middle of the answer"),
    *broken(K.MALFORMED, "malformed answer"),
    *broken(K.WITHOUT_USAGE, "answer without usage"),
    fault_scenario(
        "reset_unbilled",
        "connection reset before the first byte, not billed",
        struck(K.RESET_BEFORE_ANSWER, billed=False),
    ),
    fault_scenario(
        "reset_unbilled_streamed",
        "connection reset between two events, not billed, streamed",
        struck(K.RESET_IN_ANSWER, billed=False, stream=True),
    ),
    fault_scenario(
        "reset_retried",
        "connection reset in the answer, billed, tried again by the client, billed again",
        struck(K.RESET_IN_ANSWER),
        client_retries=2,
        shared=WRONG,
        per_operation=WRONG,
    ),
    fault_scenario(
        "reset_retried_per_request",
        "the same, with a row for each request",
        struck(K.RESET_IN_ANSWER),
        client_retries=2,
        ledger_grain="request",
        shared=LOST,
        per_operation=LOST,
    ),
    fault_scenario(
        "first_request_reset",
        "the turn's only answer reset, billed",
        struck(K.RESET_BEFORE_ANSWER, response=0),
        shared=LOST,
        per_operation=LOST,
    ),
    fault_scenario(
        "smallest_loss",
        "no tools, one token, and the answer reset: the smallest loss there is",
        Message(plan=ToolPlan(rounds=(), usages=(ONE_TOKEN,), faults=(WireFault(kind=K.RESET_BEFORE_ANSWER),))),
        shared=LOST,
        per_operation=LOST,
    ),
    fault_scenario("stall", "an answer that stalls, and comes", struck(K.STALL, seconds=0.2)),
    fault_scenario("stall_streamed", "a stream that stalls, and goes on", struck(K.STALL, seconds=0.2, stream=True)),
    fault_scenario(
        "stall_given_up",
        "an answer that stalls until the client gives up, billed",
        struck(K.STALL, seconds=60.0),
        client_seconds=0.5,
        shared=WRONG,
        per_operation=WRONG,
    ),
    fault_scenario(
        "stall_given_up_streamed",
        "a stream that stalls until the client gives up, billed",
        struck(K.STALL, seconds=60.0, stream=True),
        client_seconds=0.5,
        shared=WRONG,
        per_operation=WRONG,
    ),
    answered("large_usage", "usage above 32 bits", turn(second=MORE_THAN_32_BITS)),
    answered("large_usage_streamed", "usage above 32 bits, streamed", turn(second=MORE_THAN_32_BITS, stream=True)),
    answered("unpriced", "a model without a price", turn(served_model="in-house-7b")),
    answered("unpriced_streamed", "a model without a price, streamed", turn(served_model="in-house-7b", stream=True)),
    answered("cached_tokens", "cached tokens in the usage's details", turn(second=CACHED)),
    answered("cached_tokens_streamed", "cached tokens in the details, streamed", turn(second=CACHED, stream=True)),
    answered("reasoning_tokens", "reasoning tokens in the usage's details", turn(second=REASONED)),
    answered(
        "reasoning_tokens_streamed", "reasoning tokens in the details, streamed", turn(second=REASONED, stream=True)
    ),
]


@scenario(*WIRE_FAULTS)
async def test_wire_fault(verify_cell: VerifyCell) -> None:
    """The durable ledger equals the invoice under each; what the plain ones lose is named."""
    await verify_cell()
