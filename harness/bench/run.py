"""Cases and curves, measured: their arms are started, run in turn, and described."""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from statistics import fmean

from harness.backend import Backend
from harness.bench.arm import Arm, Setting
from harness.bench.curves import Curve
from harness.bench.estimate import Estimate, median_of, outliers_of
from harness.bench.interleave import Ended, Limits, Measurement, Progress, Series, interleave
from harness.bench.parts import Part
from harness.errors import BackendError, MissingEvidence, UsageError
from harness.postgres.admin import connect
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.bench_document import (
    ArmDocument,
    CaseDocument,
    CurveDocument,
    EstimateDocument,
    PointDocument,
)

__all__ = ["Bench", "free_connections"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What is measured: a backend, on clones of a template of its own."""

    backend: Backend
    clones: Clones
    template: str

    async def case(
        self,
        name: str,
        question: str,
        settings: Mapping[str, Setting],
        *,
        limits: Limits,
        progress: Progress | None = None,
    ) -> CaseDocument:
        """Start an arm for each setting, the reference first, and run them in turn until the limits say it is enough.

        Raises:
            UsageError: there is no setting: the backend has no mode that is measured.
            BackendError: an arm cannot be started.
        """
        if not settings:
            raise UsageError(
                f"{name}: backend {self.backend.name!r} has none of the session modes that are measured; it has "
                f"{', '.join(sorted(self.backend.modes)) or 'no mode at all'}"
            )
        reference = next(iter(settings))
        async with AsyncExitStack() as stack:
            arms = {
                each: await stack.enter_async_context(Arm.started(setting, self.backend, self.clones, self.template))
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

    async def curve(
        self, curve: Curve, *, limits: Limits, room: int, progress: Callable[[str, Limits], Progress]
    ) -> CurveDocument:
        """Measure each point whose arms start, and for which the server has `room`; others are skipped with the reason.

        `progress` gives what is told of the case of that name.
        """
        points, skipped = [], []
        for point in curve.points:
            place = f"{point.x} {curve.axis}"
            if point.connections > room:
                skipped.append(
                    f"{place}: all arms together want {point.connections} connections, and the server has {room} left; "
                    "give it a higher max_connections"
                )
                continue
            name = f"{curve.name}, {place}"
            try:
                case = await self.case(
                    name, curve.question, point.settings, limits=limits, progress=progress(name, limits)
                )
            except BackendError as error:
                skipped.append(f"{place}: {error}")
            else:
                points.append(PointDocument(x=point.x, case=case))
        return CurveDocument(
            name=curve.name,
            question=curve.question,
            axis=curve.axis,
            points=tuple(points),
            skipped=tuple(skipped),
        )


async def free_connections(running: RunningServer) -> int:
    """How many more connections the server lets an ordinary user open."""
    async with connect(running.address, running.maintenance_database) as connection:
        return int(await connection.fetchval(_FREE))


_FREE = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - count(*)
FROM pg_stat_activity WHERE backend_type = 'client backend'
"""


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
        overlap_known=len(overlaps),
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
