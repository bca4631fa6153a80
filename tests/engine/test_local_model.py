"""The local model behind the reference backend: whatever it calls, sessions of their own show nothing wrong."""

from pathlib import Path

import pytest

from harness.backend import load_backend
from harness.config import Config
from harness.engine import Engine
from harness.observe.attribution import current_turn
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.providers.local import LocalProvider
from harness.providers.scripted import ScriptedProvider
from harness.scenario import Cell, Message, ModelTier, PoolState, Scenario, SessionMode, ToolPlan

pytestmark = [pytest.mark.local_model, pytest.mark.processes]

BACKEND = "fixtures.backend.adapter:backend"
PLAN = ToolPlan(rounds=(), usages=(), chosen=True)


async def test_its_turns_are_billed_and_without_findings(
    weights: Path, sessionproof_clones: Clones, sessionproof_server: RunningServer
) -> None:
    """Of both tenants, plain and streamed: the ledger has what the server counted, at the model's own price."""
    engine = Engine(
        backend=load_backend(BACKEND),
        config=Config(backend=BACKEND),
        provider_of=lambda cell: LocalProvider(current_turn.get) if cell.scenario.chosen else ScriptedProvider(),
    )
    messages = tuple(
        Message(plan=PLAN, tenant=number // 2, question=number, wave=number, stream=number % 2 == 1)
        for number in range(4)
    )
    scenario = Scenario(name="local", question="?", messages=messages, tiers=(ModelTier.LOCAL,))
    cell = Cell(scenario=scenario, mode=SessionMode.PER_OPERATION, pool_state=PoolState.WARM, tier=ModelTier.LOCAL)

    document = await engine.verify(cell, clones=sessionproof_clones, running=sessionproof_server)

    assert document.findings == ()
    assert document.choices is not None
    assert document.choices.outcomes == {"answered": 4}
    assert sum(document.choices.calls.values()) > 0
    assert {row.provider for row in document.evidence.ledger.items} == {"local"}
    assert all((row.total_cost or 0) > 0 for row in document.evidence.ledger.items)
