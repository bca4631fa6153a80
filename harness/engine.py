"""Runs one cell of the matrix: a scenario in a session mode, a pool state and a model tier.

Data flows one way: the scenario becomes messages and model scripts, the backend answers them on a database and an
engine of its own, recorders watch, and what they saw becomes evidence, which the checks turn into verdicts. pytest is
the runner around it (`harness.pytest_run`), and its test reports are the stream of events.

Guaranteed: every cell has a fresh clone of the database, a fresh engine and a fresh application, because one racy turn
poisons a pool for all that come after it; the tools of a parallel round meet at a barrier before their first database
operation, so that a race that is possible happens; and a turn ends in the time allowed, if only by being cancelled.
"""

import gc
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter

from sqlalchemy.ext.asyncio import AsyncEngine

from harness.backend import Backend, BackendSettings, Capability, PoolSettings
from harness.cell_command import cell_command
from harness.cell_watch import CellWatch
from harness.checks import choices_of, damage_of, default_checks, fault_checks, run_checks
from harness.chosen_calls import ChosenCalls
from harness.config import Config
from harness.conversation import Conversation
from harness.disruption import Disruption, planned_faults
from harness.errors import BackendError, EnvironmentMissing, MissingEvidence, SessionproofError
from harness.evidence import Evidence, LedgerGrain, Record
from harness.explorer.gate import Gate
from harness.explorer.pool_state import bring_into, renew
from harness.explorer.tool_refusals import ToolRefusals
from harness.fault import DatabaseFaultKind
from harness.fault_scenario import for_any_backend
from harness.gaps import first_gap
from harness.observe.attribution import attributed
from harness.observe.idle import idle_transactions
from harness.observe.ledger import read_ledger
from harness.observe.observation import Observation
from harness.postgres.clones import Clones, Database
from harness.postgres.embedded import EmbeddedServer
from harness.postgres.server import RunningServer
from harness.providers.choosing import ChoosingModel
from harness.providers.guard import Refusals, only_local_models
from harness.providers.provider import Provider
from harness.real_models import missing_for, provider_for, replay_of
from harness.report.document import CellDocument, NotVerifiedDocument
from harness.sanitizer.unseen import unseen
from harness.scenario import (
    Cell,
    Message,
    ModelTier,
    PoolState,
    Scenario,
    SessionMode,
    TokenUsage,
    ToolPlan,
    ToolRole,
    ToolStep,
    cells_of,
)
from harness.startup import in_time, started
from harness.verdict import CheckResult, ModelChoices, judge

__all__ = ["Engine", "NotVerified", "repeats"]

FULL_LENGTH = 10.0
"""By how much the full-length option multiplies every latency: 0.24 s become 2.4 s."""

PAIRED_MODES = frozenset({SessionMode.SHARED, SessionMode.PER_OPERATION, SessionMode.DURABLE, SessionMode.DEFERRED})
"""The modes in which parallel and sequential turns are compared: where the tools are free to overlap."""

BARRIER_MODES = PAIRED_MODES
"""The modes in which tools can all arrive at their first database operation before any goes on."""

CHOSEN_WIDTH = 4
"""For how many tools at once a warm pool has connections where the model decides how many it calls."""

WARM_UP = Scenario(
    name="warm_up",
    question="Is everything that the first turn of a process loads loaded?",
    messages=(
        Message(
            plan=ToolPlan(
                rounds=((ToolStep(role=ToolRole.READ),),),
                usages=(TokenUsage(prompt_tokens=1, completion_tokens=1),) * 2,
            )
        ),
    ),
)


WITHOUT_TOOLS = replace(
    WARM_UP, messages=(Message(plan=ToolPlan(rounds=(), usages=(TokenUsage(prompt_tokens=1, completion_tokens=1),))),)
)
"""The same for a backend none of whose tools reads."""


@dataclass(frozen=True, slots=True)
class NotVerified:
    """A cell that this backend cannot run, and why."""

    cell: Cell
    document: NotVerifiedDocument


