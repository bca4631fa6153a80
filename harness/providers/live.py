"""The tier `live`: a provider's own model, by its key and within a budget, or any server that speaks OpenAI's protocol.

Problem: such a run costs money, needs a key that must not be seen anywhere, and depends on what is not on this machine.

Mechanism: Pydantic AI's own model of the name (`openai:…`, `openai-chat:…`, `anthropic:…`, `google:…` and others) gets
an HTTP client of ours, whose transport is the meter (`harness.providers.metered_transport`) around what records, if
anything does, around the network. The model is wrapped in the budget (`harness.providers.budget`), and no other is
asked on another machine (`harness.providers.guard`). No client asks again by itself.

Guarantee: what keeps a run from being possible, `not_verified` says before anything is sent. The key goes into the
client and nowhere else. Proxies are not taken from the environment.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx2
from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, infer_model, parse_model_id
from pydantic_ai.providers import Provider as ClientProvider
from pydantic_ai.providers import infer_provider_class

from harness.errors import EnvironmentMissing, UsageError
from harness.evidence import Charge, FaultSeen
from harness.providers.budget import Budget, BudgetModel, Rates, budget_of, check_price
from harness.providers.metered_transport import Meter
from harness.providers.provider import TurnScript
from harness.scenario import ModelTier

__all__ = ["CLIENT_SECONDS", "LiveProvider", "Recorder", "not_verified"]

CLIENT_SECONDS = 600.0
"""For how long a client waits for each step of a request; the turn's own limit comes before it."""

_CONNECT_SECONDS = 30.0

_OPENAI = frozenset({"openai", "openai-chat", "openai-responses"})
_KEYS: Mapping[str, tuple[str, ...]] = {
    "alibaba": ("ALIBABA_API_KEY", "DASHSCOPE_API_KEY"),
    "google": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
}
"""Where a provider's key is, if not in `<PROVIDER>_API_KEY`."""

_OF_ONE_S_OWN = frozenset({"ollama", "vllm", "litellm"})
"""The servers that people run themselves, which have no address of their own and may have no key."""

_NO_KEY = "no-key"
"""What a client says that must have a key to a server that wants none."""


class Recorder(Protocol):
    """Keeps what goes through a transport."""

    def transport(self, inner: httpx2.AsyncBaseTransport) -> httpx2.AsyncBaseTransport:
        """The transport, recorded."""
        ...


class LiveProvider:
    """Asks `model`, a name as Pydantic AI has them, at `base_url` if that is not the provider's own.

    `turn_of` names the turn of the task that asks. `rates` say what the model costs, in place of the public list.
    `environment` has the key. `client_seconds` is for how long a client waits for each step of a request.
    """

    tier: ModelTier = ModelTier.LIVE

    def __init__(
        self,
        turn_of: Callable[[], str | None],
        *,
        model: str,
        budget: Budget,
        environment: Mapping[str, str],
        base_url: str | None = None,
        rates: Rates | None = None,
        recording: Recorder | None = None,
        client_seconds: float = CLIENT_SECONDS,
    ) -> None:
        self._meter = Meter(turn_of)
        self._name = model
        self._budget = budget
        self._environment = environment
        self._base_url = base_url
        self._rates = rates
        self._recording = recording
        self._client_seconds = client_seconds
        self._client: httpx2.AsyncClient | None = None
        self._model: Model | None = None

    async def start(self) -> None:
        """Make the client and its model; nothing is sent yet.

        Raises:
            EnvironmentMissing: the model cannot be asked, for the reason that `not_verified` gives.
        """
        reason = not_verified(
            self._name, f"{self._budget.limit:f}", self._environment, base_url=self._base_url, rates=self._rates
        )
        if reason is not None:
            raise EnvironmentMissing(reason)
        network: httpx2.AsyncBaseTransport = httpx2.AsyncHTTPTransport()
        recorded = network if self._recording is None else self._recording.transport(network)
        self._client = _client(self._meter.transport(recorded), seconds=self._client_seconds)
        inferred = _model(self._name, self._environment, self._base_url, self._client)
        self._meter.provider = inferred.system
        self._model = BudgetModel(inferred, self._budget, rates=self._rates)

    async def stop(self) -> None:
        """Close the client."""
        if self._client is not None:
            await self._client.aclose()

    @property
    def model(self) -> Model:
        """The model to give to the application; raises `UsageError` before `start`."""
        if self._model is None:
            raise UsageError("the live provider has no model before it is started")
        return self._model

    @property
    def fallback_model(self) -> Model | None:
        """There is none: a second provider would need a key and a budget, too."""
        return None

    def expect(self, script: TurnScript) -> None:
        """Raises `UsageError`: nobody tells a real model what to do."""
        raise UsageError(
            f"turn {script.turn!r} has a script, and the model of the tier {self.tier.value!r} decides by itself; "
            f"use the tier {ModelTier.SCRIPTED.value!r} or {ModelTier.WIRE.value!r}"
        )

    def invoice(self) -> tuple[Charge, ...]:
        """What the provider's own answers say that it served, in the order of serving."""
        return self._meter.invoice()

    def faults(self) -> tuple[FaultSeen, ...]:
        """None: nothing is made to fail here."""
        return ()


