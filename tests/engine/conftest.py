"""One cell, run and judged, for a test."""

from collections.abc import Awaitable, Callable

import pytest

from harness.backend import load_backend
from harness.config import Config
from harness.engine import Engine
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.document import CellDocument
from harness.scenario import Cell, ModelTier, PoolState, Scenario, SessionMode

RunCell = Callable[..., Awaitable[CellDocument]]


@pytest.fixture
def run_cell(sessionproof_clones: Clones, sessionproof_server: RunningServer) -> RunCell:
    """Run a scenario's cell against a backend named by its spec."""

    async def run(
        scenario: Scenario,
        *,
        backend: str = "fixtures.backend.adapter:backend",
        mode: SessionMode = SessionMode.PER_OPERATION,
        pool_state: PoolState = PoolState.WARM,
        tier: ModelTier = ModelTier.SCRIPTED,
        turn_timeout: float = 30.0,
    ) -> CellDocument:
        engine = Engine(backend=load_backend(backend), config=Config(backend=backend, turn_timeout=turn_timeout))
        cell = Cell(scenario=scenario, mode=mode, pool_state=pool_state, tier=tier)
        return await engine.verify(cell, clones=sessionproof_clones, running=sessionproof_server)

    return run
