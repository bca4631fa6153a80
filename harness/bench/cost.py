"""One cost of the harness's own: ways of doing a thing, measured by the method of the benchmarks, and described.

Problem: a harness that asks others for intervals and fair comparisons owes them itself; and what it is compared with is
not on every machine.

Mechanism: a `Cost` gives its ways when it is asked for them, each as an arm that `interleave` runs in turn with the
others. What cannot be measured here is named with the reason, and so is what fails.

Guarantee: `measure` gives a document in every case but a defect of the harness: a server that goes away, or refuses
what it is asked for, is none, nor is anything that a rival raises. What was measured is kept, whatever happens then. A
number is there only with enough repetitions for its interval. Nothing of the ways is left when it has returned, or
`missing` says what could not be taken away.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import asyncpg

from harness.backend import Backend
from harness.bench.describe import estimate_document, ratio_document
from harness.bench.estimate import median_of, outliers_of
from harness.bench.interleave import Ended, Limits, Measurement, Progress, Sample, Series, interleave
from harness.errors import MissingEvidence, SessionproofError
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.bench_document import CostArmDocument, CostDocument
from harness.report.redact import masker

__all__ = ["SERVER_ERRORS", "Cost", "Ground", "Way", "Ways", "measure", "reason_of", "told"]

SERVER_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a server that cannot be reached, or does not do what it is asked for, makes of the harness's own statements."""

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
    document: CostDocument | None = None
    try:
        async with cost.ways() as found:
            document = await _measured(cost, found, progress=progress, stop=stop)
    except (SessionproofError, *SERVER_ERRORS) as error:
        reason = f"{cost.name}: {reason_of(error)}"
        if document is None:
            return _unmeasured(cost, (reason,))
        return document.model_copy(update={"missing": (*document.missing, reason)})
    return document


def told(way: Way, *errors: type[Exception]) -> Way:
    """The same, of which such errors are the arm's: they end nothing but it."""

    async def once() -> Sample:
        try:
            return await way()
        except SessionproofError:
            raise
        except errors as error:
            raise MissingEvidence(reason_of(error)) from error

    return once


def reason_of(error: BaseException) -> str:
    """What it says, without secrets; of who gave up after some attempts, what the last of them said."""
    if isinstance(error, SessionproofError):
        return str(error)
    said = error.__cause__ if isinstance(error, TimeoutError) and error.__cause__ is not None else error
    return masker()("\n".join((f"{type(said).__name__}: {said}", *getattr(error, "__notes__", ()))))


async def _measured(cost: Cost, found: Ways, *, progress: Progress | None, stop: Callable[[], bool]) -> CostDocument:
    if not found.ways:
        return _unmeasured(cost, found.missing)
    reference = cost.reference if cost.reference in found.ways else None
    ways = {name: told(way, *SERVER_ERRORS) for name, way in found.ways.items()}
    measured = await interleave(ways, reference=reference, limits=cost.limits, progress=progress, stop=stop)
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
        ratio=ratio_document(measured, series.name),
        failure=series.failure,
    )