def not_verified(
    model: str | None,
    budget: str | None,
    environment: Mapping[str, str],
    *,
    base_url: str | None = None,
    rates: Rates | None = None,
) -> str | None:
    """Why nothing can be verified with this model and budget (US dollars); `None` if it can be. Nothing is sent."""
    if not model:
        return (
            f"the tier {ModelTier.LIVE.value!r} needs the name of a model (--model), such as openai-chat:gpt-4o-mini, "
            "anthropic:claude-haiku-4-5, or openai-chat:NAME with the address of your own server (--base-url)"
        )
    if not budget:
        return f"no budget is given for the model {model!r}: say how many US dollars the run may cost (--budget 0.50)"
    try:
        budget_of(budget)
        check_price(_model(model, environment, base_url, _client(httpx2.MockTransport(_unsent))), rates)
    except (UsageError, EnvironmentMissing) as error:
        return f"{error} (the model {model!r})"
    return None


def _unsent(request: httpx2.Request) -> httpx2.Response:
    raise AssertionError(f"{request.method} {request.url} was sent by a client that only looks whether it could be")


def _client(transport: httpx2.AsyncBaseTransport, *, seconds: float = CLIENT_SECONDS) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=transport, timeout=httpx2.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))
    )


def _model(name: str, environment: Mapping[str, str], base_url: str | None, client: httpx2.AsyncClient) -> Model:
    """The model of the name, whose client asks by `client`.

    Raises:
        UsageError: there is no such provider, or it cannot be asked like this.
        EnvironmentMissing: its package, or its key, is not there.
    """
    kind, model = parse_model_id(name)
    if kind is None or not model:
        raise UsageError("a model is named by its provider and its name there, such as openai-chat:gpt-4o-mini")
    try:
        return infer_model(name, provider_factory=lambda kind: _provider(kind, environment, base_url, client))
    except ImportError as error:
        raise EnvironmentMissing(f"a package is missing for the provider {kind!r}: {error}") from error
    except (UserError, ValueError) as error:
        raise UsageError(f"the provider {kind!r} cannot be asked: {error}") from error


def _provider(
    kind: str, environment: Mapping[str, str], base_url: str | None, client: httpx2.AsyncClient
) -> ClientProvider[Any]:
    made: Any = infer_provider_class(kind)
    name = "openai" if kind in _OPENAI else kind
    variable = name.upper().replace("-", "_")
    takes = inspect.signature(made).parameters
    if "api_key" not in takes or not _is_metered(takes.get("http_client")):
        raise UsageError(
            f"the provider {kind!r} takes no HTTP client that can be metered, so that nobody could say what it served; "
            "openai, openai-chat, anthropic, google, and servers with OpenAI's protocol do (openai-chat and --base-url)"
        )
    address = base_url or environment.get(f"{variable}_BASE_URL")
    if address is not None:
        _check_address(address)
        if "base_url" not in takes:
            raise UsageError(f"the provider {kind!r} has an address of its own: leave out --base-url")
    names = _KEYS.get(name, (f"{variable}_API_KEY",))
    key = next((environment[each] for each in names if environment.get(each)), None)
    if key is None and not (address or kind in _OF_ONE_S_OWN):
        raise EnvironmentMissing(f"there is no key for the provider {kind!r}: set {' or '.join(names)}")
    provider: ClientProvider[Any] = made(
        api_key=key or _NO_KEY, http_client=client, **({} if address is None else {"base_url": address})
    )
    if hasattr(provider.client, "max_retries"):
        provider.client.max_retries = 0  # a repetition that nobody sees is a second charge
    return provider


def _is_metered(parameter: inspect.Parameter | None) -> bool:
    """Whether it takes a client of `httpx2`; some take only one of the package before it."""
    return parameter is not None and any(name in str(parameter.annotation) for name in ("HTTPClient", "httpx2"))


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise UsageError("the address of a server is a URL such as http://127.0.0.1:11434/v1 (--base-url)")