@dataclass(slots=True)
class Engine:
    """Plans and runs the cells of one process against one backend.

    `purse` is where all processes of a run count what its model requests cost. `provider_of` makes the provider of a
    cell in place of what its tier and the configuration say. `before_turns` is called whenever turns are about to be
    sent, which is how somebody outside of the event loop knows that it goes on.
    """

    backend: Backend
    config: Config
    purse: Path | None = None
    provider_of: Callable[[Cell], Provider] | None = None
    before_turns: Callable[[], None] | None = None
    _warmed_up: set[ModelTier] = field(default_factory=set)
    _unprepared: dict[bool, BackendError] = field(default_factory=dict)

    def plan(self, scenario: Scenario) -> list[tuple[str, Cell | NotVerified]]:
        """Every cell of a scenario by its name, or the reason why this backend cannot run it."""
        scaled = scenario.scaled(FULL_LENGTH) if self.config.full_length else scenario
        return [(cell.id, self._plan(cell)) for cell in cells_of(scaled)]

    async def verify(self, cell: Cell, *, clones: Clones, running: RunningServer) -> CellDocument:
        """Run a cell on a clone of its own, and judge what was seen.

        A backend that does not start or stop makes the cell `unknown`, with the reason; it is not raised. So does a
        server that a scenario wants for itself and that cannot be had.
        """
        if getattr(self.backend, "is_reference", False) is not True:
            cell = replace(cell, scenario=for_any_backend(cell.scenario))
        started = perf_counter()
        try:
            template = await self._prepare(cell.tier, clones)
        except BackendError as error:
            return self._undecided(cell, error, seconds=perf_counter() - started)
        await self._warm_up(cell, template, clones, running)
        if _restarts(cell):
            return await self._verify_on_own_server(cell)
        return await self._verify(cell, template, clones, running)

    async def _verify(
        self,
        cell: Cell,
        template: str,
        clones: Clones,
        running: RunningServer,
        restart: Callable[[], Awaitable[None]] | None = None,
    ) -> CellDocument:
        started = perf_counter()
        async with clones.clone(template, label=f"{cell.scenario.name}_{cell.id}") as database:
            clone_seconds = perf_counter() - started
            evidence, results = await self._observe(cell, database, running, restart)
        if cell.scenario.fault:
            gc.collect()  # what broken connections leave behind complains when it goes: here, and not in the next cell
        return CellDocument.of(
            cell,
            evidence,
            results,
            judge(results, cell.expectation),
            reproduce=cell_command(cell, self.config),
            seconds=perf_counter() - started,
            clone_seconds=clone_seconds,
            damage=damage_of(evidence, results) if cell.scenario.fault else None,
            choices=_choices(cell, evidence, results),
        )

    async def _verify_on_own_server(self, cell: Cell) -> CellDocument:
        """Run a cell that stops its server on one that nobody else uses."""
        started = perf_counter()
        server = EmbeddedServer(reason="the scenario stops and starts its server")
        try:
            running = await server.start()
            clones = Clones(running, secrets.token_hex(4))
            return await self._verify(cell, await self._prepare(cell.tier, clones), clones, running, server.restart)
        except (EnvironmentMissing, BackendError) as error:
            return self._undecided(cell, error, seconds=perf_counter() - started)
        finally:
            await server.stop()

    def gaps(self, cell: Cell) -> tuple[NotVerifiedDocument, ...]:
        """What is not verified of a cell that can be run: without a ledger, nothing is said about billing."""
        if Capability.LEDGER in self.backend.capabilities:
            return ()
        reason = f"backend {self.backend.name!r} has no ledger: whether its turns are billed is not looked at"
        return (NotVerifiedDocument(scenario=cell.scenario.name, reason=reason),)

    async def _prepare(self, tier: ModelTier, clones: Clones) -> str:
        """The template's name; a backend that could not prepare one is not asked again.

        But for the tier `live`, where it may be refused less than in the others.
        """
        is_live = tier is ModelTier.LIVE
        if (unprepared := self._unprepared.get(is_live)) is not None:
            raise unprepared
        failure = f"backend {self.backend.name!r} did not prepare its database"

        async def prepare(url: str) -> None:
            with only_local_models(tier) as refusals:
                try:
                    await in_time(self.backend.prepare(url), failure, self.config.turn_timeout)
                except BackendError as error:
                    if not refusals.messages:
                        raise
                    raise _refused(failure, refusals) from error
            if refusals.messages:  # it went on without what it was refused
                raise _refused(failure, refusals)

        try:
            return await clones.template(self.backend.name, prepare)
        except BackendError as error:
            self._unprepared[is_live] = error
            raise

    def _undecided(self, cell: Cell, error: SessionproofError, *, seconds: float) -> CellDocument:
        culprit = "backend" if isinstance(error, BackendError) else "server"
        results = (CheckResult.unknown(culprit, str(error)),)
        judgement = judge(results, cell.expectation)
        reproduce = cell_command(cell, self.config)
        return CellDocument.of(
            cell, Evidence(), results, judgement, reproduce=reproduce, seconds=seconds, clone_seconds=0.0
        )

    def _provider(self, cell: Cell) -> Provider:
        if self.provider_of is not None:
            return self.provider_of(cell)
        return provider_for(cell, self.config, purse=self.purse)

    def _is_asked_for(self, cell: Cell) -> bool:
        return self.config.admits(
            scenario=cell.scenario.name, mode=cell.mode, pool_state=cell.pool_state, tier=cell.tier
        )

    def _plan(self, cell: Cell) -> Cell | NotVerified:
        lacking = first_gap(cell, self.backend)
        if not lacking and self._is_asked_for(cell):  # what is not, need not be looked for
            lacking = missing_for(cell, self.config)
        if not lacking:
            return cell
        return NotVerified(
            cell, NotVerifiedDocument(scenario=cell.scenario.name, session_mode=cell.mode, reason=lacking)
        )

    async def _warm_up(self, cell: Cell, template: str, clones: Clones, running: RunningServer) -> None:
        """Send one turn that nobody looks at, so that imports and caches of the first one are not measured."""
        if cell.tier in self._warmed_up:
            return
        self._warmed_up.add(cell.tier)
        tier = ModelTier.SCRIPTED if cell.tier.chooses else cell.tier  # a model that decides by itself has no script
        reads = ToolRole.READ in self.backend.tenants[0].tools
        first = Cell(scenario=WARM_UP if reads else WITHOUT_TOOLS, mode=cell.mode, pool_state=PoolState.WARM, tier=tier)
        async with clones.clone(template, label=f"warm_up_{cell.tier}") as database:
            await self._observe(first, database, running)

    async def _observe(
        self,
        cell: Cell,
        database: Database,
        running: RunningServer,
        restart: Callable[[], Awaitable[None]] | None = None,
    ) -> tuple[Evidence, tuple[CheckResult, ...]]:
        ledger_table = getattr(self.backend, "ledger_table", None)
        disruption = Disruption(
            cell.scenario.database_faults,
            database=database,
            running=running,
            ledger_table=ledger_table,
            restart=restart,
        )
        try:
            async with disruption:
                evidence = await self._run(cell, database, running, disruption)
        except BackendError as error:
            return Evidence(), (CheckResult.unknown("backend", str(error)),)
        if cell.scenario.fault:
            return evidence, run_checks(evidence, fault_checks())
        checks = default_checks(
            ledger=Capability.LEDGER in self.backend.capabilities,
            chosen=cell.scenario.chosen,
            recorded=cell.tier is ModelTier.RECORDED,
        )
        return evidence, run_checks(evidence, checks)

    async def _run(self, cell: Cell, database: Database, running: RunningServer, disruption: Disruption) -> Evidence:
        async with AsyncExitStack() as stack:
            refusals = stack.enter_context(only_local_models(cell.tier))
            provider = self._provider(cell)
            stack.push_async_callback(provider.stop)
            await provider.start()
            settings = _settings(cell, disruption, provider)
            with CellWatch() as watch:
                seen = await self._converse(cell, provider, settings, running, disruption)
                if cell.scenario.fault:
                    await disruption.heal()
                    async with started(self.backend, settings, self.config.turn_timeout):
                        pass  # it finishes what it could not before
            ledger = await read_ledger(self.backend, database.url, limit=self.config.turn_timeout)
        replay = replay_of(provider)
        return replace(
            seen,
            ledger_grain=settings.ledger_grain,
            notes=(*seen.notes, *watch.limits, *disruption.notes, *(replay.notes if replay is not None else ())),
            planned_faults=planned_faults(cell.scenario),
            faults=Record.of("faults", (*provider.faults(), *disruption.faults, *seen.faults)),
            races=watch.record,
            refusals=Record.of("refusals", refusals.messages),
            invoice=Record.of("invoice", provider.invoice()),
            replay=seen.replay if replay is None else Record.of("replay", replay.differences),
            ledger=ledger,
        )

    async def _converse(
        self,
        cell: Cell,
        provider: Provider,
        settings: BackendSettings,
        running: RunningServer,
        disruption: Disruption,
    ) -> Evidence:
        limit = self.config.turn_timeout
        choices = ChosenCalls()
        if cell.scenario.chosen:
            settings = replace(settings, model=ChoosingModel(settings.model, choices))
        async with started(self.backend, settings, limit) as application, AsyncExitStack() as stack:
            await bring_into(application.engine, cell.pool_state, connections=_connections(cell))
            observation = Observation(application.engine, server_log=running.log_path)
            gate = Gate(application.engine, caller=attributed, barrier=cell.mode in BARRIER_MODES, unseen=unseen)
            conversation = Conversation(
                cell=cell,
                backend=self.backend,
                provider=provider,
                gate=gate,
                note=observation.note,
                announce=disruption.expect,
                timeout=cell.scenario.turn_seconds or self.config.turn_timeout,
                choices=choices,
                before_wave=partial(_renewed, application.engine, cell) if cell.scenario.chosen else None,
                before_turns=self.before_turns,
            )
            choices.tell(planned=gate.expect, leave=gate.leave)
            stack.enter_context(ToolRefusals(choices.refuse))
            observation.on_tool_end(gate.leave)
            stack.enter_context(disruption.owners_of(application.engine))
            async with gate, observation:
                await conversation.hold(application)
                if repeats(cell):
                    await conversation.repeat_in_pairs(application, cell.scenario.paired_repetitions)
                if cell.scenario.fault and not cell.scenario.heals_after_stop:
                    await disruption.heal()
                idle = await idle_transactions(disruption.direct_url)
        return Evidence(
            turns=tuple(conversation.turns),
            notes=observation.notes,
            idle_transactions=idle,
            pairs=Record.of("pairs", conversation.pairs),
            faults=Record.of("faults", conversation.faults),
            arrivals=gate.record if cell.mode in BARRIER_MODES else Record.of("arrivals", ()),
            requests=choices.record,
            **observation.records,
        )


