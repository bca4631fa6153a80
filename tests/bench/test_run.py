"""What keeps an arm from being measured, and what was measured from being lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from fixtures.minimal import MinimalBackend
from harness.backend import BackendSettings
from harness.bench.headline import headline, yardstick
from harness.bench.run import Bench
from harness.errors import BackendError
from harness.postgres.clones import Clones
from harness.report.bench_document import CaseDocument
from harness.scenario import ModelTier
from tests.bench.conftest import FEW, Measure


class Stubborn(MinimalBackend):
    """Starts so often as it is told to, and may not stop."""

    def __init__(self, *, starts: int = 100, stops: bool = True) -> None:
        self._starts = starts
        self._stops = stops

    @asynccontextmanager
    async def start(self, settings: BackendSettings) -> AsyncIterator[Any]:
        self._starts -= 1
        if self._starts < 0:
            raise RuntimeError("no licence for another one")
        async with super().start(settings) as application:
            yield application
        if not self._stops:
            raise RuntimeError("the queue is not empty")


async def measured(backend: Stubborn, clones: Clones, trouble: list[str]) -> CaseDocument:
    template = await clones.template(backend.name, backend.prepare)
    bench = Bench(backend=backend, clones=clones, template=template, trouble=trouble.append)
    return await bench.case("case", "How long?", headline(backend, tool_seconds=0.01), limits=FEW)


async def test_an_application_that_does_not_stop_loses_nothing(sessionproof_clones: Clones) -> None:
    """It is told, and what was measured by then stays."""
    trouble: list[str] = []

    case = await measured(Stubborn(stops=False), sessionproof_clones, trouble)

    assert [len(arm.samples) for arm in case.arms] == [5, 5]
    (told,) = trouble
    assert told.startswith(
        "case: after it was measured: backend 'minimal' did not stop: RuntimeError: the queue is not"
    )


async def test_an_arm_that_does_not_start_is_one_that_failed(sessionproof_clones: Clones) -> None:
    """The others are measured; without the reference there is nothing to measure."""
    trouble: list[str] = []

    case = await measured(Stubborn(starts=1), sessionproof_clones, trouble)

    reference, other = case.arms
    assert len(reference.samples) > 0
    assert other.failure is not None
    assert "did not start: RuntimeError: no licence for another one" in other.failure
    assert not other.unseen
    assert trouble == []
    with pytest.raises(BackendError, match="did not start: RuntimeError: no licence"):
        await measured(Stubborn(starts=0), sessionproof_clones, trouble)


async def test_arms_of_several_tiers_cannot_take_turns(measure_case: Measure) -> None:
    """While one's model is scripted, the others' requests are refused."""
    arms = {**headline(MinimalBackend()), **yardstick(tier=ModelTier.WIRE)}

    with pytest.raises(ValueError, match="case: arms that take turns must be of one model tier"):
        await measure_case(arms)
