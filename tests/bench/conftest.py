"""One case, measured on the test server."""

from collections.abc import Awaitable, Callable, Mapping

import pytest

from harness.backend import load_backend
from harness.bench.arm import Setting
from harness.bench.interleave import Limits
from harness.bench.run import Bench
from harness.postgres.clones import Clones
from harness.report.bench_document import CaseDocument

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
