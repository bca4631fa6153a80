"""What a turn costs under what watches it, and what a whole cell of `verify` costs.

Problem: a harness that slows down what it looks at measures itself. And a bare turn, in which nothing of it is, has no
gate that would make tools take their time in the database.

Mechanism: one application answers all turns. Its tools take their time in every one of them by the same means, put in
place once: the start of a tool notes its call in a context variable, and the engine runs `pg_sleep` before the call's
first statement. A bare turn has nothing else of the harness but the scripted model, and a recorded one has all
recorders. A gated one has the gate, too, which decides when tools meet, and a watched one the session sanitizer as
well, as in a cell of `verify`. They are put in place before each turn and taken away after it, outside of the time, as
the writing down of the records is. Each time one turn without work goes before, so that CPython has seen the classes as
they are then; and garbage is collected then, because the arms, which always follow each other in one order, would pay
for what the same other one left behind. The application was started under the sanitizer, as that of a cell is, because
that knows only what was made while it watched.

Guarantee: a turn that was not answered, or took less time than its tools' work, is an error and no sample.
"""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from time import perf_counter
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from harness.backend import ChatRequest
from harness.bench.arm import Arm, Setting
from harness.bench.cost import Ground, Ways
from harness.bench.headline import QUICK_SECONDS, headline
from harness.bench.interleave import Sample
from harness.cell_watch import CellWatch
from harness.config import Config
from harness.conversation import Conversation, tenant_of
from harness.engine import BARRIER_MODES, Engine
from harness.errors import BackendError, UsageError
from harness.explorer.gate import Gate
from harness.explorer.latency import Latency
from harness.explorer.tool_starts import ToolStarts
from harness.gaps import first_gap
from harness.observe.attribution import attributed
from harness.observe.observation import Observation
from harness.postgres.server import RunningServer
from harness.providers.provider import ScriptedCall, ScriptedResponse, TurnScript
from harness.sanitizer.unseen import unseen
from harness.scenario import Cell, Message, Scenario
from harness.startup import in_time

__all__ = ["BARE", "GATED", "RECORDED", "WATCHED", "Turns", "Work", "cell_ways", "turn_ways"]

BARE = "bare"
RECORDED = "under the recorders"
GATED = "recorders, gate"
WATCHED = "recorders, gate, sanitizer"

_SETTLE_SECONDS = 1.0
_call: ContextVar[str | None] = ContextVar("_call", default=None)


class Work:
    """Makes planned tool calls take their time in the database, from `open` to `close`, whoever else watches."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._latency = Latency(engine.sync_engine, caller=lambda: ("", _call.get()))
        self._starts = ToolStarts(_note)

    def open(self) -> None:
        """Put it in place."""
        self._latency.open()
        self._starts.open()

    def close(self) -> None:
        """Take it away; harmless when called twice."""
        self._starts.close()
        self._latency.close()

    def expect(self, calls: Sequence[str], seconds: Sequence[float]) -> None:
        """The first statement of each of these calls takes so many seconds longer."""
        for call, each in zip(calls, seconds, strict=True):
            self._latency.expect("", call, each)


async def _note(tool_call_id: str) -> None:
    _call.set(tool_call_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Turns of one application, which differ in what watches them; each method sends one that counts."""

    arm: Arm
    work: Work
    running: RunningServer

    async def bare(self) -> Sample:
        """A turn of which the harness only plays the model and lets the tools take their time."""
        await self._send(())
        gc.collect()
        return self._sample(await self._send(self._seconds))

    async def recorded(self) -> Sample:
        """A turn under all recorders."""
        return await self._conversation(gated=False)

    async def gated(self) -> Sample:
        """A turn whose tools are held by the gate, too, until all have come to the database."""
        return await self._conversation(gated=True)

    async def watched(self) -> Sample:
        """A turn under the sanitizer, too.

        Raises:
            MissingEvidence: the sanitizer could not watch.
        """
        with CellWatch() as watch:
            sample = await self.gated()
        _ = watch.record.items
        return sample

    async def _conversation(self, *, gated: bool) -> Sample:
        engine, cell = self.arm.application.engine, self._idle_cell()
        observation = Observation(engine, server_log=self.running.log_path)
        gate = Gate(engine, caller=attributed, barrier=cell.mode in BARRIER_MODES, unseen=unseen)
        seconds: tuple[float, ...] = ()
        conversation = Conversation(
            cell=cell,
            backend=self.arm.backend,
            provider=self.arm.provider,
            gate=gate,
            note=observation.note,
            announce=lambda _, calls: self.work.expect(calls, seconds or (0.0,) * len(calls)),
            timeout=self.arm.setting.timeout,
        )
        async with AsyncExitStack() as stack:
            if gated:
                observation.on_tool_end(gate.leave)
                await stack.enter_async_context(gate)
            await stack.enter_async_context(observation)
            await conversation.hold(self.arm.application)
            seconds = self._seconds
            gc.collect()
            await conversation.hold(self.arm.application)
        if failed := [turn for turn in conversation.turns if turn.answer is None]:
            raise BackendError(f"a turn under the recorders failed: {failed[0].error or 'no answer in time'}")
        return self._sample(conversation.turns[-1].interval.seconds)

    @property
    def _message(self) -> Message:
        return self.arm.setting.messages[0]

    @property
    def _seconds(self) -> tuple[float, ...]:
        return tuple(step.database_seconds for steps in self._message.plan.rounds for step in steps)

    def _idle_cell(self) -> Cell:
        """The cell without work, which is not the gate's here."""
        cell = _cell(self.arm.setting)
        return replace(cell, scenario=cell.scenario.scaled(0))

    async def _send(self, seconds: Sequence[float]) -> float:
        """Send one message, and let what it leaves behind come to rest; returns how long the answer took."""
        arm, turn, tenant = self.arm, str(uuid4()), tenant_of(self._message, self.arm.backend)
        script = self._script(turn, f"{tenant.message} (reference {turn})")
        calls = [call.tool_call_id for response in script.responses for call in response.calls]
        arm.provider.expect(script)
        self.work.expect(calls, seconds or (0.0,) * len(calls))
        request = ChatRequest(account=tenant.account, agent=tenant.agent, message=script.message, conversation_id=turn)
        before, start = asyncio.all_tasks(), perf_counter()
        await in_time(arm.application.send(request), "a bare turn was not answered", arm.setting.timeout)
        taken = perf_counter() - start
        if left := asyncio.all_tasks() - before:
            await asyncio.wait(left, timeout=_SETTLE_SECONDS)
        return taken

    def _script(self, turn: str, message: str) -> TurnScript:
        tools, plan = tenant_of(self._message, self.arm.backend).tools, self._message.plan
        rounds = [
            tuple(
                ScriptedCall(
                    tool=tools[step.role].tool,
                    arguments=tools[step.role].arguments,
                    tool_call_id=f"{turn}-{number}-{position}",
                )
                for position, step in enumerate(steps)
            )
            for number, steps in enumerate(plan.rounds)
        ]
        *asking, answering = plan.usages
        asked = [ScriptedResponse(usage=usage, calls=calls) for usage, calls in zip(asking, rounds, strict=True)]
        answer = ScriptedResponse(usage=answering, text=plan.answer)
        return TurnScript(turn=turn, message=message, responses=(*asked, answer))

    def _sample(self, seconds: float) -> Sample:
        least = sum(max(step.database_seconds for step in steps) for steps in self._message.plan.rounds)
        if seconds < least:
            raise BackendError(
                f"a turn took {seconds:.3f} s, and its tools work for {least:g} s in the database: "
                "they ran no statement there"
            )
        return Sample(seconds=seconds)


