"""Sends a scenario's messages to the application under test, and notes what came of each.

Every message becomes a turn with an identifier of its own. It is the conversation's identifier, so that ledger rows
can be told apart; it is part of the text, so that the model provider knows which plan to follow; and it is the value of
a context variable in the turn's task, so that recorders know on whose behalf something happens.

A message may be interrupted by the harness itself: its client goes away, or its task is cancelled at one await or at
each. The turn then says so, and what comes of it is no failure of the application.

Guaranteed: a turn ends. One that gives no answer in the time allowed is described by the stacks of all tasks, then
cancelled; if it does not even end then, it is left behind and the next goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import count, groupby
from time import perf_counter
from uuid import uuid4

from pydantic_ai import Agent

from harness.backend import Application, Backend, ChatRequest, Tenant
from harness.backend.answers import answer_problem
from harness.checks.speedup import is_decided
from harness.chosen_calls import ChosenCalls
from harness.errors import BackendError, ClientLeft
from harness.evidence import Answer, FaultSeen, Interval, PlannedCall, StuckTask, TimingPair, Turn
from harness.explorer.cancellation import CancelledAt
from harness.explorer.gate import Gate
from harness.observe.attribution import current_turn
from harness.observe.stuck import stuck_tasks
from harness.providers.provider import Provider, ScriptedCall, ScriptedResponse, TurnScript
from harness.scenario import INTENDED_FAILURES, Cell, Message, ToolPlan, ToolRole

__all__ = ["Conversation", "interruptions_of", "tenant_of"]

CANCELLED = "task cancelled"
CANCELLED_AT_EACH = "task cancelled at each await, to the last"
LEFT = "client left"
EACH = 0
"""The `cancel_at` that stands for each await in turn."""

MOST_AWAITS = 2000
"""At how many awaits a turn is cancelled at most: one that waits more often than that does not end by itself."""

CANCEL_SECONDS = 5.0
"""How long a cancelled turn may take to end before it is left behind."""

SETTLE_SECONDS = 1.0
"""How long work that a turn leaves behind (closing of sessions, background tasks) may go on before it is judged."""


def tenant_of(message: Message, backend: Backend) -> Tenant:
    """The tenant that sends a message: the scenario's index into the backend's tenants, again from the first."""
    return backend.tenants[message.tenant % len(backend.tenants)]


def interruptions_of(messages: Sequence[Message]) -> Iterator[str]:
    """The labels of the interruptions that these messages ask for."""
    for message in messages:
        if message.leave_after is not None:
            yield LEFT
        if message.cancel_at is not None:
            yield CANCELLED
        if message.cancel_at == EACH:
            yield CANCELLED_AT_EACH


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
            leave_after=self.message.leave_after,
        )


@dataclass(slots=True, kw_only=True)
class Conversation:
    """The turns of one cell; `note` records what a turn raised, and `timeout` is in seconds.

    `announce` is told of each turn before it is sent, with its planned calls in their order. `choices` listens to a
    model that decides by itself, where one answers. `before_wave` is awaited between two waves of messages,
    `before_turns` called before each time that turns are sent.
    """

    cell: Cell
    backend: Backend
    provider: Provider
    gate: Gate
    note: Callable[[BaseException], None]
    announce: Callable[[str, Sequence[str]], None]
    timeout: float
    choices: ChosenCalls | None = None
    before_wave: Callable[[], Awaitable[None]] | None = None
    before_turns: Callable[[], None] | None = None
    turns: list[Turn] = field(default_factory=list)
    pairs: list[TimingPair] = field(default_factory=list)
    faults: list[FaultSeen] = field(default_factory=list)

    async def hold(self, application: Application) -> None:
        """Send the scenario's messages, those of one wave together, and let what they leave behind come to rest."""
        before = asyncio.all_tasks()
        by_wave = sorted(self.cell.scenario.messages, key=lambda message: message.wave)
        for number, (_, wave) in enumerate(groupby(by_wave, key=lambda message: message.wave)):
            messages = list(wave)
            if number > 0 and self.before_wave is not None:
                await _settle(before)
                await self.before_wave()
            for message in messages:
                if message.cancel_at == EACH:
                    await self._cancel_at_each(application, message)
            rest = [message for message in messages if message.cancel_at != EACH]
            await self._send_together(application, [self._prepare(message) for message in rest])
        await _settle(before)

    async def _cancel_at_each(self, application: Application, message: Message) -> None:
        """Send the message for each of its awaits, and cancel it there, until a turn ends before its await comes.

        No two of these turns have the same tokens, so that no row can be taken for another turn's. Only if the last one
        is answered has each await been there: that is told as a fault of its own.
        """
        for at in count(1):
            before = asyncio.all_tasks()
            prepared = self._prepare(replace(message, cancel_at=at, plan=_with_more_tokens(message.plan, at)))
            (turn,) = await self._send_together(application, [prepared])
            await _settle(before)
            if turn.answer is not None and turn.interrupted is None:
                self.faults.append(FaultSeen(label=CANCELLED_AT_EACH, turn=turn.id))
            if turn.interrupted is None or at == MOST_AWAITS:
                return

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

    async def send(self, application: Application, *, parallel: bool = True) -> list[Turn]:
        """Send the scenario's messages together once, with the tools of each in parallel or one by one."""
        before = asyncio.all_tasks()
        sendings = [self._prepare(message, parallel=parallel) for message in self.cell.scenario.messages]
        turns = await self._send_together(application, sendings)
        await _settle(before)
        return turns

    def _prepare(self, message: Message, *, parallel: bool = True) -> _Sending:
        turn, tenant = str(uuid4()), tenant_of(message, self.backend)
        if message.plan.chosen:
            return self._leave_open(turn, tenant, message)
        text = f"{tenant.message} (reference {turn})"
        planned = _planned_calls(turn, tenant, message.plan)
        self.announce(turn, [call.tool_call_id for call in planned])
        for script in _scripts(turn, text, tenant, planned, message.plan):
            self.provider.expect(script)
        if parallel:
            steps = [planned[position].tool_call_id for position in message.plan.order]
            self.gate.expect(turn, planned, steps=steps)
        else:
            for call in planned:
                self.gate.expect(turn, [call])
        return _Sending(turn=turn, tenant=tenant, message=message, text=text, planned=planned, parallel=parallel)

    def _leave_open(self, turn: str, tenant: Tenant, message: Message) -> _Sending:
        """Nothing is planned: the model will decide. The text is the user's alone, and the same each time."""
        if self.choices is None:
            raise AssertionError("nobody listens to a model that decides by itself")
        self.choices.expect(turn, tenant, seconds=message.plan.chosen_seconds)
        text = tenant.question(message.question)
        return _Sending(turn=turn, tenant=tenant, message=message, text=text, planned=(), parallel=True)

    async def _send_together(self, application: Application, sendings: Sequence[_Sending]) -> list[Turn]:
        if self.before_turns is not None:
            self.before_turns()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._send(application, sending)) for sending in sendings]
        turns = [task.result() for task in tasks]
        self.turns += turns
        return turns

    async def _send(self, application: Application, sending: _Sending) -> Turn:
        current_turn.set(sending.turn)
        start = perf_counter()
        answer, at = _answer(application, sending.request), sending.message.cancel_at
        cancelled = None if at is None else CancelledAt(answer, at)
        with nullcontext() if sending.parallel else Agent.parallel_tool_call_execution_mode("sequential"):
            task = asyncio.create_task(answer if cancelled is None else _run(cancelled), name=f"turn {sending.turn}")
        await asyncio.wait({task}, timeout=self.timeout)
        stuck = () if task.done() else tuple(stuck_tasks())
        interval = Interval(start=start, end=perf_counter())
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=CANCEL_SECONDS)
        failure = task.exception() if task.done() and not task.cancelled() else None
        if failure is not None and not isinstance(failure, ClientLeft):
            self.note(failure)
        turn = _turn(sending, task, interval, stuck, to_be_answered=self.cell.scenario.answered)
        if sending.message.plan.chosen and self.choices is not None:
            turn = replace(
                turn,
                chosen=True,
                planned=self.choices.calls(turn.id),
                refused=self.choices.refused(turn.id),
                planned_responses=self.choices.responses(turn.id),
            )
        if isinstance(failure, ClientLeft):
            return self._interrupted(turn, LEFT, f"after {sending.message.leave_after} events")
        if cancelled is not None and cancelled.struck:
            return self._interrupted(turn, CANCELLED, f"at await {at}")
        return turn

    def _interrupted(self, turn: Turn, label: str, point: str) -> Turn:
        self.faults.append(FaultSeen(label=label, turn=turn.id))
        return replace(turn, interrupted=f"{label} {point}")