def repeats(cell: Cell) -> bool:
    """Whether a cell's turn is repeated in pairs, parallel and sequential, to compare their times."""
    paired = cell.scenario.paired_repetitions > 0 and cell.mode in PAIRED_MODES
    return paired and cell.pool_state is PoolState.WARM


def _choices(cell: Cell, evidence: Evidence, results: Sequence[CheckResult]) -> ModelChoices | None:
    """What the model did, if it decided by itself; `None` too if that is not known, which a check says."""
    if not cell.scenario.chosen:
        return None
    with suppress(MissingEvidence):
        return choices_of(evidence, results)
    return None


def _settings(cell: Cell, disruption: Disruption, provider: Provider) -> BackendSettings:
    return BackendSettings(
        database_url=disruption.database_url,
        session_mode=cell.mode,
        pool=PoolSettings.for_state(cell.pool_state),
        model=provider.model,
        fallback_model=provider.fallback_model,
        ledger_grain=LedgerGrain(cell.scenario.ledger_grain),
        state_directory=disruption.state_directory,
    )


def _refused(failure: str, refusals: Refusals) -> BackendError:
    """In place of a client's own error, which may hide the refusal."""
    return BackendError(f"{failure}: {'; '.join(refusals.messages)}")


def _restarts(cell: Cell) -> bool:
    return any(fault.kind is DatabaseFaultKind.RESTART for fault in cell.scenario.database_faults)


def _connections(cell: Cell) -> int:
    """How many connections a warm pool holds: one for each tool that can run at once, and one for each turn."""
    waves: Counter[int] = Counter()
    for message in cell.scenario.messages:
        waves[message.wave] += (CHOSEN_WIDTH if message.plan.chosen else message.plan.widest_round) + 1
    return max(waves.values(), default=0) if cell.scenario.chosen else waves.total()


async def _renewed(engine: AsyncEngine, cell: Cell) -> None:
    """Between turns that are not to know of each other: one racy turn poisons a pool for all that come after it."""
    await renew(engine, cell.pool_state, connections=_connections(cell))
