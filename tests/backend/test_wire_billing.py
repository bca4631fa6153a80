"""The durable tracker with a real client over HTTP: the ledger is the provider's invoice, whatever breaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from genai_prices import Usage, calc_price
from sqlalchemy.ext.asyncio import create_async_engine

from fixtures.backend.adapter import ReferenceBackend
from harness.backend import BackendSettings, ChatRequest, PoolSettings
from harness.errors import BackendError, ClientLeft
from harness.evidence import Charge, LedgerGrain, LedgerRow
from harness.fault import WireFault, WireFaultKind
from harness.providers.provider import ScriptedCall, ScriptedResponse, TurnScript
from harness.providers.wire import WireProvider
from harness.scenario import SessionMode, TokenUsage

K = WireFaultKind
MESSAGE = "Who is there?"
FIRST = TokenUsage(prompt_tokens=400, completion_tokens=60, cached_tokens=128, reasoning_tokens=20)
SECOND = TokenUsage(prompt_tokens=437, completion_tokens=61)
CALL = ScriptedCall(
    tool="search_directory", arguments={"query": "cardio", "schema_name": "people"}, tool_call_id="call-1"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one turn: the error, if any, the invoice, and the ledger."""

    error: Exception | None
    charges: Sequence[Charge]
    rows: Sequence[LedgerRow]

    @property
    def is_exact(self) -> bool:
        """Whether the ledger has the tokens and the dollars of the invoice, to the last digit."""
        return _sum(self.rows) == _sum(self.charges) and sum(
            (row.total_cost or Decimal(0) for row in self.rows), Decimal(0)
        ) == sum(map(_cost, self.charges), Decimal(0))


async def turn(
    clone_url: str,
    directory: Path,
    *faults: WireFault,
    stream: bool = False,
    leave_after: int | None = None,
    grain: LedgerGrain = LedgerGrain.TURN,
    **provider: Any,
) -> Outcome:
    """Send one message to the application in the session mode `durable`, and stop it."""
    error: Exception | None = None
    wire, backend = WireProvider(**provider), ReferenceBackend()
    await wire.start()
    try:
        responses = (ScriptedResponse(usage=FIRST, calls=(CALL,)), ScriptedResponse(usage=SECOND, text="Hello you."))
        wire.expect(TurnScript(turn="turn", message=MESSAGE, responses=responses, faults=faults))
        settings = BackendSettings(
            database_url=clone_url,
            session_mode=SessionMode.DURABLE,
            pool=PoolSettings(),
            model=wire.model,
            fallback_model=wire.fallback_model,
            ledger_grain=grain,
            state_directory=directory,
        )
        request = ChatRequest(
            account="wyckoff",
            agent="simple-chat-1",
            message=MESSAGE,
            conversation_id=str(uuid4()),
            stream=stream,
            leave_after=leave_after,
        )
        async with backend.start(settings) as application:
            try:
                await application.send(request)
            except (BackendError, ClientLeft) as failure:
                error = failure
    finally:
        await wire.stop()
    engine = create_async_engine(clone_url)
    async with engine.connect() as connection:
        rows = await backend.read_ledger(connection)
    await engine.dispose()
    return Outcome(error=error, charges=wire.invoice(), rows=rows)


@pytest.mark.parametrize("grain", LedgerGrain)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_turn_without_faults(clone_url: str, tmp_path: Path, grain: LedgerGrain, *, stream: bool) -> None:
    """Cached and reasoning tokens are priced as the provider prices them."""
    outcome = await turn(clone_url, tmp_path, stream=stream, grain=grain)

    assert outcome.error is None
    assert len(outcome.charges) == 2
    assert len(outcome.rows) == (2 if grain is LedgerGrain.REQUEST else 1)
    assert outcome.is_exact


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in K if kind is not K.STALL])
async def test_a_fault_of_the_provider(clone_url: str, tmp_path: Path, kind: WireFaultKind, *, stream: bool) -> None:
    """Whether an answer came or not, what is on the invoice is in the ledger, and nothing else."""
    outcome = await turn(clone_url, tmp_path, WireFault(kind=kind, response=1), stream=stream)

    assert outcome.is_exact
    assert len(outcome.rows) == min(len(outcome.charges), 1)


@pytest.mark.parametrize("kind", [K.RESET_BEFORE_ANSWER, K.MALFORMED])
async def test_a_fault_that_the_provider_does_not_bill(clone_url: str, tmp_path: Path, kind: WireFaultKind) -> None:
    """The provider is asked, and says that there is nothing."""
    outcome = await turn(clone_url, tmp_path, WireFault(kind=kind, response=1, billed=False))

    assert len(outcome.charges) == 1
    assert outcome.is_exact


@pytest.mark.parametrize("grain", LedgerGrain)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_that_the_client_sends_again(
    clone_url: str, tmp_path: Path, grain: LedgerGrain, *, stream: bool
) -> None:
    """The first attempt was served, and lost on the way; the application does not see it."""
    fault = WireFault(kind=K.RESET_BEFORE_ANSWER, response=0)
    outcome = await turn(clone_url, tmp_path, fault, stream=stream, grain=grain, max_retries=2)

    assert outcome.error is None
    assert len(outcome.charges) == 3
    assert len(outcome.rows) == (3 if grain is LedgerGrain.REQUEST else 1)
    assert outcome.is_exact


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", [K.SERVER_ERROR, K.RESET_BEFORE_ANSWER])
async def test_a_model_that_another_one_replaces(
    clone_url: str, tmp_path: Path, kind: WireFaultKind, *, stream: bool
) -> None:
    """What the first one served in vain is billed at its price, beside the second one's."""
    fault = WireFault(kind=kind, response=1)
    outcome = await turn(clone_url, tmp_path, fault, stream=stream, fallback_model_name="gpt-4o-mini")

    assert outcome.error is None
    assert {charge.model for charge in outcome.charges} == {"gpt-4o", "gpt-4o-mini"}
    assert outcome.is_exact


@pytest.mark.parametrize("events", [0, 1, 2])
async def test_a_client_that_leaves(clone_url: str, tmp_path: Path, events: int) -> None:
    """However much it has read by then, the application is billed for what it was served."""
    outcome = await turn(clone_url, tmp_path, stream=True, leave_after=events)

    assert isinstance(outcome.error, ClientLeft)
    assert outcome.is_exact
    assert {row.completion_status for row in outcome.rows} <= {"failed"}


async def test_a_client_that_reads_to_the_end(clone_url: str, tmp_path: Path) -> None:
    """It would have left later."""
    outcome = await turn(clone_url, tmp_path, stream=True, leave_after=1000)

    assert outcome.error is None
    assert outcome.is_exact


def _sum(lines: Sequence[Charge] | Sequence[LedgerRow]) -> tuple[int, int]:
    return (
        sum(line.prompt_tokens or 0 for line in lines),
        sum(line.completion_tokens or 0 for line in lines),
    )


def _cost(charge: Charge) -> Decimal:
    usage = Usage(
        input_tokens=charge.prompt_tokens,
        cache_read_tokens=charge.cached_tokens,
        output_tokens=charge.completion_tokens,
    )
    return calc_price(usage, charge.model, provider_id="openai", genai_request_timestamp=charge.served_at).total_price