@asynccontextmanager
async def turn_ways(ground: Ground, *, tool_seconds: float = QUICK_SECONDS) -> AsyncIterator[Ways]:
    """A turn of two tools bare, under the recorders, with the gate, and under the sanitizer too.

    Raises:
        UsageError: the backend lacks what the turn needs.
        BackendError: the application does not start.
    """
    setting = _setting(ground, tool_seconds)
    async with AsyncExitStack() as stack:
        with CellWatch() as watch:
            started = Arm.started(setting, ground.backend, ground.clones, ground.template)
            arm = await stack.enter_async_context(started)
        turns = Turns(arm=arm, work=Work(arm.application.engine), running=ground.running)
        stack.callback(turns.work.close)
        stack.enter_context(warnings.catch_warnings())
        # logfire's, in bare turns only, to an application that leaves it to its host to configure it
        warnings.filterwarnings("ignore", message="No logs or spans will be created until `logfire.configure")
        turns.work.open()
        ways = {BARE: turns.bare, RECORDED: turns.recorded, GATED: turns.gated}
        if watch.record.missing is not None:
            yield Ways(ways=ways, missing=(f"{WATCHED}: {watch.record.missing}",))
        else:
            yield Ways(ways={**ways, WATCHED: turns.watched})


@asynccontextmanager
async def cell_ways(ground: Ground, *, tool_seconds: float = QUICK_SECONDS) -> AsyncIterator[Ways]:
    """A cell of `verify` with the same turn: its database, its application, its recorders, its checks.

    Raises:
        UsageError: the backend lacks what the turn needs.
    """
    cell, engine = _cell(_setting(ground, tool_seconds)), Engine(backend=ground.backend, config=Config())

    async def verify() -> Sample:
        start = perf_counter()
        document = await engine.verify(cell, clones=ground.clones, running=ground.running)
        seconds = perf_counter() - start
        if not document.as_expected:
            raise BackendError(f"the cell is {document.verdict}: {'; '.join(document.objections)}")
        return Sample(seconds=seconds)

    yield Ways(ways={"cell": verify})


def _setting(ground: Ground, tool_seconds: float) -> Setting:
    """The turn that all of it is about: that of the headline's reference, or of the first mode that the backend has."""
    settings = headline(ground.backend, tool_seconds=tool_seconds)
    if not settings:
        raise UsageError(f"backend {ground.backend.name!r} has none of the session modes that are measured")
    setting = next(iter(settings.values()))
    if gap := first_gap(_cell(setting), ground.backend):
        raise UsageError(gap)
    return setting


def _cell(setting: Setting) -> Cell:
    scenario = Scenario(name="own_costs", question="What does the harness cost?", messages=setting.messages)
    return Cell(scenario=scenario, mode=setting.mode, pool_state=setting.pool_state, tier=setting.tier)
