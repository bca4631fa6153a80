"""What is told of an object without starting it: each violation by itself, and nothing of what only looks like one."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import date
from typing import Any

import pytest
from inline_snapshot import snapshot

from fixtures.minimal import MinimalBackend
from harness.backend import Application, BackendSettings, Capability, Tenant, ToolUse, Violation, examine
from harness.scenario import SessionMode, ToolRole

READ = ToolUse(tool="opening_hours")
SEARCH = ToolUse(tool="stock", arguments={"article": "pears"})


def tenant(tools: Any = None, *, account: str = "shop", agent: str = "clerk", **fields: Any) -> Tenant:
    return Tenant(account=account, agent=agent, tools={ToolRole.READ: READ} if tools is None else tools, **fields)


def backend(**parts: Any) -> object:
    """The minimal backend with other parts."""
    return type("Shop", (MinimalBackend,), parts)()


def said(**parts: Any) -> list[str]:
    """What is seen, and of what."""
    return [f"{each.part}: {each.seen}" for each in examine(backend(**parts))]


def test_backends_that_conform() -> None:
    """Nothing is said of a backend that is as it has to be."""
    assert examine(MinimalBackend()) == []


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"name": ""}, "name: it is ''"),
        ({"modes": frozenset({"per_operation"})}, "modes: 'per_operation' is a str"),
        ({"modes": ["per-operation"]}, "modes: 'per-operation' is a str"),
        ({"modes": "shared"}, "modes: it is a str ('shared')"),
        (
            {"modes": frozenset()},
            "modes: it is empty, so that nothing can be started",
        ),
        ({"capabilities": {"stream"}}, "capabilities: 'stream' is a str"),
        (
            {"capabilities": {Capability.LEDGER, Capability.DISCONNECT}},
            "capabilities: Capability.DISCONNECT is there without Capability.STREAMING",
        ),
        ({"tenants": ()}, "tenants: there are no tenants"),
        ({"tenants": tenant()}, "tenants: it is a Tenant"),
        (
            {"tenants": (tenant(), tenant())},
            "tenants[1]: it has the account 'shop' and the agent 'clerk', as tenants[0] has",
        ),
        ({"tenants": (tenant(account=""),)}, "tenants[0].account: it is ''"),
        (
            {"tenants": (tenant(questions="What is new?"),)},
            "tenants[0].questions: it is 'What is new?'",
        ),
        ({"tenants": (tenant({"reed": READ}),)}, "tenants[0].tools: 'reed' is a str ('reed')"),
        (
            {"tenants": (tenant({ToolRole.READ: "opening_hours"}),)},
            "tenants[0].tools[ToolRole.READ]: it is a str ('opening_hours')",
        ),
        (
            {"tenants": (tenant({ToolRole.READ: READ, ToolRole.SEARCH: READ}),)},
            "tenants[0].tools: 'opening_hours' with the same arguments plays ToolRole.READ and ToolRole.SEARCH",
        ),
        (
            {
                "tenants": (
                    tenant(
                        {ToolRole.READ: ToolUse(tool="stock", arguments={"article": "figs"}), ToolRole.SEARCH: SEARCH}
                    ),
                )
            },
            "tenants[0].tools: 'stock' plays both ToolRole.READ and ToolRole.SEARCH",
        ),
        (
            {"tenants": (tenant({ToolRole.READ: ToolUse(tool="stock", arguments={"day": date(2026, 1, 1)})}),)},
            (
                "tenants[0].tools[ToolRole.READ].arguments['day']: "
                "a date (datetime.date(2026, 1, 1)) is no JSON (Object of type date is not JSON serializable)"
            ),
        ),
        (
            {"tenants": (tenant({ToolRole.DELEGATE: ToolUse(tool="ask")}),)},
            "tenants[0].tools[ToolRole.DELEGATE].question: it is empty",
        ),
        ({"ledger_table": object}, "ledger_table: it is <class 'object'>"),
    ],
)
def test_attribute_that_violates(parts: dict[str, Any], expected: str) -> None:
    """One violation, where it is, and what it is."""
    assert said(**parts) == [expected]


def test_property_that_raises() -> None:
    """What a property raises is told, and the rest is looked at."""
    (violation,) = examine(backend(tenants=property(lambda _: 1 / 0)))

    assert violation.seen == "reading it raises ZeroDivisionError: division by zero"


def _interrupt() -> str:
    raise KeyboardInterrupt


def _leave() -> str:
    raise SystemExit("bye")


def test_method_whose_reading_ends_the_program() -> None:
    """That is told, and the program goes on."""
    (violation,) = examine(backend(start=property(lambda _: _leave())))

    assert (violation.part, violation.seen) == ("start", "reading it raises SystemExit: bye")


def test_interrupt_by_the_user_passes() -> None:
    """Where nobody handles the signal, an interrupt may come at any line."""
    with pytest.raises(KeyboardInterrupt):
        examine(backend(name=property(lambda _: _interrupt())))


def test_interrupt_by_the_backend_is_told() -> None:
    """While asyncio handles the signal, only its own interrupt is the user's."""

    async def looking() -> list[Violation]:
        return examine(backend(name=property(lambda _: _interrupt())))

    (violation,) = asyncio.run(looking())

    assert violation.seen == "reading it raises KeyboardInterrupt: "


class _Everything:
    """Has every attribute, and can be called, and cannot be shown."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *_: object) -> Any:
        return self

    def __repr__(self) -> str:
        raise ValueError("no text")


def test_object_that_cannot_be_shown() -> None:
    """It is told by its type."""
    told = [each.seen for each in examine(_Everything()) if each.part == "name"]

    assert told == ["it is <a _Everything, whose repr raises ValueError>"]


def test_everything_is_told_at_once() -> None:
    """One look tells all that is wrong, in the protocol's order."""
    assert [each.part for each in examine(object())] == snapshot(
        ["name", "modes", "capabilities", "tenants", "prepare", "start", "read_ledger"]
    )


