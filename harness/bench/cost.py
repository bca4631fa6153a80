"""One cost of the harness's own: ways of doing a thing, measured by the method of the benchmarks, and described.

Problem: a harness that asks others for intervals and fair comparisons owes them itself; and what it is compared with is
not on every machine.

Mechanism: a `Cost` gives its ways when it is asked for them, each as an arm that `interleave` runs in turn with the
others. What cannot be measured here is named with the reason, and so is what fails.

Guarantee: `measure` gives a document in every case but a defect of the harness. A number is there only with enough
repetitions for its interval. Nothing of the ways is left when it has returned.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from harness.backend import Backend
from harness.bench.describe import estimate_document
from harness.bench.estimate import median_of, outliers_of
from harness.bench.interleave import Ended, Limits, Measurement, Progress, Sample, Series, interleave
from harness.errors import SessionproofError
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.bench_document import CostArmDocument, CostDocument

__all__ = ["Cost", "Ground", "Way", "Ways", "measure"]

Way = Callable[[], Awaitable[Sample]]
"""Does the thing once, and says how long that took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """On what is measured: a backend, its template on a running server, and the image of containers (or the usual)."""

    backend: Backend
    running: RunningServer
    clones: Clones
    template: str
    image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways that can be measured here by name, the reference first, and why others cannot."""

    ways: Mapping[str, Way]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What is to be measured: `ways` gives them within a block, after which nothing of them is left.

    Without a `reference` they take part without being compared.
    """

    name: str
    question: str
    reference: str | None
    limits: Limits
    ways: Callable[[], AbstractAsyncContextManager[Ways]]


async def measure(
    cost: Cost, *, progress: Progress | None = None, stop: Callable[[], bool] = lambda: False
) -> CostDocument:
    """Run the ways in turn until the limits say it is enough, or `stop` does, and describe what was seen.

    If there are none to be had, `missing` says why.
    """
    try:
        async with cost.ways() as found:
            if not found.ways:
                return _unmeasured(cost, found.missing)
            reference = cost.reference if cost.reference in found.ways else None
            measured = await interleave(
                found.ways, reference=reference, limits=cost.limits, progress=progress, stop=stop
            )
    except SessionproofError as error:
        return _unmeasured(cost, (f"{cost.name}: {error}",))
    return CostDocument(
        name=cost.name,
        question=cost.question,
        reference=reference,
        half_width=cost.limits.half_width,
        reached=measured.ended is Ended.INTERVAL,
        ended=measured.ended.value,
        elapsed=measured.elapsed,
        arms=tuple(_described(series, measured) for series in measured.series.values()),
        missing=found.missing,
    )


def _unmeasured(cost: Cost, missing: tuple[str, ...]) -> CostDocument:
    return CostDocument(
        name=cost.name,
        question=cost.question,
        reference=None,
        half_width=cost.limits.half_width,
        reached=False,
        ended=Ended.FAILURE.value,
        elapsed=0.0,
        arms=(),
        missing=missing,
    )


def _described(series: Series, measured: Measurement) -> CostArmDocument:
    return CostArmDocument(
        name=series.name,
        samples=tuple(series.seconds),
        outliers=outliers_of(series.seconds),
        seconds=estimate_document(lambda: median_of(series.seconds)),
        ratio=estimate_document(lambda: measured.ratio(series.name)),
        failure=series.failure,
    )
