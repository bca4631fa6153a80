"""Sends a scenario's messages to the application under test, and notes what came of each.

Every message becomes a turn with an identifier of its own. It is the conversation's identifier, so that ledger rows
can be told apart; it is part of the text, so that the model provider knows which plan to follow; and it is the value of
a context variable in the turn's task, so that recorders know on whose behalf something happens.

Guaranteed: a turn ends. One that gives no answer in the time allowed is described by the stacks of all tasks, then
cancelled; if it does not even end then, it is left behind and the next goes on.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import groupby
from time import perf_counter
from uuid import uuid4

from pydantic_ai import Agent

from harness.backend import Application, Backend, ChatRequest, Tenant
from harness.checks.speedup import is_decided
from harness.evidence import Answer, Interval, PlannedCall, StuckTask, TimingPair, Turn
from harness.explorer.gate import Gate
from harness.observe.attribution import current_turn
from harness.observe.stuck import stuck_tasks
from harness.providers.provider import Provider, ScriptedCall, ScriptedResponse, TurnScript
from harness.scenario import INTENDED_FAILURES, Cell, Message, ToolPlan

__all__ = ["Conversation", "tenant_of"]

CANCEL_SECONDS = 5.0
"""How long a cancelled turn may take to end before it is left behind."""

SETTLE_SECONDS = 1.0
"""How long work that a turn leaves behind (closing of sessions, background tasks) may go on before it is judged."""


def tenant_of(message: Message, backend: Backend) -> Tenant:
    """The tenant that sends a message: the scenario's index into the backend's tenants, again from the first."""
    return backend.tenants[message.tenant % len(backend.tenants)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sending:
    """One message on its way."""

    turn: str
    tenant: Tenant
    message: Message
    text: str
    planned: tuple[PlannedCall, ...]
    parallel: bool

    @property
    def request(self) -> ChatRequest:
        return ChatRequest(
            account=self.tenant.account,
            agent=self.tenant.agent,
            message=self.text,
            conversation_id=self.turn,
            stream=self.message.stream,
        )


@dataclass(slots=True, kw_only=True)
class Conversation:
    """The turns of one cell; `note` records what a turn raised, and `timeout` is in seconds."""

    cell: Cell
    backend: Backend
    provider: Provider
    gate: Gate
    note: Callable[[BaseException], None]
    timeout: float
    turns: list[Turn] = field(default_factory=list)
    pairs: list[TimingPair] = field(default_factory=list)

    async def hold(self, application: Application) -> None:
        """Send the scenario's messages, those of one wave together, and let what they leave behind come to rest."""
        before = asyncio.all_tasks()
        by_wave = sorted(self.cell.scenario.messages, key=lambda message: message.wave)
        for _, wave in groupby(by_wave, key=lambda message: message.wave):
            await self._send_together(application, [self._prepare(message) for message in wave])
        await _settle(before)

    async def repeat_in_pairs(self, application: Application, repetitions: int) -> None:
        """Send the first message again and again, with its tools in parallel and one by one, in alternating order.

        There are `repetitions` pairs at least, and up to three times as many if they do not decide.
        """
        message = self.cell.scenario.messages[0]
        for repetition in range(3 * repetitions):
            if repetition >= repetitions and is_decided(self.turns, self.pairs):
                break
            before = asyncio.all_tasks()
            seconds: dict[bool, float] = {}
            for parallel in (True, False) if repetition % 2 == 0 else (False, True):
                (turn,) = await self._send_together(application, [self._prepare(message, parallel=parallel)])
                seconds[parallel] = turn.interval.seconds
            await _settle(before)
            self.pairs.append(TimingPair(parallel=seconds[True], sequential=seconds[False]))

    def _prepare(self, message: Message, *, parallel: bool = True) -> _Sending:
        turn, tenant = str(uuid4()), tenant_of(message, self.backend)
        text = f"{tenant.message} (reference {turn})"
        planned = _planned_calls(turn, tenant, message.plan)
        self.provider.expect(_script(turn, text, tenant, planned, message.plan))
        if parallel:
            steps = [planned[position].tool_call_id for position in message.plan.order]
            self.gate.expect(turn, planned, steps=steps)
        else:
            for call in planned:
                self.gate.expect(turn, [call])
        return _Sending(turn=turn, tenant=tenant, message=message, text=text, planned=planned, parallel=parallel)

    async def _send_together(self, application: Application, sendings: Sequence[_Sending]) -> list[Turn]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._send(application, sending)) for sending in sendings]
        turns = [task.result() for task in tasks]
        self.turns += turns
        return turns

    async def _send(self, application: Application, sending: _Sending) -> Turn:
        current_turn.set(sending.turn)
        start = perf_counter()
        with nullcontext() if sending.parallel else Agent.parallel_tool_call_execution_mode("sequential"):
            task = asyncio.create_task(application.send(sending.request), name=f"turn {sending.turn}")
        await asyncio.wait({task}, timeout=self.timeout)
        stuck = () if task.done() else tuple(stuck_tasks())
        interval = Interval(start=start, end=perf_counter())
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_SECONDS)
        if task.done() and not task.cancelled() and (failure := task.exception()) is not None:
            self.note(failure)
        return _turn(sending, task, interval, stuck)


def _planned_calls(turn: str, tenant: Tenant, plan: ToolPlan) -> tuple[PlannedCall, ...]:
    return tuple(
        PlannedCall(
            tool_call_id=f"call-{turn[:8]}-{number}-{position}",
            tool=tenant.tools[step.role].tool,
            role=step.role.value,
            round=number,
            database_seconds=step.database_seconds,
            may_fail=step.role in INTENDED_FAILURES,
        )
        for number, steps in enumerate(plan.rounds)
        for position, step in enumerate(steps)
    )


def _script(turn: str, text: str, tenant: Tenant, planned: Sequence[PlannedCall], plan: ToolPlan) -> TurnScript:
    arguments = {role.value: use.arguments for role, use in tenant.tools.items()}
    responses = [
        ScriptedResponse(
            usage=usage,
            calls=tuple(
                ScriptedCall(tool=call.tool, arguments=arguments[call.role], tool_call_id=call.tool_call_id)
                for call in planned
                if call.round == number
            ),
            text="" if number < len(plan.rounds) else plan.answer,
            seconds=plan.model_seconds,
        )
        for number, usage in enumerate(plan.usages)
    ]
    return TurnScript(turn=turn, message=text, responses=tuple(responses))


def _turn(sending: _Sending, task: asyncio.Task[Answer], interval: Interval, stuck: tuple[StuckTask, ...]) -> Turn:
    failure = task.exception() if task.done() and not task.cancelled() else None
    answered = task.done() and not task.cancelled() and failure is None and not stuck
    error = str(failure) if failure is not None else "the turn was cancelled" if not answered and not stuck else None
    return Turn(
        id=sending.turn,
        tenant=sending.tenant.account,
        agent=sending.tenant.agent,
        message=sending.text,
        interval=interval,
        planned=sending.planned,
        planned_responses=len(sending.message.plan.usages),
        stream=sending.message.stream,
        parallel=sending.parallel,
        answer=task.result() if answered else None,
        error=None if stuck else error,
        error_type=type(failure).__qualname__ if failure is not None and not stuck else None,
        timed_out=bool(stuck),
        stuck=stuck,
    )


async def _settle(before: set[asyncio.Task[object]]) -> None:
    """Wait, but not for long, for the tasks that were not there before."""
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=SETTLE_SECONDS)
