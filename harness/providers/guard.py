"""No model request leaves this machine, unless the tier is `live`, and there only those that the budget counts.

A backend is given its model, but nothing makes it use it: one that builds its own, by habit or by an
environment variable, would send a verification run to a real provider, with real costs and somebody's key.
While `only_local_models` is active, three things refuse that, each where the other two cannot see:

1. in the tier `scripted`, Pydantic AI's own switch refuses every model but test doubles;
2. a Pydantic AI model whose base URL is not on the loopback interface is refused before it prepares its
   request, whatever carries it (HTTP, gRPC, a vendor's SDK);
3. `httpx2` and `httpx`, which carry the requests of the OpenAI and Anthropic clients, are refused every other
   host, both as the request's host and as the host to connect to (a proxy).

In the tier `live` the second alone is active, for every request but those of the model that is in the budget
(`counted`), and other HTTP is let through: a service that the application needs is not told from a model's there.

Refusals are raised as `BackendError`, and recorded, because an application may well swallow them (Anthropic's
client retries twice, and then hides the refusal behind its own "Connection error"). In-process transports
(ASGI, mocks) and everything that is not HTTP, such as the database, are untouched. The switches are the
process's own: contexts must be left in the reverse order of entering.
"""

import importlib
import importlib.util
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import Model, override_allow_model_requests

from harness.errors import BackendError
from harness.providers.loopback import is_loopback
from harness.scenario import ModelTier

__all__ = ["Refusals", "counted", "only_local_models"]

_HostOf = Callable[..., str]
_is_counted: ContextVar[bool] = ContextVar("_is_counted", default=False)


def _url_host(_transport: object, request: Any) -> str:
    return str(request.url.host)


def _connect_host(_backend: object, host: str, *_: object, **__: object) -> str:
    return host


def _model_host(model: Model, *_: object, **__: object) -> str:
    """The host of its base URL; a model without one, such as a test double, is left to the other seams."""
    try:
        url = model.base_url
    except (AttributeError, UserError):
        url = None
    return (urlsplit(url).hostname or url) if url else "localhost"


def _uncounted_host(model: Model, *_: object, **__: object) -> str:
    return "localhost" if _is_counted.get() else _model_host(model)


_HTTP_SEAMS: tuple[tuple[str, str, str, _HostOf], ...] = (
    ("httpx2", "AsyncHTTPTransport", "handle_async_request", _url_host),
    ("httpx2", "HTTPTransport", "handle_request", _url_host),
    ("httpcore2", "AnyIOBackend", "connect_tcp", _connect_host),
    ("httpcore2", "SyncBackend", "connect_tcp", _connect_host),
    ("httpx", "AsyncHTTPTransport", "handle_async_request", _url_host),
    ("httpx", "HTTPTransport", "handle_request", _url_host),
    ("httpcore", "AnyIOBackend", "connect_tcp", _connect_host),
    ("httpcore", "SyncBackend", "connect_tcp", _connect_host),
)


class Refusals:
    """Judges hosts, and keeps what it refused."""

    def __init__(self, *, tier: ModelTier, allowed_hosts: Collection[str]) -> None:
        self._tier = tier
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        self._messages: dict[str, None] = {}

    @property
    def messages(self) -> tuple[str, ...]:
        """Every refusal so far, each once, also those that the application swallowed."""
        return tuple(self._messages)

    def check(self, host: str) -> None:
        """Raises `BackendError` unless `host` is this machine, or allowed by name."""
        if is_loopback(host) or host.lower() in self._allowed:
            return
        if self._tier is ModelTier.LIVE:
            why = (
                f"in the model tier {self._tier.value!r} only the given model is asked on another machine, because "
                "the budget counts its requests only; let the backend use the model that it is given"
            )
        else:
            why = (
                f"in the model tier {self._tier.value!r} no model request "
                f"leaves this machine, only the tier {ModelTier.LIVE.value!r} may send one; let the backend use "
                "the model that it is given, or, if this is another service that it needs, allow that host"
            )
        message = f"a request to {host!r} was refused: {why}"
        self._messages[message] = None
        raise BackendError(message)


@contextmanager
def only_local_models(tier: ModelTier, *, allowed_hosts: Collection[str] = ()) -> Iterator[Refusals]:
    """Refuse requests to other machines, and in the tier `LIVE` those of models outside `counted`; gives the refused.

    `allowed_hosts` names services, other than models, that the backend needs and reaches by HTTP.
    """
    refusals = Refusals(tier=tier, allowed_hosts=allowed_hosts)
    with ExitStack() as stack:
        if tier is ModelTier.LIVE:
            stack.enter_context(_guarded(Model, "prepare_request", _uncounted_host, refusals))
        else:
            stack.enter_context(override_allow_model_requests(tier is not ModelTier.SCRIPTED))
            stack.enter_context(_guarded(Model, "prepare_request", _model_host, refusals))
            for module, owner, method, host_of in _HTTP_SEAMS:
                if importlib.util.find_spec(module) is not None:
                    client = getattr(importlib.import_module(module), owner)
                    stack.enter_context(_guarded(client, method, host_of, refusals))
        yield refusals


@contextmanager
def counted() -> Iterator[None]:
    """What this task does in here is a request of which the budget knows. Not to be held across a `yield`."""
    token = _is_counted.set(True)
    try:
        yield
    finally:
        _is_counted.reset(token)


@contextmanager
def _guarded(owner: type, method: str, host_of: _HostOf, refusals: Refusals) -> Iterator[None]:
    """The method with a check before it; the check runs when a coroutine function is called, not awaited."""
    original: Callable[..., Any] = getattr(owner, method)

    @wraps(original)
    def checked(*args: Any, **kwargs: Any) -> Any:
        refusals.check(host_of(*args, **kwargs))
        return original(*args, **kwargs)

    setattr(owner, method, checked)
    try:
        yield
    finally:
        setattr(owner, method, original)
