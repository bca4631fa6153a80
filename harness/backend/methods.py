"""Where a backend's methods cannot be called, or awaited, as the harness does."""

import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, get_origin, get_type_hints

from harness.backend.reading import Unreadable, described_error, is_interrupt, read
from harness.backend.violation import Violation, place_of

__all__ = ["method_violations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Method:
    name: str
    argument: str
    asked: str
    written: str
    is_context: bool = False


_METHODS = (
    _Method(
        name="prepare",
        argument="database_url",
        asked="it makes schema and seed data in the empty database of a URL",
        written="async def prepare(self, database_url: str) -> None",
    ),
    _Method(
        name="start",
        argument="settings",
        asked="it gives an async context manager, in which the application runs",
        written="@asynccontextmanager, async def start(self, settings: BackendSettings), with one yield",
        is_context=True,
    ),
    _Method(
        name="read_ledger",
        argument="connection",
        asked="it reads every ledger row through a connection, as LedgerRow",
        written="async def read_ledger(self, connection: AsyncConnection) -> Sequence[LedgerRow]",
    ),
)


def method_violations(candidate: object) -> Iterator[Violation]:
    """Everything that is wrong with the three methods."""
    for method in _METHODS:
        function = read(candidate, method.name)
        if isinstance(function, Unreadable):
            missing = f"{type(candidate).__name__} has no such method"
            seen = missing if function.missing else f"reading it raises {function.said}"
            yield _violation(method, seen, place_of(type(candidate)))
            continue
        if not callable(function):
            yield _violation(method, f"it is a {type(function).__name__}, and cannot be called", "")
            continue
        yield from _of_function(function, method)


def _of_function(function: Callable[..., Any], method: _Method) -> Iterator[Violation]:
    try:
        place = place_of(_function(function))
        problems = [_arity(function, method), _context(function) if method.is_context else _awaitable(function)]
    except BaseException as error:
        if is_interrupt(error):
            raise
        problems, place = [f"looking at it raises {described_error(error)}"], ""
    yield from (_violation(method, problem, place) for problem in problems if problem)


def _violation(method: _Method, seen: str, place: str) -> Violation:
    return Violation(part=method.name, seen=seen, asked=method.asked, change=f"write {method.written}", place=place)


def _function(function: Callable[..., Any]) -> Callable[..., Any]:
    """What has a signature of its own: the function, or the `__call__` of an object."""
    while isinstance(function, functools.partial):
        function = function.func
    return function if inspect.isroutine(function) else type(function).__call__


def _arity(function: Callable[..., Any], method: _Method) -> str:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(object())
    except TypeError as error:
        return f"it takes {signature}, and is called with the {method.argument} alone ({error})"
    return ""


def _awaitable(function: Callable[..., Any]) -> str:
    """What keeps its result from being awaited; empty if nothing is known to."""
    function = _function(function)
    if inspect.isasyncgenfunction(function):
        return "it has a yield, so that it gives a generator, which cannot be awaited"
    if inspect.isgeneratorfunction(function):
        return "it is a generator, and is to be awaited"
    annotation = _returned(function)
    if inspect.iscoroutinefunction(function) or annotation is _UNKNOWN or _is_kind(annotation, Awaitable):
        return ""
    return "it is no `async def`, and is to be awaited"


def _context(function: Callable[..., Any]) -> str:
    """What keeps its result from being entered by `async with`; empty if nothing is known to."""
    function = _function(function)
    inner = inspect.unwrap(function)
    kinds: tuple[tuple[bool, str], ...] = (
        (inspect.isasyncgenfunction(function), "it is an async generator without @asynccontextmanager"),
        (inspect.iscoroutinefunction(function), "it is an `async def` that gives a coroutine, not a context manager"),
        (inspect.isgeneratorfunction(function), "it is a generator, and no async context manager"),
        (inspect.isgeneratorfunction(inner), "it is a context manager of `with`, and is entered by `async with`"),
        (
            _is_of_contextlib(function) and not inspect.isasyncgenfunction(inner),
            "its @asynccontextmanager is on a function without a yield",
        ),
    )
    if found := next((words for holds, words in kinds if holds), ""):
        return found
    annotation = _returned(function)
    if annotation is None or (inspect.isclass(annotation) and not hasattr(annotation, "__aenter__")):
        return f"it returns {_name(annotation)}, which is no async context manager"
    return ""


def _is_of_contextlib(function: Callable[..., Any]) -> bool:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return code is not None and code.co_filename == contextlib.__file__


_UNKNOWN = object()


def _returned(function: Callable[..., Any]) -> object:
    """The annotation of what it returns; that of a function which another one wraps says nothing of the result."""
    if hasattr(function, "__wrapped__"):
        return _UNKNOWN
    try:
        hints = get_type_hints(function)
    except Exception:  # noqa: BLE001  # names that only a type checker knows
        return _UNKNOWN
    annotation = hints.get("return", _UNKNOWN)
    if annotation is type(None):
        return None
    return annotation if annotation is not Any else _UNKNOWN


def _is_kind(annotation: object, kind: type) -> bool:
    """Whether it may be of the kind; what is no class is given the benefit of the doubt."""
    if annotation is None:
        return False
    origin = get_origin(annotation) or annotation
    return not inspect.isclass(origin) or issubclass(origin, kind)


def _name(annotation: object) -> str:
    return getattr(annotation, "__name__", repr(annotation))
