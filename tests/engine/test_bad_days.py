"""What real providers do on bad days, by a server on this machine: a clear outcome, no hang, and no key anywhere."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from harness.backend import load_backend
from harness.checks.model_outcomes import ModelOutcome
from harness.config import Config
from harness.engine import Engine
from harness.errors import EnvironmentMissing
from harness.observe.attribution import current_turn
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.providers.budget import Budget
from harness.providers.live import LiveProvider
from harness.providers.scripted import ScriptedProvider
from harness.report.document import CellDocument
from harness.scenario import Cell, Message, ModelTier, PoolState, Scenario, SessionMode, ToolPlan
from harness.verdict import Verdict
from tests.providers.bad_days import KEY, BadDays

Run = Callable[..., Awaitable[CellDocument]]

BACKEND = "fixtures.backend.adapter:backend"


@pytest.fixture
async def server() -> AsyncIterator[BadDays]:
    """The provider."""
    async with BadDays() as server:
        yield server


@pytest.fixture
def run(
    sessionproof_clones: Clones, sessionproof_server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run a turn or two with a model of this server; the key is planted in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    async def run(
        base_url: str,
        *,
        budget: str = "1",
        turn_seconds: float | None = None,
        stream: bool = False,
    ) -> CellDocument:
        plan = ToolPlan(rounds=(), usages=(), chosen=True)
        message = Message(plan=plan, stream=stream)
        scenario = Scenario(
            name="free", question="?", messages=(message,), tiers=(ModelTier.LIVE,), turn_seconds=turn_seconds
        )
        engine = Engine(
            backend=load_backend(BACKEND),
            config=Config(backend=BACKEND),
            provider_of=lambda cell: (
                LiveProvider(
                    current_turn.get,
                    model="openai-chat:gpt-4o",
                    budget=Budget(Decimal(budget), tmp_path / "budget.json"),
                    environment={"OPENAI_API_KEY": KEY},
                    base_url=base_url,
                )
                if cell.scenario.chosen
                else ScriptedProvider()
            ),
        )
        cell = Cell(scenario=scenario, mode=SessionMode.PER_OPERATION, pool_state=PoolState.WARM, tier=ModelTier.LIVE)
        return await engine.verify(cell, clones=sessionproof_clones, running=sessionproof_server)

    return run


def outcomes(document: CellDocument) -> Mapping[str, int]:
    """Of the turns."""
    assert document.choices is not None, document.objections
    return document.choices.outcomes


def check(document: CellDocument, outcome: ModelOutcome) -> None:
    """It is told, it is no finding, nothing has passed by it, and no part of the key is seen."""
    text = document.model_dump_json()

    assert outcomes(document) == {outcome.value: 1}
    assert [finding.message for finding in document.findings] == []
    assert document.verdict is Verdict.UNKNOWN
    assert KEY not in text
    assert KEY[:9] not in text
    assert f"*{KEY[-4:]}" not in text


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        ("wrong key", ModelOutcome.WRONG_KEY),
        ("rate limit", ModelOutcome.RATE_LIMITED),
        ("no credit", ModelOutcome.NO_CREDIT),
        ("no such model", ModelOutcome.NO_MODEL),
        ("server error", ModelOutcome.PROVIDER_FAILED),
        ("no JSON", ModelOutcome.PROVIDER_FAILED),
        ("unknown tool", ModelOutcome.REFUSED_CALLS),
        ("invalid JSON", ModelOutcome.REFUSED_CALLS),
        ("loop", ModelOutcome.LOOPED),
        ("nothing", ModelOutcome.NO_ANSWER),
    ],
)
async def test_a_bad_day_is_told(behaviour: str, outcome: ModelOutcome, server: BadDays, run: Run) -> None:
    """As what it is."""
    server.behaviour = behaviour

    check(await run(server.base_url), outcome)


async def test_a_wrong_key_in_a_streamed_turn(server: BadDays, run: Run) -> None:
    """The application tells its user in another way, and the outcome is the same."""
    server.behaviour = "wrong key"

    check(await run(server.base_url, stream=True), ModelOutcome.WRONG_KEY)


async def test_no_network(run: Run) -> None:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    check(await run(f"http://127.0.0.1:{port}/v1"), ModelOutcome.UNREACHABLE)


async def test_a_model_that_is_slower_than_the_turn_may_be(server: BadDays, run: Run) -> None:
    """The turn ends in its time; what it has cost is not known, and the ledger is not judged by it."""
    server.behaviour = "slow"

    document = await run(server.base_url, turn_seconds=3.0)

    check(document, ModelOutcome.TOO_SLOW)
    assert any("nobody waited for the answer" in reason for reason in document.objections)


async def test_a_budget_that_is_spent(server: BadDays, run: Run) -> None:
    """Nothing is sent."""
    document = await run(server.base_url, budget="0.0001")

    check(document, ModelOutcome.OVER_BUDGET)
    assert server.keys == []


async def test_no_budget(server: BadDays, run: Run) -> None:
    """Nothing is sent; whoever plans the cell asks `not_verified` before."""
    with pytest.raises(EnvironmentMissing, match="a budget is US dollars above zero"):
        await run(server.base_url, budget="0")

    assert server.keys == []


async def test_a_good_day(server: BadDays, run: Run) -> None:
    """What was served is what the ledger bills."""
    document = await run(server.base_url)

    assert outcomes(document) == {"answered": 1}
    assert document.findings == ()
    ledger = next(check for check in document.checks if check.check == "ledger")
    assert (ledger.verdict, ledger.reason) == (Verdict.PASSED, "")
    assert [charge.prompt_tokens for charge in document.evidence.invoice.items] == [1000]
    assert KEY not in document.model_dump_json()
