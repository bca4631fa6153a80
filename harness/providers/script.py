"""Which scripted response is due, and what was charged for: the part that every scripted tier shares.

Concurrent turns and retries reach a provider in any order, so no response depends on how many requests came before.
A request carries its whole conversation: the last user message that belongs to a script names the turn, and the
number of model responses after it is the step. The same request therefore gets the same response, whenever and
however often it comes, and each serving of it is one line of the invoice.

Only faults are counted: how often one has struck a step of a script (`ScriptBook.strike`), because a fault strikes
the first requests for it, and spares the later ones. Scripts, counts and invoice may be used from several threads.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from harness.errors import BackendError, UsageError
from harness.evidence import Charge, FaultSeen
from harness.fault import WireFault, WireFaultKind
from harness.providers.provider import ScriptedCall, ScriptedResponse, TurnScript
from harness.providers.script_check import check_script

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
    """The response that is due, the turn that it belongs to, and its place: the script's message, and the step.

    `faults` are those of the script for this response, in their order.
    """

    turn: str
    message: str
    step: int
    response: ScriptedResponse
    faults: tuple[WireFault, ...]


class ScriptBook:
    """What the model does in every turn, and the invoice of what it did."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scripts: dict[str, TurnScript] = {}
        self._charges: dict[str, Charge] = {}
        self._faults: list[FaultSeen] = []
        self._strikes: Counter[tuple[str, int]] = Counter()

    def expect(self, script: TurnScript) -> None:
        """Learn a script; raises `UsageError` if it cannot be played, or its message starts another turn."""
        check_script(script)
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
        faults = tuple(fault for fault in script.faults if fault.response == step)
        return Due(turn=script.turn, message=script.message, step=step, response=response, faults=faults)

    def strike(self, due: Due, *, kinds: Collection[WireFaultKind] = frozenset(WireFaultKind)) -> WireFault | None:
        """The fault that is next for this response, if it is of one of `kinds`; it counts as carried out."""
        place = (due.message, due.step)
        with self._lock:
            fault = _next(due.faults, struck=self._strikes[place])
            if fault is None or fault.kind not in kinds:
                return None
            self._strikes[place] += 1
            self._faults.append(FaultSeen(label=fault.label, turn=due.turn))
        return fault

    def charge(self, due: Due, *, model: str, stream: bool, billed: bool = True, delivered: bool = True) -> Charge:
        """What is charged for a response that is being served; on the invoice only if it is `billed`.

        `model` is the one that was asked for. What is not `delivered` yet can be said to be so later (`deliver`).
        """
        usage = due.response.usage
        charge = Charge(
            response_id=f"chatcmpl-{uuid4().hex}",
            turn=due.turn,
            provider=PROVIDER_NAME,
            model=due.response.model or model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            served_at=datetime.now(UTC),
            stream=stream,
            cached_tokens=usage.cached_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            delivered=delivered,
        )
        if billed:
            with self._lock:
                self._charges[charge.response_id] = charge
        return charge

    def deliver(self, charge: Charge) -> None:
        """Say on the invoice, if the charge is there, that the response went out whole."""
        with self._lock:
            if charge.response_id in self._charges:
                self._charges[charge.response_id] = replace(charge, delivered=True)

    def charged(self, response_id: str | None) -> Charge:
        """The line of the invoice for a response; raises `KeyError` if there is none."""
        with self._lock:
            return self._charges[response_id or ""]

    def invoice(self) -> tuple[Charge, ...]:
        """What was served so far, in the order of serving."""
        with self._lock:
            return tuple(self._charges.values())

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


def _next(faults: Iterable[WireFault], *, struck: int) -> WireFault | None:
    """The fault of the next strike, when so many have struck already."""
    for fault in faults:
        if struck < fault.times:
            return fault
        struck -= fault.times
    return None


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