async def _with_two(self: object, url: str, other: str) -> None: ...
async def _without(self: object) -> None: ...
def _plain(self: object, url: str) -> None: ...
async def _generator(self: object, url: str) -> AsyncIterator[None]:
    yield


@contextmanager
def _synchronous(self: object, settings: BackendSettings) -> Any:
    yield


@asynccontextmanager  # type: ignore[arg-type]  # that is the mistake
async def _without_yield(self: object, settings: BackendSettings) -> None: ...


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"prepare": _with_two}, "it takes (url: str, other: str) -> None, and is called with the database_url alone"),
        ({"prepare": _without}, "it takes () -> None, and is called with the database_url alone"),
        ({"prepare": _plain}, "it is no `async def`, and is to be awaited"),
        ({"prepare": "schema.sql"}, "it is a str, and cannot be called"),
        ({"read_ledger": _generator}, "it has a yield, so that it gives a generator, which cannot be awaited"),
        ({"start": _plain}, "it returns None, which is no async context manager"),
        ({"start": _generator}, "it is an async generator without @asynccontextmanager"),
        ({"start": _without}, "it takes () -> None, and is called with the settings alone"),
        ({"start": _with_two}, "it takes (url: str, other: str) -> None, and is called with the settings alone"),
        ({"start": _synchronous}, "it is a context manager of `with`, and is entered by `async with`"),
        ({"start": _without_yield}, "its @asynccontextmanager is on a function without a yield"),
    ],
)
def test_method_that_violates(parts: dict[str, Any], expected: str) -> None:
    """The place is the method's own, and the words say what it is."""
    violation = examine(backend(**parts))[0]

    assert violation.part == next(iter(parts))
    assert violation.seen.startswith(expected)
    assert not violation.place or violation.place.startswith("tests/conformance/test_contract.py:")


def test_coroutine_in_place_of_a_context_manager() -> None:
    """The commonest mistake: an `async def` that returns the application."""

    async def start(self: object, settings: BackendSettings) -> None: ...

    (violation,) = examine(backend(start=start))

    assert str(violation).partition("): ")[2] == (
        "it is an `async def` that gives a coroutine, not a context manager; it gives an async context manager, in "
        "which the application runs: write @asynccontextmanager, async def start(self, settings: BackendSettings), "
        "with one yield"
    )


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"modes": ["per-operation"]}, "write SessionMode.PER_OPERATION"),
        ({"capabilities": {"telepathy"}}, "write one of Capability.STREAMING, Capability.LEDGER, "),
        ({"tenants": (tenant({"reed": READ}),)}, "write ToolRole.READ"),
    ],
)
def test_the_nearest_name_is_told(parts: dict[str, Any], expected: str) -> None:
    """What to write stands there as Python; all members where none is near."""
    (violation,) = examine(backend(**parts))

    assert violation.change.startswith(expected)


class _Opening:
    async def __aenter__(self) -> None: ...
    async def __aexit__(self, *_: object) -> None: ...


def _logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def _delegating(self: MinimalBackend, url: str) -> Awaitable[None]:
    return self.prepare(url)


def _unannotated(self, url):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202  # as much code is
    return self.prepare(url)


def _opens(self: object, settings: BackendSettings) -> _Opening:
    return _Opening()


def _annotated(self: object, settings: BackendSettings) -> AbstractAsyncContextManager[Application]:
    raise NotImplementedError


def _optional(self: object, url: str, verbose: bool = False) -> Awaitable[None]:
    raise NotImplementedError


class _Callable:
    async def __call__(self, url: str) -> None: ...


@pytest.mark.parametrize(
    "parts",
    [
        {"prepare": _delegating},
        {"prepare": _unannotated},
        {"prepare": _optional},
        {"prepare": _logged(MinimalBackend.prepare)},
        {"prepare": staticmethod(functools.partial(MinimalBackend.prepare, MinimalBackend()))},
        {"prepare": _Callable()},
        {"start": _opens},
        {"start": _annotated},
        {"start": _logged(MinimalBackend.start)},
        {"modes": {SessionMode.PER_OPERATION}},
        {"modes": [SessionMode.PER_OPERATION]},
        {"tenants": [tenant()]},
        {"tenants": (tenant(), tenant(agent="boss"), tenant(account="other"))},
        {"tenants": (tenant({}),)},
        {
            "tenants": (
                tenant({ToolRole.READ: SEARCH, ToolRole.FAIL: ToolUse(tool="stock", arguments={"article": None})}),
            )
        },
        {"ledger_table": None},
        {"capabilities": frozenset()},
    ],
)
def test_what_only_looks_like_a_violation(parts: dict[str, Any]) -> None:
    """What can be right is not told: it is tried."""
    assert said(**parts) == []


def test_instance_with_slots_and_class_attributes_is_read_as_it_is() -> None:
    """Attributes may be properties, and methods may be attributes of the instance."""

    class Shop:
        name = "shop"
        modes = frozenset({SessionMode.SHARED})

        def __init__(self) -> None:
            self.prepare = MinimalBackend().prepare
            self.start = MinimalBackend().start
            self.read_ledger = MinimalBackend().read_ledger

        @property
        def capabilities(self) -> frozenset[Capability]:
            return frozenset()

        @property
        def tenants(self) -> Sequence[Tenant]:
            return [tenant()]

    assert examine(Shop()) == []
