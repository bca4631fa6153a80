"""What a backend may do while it prepares its database: no more than in a turn."""

import pytest
from openai import APIConnectionError, AsyncOpenAI

from fixtures.backend.adapter import ReferenceBackend
from harness.config import Config
from harness.engine import Engine
from harness.errors import BackendError
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.document import CellDocument
from harness.scenario import Cell, ModelTier, PoolState, SessionMode
from harness.verdict import Verdict
from scenarios.test_single_tool import SINGLE_TOOL

KEY = "sk-0123456789abcdef0123"


class Embedding(ReferenceBackend):
    """A backend whose documents are embedded by a provider; with `swallows` it goes on without."""

    def __init__(self, name: str, *, swallows: bool = False) -> None:
        super().__init__()
        self.name = name
        self.swallows = swallows
        self.errors: list[Exception] = []

    async def prepare(self, database_url: str) -> None:
        async with AsyncOpenAI(base_url="https://model.invalid/v1", api_key=KEY, max_retries=0) as client:
            try:
                await client.embeddings.create(model="text-embedding-3-small", input="Where is the clinic?")
            except (APIConnectionError, BackendError) as error:
                self.errors.append(error)
                if not self.swallows:
                    raise


async def verify(engine: Engine, tier: ModelTier, clones: Clones, running: RunningServer) -> CellDocument:
    """One cell of this tier."""
    cell = Cell(scenario=SINGLE_TOOL, mode=SessionMode.PER_OPERATION, pool_state=PoolState.WARM, tier=tier)
    return await engine.verify(cell, clones=clones, running=running)


@pytest.mark.parametrize("swallows", [False, True], ids=["raises", "swallows"])
@pytest.mark.parametrize("tier", [ModelTier.SCRIPTED, ModelTier.WIRE])
async def test_no_request_leaves_the_machine(
    tier: ModelTier, swallows: bool, sessionproof_clones: Clones, sessionproof_server: RunningServer
) -> None:
    """It is refused, and nothing is verified on what was prepared without it."""
    backend = Embedding(f"embedding {tier} {swallows}", swallows=swallows)
    engine = Engine(backend=backend, config=Config(backend="mine:backend"))

    first, again = [await verify(engine, tier, sessionproof_clones, sessionproof_server) for _ in range(2)]

    assert [type(error) for error in backend.errors] == [BackendError]
    for document in (first, again):
        assert document.verdict is Verdict.UNKNOWN
        assert "did not prepare its database: a request to 'model.invalid' was refused" in document.objections[0]
        assert KEY not in document.model_dump_json()


async def test_in_the_tier_live_it_is_asked_again(
    sessionproof_clones: Clones, sessionproof_server: RunningServer
) -> None:
    """What it was refused in another tier it may do there: the host only cannot be found."""
    backend = Embedding("embedding live")
    engine = Engine(backend=backend, config=Config(backend="mine:backend"))

    await verify(engine, ModelTier.WIRE, sessionproof_clones, sessionproof_server)
    document = await verify(engine, ModelTier.LIVE, sessionproof_clones, sessionproof_server)

    assert [type(error) for error in backend.errors] == [BackendError, APIConnectionError]
    assert "did not prepare its database: APIConnectionError" in document.objections[0]
