"""A provider whose model decides by itself, as far as anybody but the test knows.

Its decisions are a function of the conversation, so that a test can say what a real model may do: call tools together,
one after the other, none, wrong ones, for ever, or fail.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import RequestUsage

from harness.evidence import Charge, FaultSeen
from harness.observe.attribution import current_turn
from harness.providers.provider import TurnScript
from harness.scenario import ModelTier

__all__ = ["ANSWER", "Decide", "DecidingProvider", "answers", "calls", "refuses"]

Decide = Callable[[Sequence[ModelMessage]], ModelResponse]
ANSWER = "That is all I know."
READ: dict[str, object] = {"query": "cardiology", "schema_name": "people"}
SEARCH: dict[str, object] = {"query": "before a cardiology visit"}


@dataclass(slots=True, kw_only=True)
class DecidingProvider:
    """Answers by `decide`; each response is charged."""

    decide: Decide
    seconds: float = 0.0
    tier: ModelTier = ModelTier.LOCAL
    charges: list[Charge] = field(default_factory=list)

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to free."""

    @property
    def model(self) -> Model:
        """The model."""
        return FunctionModel(self._answer, model_name="gpt-4o")

    @property
    def fallback_model(self) -> Model | None:
        """There is none."""
        return None

    def expect(self, script: TurnScript) -> None:
        """Nobody may tell it what to do."""
        raise AssertionError(f"a model that decides by itself was given a script: {script}")

    def invoice(self) -> tuple[Charge, ...]:
        """What it served."""
        return tuple(self.charges)

    def faults(self) -> tuple[FaultSeen, ...]:
        """None."""
        return ()

    async def _answer(self, messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        await asyncio.sleep(self.seconds)
        response = self.decide(messages)
        number = len(self.charges)
        charge = Charge(
            response_id=f"response-{number}",
            turn=current_turn.get() or "",
            provider="openai",
            model="gpt-4o",
            prompt_tokens=100 + number,
            completion_tokens=10 + number,
            served_at=datetime.now(UTC),
        )
        self.charges.append(charge)
        response.usage = RequestUsage(input_tokens=charge.prompt_tokens, output_tokens=charge.completion_tokens)
        response.provider_name = charge.provider
        response.provider_response_id = charge.response_id
        return response


def calls(*made: tuple[str, dict[str, object]], rounds: int = 1) -> Decide:
    """These tools together, so often, and then an answer."""

    def decide(messages: Sequence[ModelMessage]) -> ModelResponse:
        done = sum(isinstance(message, ModelResponse) for message in messages)
        if done >= rounds:
            return ModelResponse([TextPart(ANSWER)])
        return ModelResponse([ToolCallPart(tool, dict(arguments)) for tool, arguments in made])

    return decide


def answers(text: str = ANSWER) -> Decide:
    """No tool."""
    return lambda _: ModelResponse([TextPart(text)])


def refuses(status: int) -> Decide:
    """What a client makes of a provider's refusal."""

    def decide(_: Sequence[ModelMessage]) -> ModelResponse:
        raise ModelHTTPError(status_code=status, model_name="gpt-4o", body={"error": {"message": "no"}})

    return decide