def _with_more_tokens(plan: ToolPlan, more: int) -> ToolPlan:
    usages = tuple(replace(usage, prompt_tokens=usage.prompt_tokens + more) for usage in plan.usages)
    return replace(plan, usages=usages)


def _planned_calls(turn: str, tenant: Tenant, plan: ToolPlan) -> tuple[PlannedCall, ...]:
    return tuple(
        PlannedCall(
            tool_call_id=f"call-{turn[:8]}-{number}-{position}",
            tool=tenant.tools[step.role].tool,
            role=step.role.value,
            round=number,
            database_seconds=step.database_seconds,
            may_fail=step.role in INTENDED_FAILURES,
            provider_seconds=step.provider_seconds,
            operations=step.operations,
        )
        for number, steps in enumerate(plan.rounds)
        for position, step in enumerate(steps)
    )


async def _answer(application: Application, request: ChatRequest) -> Answer:
    answer: object = await application.send(request)
    if isinstance(answer, Answer) and not answer_problem(answer):
        return answer
    raise BackendError(f"send() {answer_problem(answer)}; `sessionproof check-backend` says what it has to be")


async def _run(cancelled: CancelledAt[Answer]) -> Answer:
    return await cancelled


def _scripts(
    turn: str, text: str, tenant: Tenant, planned: Sequence[PlannedCall], plan: ToolPlan
) -> Iterator[TurnScript]:
    """What the model says to the user's message, and to each question that a tool hands on."""
    delegated = [call for call in planned if call.role == ToolRole.DELEGATE]
    questions = {call.tool_call_id: f"What do you know of this? (reference {call.tool_call_id})" for call in delegated}
    calls = [_call(call, tenant, questions) for call in planned]
    responses = [
        ScriptedResponse(
            usage=usage,
            calls=tuple(made for call, made in zip(planned, calls, strict=True) if call.round == number),
            text=_text(tenant, plan, number) if number >= len(plan.rounds) else "",
            seconds=plan.model_seconds,
            model=plan.served_model,
        )
        for number, usage in enumerate(plan.usages)
    ]
    yield TurnScript(turn=turn, message=text, responses=tuple(responses), faults=plan.faults)
    for call in delegated:
        if plan.delegated is not None:
            answer = ScriptedResponse(
                usage=plan.delegated,
                text="Nothing more than that.",
                seconds=call.provider_seconds,
                model=plan.served_model,
            )
            yield TurnScript(turn=turn, message=questions[call.tool_call_id], responses=(answer,))


