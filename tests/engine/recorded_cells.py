"""Cells that are recorded: with the model of this machine, or with one that a test makes up."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from harness.backend import load_backend
from harness.bundled import default_backend
from harness.config import Config
from harness.engine import Engine
from harness.evidence import Charge, FaultSeen
from harness.observe.attribution import current_turn
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.providers.local import LocalProvider
from harness.providers.metered_transport import Meter
from harness.providers.provider import Provider, TurnScript
from harness.providers.recorded import recording_of
from harness.providers.recording import Recording
from harness.providers.scripted import ScriptedProvider
from harness.report.document import CellDocument
from harness.scenario import Cell, ModelTier

__all__ = ["ModelElsewhere", "record_cell"]

Answers = Callable[[Sequence[dict[str, Any]], int], dict[str, Any]]
"""What a model says to a conversation, as the message of a chat completion; the number counts its answers."""


async def record_cell(
    cell: Cell,
    folder: Path,
    *,
    clones: Clones,
    running: RunningServer,
    model: str = "local:smollm2-135m",
    provider_of: Callable[[Recording], Provider] = lambda recording: LocalProvider(current_turn.get, recording),
) -> CellDocument:
    """Run a cell of the reference backend with a model that decides by itself, and record it below `folder`.

    `provider_of` makes the provider that asks `model`, and records by what it is given.
    """

    def provider(asked: Cell) -> Provider:
        if not asked.scenario.chosen:
            return ScriptedProvider()  # the turn before the first one that counts
        return provider_of(recording_of(asked, folder, model=model))

    backend = default_backend()
    engine = Engine(backend=load_backend(backend), config=Config(backend=backend), provider_of=provider)
    return await engine.verify(cell, clones=clones, running=running)


@dataclass(slots=True, kw_only=True)
class ModelElsewhere:
    """A provider whose model is asked over HTTP, and answers as a test says; `recording` keeps what is said."""

    answers: Answers
    recording: Recording
    tier: ModelTier = ModelTier.LIVE
    served: int = 0
    _meter: Meter = field(default_factory=lambda: Meter(current_turn.get, provider="openai"))
    _client: AsyncOpenAI | None = None

    async def start(self) -> None:
        """Make the client."""
        transport = self._meter.transport(self.recording.transport(httpx2.MockTransport(self._serve)))
        self._client = AsyncOpenAI(
            base_url="http://127.0.0.1/v1",
            api_key="sk-0123456789abcdef0123",
            max_retries=0,
            http_client=DefaultAsyncHttpxClient(transport=transport, trust_env=False),
        )

    async def stop(self) -> None:
        """Close it."""
        if self._client is not None:
            await self._client.close()

    @property
    def model(self) -> Model:
        """The model."""
        return OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=self._client))

    @property
    def fallback_model(self) -> Model | None:
        """There is none."""
        return None

    def expect(self, script: TurnScript) -> None:
        """Nobody may tell it what to do."""
        raise AssertionError(f"a model that decides by itself was given a script: {script}")

    def invoice(self) -> tuple[Charge, ...]:
        """What it served."""
        return self._meter.invoice()

    def faults(self) -> tuple[FaultSeen, ...]:
        """None."""
        return ()

    async def _serve(self, request: httpx2.Request) -> httpx2.Response:
        self.served += 1
        message = self.answers(json.loads(request.content)["messages"], self.served)
        reason = "tool_calls" if "tool_calls" in message else "stop"
        choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": reason}
        prompt, completion = 100 + self.served, 10
        usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
        head = {"id": f"chatcmpl-{self.served}", "object": "chat.completion", "created": 1_700_000_000}
        return httpx2.Response(200, json={**head, "model": "gpt-4o", "choices": [choice], "usage": usage})
