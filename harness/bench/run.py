"""Cases, curves and pools, measured: their arms are started, run in turn, and described.

Guarantee: what was measured is described before anything is stopped, and each point of a curve is handed over as soon
as it is known, so that nothing is lost by what comes after it.
"""

import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace

from asyncpg import InterfaceError, PostgresError

from harness.backend import Backend
from harness.bench.arm import Arm, Setting
from harness.bench.curves import Curve, Point
from harness.bench.describe import describe_case
from harness.bench.interleave import Limits, Progress, Sample, interleave
from harness.bench.pools import Pools, describe_pools
from harness.bench.yardstick import NAME, Yardstick
from harness.errors import BackendError, UsageError
from harness.postgres.admin import connect
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.bench_document import CaseDocument, CurveDocument, PointDocument, PoolsDocument

__all__ = ["TIME_IS_UP", "Bench", "Told", "free_connections", "no_room"]

TIME_IS_UP = "the time that the whole run may take was up before it began; leave sections out, by --only"
"""Why something is not measured that comes late."""

Told = Callable[[str, Limits], Progress]
"""Gives what is told of the measurement of a name, with its limits."""


def _never() -> bool:
    return False


def _unheard(trouble: str) -> None:
    """Somebody who only wants what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What is measured: a backend, on clones of a template of its own.

    `stop` is asked between two runs of an arm whether to end; what was measured by then is described. A turn, and the
    start and the stop of an application, may take `timeout` seconds. `trouble` is told what went wrong after a
    measurement, which is kept.
    """

    backend: Backend
    clones: Clones
    template: str
    stop: Callable[[], bool] = _never
    timeout: float = 60.0
    trouble: Callable[[str], object] = _unheard

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

        An arm that does not start is one that failed. If one does not stop, `trouble` is told.

        Raises:
            UsageError: there is no setting: the backend has no mode that is measured.
            BackendError: the reference cannot be started.
            ValueError: the settings are of several model tiers, whose guards would refuse each other's requests.
        """
        if len(tiers := {setting.tier for setting in settings.values()}) > 1:
            raise ValueError(f"{name}: arms that take turns must be of one model tier, not of {sorted(tiers)}")
        if not settings:
            raise UsageError(
                f"{name}: backend {self.backend.name!r} has none of the session modes that are measured; it has "
                f"{', '.join(sorted(self.backend.modes)) or 'no mode at all'}"
            )
        reference = next(iter(settings))
        described: CaseDocument | None = None
        try:
            async with AsyncExitStack() as stack:
                arms: dict[str, Callable[[], Awaitable[Sample]]] = {}
                for each, setting in settings.items():
                    try:
                        arms[each] = await self._start(setting, stack)
                    except BackendError as error:
                        if each == reference:
                            raise
                        arms[each] = _failing(error)
                with _settled():
                    measured = await interleave(
                        arms, reference=reference, limits=limits, progress=progress, stop=self.stop
                    )
                described = describe_case(name, question, settings, measured, limits=limits)
        except Exception as error:
            if described is None:
                raise
            self.trouble(f"{name}: after it was measured: {error}")
        return described

    async def _start(self, setting: Setting, stack: AsyncExitStack) -> Arm:
        backend, template = self.backend, self.template
        try:
            if setting.yardstick:
                backend = Yardstick()
                template = await self.clones.template(NAME, backend.prepare)
            patient = replace(setting, timeout=self.timeout)
            return await stack.enter_async_context(Arm.started(patient, backend, self.clones, template))
        except (OSError, PostgresError, InterfaceError) as error:
            raise BackendError(
                f"{setting.name}: there is no database for it: {type(error).__name__}: {error}"
            ) from error

    async def curve(
        self,
        curve: Curve,
        *,
        limits: Callable[[Point], Limits],
        room: int,
        told: Told,
        keep: Callable[[CurveDocument], None],
    ) -> None:
        """Measure each point whose arms start, and for which the server has `room`; others are skipped with the reason.

        `limits` is asked for those of each point; they are of 0 seconds when the time is up. `keep` is given the curve
        as far as it is known, after each point.
        """
        points, skipped = [], []
        for point in curve.points:
            if self.stop():
                return
            place, within = point.place(curve.axis), limits(point)
            if point.connections > room:
                skipped.append(f"{place}: {no_room(point.connections, room)}")
            elif within.seconds <= 0:
                skipped.append(f"{place}: {TIME_IS_UP}")
            else:
                try:
                    points.append(await self._point(curve, point, limits=within, told=told))
                except BackendError as error:
                    skipped.append(f"{place}: {error}")
            keep(
                CurveDocument(
                    name=curve.name,
                    question=curve.question,
                    axis=curve.axis,
                    points=tuple(points),
                    skipped=tuple(skipped),
                )
            )

    async def _point(self, curve: Curve, point: Point, *, limits: Limits, told: Told) -> PointDocument:
        name = f"{curve.name}, {point.place(curve.axis)}"
        case = await self.case(name, curve.question, point.settings, limits=limits, progress=told(name, limits))
        return PointDocument(x=point.x, label=point.label, case=case)

    async def pools(self, compared: Pools, *, limits: Limits, told: Told) -> PoolsDocument:
        """Measure pools of several sizes against the largest.

        Raises:
            UsageError, BackendError: as for a case.
        """
        case = await self.case(
            compared.name,
            compared.question,
            compared.settings,
            limits=limits,
            progress=told(compared.name, limits),
        )
        return describe_pools(compared, case)


@contextmanager
def _settled() -> Iterator[None]:
    """Leave what is there by now out of each collection of garbage, so that those before the runs of arms are short."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _failing(error: BackendError) -> Callable[[], Awaitable[Sample]]:
    """An arm that could not be started."""

    async def fail() -> Sample:
        raise BackendError(str(error)) from error

    return fail


def no_room(wanted: int, room: int) -> str:
    """Why something for which the server has too few connections is not measured."""
    return (
        f"all arms together want {wanted} connections, and the server has {room} left; give it a higher max_connections"
    )


async def free_connections(running: RunningServer) -> int:
    """How many more connections the server lets an ordinary user open."""
    async with connect(running.address, running.maintenance_database) as connection:
        return int(await connection.fetchval(_FREE))


_FREE = """
SELECT current_setting('max_connections')::int
     - current_setting('superuser_reserved_connections')::int
     - coalesce(current_setting('reserved_connections', true)::int, 0) -- since PostgreSQL 16
     - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
"""
