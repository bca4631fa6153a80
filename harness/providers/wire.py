"""The tier `wire`: a local provider that the real client reaches over HTTP, and that keeps its own invoice.

In the tier `scripted` the model, its invoice and the code under test share one process and one event loop, so
that nothing checks what a real client makes of a response: its parsing, its usage, its streams. Here Pydantic
AI's `OpenAIChatModel` and the `openai` client talk HTTP to a server on the loopback interface, which plays
the same scripts. The server has a thread and an event loop of its own: it goes on, and counts, whatever the
application does.

The server also does to a request what real providers do on bad days, if the script says so (`harness.fault`): it
refuses, stalls, breaks the connection, and answers what no client can read. It stores completions for clients that
ask for that, and tells them later what they were served.

The client does not retry unless it is told to (a hidden second request would be a second charge), takes no proxy from
the environment, and belongs to the event loop in which `start` was called; the application and `stop` must run in
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

__all__ = ["CLIENT_SECONDS", "WireProvider"]

CLIENT_SECONDS = 600.0
"""For connecting too: an application that holds its loop for a while has not lost its provider."""


class WireProvider:
    """Serves the scripts over HTTP on `host` (a loopback address) and `port` (0: any that is free).

    It serves `model_name`, and `fallback_model_name` if one is given. Faults strike only requests for the first, so
    that an application can turn to the second; the scripts are the same for both. `max_retries` is how often the
    client sends a request again by itself, `client_seconds` for how long it waits for each step of one.

    Raises `UsageError` if `host` is not a loopback address, or another argument cannot be.
    """

    tier: ModelTier = ModelTier.WIRE

    def __init__(
        self,
        *,
        model_name: str = "gpt-4o",
        fallback_model_name: str | None = None,
        max_retries: int = 0,
        client_seconds: float = CLIENT_SECONDS,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        _check(model_name, fallback_model_name, max_retries, client_seconds)
        self._book = ScriptBook()
        self._names = (model_name,) if fallback_model_name is None else (model_name, fallback_model_name)
        self._max_retries = max_retries
        self._client_seconds = client_seconds
        self._api_key = f"sessionproof-{secrets.token_urlsafe(16)}"
        stopping = asyncio.Event()
        chat = ChatCompletions(self._book, model_names=self._names, api_key=self._api_key, stopping=stopping)
        self._server = ServerThread(chat.application(), stopping=stopping, host=host, port=port)
        self._client: AsyncOpenAI | None = None
        self._models: tuple[Model, ...] = ()

    async def start(self) -> None:
        """Serve, once; raises `EnvironmentMissing` if the port cannot be had."""
        await self._server.start()
        self._client = AsyncOpenAI(
            base_url=self.base_url,
            api_key=self._api_key,
            max_retries=self._max_retries,
            timeout=self._client_seconds,
            http_client=DefaultAsyncHttpxClient(trust_env=False, verify=SSLContext(PROTOCOL_TLS_CLIENT)),
        )
        provider = OpenAIProvider(openai_client=self._client)
        self._models = tuple(OpenAIChatModel(name, provider=provider) for name in self._names)

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
        return self._started()[0]

    @property
    def fallback_model(self) -> Model | None:
        """The model to turn to when the first one fails; `None` if no name was given for it.

        Raises `UsageError` before `start`.
        """
        return self._started()[1] if len(self._names) > 1 else None

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

    def _started(self) -> tuple[Model, ...]:
        if not self._models:
            raise UsageError("the wire provider has no model before it is started: its port is not known yet")
        return self._models


def _check(model_name: str, fallback_model_name: str | None, max_retries: int, client_seconds: float) -> None:
    if fallback_model_name == model_name:
        raise UsageError(
            f"the fallback model {fallback_model_name!r} is the model itself, and would be struck by the same faults; "
            "give another name"
        )
    if max_retries < 0:
        raise UsageError(f"a client cannot send a request again {max_retries} times; give 0 or more (max_retries)")
    if not client_seconds > 0:
        raise UsageError(f"a client cannot wait for {client_seconds} seconds; give more than 0 (client_seconds)")
