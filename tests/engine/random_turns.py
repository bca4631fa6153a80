"""Random conversations in which things go wrong, as scenarios: for Hypothesis, which makes a failing one small."""

from dataclasses import replace

from hypothesis import strategies as st

from harness.fault import DatabaseFault, DatabaseFaultKind, Moment, Target, WireFault, WireFaultKind
from harness.fault_scenario import fault_scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep

__all__ = ["conversations"]

ROLES = (
    ToolRole.READ,
    ToolRole.SEARCH,
    ToolRole.COMMIT,
    ToolRole.FLUSH,
    ToolRole.ROLLBACK,
    ToolRole.FAIL,
    ToolRole.SERIES,
)
SECOND_CUSTOMER = (ToolRole.READ,)
"""What the second tenant's agent can do."""

QUICK_KINDS = (
    WireFaultKind.SERVER_ERROR,
    WireFaultKind.RESET_BEFORE_ANSWER,
    WireFaultKind.RESET_IN_ANSWER,
    WireFaultKind.MALFORMED,
    WireFaultKind.WITHOUT_USAGE,
)
DATABASE_KINDS = (
    DatabaseFaultKind.CUT_BEFORE,
    DatabaseFaultKind.CUT_AFTER,
    DatabaseFaultKind.TERMINATE,
    DatabaseFaultKind.SERIALIZATION_FAILURE,
)
LATEST_AWAIT = 60
MOST_OPERATIONS = 3
WIDEST = 2
"""How many tools go together at most: all messages at once must find a connection each in the usual pool."""

_tokens = st.integers(1, 2_000)


@st.composite
def _usages(draw: st.DrawFn) -> TokenUsage:
    prompt, completion = draw(_tokens), draw(_tokens)
    return TokenUsage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=draw(st.integers(0, prompt)),
        reasoning_tokens=draw(st.integers(0, completion)),
    )


@st.composite
def _wire_faults(draw: st.DrawFn, responses: int) -> WireFault:
    kind = draw(st.sampled_from(QUICK_KINDS))
    whole = kind is WireFaultKind.WITHOUT_USAGE  # what a client has got whole, a provider bills
    return WireFault(kind=kind, response=draw(st.integers(0, responses - 1)), billed=whole or draw(st.booleans()))


def _steps(role: ToolRole) -> st.SearchStrategy[ToolStep]:
    operations = st.integers(1, MOST_OPERATIONS) if role is ToolRole.SERIES else st.just(1)
    return st.builds(ToolStep, role=st.just(role), operations=operations)


@st.composite
def _messages(draw: st.DrawFn, *, cancelled: bool) -> Message:
    tenant = draw(st.integers(0, 1))
    roles = ROLES if tenant == 0 else SECOND_CUSTOMER
    steps = st.sampled_from(roles).flatmap(_steps)
    rounds = draw(st.lists(st.lists(steps, min_size=1, max_size=WIDEST).map(tuple), max_size=2).map(tuple))
    responses = len(rounds) + 1
    plan = ToolPlan(
        rounds=rounds,
        usages=tuple(draw(_usages()) for _ in range(responses)),
        faults=tuple(draw(st.lists(_wire_faults(responses), max_size=1))),
    )
    message = Message(plan=plan, tenant=tenant, stream=draw(st.booleans()), wave=draw(st.integers(0, 1)))
    return replace(message, cancel_at=draw(st.none() | st.integers(1, LATEST_AWAIT))) if cancelled else message


_database_faults = st.builds(
    DatabaseFault,
    kind=st.sampled_from(DATABASE_KINDS),
    target=st.just(Target.LEDGER),
    moment=st.sampled_from((Moment.STATEMENT, Moment.COMMIT)),
)


@st.composite
def conversations(draw: st.DrawFn, *, cancelled: bool = True) -> Scenario:
    """One to three messages of two customers, with at most one fault in each, and at most one at the database.

    Where a cancellation strikes depends on the network's pace; without `cancelled` a conversation always ends alike.
    """
    messages = draw(st.lists(_messages(cancelled=cancelled), min_size=1, max_size=3))
    return fault_scenario(
        "random",
        "whatever goes wrong",
        *messages,
        database_faults=tuple(draw(st.lists(_database_faults, max_size=1))),
        client_retries=draw(st.integers(0, 1)),
        ledger_grain=draw(st.sampled_from(("turn", "request"))),
    )
