"""Which scripted response is due, and what was charged for: the part that every scripted tier shares.

Concurrent turns and retries reach a provider in any order, so nothing here counts requests. A request carries
its whole conversation: the last user message that belongs to a script names the turn, and the number of model
responses after it is the step. The same request therefore gets the same response, whenever and however often
it comes, and each serving of it is one line of the invoice. Scripts and invoice may be used from several
threads.
"""

import json
import re
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from harness.errors import BackendError, UsageError
from harness.evidence import Charge, FaultSeen
from harness.providers.provider import ScriptedCall, ScriptedResponse, TurnScript

__all__ = [
    "PROVIDER_NAME",
    "Due",
    "Said",
    "ScriptBook",
    "UnscriptedRequestError",
    "arguments_of",
    "pieces_of",
]

PROVIDER_NAME = "openai"
"""Under which name the scripted tiers answer, so that `genai-prices` knows their models."""

_LISTED = 10


class UnscriptedRequestError(BackendError):
    """The agent made a model request that no script answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message of a conversation: by the model, or by the user."""

    by_model: bool
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """The response that is due, and the turn that it belongs to."""

    turn: str
    response: ScriptedResponse


class ScriptBook:
    """What the model does in every turn, and the invoice of what it did."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: dict[str, TurnScript] = {}
        self._charges: list[Charge] = []
        self._faults: list[FaultSeen] = []

    def expect(self, script: TurnScript) -> None:
        """Learn a script; raises `UsageError` if it cannot be played, or its message starts another turn."""
        _check(script)
        with self._lock:
            known = self._scripts.setdefault(script.message, script)
        if known != script:
            raise UsageError(
                f"the message {script.message!r} of turn {script.turn!r} already starts turn {known.turn!r}, "
                "with another script or under another name; messages must be unique among turns"
            )

    def due(self, conversation: Sequence[Said], *, offered: Collection[str]) -> Due:
        """The response to this conversation; `offered` are the names of the tools that the request offers.

        Raises `UnscriptedRequestError` if no script answers it.
        """
        script, step = self._place(conversation)
        if step >= len(script.responses):
            raise UnscriptedRequestError(
                f"turn {script.turn!r} ({script.message!r}) has {len(script.responses)} scripted responses, "
                f"and the agent asked for response {step + 1}: it went on after the last one, as agents do "
                "when an output or a tool call must be retried; script what it is to get then"
            )
        response = script.responses[step]
        _check_offered(script, response.calls, offered)
        return Due(turn=script.turn, response=response)

    def charge(self, due: Due, *, model: str, stream: bool) -> Charge:
        """Put a response that is being served on the invoice."""
        charge = Charge(
            response_id=f"chatcmpl-{uuid4().hex}",
            turn=due.turn,
            provider=PROVIDER_NAME,
            model=model,
            prompt_tokens=due.response.usage.prompt_tokens,
            completion_tokens=due.response.usage.completion_tokens,
            served_at=datetime.now(UTC),
            stream=stream,
        )
        with self._lock:
            self._charges.append(charge)
        return charge

    def invoice(self) -> tuple[Charge, ...]:
        """What was served so far, in the order of serving."""
        with self._lock:
            return tuple(self._charges)

    def faults(self) -> tuple[FaultSeen, ...]:
        """The scripted faults that were carried out so far."""
        with self._lock:
            return tuple(self._faults)

    def _place(self, conversation: Sequence[Said]) -> tuple[TurnScript, int]:
        with self._lock:
            scripts = dict(self._scripts)
        step = 0
        for said in reversed(conversation):
            if said.by_model:
                step += 1
            elif (script := _script_for(said.text, scripts)) is not None:
                return script, step
        asked = [said.text for said in conversation if not said.by_model]
        raise UnscriptedRequestError(
            f"no turn is scripted for the user message {asked[-1] if asked else None!r}; "
            f"{_listed(scripts.values())}; tell the provider of it (expect) before it is sent, "
            "and let the backend pass it on unchanged, or whole within a longer text"
        )


def arguments_of(call: ScriptedCall) -> str:
    """The call's arguments, as the JSON text that a model writes."""
    return json.dumps(dict(call.arguments))


def pieces_of(text: str, *, count: int = 3) -> list[str]:
    """The text in at most `count` pieces of about the same length, none of them empty."""
    size = max(1, -(-len(text) // count))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _script_for(text: str, scripts: dict[str, TurnScript]) -> TurnScript | None:
    """The script whose message this is, or which it contains, as backends put messages into prompts."""
    if text in scripts:
        return scripts[text]
    contained = sorted((message for message in scripts if _contains(text, message)), key=len, reverse=True)
    if not contained or any(message not in contained[0] for message in contained):
        return None
    return scripts[contained[0]]


def _contains(text: str, message: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(message)}(?!\w)", text) is not None


def _check(script: TurnScript) -> None:
    where = f"the script of turn {script.turn!r}"
    if not script.message.strip():
        raise UsageError(f"{where} has an empty message: nothing would start it")
    if not script.responses:
        raise UsageError(f"{where} has no responses: the agent's first request could not be answered")
    for number, response in enumerate(script.responses, 1):
        if not response.calls and not response.text:
            raise UsageError(f"response {number} of {where} has neither tool calls nor a text")
        if response.usage.total_tokens <= 0:
            raise UsageError(f"response {number} of {where} has no tokens: such a response is never billed")


def _check_offered(script: TurnScript, calls: Iterable[ScriptedCall], offered: Collection[str]) -> None:
    unknown = sorted({call.tool for call in calls} - set(offered))
    if unknown:
        raise UnscriptedRequestError(
            f"turn {script.turn!r} ({script.message!r}) is scripted to call {', '.join(map(repr, unknown))}, "
            f"but the agent offers {', '.join(map(repr, sorted(offered))) or 'no tools'}; correct the tool's "
            "name where the backend names its tools, or give the agent the tool"
        )


def _listed(scripts: Iterable[TurnScript]) -> str:
    lines = [f"{script.turn!r} by {script.message!r}" for script in scripts]
    if not lines:
        return "no turns are scripted"
    more = f", and {len(lines) - _LISTED} more" if len(lines) > _LISTED else ""
    return f"scripted are {', '.join(lines[-_LISTED:])}{more}"
