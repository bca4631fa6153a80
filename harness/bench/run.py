"""One case, measured: its arms are started, run in turn, and described."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from statistics import fmean

from harness.backend import Backend
from harness.bench.arm import Arm, Setting
from harness.bench.estimate import Estimate, median_of, outliers_of
from harness.bench.interleave import Ended, Limits, Measurement, Progress, Series, interleave
from harness.bench.parts import Part
from harness.errors import MissingEvidence, UsageError
from harness.postgres.clones import Clones
from harness.report.bench_document import ArmDocument, CaseDocument, EstimateDocument

__all__ = ["measure"]


async def measure(
    name: str,
    question: str,
    settings: Mapping[str, Setting],
    *,
    backend: Backend,
    clones: Clones,
    template: str,
    limits: Limits,
    progress: Progress | None = None,
) -> CaseDocument:
    """Start an arm for each setting, the reference first, and run them in turn until the limits say that it is enough.

    Raises:
        UsageError: there are fewer than two settings, so that there is nothing to compare.
        BackendError: an arm cannot be started.
    """
    if len(settings) < 2:  # noqa: PLR2004  # two are compared
        raise UsageError(
            f"{name}: backend {backend.name!r} has {len(settings)} of the session modes that are compared, and a "
            f"comparison needs two; it has {', '.join(sorted(backend.modes))}"
        )
    reference = next(iter(settings))
    async with AsyncExitStack() as stack:
        arms = {
            each: await stack.enter_async_context(Arm.started(setting, backend, clones, template))
            for each, setting in settings.items()
        }
        measured = await interleave(arms, reference=reference, limits=limits, progress=progress)
    return CaseDocument(
        name=name,
        question=question,
        reference=reference,
        tool_seconds=_longest(settings[reference]),
        half_width=limits.half_width,
        reached=measured.ended is Ended.INTERVAL,
        ended=measured.ended.value,
        elapsed=measured.elapsed,
        arms=tuple(_described(settings[each], measured) for each in measured.series),
    )


def _described(setting: Setting, measured: Measurement) -> ArmDocument:
    series = measured.series[setting.name]
    median, ratio = _median(series), _ratio(series, measured)
    work = _longest(setting)
    overlaps = [sample.overlapped for sample in series.samples if sample.overlapped is not None]
    return ArmDocument(
        name=setting.name,
        session_mode=setting.mode,
        parallel=setting.parallel,
        pool_state=setting.pool_state,
        tier=setting.tier,
        turns=len(setting.messages),
        samples=tuple(series.seconds),
        outliers=outliers_of(series.seconds),
        seconds=_document(median),
        ratio=_document(ratio),
        stretch=_document(_times(median, 1 / work) if median is not None and work > 0 else None),
        efficiency=work / median.value if median is not None else None,
        parts={str(part): fmean(sample.parts[part] for sample in series.samples) for part in Part if series.samples},
        overlapped=sum(overlaps) if overlaps else None,
        failure=series.failure,
    )


def _longest(setting: Setting) -> float:
    """The longest planned tool of each round of a turn, in seconds; the longest turn's if they differ."""
    plans = [message.plan for message in setting.messages]
    return max(sum(max(step.database_seconds for step in steps) for steps in plan.rounds if steps) for plan in plans)


def _median(series: Series) -> Estimate | None:
    try:
        return median_of(series.seconds)
    except MissingEvidence:
        return None


def _ratio(series: Series, measured: Measurement) -> Estimate | None:
    try:
        return measured.ratio(series.name)
    except MissingEvidence:
        return None


def _times(estimate: Estimate, factor: float) -> Estimate:
    return replace(estimate, value=estimate.value * factor, low=estimate.low * factor, high=estimate.high * factor)


def _document(estimate: Estimate | None) -> EstimateDocument | None:
    if estimate is None:
        return None
    return EstimateDocument(
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        repetitions=estimate.repetitions,
        confidence=estimate.confidence,
        detectable=estimate.detectable,
    )