def _call(call: PlannedCall, tenant: Tenant, questions: Mapping[str, str]) -> ScriptedCall:
    use = tenant.tools[ToolRole(call.role)]
    question = questions.get(call.tool_call_id)
    asked = {use.question: question} if question is not None else {}
    counted = {use.operations: call.operations} if call.role == ToolRole.SERIES else {}
    return ScriptedCall(tool=call.tool, arguments={**use.arguments, **asked, **counted}, tool_call_id=call.tool_call_id)


def _text(tenant: Tenant, plan: ToolPlan, number: int) -> str:
    rejected = number < len(plan.rounds) + plan.rejected_answers
    return tenant.rejected_answer if rejected else plan.answer


def _turn(
    sending: _Sending,
    task: asyncio.Task[Answer],
    interval: Interval,
    stuck: tuple[StuckTask, ...],
    *,
    to_be_answered: bool | None,
) -> Turn:
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
        planned_responses=_planned_responses(sending),
        stream=sending.message.stream,
        parallel=sending.parallel,
        answer=task.result() if answered else None,
        error=None if stuck else error,
        error_type=type(failure).__qualname__ if failure is not None and not stuck else None,
        timed_out=bool(stuck),
        stuck=stuck,
        to_be_answered=to_be_answered,
    )


def _planned_responses(sending: _Sending) -> int:
    delegated = sum(call.role == ToolRole.DELEGATE for call in sending.planned)
    return len(sending.message.plan.usages) + delegated


async def _settle(before: set[asyncio.Task[object]]) -> None:
    """Wait, but not for long, for the tasks that were not there before."""
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=SETTLE_SECONDS)
