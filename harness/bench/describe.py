"""Measurements as parts of the document: every sample, and what follows from them, each number with its interval."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from statistics import fmean

from harness.bench.arm import Setting
from harness.bench.concurrency import concurrency_of, lost_to
from harness.bench.estimate import Estimate, median_of, outliers_of
from harness.bench.interleave import Ended, Limits, Measurement, Sample
from harness.bench.parts import Part
from harness.errors import MissingEvidence
from harness.report.bench_document import (
    ArmDocument,
    CaseDocument,
    Concurrency,
    EstimateDocument,
    ShareDocument,
)

__all__ = ["describe_case", "estimate_document", "ratio_document"]

_MICROSECOND = 6
"""How many decimals of a second are kept of each repetition's parts, so that they take no more room than they tell."""


def describe_case(
    name: str, question: str, settings: Mapping[str, Setting], measured: Measurement, *, limits: Limits
) -> CaseDocument:
    """A case whose arms were these settings, the reference first."""
    reference = next(iter(settings.values()))
    return CaseDocument(
        name=name,
        question=question,
        reference=reference.name,
        tool_seconds=reference.longest_work,
        tools=reference.messages[0].plan.widest_round,
        half_width=limits.half_width,
        reached=measured.ended is Ended.INTERVAL,
        ended=measured.ended.value,
        elapsed=measured.elapsed,
        arms=tuple(_described(settings[each], measured) for each in measured.series),
        yardstick=next((each for each, setting in settings.items() if setting.yardstick), None),
    )


def estimate_document(estimate: Callable[[], Estimate]) -> EstimateDocument | None:
    """An estimate as the document has it; `None` if there are too few repetitions, or nothing to compare with."""
    known = _known(estimate)
    return None if known is None else EstimateDocument.model_validate(asdict(known))


def ratio_document(measured: Measurement, name: str) -> EstimateDocument | None:
    """An arm's ratio to the reference, as the document has it; that of the reference itself tells no change."""
    ratio = estimate_document(lambda: measured.ratio(name))
    if ratio is None or name != measured.reference:
        return ratio
    return ratio.model_copy(update={"detectable": None})


def _described(setting: Setting, measured: Measurement) -> ArmDocument:
    series = measured.series[setting.name]
    median = _known(lambda: median_of(series.seconds))
    work = setting.longest_work
    overlaps = [sample.overlapped for sample in series.samples if sample.overlapped is not None]
    together = setting.parallel and setting.widest > len(setting.messages)
    gains = [sample.gained for sample in series.samples if sample.gained is not None]
    gained = _known(lambda: median_of(gains)) if together else None
    concurrency = concurrency_of(gained) if together else None
    lost = None if concurrency in {None, Concurrency.SIDE_BY_SIDE} else lost_to([each.lost for each in series.samples])
    return ArmDocument(
        name=setting.name,
        session_mode=setting.mode,
        parallel=setting.parallel,
        pool_state=setting.pool_state,
        tier=setting.tier,
        turns=len(setting.messages),
        samples=tuple(series.seconds),
        outliers=outliers_of(series.seconds),
        seconds=estimate_document(lambda: median_of(series.seconds)),
        ratio=ratio_document(measured, series.name),
        stretch=estimate_document(lambda: _times(median_of(series.seconds), 1 / work)) if work > 0 else None,
        efficiency=_share(_inverse(median, work)) if work > 0 and median is not None else None,
        parts={str(part): fmean(sample.parts[part] for sample in series.samples) for part in Part if series.samples},
        part_samples=_part_samples(series.samples),
        fixed=tuple(sample.fixed for sample in series.samples),
        shares=_shares(series.samples),
        overlapped=sum(overlaps) if overlaps else None,
        overlap_known=len(overlaps),
        gained=_share(gained),
        concurrency=concurrency,
        lost_to=lost,
        promised=setting.promised,
        pool_size=setting.pool.size if setting.pool is not None else None,
        failure=series.failure,
        unseen=series.unseen,
    )


def _part_samples(samples: Sequence[Sample]) -> dict[str, tuple[float, ...]]:
    """By part, what each repetition spent on it; only parts that there are."""
    by_part = {
        str(part): tuple(round(sample.parts.get(part, 0.0), _MICROSECOND) for sample in samples) for part in Part
    }
    return {part: seconds for part, seconds in by_part.items() if any(seconds)}


def _shares(samples: Sequence[Sample]) -> dict[str, ShareDocument]:
    """By part, the median of what it is of each repetition's turn; empty if there are too few repetitions."""
    turns = [(sample.parts, whole) for sample in samples if (whole := sum(sample.parts.values())) > 0]
    by_part = {str(part): [parts.get(part, 0.0) / whole for parts, whole in turns] for part in Part}
    found = {part: _share(_known(partial(median_of, shares))) for part, shares in by_part.items()}
    return {part: share for part, share in found.items() if share is not None}


def _known(estimate: Callable[[], Estimate]) -> Estimate | None:
    try:
        return estimate()
    except MissingEvidence:
        return None


def _times(estimate: Estimate, factor: float) -> Estimate:
    return replace(estimate, value=estimate.value * factor, low=estimate.low * factor, high=estimate.high * factor)


def _inverse(estimate: Estimate, of: float) -> Estimate:
    """Which part (at most 1, whatever the clocks say) of the estimate something is."""
    value, low, high = (min(1.0, of / each) for each in (estimate.value, estimate.high, estimate.low))
    return replace(estimate, value=value, low=low, high=high)


def _share(estimate: Estimate | None) -> ShareDocument | None:
    if estimate is None:
        return None
    values = {name: value for name, value in asdict(estimate).items() if name in ShareDocument.model_fields}
    return ShareDocument.model_validate(values)
