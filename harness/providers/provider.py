"""The seam for model tiers: whoever answers the agent's model requests.

A provider is told, before a turn, what the model is to do in it (`expect`), gives the application a Pydantic AI
`Model`, and keeps an invoice of what it served, outside the code under test. It is stateless per request: which
response is due follows from the request's own messages (the turn by the user message's text, the step by the number
of model responses after it), so that concurrent turns and retries need no order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic_ai.models import Model

from harness.evidence import Charge, FaultSeen
from harness.fault import WireFault
from harness.scenario import ModelTier, TokenUsage

__all__ = ["Provider", "ScriptedCall", "ScriptedResponse", "TurnScript"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedCall:
    """One tool call that the model makes."""

    tool: str
    arguments: Mapping[str, object]
    tool_call_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedResponse:
    """One model response: tool calls made together, or a text; `seconds` is how long the model takes.

    `model` is the model that answers, if that is another than the one that was asked for.
    """

    usage: TokenUsage
    calls: tuple[ScriptedCall, ...] = ()
    text: str = ""
    seconds: float = 0.0
    model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnScript:
    """Everything the model does in one turn; `message` is the user message that starts it, unique among turns.

    A turn may have several scripts: one for its user's message, and one for each question that it delegates. `faults`
    strike requests for the script's responses.
    """

    turn: str
    message: str
    responses: tuple[ScriptedResponse, ...]
    faults: tuple[WireFault, ...] = ()


class Provider(Protocol):
    """Whoever answers model requests, and keeps the invoice."""

    tier: ModelTier

    async def start(self) -> None:
        """Become ready to serve; raises `EnvironmentMissing` if that is impossible here."""
        ...

    async def stop(self) -> None:
        """Stop serving and free everything; harmless when called twice."""
        ...

    @property
    def model(self) -> Model:
        """The model to give to the application."""
        ...

    @property
    def fallback_model(self) -> Model | None:
        """The model to turn to when the first one fails; `None` if none was asked for, or the tier has none."""
        ...

    def expect(self, script: TurnScript) -> None:
        """Learn what to do when `script.message` comes."""
        ...

    def invoice(self) -> tuple[Charge, ...]:
        """What was served so far, in the order of serving."""
        ...

    def faults(self) -> tuple[FaultSeen, ...]:
        """The scripted faults that were carried out so far."""
        ...
