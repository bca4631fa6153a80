"""The measuring of `sessionproof bench`: a server, and section after section, kept as far as they are known.

Everything runs in this process, because a worker of pytest's would measure its own noise too. The document is written
after each case and each point of a curve. An interruption ends the measurement after the run of an arm that is going
on: what was measured by then is described like everything else. A second one ends it at once.
"""

import secrets
import warnings
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from time import perf_counter

from asyncpg import InterfaceError, PostgresError
from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from harness.backend import Backend
from harness.bench.arm import Setting
from harness.bench.budget import Budget
from harness.bench.costs import Cost, Ground, costs, measure
from harness.bench.curves import Point, curves
from harness.bench.headline import FULL_SECONDS, QUICK_SECONDS, headline, yardstick
from harness.bench.interleave import Limits, Progress
from harness.bench.messages import Latency
from harness.bench.pools import pools
from harness.bench.run import TIME_IS_UP, Bench, Told, free_connections, no_room
from harness.command.interruption import Interruption
from harness.config import Config
from harness.errors import BackendError, EnvironmentMissing, UsageError
from harness.gaps import first_gap
from harness.postgres.choose import choose
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.bench_document import HEADLINE, BenchDocument, CaseDocument, CurveDocument, PoolsDocument
from harness.report.document import PostgresDocument
from harness.report.environment import describe_environment, describe_machine
from harness.report.redact import masker
from harness.scenario import SessionMode
from harness.startup import in_time

__all__ = ["FULL", "LATENCY", "POINT", "QUICK", "Measuring", "Section"]

QUICK = Limits(half_width=0.05, least=10, most=60, seconds=60.0)
FULL = Limits(half_width=0.01, least=8, most=12, seconds=300.0)
POINT = Limits(half_width=0.1, least=5, most=8, seconds=20.0)
"""For one point of a curve, and for pools: their shape is what they are there for."""

LATENCY = Limits(half_width=0.1, least=6, most=8, seconds=20.0)
FULL_LATENCY = Limits(half_width=0.02, least=5, most=7, seconds=180.0)
LONGER = 1.5
"""How many times as long a point may take in full."""
QUICK_RUN = 360.0
"""How many seconds all sections but the costs may take; those come on top in quick form."""
FULL_RUN = 1800.0
"""How many seconds all sections may take in full."""
STARTING = 0.9
"""Which part of that is for measuring: applications, databases and the server want to be started, too."""

_QUESTIONS = {
    Latency.PROVIDER: "What do two tools gain by running together that wait {:g} s for a model of their own?",
    Latency.BOTH: "What do two tools of {:g} s gain, of which one works in the database and one waits for a model?",
}


class Section(StrEnum):
    """What can be measured by itself."""

    HEADLINE = "headline"
    """Two tools that work in the database, in every session mode."""
    LATENCY = "latency"
    """The same with tools that wait for a provider."""
    POOLS = "pools"
    CURVES = "curves"
    COSTS = "costs"
    """The harness's own."""


