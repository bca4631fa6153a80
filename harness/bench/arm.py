"""One arm of a measurement: an application that was started once, and answers the same messages again and again.

Problem: what is compared must differ in one thing only, and what is not measured must not be in the seconds.

Mechanism: each arm has a clone of one template, an application of its own, and a pool that was brought into its state
before the first turn. The tools' planned latency is in the database (`harness.explorer.latency`); there is no barrier,
so that the tools go as the agent lets them. Recorders are put in place before a repetition and taken away after it, and
garbage is collected before it, so that no arm pays for what another one left.

Guarantee: a turn that is not answered is an error with its reason, and no sample. Nothing of an arm is left behind.
"""

import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory

from sqlalchemy import QueuePool
from sqlalchemy.ext.asyncio import AsyncEngine

from harness.backend import Application, Backend, BackendSettings, PoolSettings
from harness.bench.interleave import Sample
from harness.bench.parts import Part, spent_on
from harness.checks import Timing
from harness.conversation import Conversation
from harness.errors import BackendError, MissingEvidence
from harness.evidence import Evidence, PlannedCall, Record, ToolOutcome, Turn
from harness.explorer.gate import Gate
from harness.explorer.pool_state import bring_into
from harness.observe.attribution import attributed
from harness.observe.observation import Observation
from harness.observe.pool import PoolRecorder
from harness.observe.pool_waits import PoolWaitsRecorder
from harness.observe.recorder import Recorder
from harness.observe.spans import SpansRecorder
from harness.observe.stalls import StallsRecorder
from harness.observe.statements import StatementsRecorder
from harness.observe.tools import ToolsRecorder
from harness.postgres.clones import Clones
from harness.providers.create import create_provider
from harness.providers.guard import only_local_models
from harness.providers.provider import Provider
from harness.scenario import Cell, Message, ModelTier, PoolState, Scenario, SessionMode, ToolStep
from harness.startup import in_time, started
from harness.verdict import FindingKind, Verdict

__all__ = ["Arm", "Setting"]


