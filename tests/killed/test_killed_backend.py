"""The backend is killed between a provider's answer and the row that bills it: nothing is lost, and no row is doubled.

The provider and the database go on. What the killed process had begun, the next one on the same folder finishes.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from uuid import uuid4

import httpx2
import pytest

from fixtures.backend.adapter import WYCKOFF, backend
from harness.checks import Ledger
from harness.evidence import Evidence, Interval, LedgerRow, Record, Turn
from harness.observe.ledger import read_ledger
from harness.providers.provider import ScriptedCall, ScriptedResponse, TurnScript
from harness.providers.wire import WireProvider
from harness.scenario import TokenUsage, ToolRole
from harness.verdict import Verdict
from tests.killed.application import Application, running

KILLS = 50
LONGEST_SECONDS = 0.05
"""How long after an answer of the provider's the process is killed at most: about as long as a turn goes on then."""
MOST_TURNS = 4
"""How many turns one kill before the row may take; a turn that is billed by then is checked, but not counted."""


@asynccontextmanager
async def started() -> AsyncIterator[WireProvider]:
    """A provider that is not in the process that is killed."""
    provider = WireProvider()
    await provider.start()
    try:
        yield provider
    finally:
        await provider.stop()


def script(turn: str, number: int) -> TurnScript:
    """A tool call, and an answer, with tokens that no other turn has."""
    use = WYCKOFF.tools[ToolRole.READ]
    call = ScriptedCall(tool=use.tool, arguments=use.arguments, tool_call_id=f"call-{turn}")
    return TurnScript(
        turn=turn,
        message=f"Who is in cardiology? (reference {turn})",
        responses=(
            ScriptedResponse(usage=TokenUsage(prompt_tokens=400 + number, completion_tokens=50), calls=(call,)),
            ScriptedResponse(usage=TokenUsage(prompt_tokens=900 + number, completion_tokens=80), text="Dr. Example."),
        ),
    )


async def send(application: Application, planned: TurnScript) -> None:
    """Send the turn's message; how it ends is not asked, because the application may not live to tell."""
    async with httpx2.AsyncClient(base_url=application.url, timeout=30, trust_env=False) as client:
        path = f"/accounts/{WYCKOFF.account}/agents/{WYCKOFF.agent}/chat"
        try:
            await client.post(path, json={"message": planned.message, "conversation_id": planned.turn})
        except httpx2.HTTPError:
            return


async def served(provider: WireProvider, turn: str, responses: int, sending: asyncio.Task[None]) -> None:
    """Wait until so many responses of the turn are on the invoice."""
    while sum(charge.turn == turn for charge in provider.invoice()) < responses and not sending.done():  # noqa: ASYNC110  # it is counted in another thread
        await asyncio.sleep(0)


def turn_of(planned: TurnScript) -> Turn:
    return Turn(
        id=planned.turn,
        tenant=WYCKOFF.account,
        agent=WYCKOFF.agent,
        message=planned.message,
        interval=Interval(start=0.0, end=perf_counter()),
        planned=(),
        planned_responses=2,
        error="the process was killed",
        interrupted="the process was killed",
    )


async def rows(url: str) -> tuple[LedgerRow, ...]:
    return (await read_ledger(backend, url)).items


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "kills", [pytest.param(3, marks=pytest.mark.processes), pytest.param(KILLS, marks=pytest.mark.exhaustive)]
)
async def test_killing_the_backend_loses_no_bill(kills: int, clone_url: str, tmp_path: Path) -> None:
    """So many times before the row: after the last start each request on the invoice is billed once, and rightly."""
    moments = random.Random(20_260_601)  # a seed, so that a failure can be repeated
    turns: list[Turn] = []
    unbilled_at_the_kill = 0
    async with started() as provider:
        environment = {
            "DATABASE_URL": clone_url,
            "SESSION_MODE": "durable",
            "STATE_DIRECTORY": str(tmp_path),
            "SETTLE_SECONDS": "0.2",
            "CHAT_MODEL": "openai-chat:gpt-4o",
            "OPENAI_BASE_URL": provider.base_url,
            "OPENAI_API_KEY": provider.api_key,
        }
        for number in range(MOST_TURNS * kills):
            if unbilled_at_the_kill == kills:
                break
            planned = script(str(uuid4()), number)
            provider.expect(planned)
            turns.append(turn_of(planned))
            with running(environment) as application:
                sending = asyncio.create_task(send(application, planned))
                await served(provider, planned.turn, moments.choice((1, 2)), sending)
                await asyncio.sleep(moments.uniform(0, LONGEST_SECONDS))
                await asyncio.to_thread(application.kill)
                await sending
            unbilled_at_the_kill += all(row.session_id != planned.turn for row in await rows(clone_url))
        with running(environment) as application:
            await asyncio.to_thread(wait_until_it_serves, application)
            await asyncio.to_thread(application.stop)
        ledger = await read_ledger(backend, clone_url)
        evidence = Evidence(
            turns=tuple(turns),
            invoice=Record.of("invoice", provider.invoice()),
            responses=Record.of("responses", ()),
            ledger=ledger,
        )

    result = Ledger()(evidence)

    assert [finding.message for finding in result.findings] == []
    assert result.verdict is Verdict.PASSED
    assert {charge.turn for charge in provider.invoice()} == {turn.id for turn in turns}
    assert len(ledger) == len(turns)
    assert unbilled_at_the_kill == kills, f"of {len(turns)} kills, {unbilled_at_the_kill} came before the row"


def wait_until_it_serves(application: Application) -> None:
    """Its start is over when it answers; what is left over from before is delivered then, or at its stop."""
    httpx2.get(f"{application.url}/health", timeout=30, trust_env=False).raise_for_status()
