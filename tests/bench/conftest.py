"""One case, measured on the test server; and the ground for measuring the harness's own costs."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping

import pytest

from fixtures.backend.adapter import ReferenceBackend
from harness.backend import load_backend
from harness.bench.arm import Setting
from harness.bench.cost import Ground
from harness.bench.interleave import Limits
from harness.bench.run import Bench
from harness.postgres import Clones, RunningServer
from harness.report.bench_document import CaseDocument
from tests.bench.grounds import hooks, names

Measure = Callable[..., Awaitable[CaseDocument]]
FEW = Limits(half_width=1.0, warm_up=0, least=5, most=5, seconds=120.0)


@pytest.fixture
def measure_case(sessionproof_clones: Clones) -> Measure:
    """Measure the settings with a backend, in a few repetitions."""

    async def run(
        settings: Mapping[str, Setting], *, backend: str = "fixtures.backend.adapter:backend", limits: Limits = FEW
    ) -> CaseDocument:
        loaded = load_backend(backend)
        template = await sessionproof_clones.template(loaded.name, loaded.prepare)
        bench = Bench(backend=loaded, clones=sessionproof_clones, template=template)
        return await bench.case("case", "How long?", settings, limits=limits)

    return run


@pytest.fixture(scope="session")
def clones(sessionproof_server: RunningServer) -> Iterator[Clones]:
    """Databases of these tests' own, of which no other worker makes or drops any."""
    clones = Clones(sessionproof_server, secrets.token_hex(4))
    yield clones
    asyncio.run(clones.drop_all())


@pytest.fixture
async def ground(sessionproof_server: RunningServer, clones: Clones) -> Ground:
    """The reference backend on the test server."""
    backend = ReferenceBackend()
    template = await clones.template("costs", backend.prepare)
    return Ground(backend=backend, running=sessionproof_server, clones=clones, template=template)


@pytest.fixture
async def _nothing_stays(ground: Ground) -> AsyncIterator[None]:
    """Databases, tasks and hooks are what they were."""
    before, installed = await names(ground), hooks()
    yield
    assert await names(ground) == before
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert hooks() == installed