_APART = frozenset({SessionMode.PER_OPERATION, SessionMode.DURABLE, SessionMode.DEFERRED})
"""The modes in which each tool has a session of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What one arm is: the messages that it answers together, and how the application is set up for that.

    `parallel` is false for tools that the agent runs one by one. `timeout` is in seconds, for one turn, and for the
    application's start and stop. `yardstick` is true for the harness's own application. What is not `judged` is there
    to show how something grows, with tools that work for too short to tell by.
    """

    name: str
    mode: SessionMode
    messages: tuple[Message, ...]
    parallel: bool = True
    pool_state: PoolState = PoolState.WARM
    pool: PoolSettings | None = None
    tier: ModelTier = ModelTier.SCRIPTED
    timeout: float = 60.0
    yardstick: bool = False
    judged: bool = True

    @property
    def promised(self) -> bool:
        """Whether the backend's tools are to work side by side: each has its own session, and a connection for it."""
        apart = (
            self.judged
            and not self.yardstick
            and self.mode in _APART
            and self.parallel
            and self.widest > len(self.messages)
        )
        pool = self.pool_settings
        return apart and (pool.null or pool.size + pool.max_overflow >= self.widest)

    @property
    def longest_work(self) -> float:
        """The longest planned tool of each round of a turn, in seconds; the longest turn's if they differ."""
        plans = [message.plan for message in self.messages]
        return max(sum(max(map(_work, steps)) for steps in plan.rounds if steps) for plan in plans)

    @property
    def widest(self) -> int:
        """How many tools can be at work at once: in all turns together."""
        return sum(message.plan.widest_round for message in self.messages) if self.parallel else len(self.messages)

    @property
    def connections(self) -> int:
        """How many connections a warm pool holds: those that its turns use at once, as far as the pool goes.

        On a shared session a turn has one; the durable tracker may want one of its own beside the tools'. Deferred
        writes come when the tools have given theirs back.
        """
        turns = len(self.messages)
        wanted = {
            SessionMode.PER_OPERATION: max(self.widest, turns),
            SessionMode.DEFERRED: max(self.widest, turns),
            SessionMode.DURABLE: self.widest + turns,
        }.get(self.mode, turns)
        return min(wanted, self.pool_settings.size)

    @property
    def pool_settings(self) -> PoolSettings:
        """The pool that the application is started with: `pool`, or what its state asks for."""
        return self.pool or PoolSettings.for_state(self.pool_state)

    @property
    def cell(self) -> Cell:
        """What is asked of a backend here, as a cell of a scenario of its own."""
        scenario = Scenario(name=self.name, question="How long does it take?", messages=self.messages)
        return Cell(scenario=scenario, mode=self.mode, pool_state=self.pool_state, tier=self.tier)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """A started application, called once for each repetition."""

    setting: Setting
    backend: Backend
    application: Application
    provider: Provider

    @classmethod
    @asynccontextmanager
    async def started(cls, setting: Setting, backend: Backend, clones: Clones, template: str) -> AsyncIterator["Arm"]:
        """Start it on a clone of the template, and stop it at the end of the block.

        Raises:
            BackendError: it does not start, or its pool cannot be brought into the state that the setting asks for.
        """
        provider = create_provider(setting.tier)
        async with AsyncExitStack() as stack:
            database = await stack.enter_async_context(clones.clone(template, label=f"bench_{setting.name}"))
            stack.enter_context(only_local_models(setting.tier))
            folder = stack.enter_context(TemporaryDirectory(prefix="sessionproof-"))
            stack.push_async_callback(provider.stop)
            await provider.start()
            settings = BackendSettings(
                database_url=database.url,
                session_mode=setting.mode,
                pool=setting.pool_settings,
                model=provider.model,
                state_directory=Path(folder),
            )
            application = await stack.enter_async_context(started(backend, settings, setting.timeout))
            connections = min(setting.connections, _size(application.engine, default=setting.connections))
            brought = bring_into(application.engine, setting.pool_state, connections=connections)
            await in_time(brought, f"{setting.name}: its pool of {connections} connections is not had", setting.timeout)
            yield cls(setting=setting, backend=backend, application=application, provider=provider)

    async def __call__(self) -> Sample:
        """Send the messages once.

        Raises:
            BackendError: a turn was not answered, or a tool failed: it took less time than its work would have.
            MissingEvidence: a record is missing, or it was not seen that a tool did its planned work.
        """
        if self.setting.pool_state is PoolState.COLD:  # the repetition before has warmed it
            await bring_into(self.application.engine, PoolState.COLD, connections=0)
        turns, evidence = await self._observed()
        if failed := [turn for turn in turns if turn.answer is None]:
            first = failed[0]
            reason = f"{first.error_type}: {first.error}" if first.error_type else first.error
            reason = reason or f"no answer within {self.setting.timeout:g} s"
            raise BackendError(f"{len(failed)} of {len(turns)} turns failed: {reason}")
        idle = [call for turn in turns for call in turn.planned if not _has_worked(turn, call, evidence)]
        if broken := [run for run in evidence.tools if run.outcome is not ToolOutcome.RETURNED]:
            raise BackendError(
                f"{len(broken)} tool calls failed: {broken[0].tool} with {broken[0].error_type or 'no end'}"
            )
        if idle:
            raise MissingEvidence(
                f"{len(idle)} tool calls did not do their planned work: {idle[0].tool} ran no statement in the "
                "database, or asked no model, or was not served"
            )
        table = getattr(self.backend, "ledger_table", None)
        each = [spent_on(turn, evidence, ledger_table=table) for turn in turns]
        gained = [spent.gained for spent in each if spent.gained is not None]
        return Sample(
            seconds=max(turn.interval.end for turn in turns) - min(turn.interval.start for turn in turns),
            parts={str(part): fmean(spent.parts[part] for spent in each) for part in Part},
            lost={str(part): fmean(spent.lost.get(part, 0.0) for spent in each) for part in Part},
            fixed=fmean(spent.fixed for spent in each),
            gained=fmean(gained) if gained and self.setting.parallel else None,
            overlapped=_overlapped(evidence) if self.setting.widest > len(turns) else None,
        )

    async def _observed(self) -> tuple[list[Turn], Evidence]:
        engine = self.application.engine
        observation = Observation(engine, recorders=_recorders())
        gate = Gate(engine, caller=attributed, barrier=False)
        conversation = Conversation(
            cell=self.setting.cell,
            backend=self.backend,
            provider=self.provider,
            gate=gate,
            note=observation.note,
            announce=lambda *_: None,
            timeout=self.setting.timeout,
        )
        async with gate, observation:
            gc.collect()
            turns = await conversation.send(self.application, parallel=self.setting.parallel)
        # nobody is held at a barrier, so nobody arrives at one
        return turns, Evidence(turns=tuple(turns), arrivals=Record.of("arrivals", ()), **observation.records)


def _size(engine: AsyncEngine, *, default: int) -> int:
    """How many connections the pool keeps: a backend may make it smaller than it was asked to, which then shows."""
    pool = engine.sync_engine.pool
    return pool.size() if isinstance(pool, QueuePool) else default


def _work(step: ToolStep) -> float:
    return step.database_seconds + step.provider_seconds


def _recorders() -> list[Recorder]:
    """Those that the parts and the overlap are taken from."""
    return [
        ToolsRecorder(),
        SpansRecorder(),
        StatementsRecorder(),
        PoolRecorder(),
        PoolWaitsRecorder(),
        StallsRecorder(),
    ]


def _overlapped(evidence: Evidence) -> bool | None:
    """Whether the tools of each round were in the database at the same time, on different connections.

    `None` if not all of them work in the database, or if it is not known.
    """
    if not all(call.database_seconds > 0 for turn in evidence.turns for call in turn.planned):
        return None
    turns = tuple(replace(turn, parallel=True) for turn in evidence.turns)
    result = Timing()(replace(evidence, turns=turns, pairs=Record.of("pairs", ())))
    if any(finding.kind is FindingKind.SERIALISED for finding in result.findings):
        return False
    return None if result.verdict is Verdict.UNKNOWN else True


def _has_worked(turn: Turn, call: PlannedCall, evidence: Evidence) -> bool:
    """Whether the planned latency of a call was spent where it was planned, and nothing kept it from that."""
    if call.provider_seconds > 0:
        return any(
            span.attributes.get("gen_ai.operation.name") == "chat" and not span.error
            for span in evidence.spans
            if span.turn == turn.id and span.tool_call_id == call.tool_call_id
        )
    return call.database_seconds == 0 or any(
        statement.injected and not statement.failed
        for statement in evidence.statements
        if statement.turn == turn.id and statement.tool_call_id == call.tool_call_id
    )
