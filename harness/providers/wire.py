"""The tier `wire`: a local provider that the real client reaches over HTTP, and that keeps its own invoice.

In the tier `scripted` the model, its invoice and the code under test share one process and one event loop, so
that nothing checks what a real client makes of a response: its parsing, its usage, its streams. Here Pydantic
AI's `OpenAIChatModel` and the `openai` client talk HTTP to a server on the loopback interface, which plays
the same scripts. The server has a thread and an event loop of its own: it goes on, and counts, whatever the
application does.

The client does not retry (a hidden second request would be a second charge), takes no proxy from the
environment, and belongs to the event loop in which `start` was called; the application and `stop` must run in
that loop too. An application elsewhere (another process, another thread) is given `base_url` and `api_key`
instead of `model`. After `stop` there is no thread, no socket and no client left.
"""

import asyncio
import secrets
from ssl import PROTOCOL_TLS_CLIENT, SSLContext

from openai import AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from harness.errors import UsageError
from harness.evidence import Charge, FaultSeen
from harness.providers.chat_completions import ChatCompletions
from harness.providers.provider import TurnScript
from harness.providers.script import ScriptBook
from harness.providers.server import ServerThread
from harness.scenario import ModelTier

__all__ = ["WireProvider"]

_CLIENT_SECONDS = 600.0
"""For connecting too: an application that holds its loop for a while has not lost its provider."""


class WireProvider:
    """Serves the scripts over HTTP on `host` (a loopback address) and `port` (0: any that is free).

    Raises `UsageError` if `host` is not a loopback address.
    """

    tier: ModelTier = ModelTier.WIRE

    def __init__(self, *, model_name: str = "gpt-4o", host: str = "127.0.0.1", port: int = 0) -> None:
        self._book = ScriptBook()
        self._model_name = model_name
        self._api_key = f"sessionproof-{secrets.token_urlsafe(16)}"
        stopping = asyncio.Event()
        chat = ChatCompletions(self._book, model_name=model_name, api_key=self._api_key, stopping=stopping)
        self._server = ServerThread(chat.application(), stopping=stopping, host=host, port=port)
        self._client: AsyncOpenAI | None = None
        self._model: Model | None = None

    async def start(self) -> None:
        """Serve, once; raises `EnvironmentMissing` if the port cannot be had."""
        await self._server.start()
        self._client = AsyncOpenAI(
            base_url=self.base_url,
            api_key=self._api_key,
            max_retries=0,
            timeout=_CLIENT_SECONDS,
            http_client=DefaultAsyncHttpxClient(trust_env=False, verify=SSLContext(PROTOCOL_TLS_CLIENT)),
        )
        self._model = OpenAIChatModel(self._model_name, provider=OpenAIProvider(openai_client=self._client))

    async def stop(self) -> None:
        """Close the client and the server; a request that the model still works on is answered by 503."""
        try:
            if self._client is not None:
                await self._client.close()
        finally:
            await self._server.stop()

    @property
    def model(self) -> Model:
        """The model to give to the application; raises `UsageError` before `start`."""
        if self._model is None:
            raise UsageError("the wire provider has no model before it is started: its port is not known yet")
        return self._model

    @property
    def base_url(self) -> str:
        """Where the server is, as OpenAI clients want it; of use from `start` to `stop`."""
        return f"http://{self._server.address}/v1"

    @property
    def api_key(self) -> str:
        """The key that the server demands: random, for this provider only."""
        return self._api_key

    def expect(self, script: TurnScript) -> None:
        """Learn what to do when `script.message` comes; raises `UsageError` if that cannot be played."""
        self._book.expect(script)

    def invoice(self) -> tuple[Charge, ...]:
        """What was served so far, in the order of serving."""
        return self._book.invoice()

    def faults(self) -> tuple[FaultSeen, ...]:
        """The scripted faults that were carried out so far."""
        return self._book.faults()
