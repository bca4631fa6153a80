"""A started application, and turns sent to it one by one, each with what came of it.

Mechanism: a turn has a reference in its message and in the context of its task, as in a verification, so that the
scripted model knows it and recorders know on whose behalf something happens.

Guarantee: a turn ends. What it raised, or that it did not end, is kept beside its answer, and is not raised.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from harness.backend import Application, ChatRequest, Tenant, Violation
from harness.backend.answers import answer_problem
from harness.conformance.limits import TURN_TASK, within
from harness.conformance.outcome import StepFailed
from harness.conformance.watched import WatchedProvider
from harness.errors import ClientLeft
from harness.evidence import Answer, LedgerGrain
from harness.observe.attribution import current_turn
from harness.providers.provider import ScriptedCall, ScriptedResponse, TurnScript
from harness.scenario import TokenUsage, ToolRole

__all__ = ["ANSWER", "Conversing", "Heard"]

ANSWER = "Here is what I found."
_ASKED = "it gives an Answer to each tenant's message, or raises what its user would see"
_CHANGE = "look at what raised there; send() may raise only what is a failure for its user"
_OPERATIONS = 3
"""How often a tool of the role `series` is to select rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One turn: its reference, whom it was sent to, the tools called, and its answer, or why there is none."""

    turn: str
    tenant: Tenant
    calls: tuple[tuple[ToolRole, str], ...] = ()
    answer: Answer | None = None
    failure: Violation | None = None
    left: bool = False
    hung: bool = False

    @property
    def part(self) -> str:
        """What it is called."""
        return f"send to {self.tenant.account!r}/{self.tenant.agent!r}"


@dataclass(slots=True, kw_only=True)
class Conversing:
    """Sends turns to an application whose model is `provider`'s; each may take so many `seconds`."""

    application: Application
    provider: WatchedProvider
    seconds: float
    ledger_grain: LedgerGrain = LedgerGrain.TURN
    heard: list[Heard] = field(default_factory=list)

    async def send(
        self,
        tenant: Tenant,
        *roles: ToolRole,
        stream: bool = False,
        leave_after: int | None = None,
    ) -> Heard:
        """One turn, in which the model calls the tools of these roles at once, and then answers."""
        turn = str(uuid4())
        text = f"{tenant.message} (reference {turn})"
        calls = tuple((role, f"call-{turn[:8]}-{number}") for number, role in enumerate(roles))
        for script in _scripts(turn, text, tenant, calls):
            self.provider.provider.expect(script)
        request = ChatRequest(
            account=tenant.account,
            agent=tenant.agent,
            message=text,
            conversation_id=turn,
            stream=stream,
            leave_after=leave_after,
        )
        task = asyncio.create_task(self._send(request, turn), name=f"{TURN_TASK}{turn}")
        await asyncio.wait({task})
        heard = _outcome(task, Heard(turn=turn, tenant=tenant, calls=calls))
        self.heard.append(heard)
        return heard

    async def _send(self, request: ChatRequest, turn: str) -> object:
        current_turn.set(turn)
        part = f"send to {request.account!r}/{request.agent!r}"
        return await within(
            self.seconds, lambda: self.application.send(request), part=part, asked=_ASKED, change=_CHANGE
        )


def _outcome(task: "asyncio.Task[object]", heard: Heard) -> Heard:
    """The turn with what came of it."""
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if isinstance(error, StepFailed):
        cause = error.__cause__
        left, hung = isinstance(cause, ClientLeft), isinstance(cause, TimeoutError)
        return replace(heard, failure=error.violation, left=left, hung=hung)
    if error is not None:
        seen, change = "its task was cancelled by somebody else", "let nobody cancel a turn but its caller"
        return replace(heard, failure=Violation(part=heard.part, seen=seen, asked=_ASKED, change=change))
    answer = task.result()
    if problem := _no_answer(answer):
        change = "return harness.evidence.Answer(text=..., llm_request_id=...)"
        asked = "it returns an Answer with a text"
        return replace(heard, failure=Violation(part=heard.part, seen=problem, asked=asked, change=change))
    return replace(heard, answer=answer) if isinstance(answer, Answer) else heard


def _no_answer(answer: object) -> str:
    """What keeps it from being an answer with a text; empty if nothing does."""
    if problem := answer_problem(answer):
        return f"it {problem}"
    return "" if isinstance(answer, Answer) and answer.text.strip() else "the answer's text is empty"


def _scripts(turn: str, text: str, tenant: Tenant, calls: Sequence[tuple[ToolRole, str]]) -> list[TurnScript]:
    usages = (TokenUsage(prompt_tokens=418, completion_tokens=61), TokenUsage(prompt_tokens=1130, completion_tokens=95))
    questions = {
        call: f"What do you know of this? (reference {call})" for role, call in calls if role is ToolRole.DELEGATE
    }
    made = tuple(_call(tenant, role, call, questions) for role, call in calls)
    rounds = (ScriptedResponse(usage=usages[0], calls=made),) if made else ()
    script = TurnScript(turn=turn, message=text, responses=(*rounds, ScriptedResponse(usage=usages[1], text=ANSWER)))
    delegated = ScriptedResponse(
        usage=TokenUsage(prompt_tokens=97, completion_tokens=31), text="Nothing more than that."
    )
    return [script, *(TurnScript(turn=turn, message=asked, responses=(delegated,)) for asked in questions.values())]


def _call(tenant: Tenant, role: ToolRole, call: str, questions: dict[str, str]) -> ScriptedCall:
    use = tenant.tools[role]
    asked: dict[str, object] = {use.question: questions[call]} if call in questions else {}
    counted: dict[str, object] = {use.operations: _OPERATIONS} if role is ToolRole.SERIES and use.operations else {}
    return ScriptedCall(tool=use.tool, arguments={**use.arguments, **asked, **counted}, tool_call_id=call)