@dataclass(slots=True, kw_only=True)
class Measuring:
    """One run of the command: `write` is given the document whenever there is more of it.

    `document` is what is known by now. `incomplete` is true if something that was asked for is not known, and not
    because the backend, or this machine, does not have what it takes.
    """

    config: Config
    backend: Backend
    sections: frozenset[Section]
    command: str
    errors: Console
    write: Callable[[BenchDocument], object]
    interruption: Interruption = field(default_factory=Interruption)
    begun: float = field(default_factory=perf_counter)
    document: BenchDocument | None = None
    incomplete: bool = False
    _budget: Budget = field(init=False)

    def __post_init__(self) -> None:
        self._budget = Budget(seconds=STARTING * (FULL_RUN if self.config.full_length else QUICK_RUN))

    async def run(self) -> None:
        """Measure the sections one after the other.

        Raises:
            EnvironmentMissing: no server can be started.
            BackendError: the backend cannot prepare its database, or does not start for the headline.
            UsageError: the backend has none of the session modes that are measured.
            asyncio.CancelledError: it was interrupted twice.
        """
        try:
            with self.interruption.listening(), self._warned():
                server = choose(self.config.postgres, image=self.config.image)
                running = await server.start()
                try:
                    await self._on(running)
                finally:
                    await server.stop()
            self._know(finished=not self.interruption)
        finally:
            if self.document is not None:
                self._know(interrupted=bool(self.interruption))

    @contextmanager
    def _warned(self) -> Iterator[None]:
        """Keep warnings, those of the measured application above all, for the report: each text once."""
        with warnings.catch_warnings(record=True) as caught:
            try:
                yield
            finally:
                texts = dict.fromkeys(f"{each.category.__name__}: {each.message}" for each in caught)
                if self.document is not None and texts:
                    self._know(warnings=tuple(map(masker(), texts)))

    async def _on(self, running: RunningServer) -> None:
        self.document = BenchDocument(
            started_at=datetime.now(UTC),
            seconds=0.0,
            command=self.command,
            machine=describe_machine(),
            environment=describe_environment(postgres=_postgres(running), backend=self.config.backend),
            cases=(),
            finished=False,
        )
        self._know()
        clones = Clones(running, secrets.token_hex(4))
        try:
            await self._measure(running, clones)
        finally:
            await clones.drop_all()

    async def _measure(self, running: RunningServer, clones: Clones) -> None:
        prepared = clones.template(self.backend.name, self.backend.prepare)
        failure = f"backend {self.backend.name!r} did not prepare its database"
        template = await in_time(prepared, failure, self.config.turn_timeout)
        bench = Bench(
            backend=self.backend,
            clones=clones,
            template=template,
            stop=lambda: bool(self.interruption),
            timeout=self.config.turn_timeout,
            trouble=self._lose,
        )
        measured = costs(self._ground(bench, running), full=self.config.full_length)
        sections: Mapping[Section, Callable[[Bench, int, Told], Awaitable[None]]] = {
            Section.HEADLINE: self._headline,
            Section.LATENCY: self._latencies,
            Section.POOLS: self._pools,
            Section.CURVES: self._curves,
            Section.COSTS: partial(self._costs, measured),
        }
        self._note_modes()
        self._budget.announce(self._announced(measured))
        with _progress(self.errors) as told:
            for section, run in sections.items():
                if section in self.sections and not self.interruption:
                    await run(bench, await self._room(running), told)

    async def _room(self, running: RunningServer) -> int:
        try:
            return await free_connections(running)
        except (OSError, PostgresError, InterfaceError) as error:
            raise EnvironmentMissing(
                f"the server could not be asked how many connections it has left: {type(error).__name__}: {error}"
            ) from error

    def _note_modes(self) -> None:
        if lacking := [mode.value for mode in SessionMode if mode not in self.backend.modes]:
            self._keep(
                missing=f"session modes: backend {self.backend.name!r} has no {', '.join(lacking)}, so that there is "
                "nothing to compare in them"
            )

    def _ground(self, bench: Bench, running: RunningServer) -> Ground:
        return Ground(
            backend=self.backend,
            running=running,
            clones=bench.clones,
            template=bench.template,
            image=self.config.image,
        )

    def _announced(self, measured: Iterable[Cost]) -> Iterator[Limits]:
        """The limits of everything that there is to measure, and that has its time from the budget."""
        full = self.config.full_length
        if Section.HEADLINE in self.sections:
            yield self._judged
        if Section.LATENCY in self.sections:
            yield from [self._latency] * len(_QUESTIONS)
        if Section.POOLS in self.sections:
            yield from (self._point for _ in pools(self.backend, full=full))
        if Section.CURVES in self.sections:
            yield from (self._longer(point) for curve in curves(self.backend, full=full) for point in curve.points)
        if Section.COSTS in self.sections and full:
            yield from (cost.limits for cost in measured)

    async def _headline(self, bench: Bench, room: int, told: Told) -> None:
        seconds, limits = self._tool_seconds, self._budget.share(self._judged)
        arms = self._beside_the_yardstick(headline(self.backend, tool_seconds=seconds))
        if self._prevented(HEADLINE, arms, room, limits):
            self.incomplete = True  # whatever prevents it: by this the run is judged
            return
        question = f"What do two tools of {seconds:g} s gain by running together, and what does each repair cost?"
        try:
            case = await bench.case(HEADLINE, question, arms, limits=limits, progress=told(HEADLINE, limits))
        except (BackendError, UsageError) as error:
            self._lose(f"{HEADLINE}: {error}")
            raise
        self._keep(case=case)

    async def _latencies(self, bench: Bench, room: int, told: Told) -> None:
        seconds = self._tool_seconds
        for latency, question in _QUESTIONS.items():
            arms = self._beside_the_yardstick(headline(self.backend, tool_seconds=seconds, latency=latency))
            name, limits = f"latency_{latency.value}", self._budget.share(self._latency)
            if self.interruption:
                return
            if self._prevented(name, arms, room, limits):
                continue
            try:
                case = await bench.case(
                    name, question.format(seconds), arms, limits=limits, progress=told(name, limits)
                )
            except BackendError as error:
                self._lose(f"{name}: {error}")
            else:
                self._keep(case=case)

    def _prevented(self, name: str, arms: Mapping[str, Setting], room: int, limits: Limits) -> bool:
        """Whether something cannot be measured; then the reason is kept."""
        if gap := self._gap(arms):
            self._keep(missing=f"{name}: {gap}")
        elif full := _no_room(arms, room):
            self._lose(f"{name}: {full}")
        elif limits.seconds <= 0:
            self._lose(f"{name}: {TIME_IS_UP}")
        else:
            return False
        return True

    def _beside_the_yardstick(self, arms: Mapping[str, Setting]) -> Mapping[str, Setting]:
        tiers = {setting.tier for setting in arms.values()}
        return {**arms, **yardstick(tool_seconds=self._tool_seconds, tier=tiers.pop())} if arms else arms

    def _gap(self, arms: Mapping[str, Setting]) -> str | None:
        """What the backend lacks for these arms; `None` if nothing."""
        gaps = (first_gap(setting.cell, self.backend) for setting in arms.values() if not setting.yardstick)
        return next(filter(None, gaps), None)

    async def _pools(self, bench: Bench, room: int, told: Told) -> None:
        for compared in pools(self.backend, full=self.config.full_length):
            limits = self._budget.share(self._point)
            if self.interruption:
                return
            if self._prevented(compared.name, compared.settings, room, limits):
                continue
            try:
                measured = await bench.pools(compared, limits=limits, told=told)
            except BackendError as error:
                self._lose(f"{compared.name}: {error}")
            else:
                self._keep(pools=measured)

    async def _curves(self, bench: Bench, room: int, told: Told) -> None:
        for curve in curves(self.backend, full=self.config.full_length):
            if self.interruption:
                return
            if gap := next(filter(None, (self._gap(point.settings) for point in curve.points)), None):
                self._keep(missing=f"{curve.name}: {gap}")
                for point in curve.points:
                    self._budget.give_up(self._longer(point))
                continue
            before = self._known.curves

            def keep(document: CurveDocument, before: tuple[CurveDocument, ...] = before) -> None:
                self._know(curves=(*before, document))
                self.incomplete |= bool(document.skipped)

            await bench.curve(curve, limits=self._share_of, room=room, told=told, keep=keep)

    def _share_of(self, point: Point) -> Limits:
        return self._budget.share(self._longer(point))

    @property
    def _tool_seconds(self) -> float:
        return FULL_SECONDS if self.config.full_length else QUICK_SECONDS

    @property
    def _judged(self) -> Limits:
        return FULL if self.config.full_length else QUICK

    @property
    def _latency(self) -> Limits:
        return FULL_LATENCY if self.config.full_length else LATENCY

    @property
    def _point(self) -> Limits:
        return replace(POINT, seconds=POINT.seconds * LONGER) if self.config.full_length else POINT

    def _longer(self, point: Point) -> Limits:
        return replace(self._point, seconds=self._point.seconds * point.longer)

    async def _costs(self, measured: Sequence[Cost], bench: Bench, room: int, told: Told) -> None:  # noqa: ARG002  # as above
        for cost in measured:
            limits = self._budget.share(cost.limits) if self.config.full_length else cost.limits
            if self.interruption:
                return
            if limits.seconds <= 0:
                self._lose(f"{cost.name}: {TIME_IS_UP}")
                continue
            document = await measure(replace(cost, limits=limits), progress=told(cost.name, limits), stop=bench.stop)
            self._know(costs=(*self._known.costs, document))

    def _lose(self, reason: str) -> None:
        self.incomplete = True
        self._keep(missing=reason)

    @property
    def _known(self) -> BenchDocument:
        if self.document is None:
            raise AssertionError("nothing is measured before there is a server")
        return self.document

    def _keep(
        self, *, case: CaseDocument | None = None, pools: PoolsDocument | None = None, missing: str | None = None
    ) -> None:
        known = self._known
        self._know(
            cases=(*known.cases, case) if case is not None else known.cases,
            pools=(*known.pools, pools) if pools is not None else known.pools,
            missing=(*known.missing, missing) if missing is not None else known.missing,
        )

    def _know(self, **more: object) -> None:
        self.document = self._known.model_copy(update={**more, "seconds": perf_counter() - self.begun})
        self.write(self.document)


@contextmanager
def _progress(console: Console) -> Iterator[Told]:
    """What is being measured; on a terminal also how often, and how wide the widest interval is."""
    columns = (SpinnerColumn("line"), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("starting", total=None)

        def told(name: str, limits: Limits) -> Progress:
            if not console.is_terminal:
                console.print(Text(f"measuring {name}"), soft_wrap=True)
            bar.update(task, description=f"{name}: warming up")

            def show(repetitions: int, half_width: float | None) -> None:
                width = "" if half_width is None else f", ±{half_width:.1%} of ±{limits.half_width:.1%}"
                bar.update(task, description=f"{name}: {repetitions} repetitions{width}")

            return show

        yield told


def _no_room(arms: Mapping[str, Setting], room: int) -> str | None:
    wanted = sum(setting.connections for setting in arms.values())
    return no_room(wanted, room) if wanted > room else None


def _postgres(running: RunningServer) -> PostgresDocument:
    return PostgresDocument(kind=running.kind, version=running.version, reason=running.reason)
