"""Backends that violate the protocol in one way each: the minimal one, with one thing changed."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from pydantic_ai.models.test import TestModel
from sqlalchemy import NullPool, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from fixtures.minimal import AGENT, BILLS, MinimalBackend, Shop
from harness.backend import BackendSettings, Capability, ChatRequest, Tenant, ToolUse
from harness.errors import ClientLeft
from harness.evidence import Answer, LedgerGrain, LedgerRow
from harness.scenario import SessionMode, ToolRole

__all__ = ["HINTED", "LEGAL", "MANY", "REPEATED", "VIOLATING"]

TENANT = MinimalBackend.tenants[0]
READ, SEARCH = TENANT.tools[ToolRole.READ], TENANT.tools[ToolRole.SEARCH]


class Selling(MinimalBackend):
    """The minimal backend, with an application of another class."""

    application: Callable[[AsyncEngine, BackendSettings], Any] = Shop

    @asynccontextmanager
    async def start(self, settings: BackendSettings) -> AsyncIterator[Any]:
        """Start the minimal application, and give the other one."""
        async with super().start(settings) as shop:
            yield type(self).application(shop.engine, settings)


def selling(send: Callable[[Shop, ChatRequest], Any], **parts: Any) -> MinimalBackend:
    """A backend whose application sends in another way."""
    return _made(Selling, application=type("Other", (Shop,), {"send": send}), **parts)


def made(**parts: Any) -> MinimalBackend:
    """A backend with other parts."""
    return _made(MinimalBackend, **parts)


def _made(base: type[MinimalBackend], **parts: Any) -> MinimalBackend:
    backend: MinimalBackend = type("Shopping", (base,), {"name": f"shop {uuid4().hex[:6]}"} | parts)()
    return backend


def with_tools(tools: Mapping[ToolRole, ToolUse]) -> MinimalBackend:
    """A backend whose tenant names these tools."""
    return made(tenants=(replace(TENANT, tools=tools),))


# prepare


async def _prepare_and_stay(self: Any, database_url: str) -> None:
    self.engine = create_async_engine(database_url)
    async with self.engine.begin() as connection:
        await connection.run_sync(BILLS.metadata.create_all)


async def _prepare_without_commit(_self: Any, database_url: str) -> None:
    engine = create_async_engine(database_url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(BILLS.metadata.create_all)


async def _prepare_for_ever(_self: Any, _database_url: str) -> None:
    await asyncio.Event().wait()


async def _prepare_wrongly(_self: Any, database_url: str) -> None:
    engine = create_async_engine(database_url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE bills (id nonsense)"))


async def _prepare_elsewhere(self: Any, database_url: str) -> None:
    await MinimalBackend.prepare(self, database_url)
    engine = create_async_engine(database_url.rpartition("/")[0] + "/postgres", poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))


def _prepare_nothing(_self: Any, _database_url: str) -> Any:
    return None


# start


@asynccontextmanager
async def _own_pool(_self: Any, settings: BackendSettings) -> AsyncIterator[Shop]:
    engine = create_async_engine(settings.database_url)
    yield Shop(engine, settings)
    await engine.dispose()


@asynccontextmanager
async def _left_open(_self: Any, settings: BackendSettings) -> AsyncIterator[Shop]:
    pool = settings.pool
    sizes = {"pool_size": pool.size, "max_overflow": pool.max_overflow, "pool_timeout": pool.timeout}
    options = {"poolclass": NullPool} if pool.null else sizes
    engine = create_async_engine(settings.database_url, pool_pre_ping=pool.pre_ping, **options)
    _KEPT.append(engine)
    yield Shop(engine, settings)


_KEPT: list[AsyncEngine] = []
"""What an application forgets to close is alive for as long as something holds it."""


@dataclass(frozen=True)
class Beside:
    """Does something when it starts, and when it stops."""

    before: Callable[[], Any] = lambda: None
    after: Callable[[], Any] = lambda: None

    def __call__(self, settings: BackendSettings) -> Any:
        """The minimal application, with that."""
        return self._start(settings)

    @asynccontextmanager
    async def _start(self, settings: BackendSettings) -> AsyncIterator[Shop]:
        self.before()
        async with MinimalBackend().start(settings) as shop:
            yield shop
        await asyncio.ensure_future(_awaited(self.after))


async def _awaited(function: Callable[[], Any]) -> None:
    result = function()
    if result is not None:
        await result


def _task() -> None:
    _TASKS.append(
        asyncio.create_task(asyncio.sleep(60), name="heartbeat")
    )  # never waited for: it is left behind, and told


_TASKS: list[Any] = []


def _thread() -> None:
    threading.Thread(target=threading.Event().wait, args=(20,), name="flusher", daemon=True).start()


def _fail() -> None:
    raise RuntimeError("the queue is not empty")


@asynccontextmanager
async def _nothing(_self: Any, _settings: BackendSettings) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _once(self: Any, settings: BackendSettings) -> AsyncIterator[Shop]:
    if vars(self).setdefault("started", False):
        raise RuntimeError("it is started already")
    self.started = True
    async with MinimalBackend().start(settings) as shop:
        yield shop


def _raising(_self: Any, _settings: BackendSettings) -> Any:
    raise RuntimeError("no start")


class Odd(BaseException):
    """What no library expects."""


@asynccontextmanager
async def _odd(_self: Any, _settings: BackendSettings) -> AsyncIterator[Shop]:
    if _settings.database_url:
        raise Odd("hm")
    yield  # type: ignore[misc]  # it never comes so far


@asynccontextmanager
async def _cancelling(_self: Any, _settings: BackendSettings) -> AsyncIterator[Shop]:
    task = asyncio.current_task()
    if task is not None:
        task.cancel()
    await asyncio.sleep(0)
    yield  # type: ignore[misc]  # it never comes so far


@asynccontextmanager
async def _in_a_library(_self: Any, _settings: BackendSettings) -> AsyncIterator[Shop]:
    await asyncio.Event().wait()
    yield  # type: ignore[misc]  # it never comes so far


def _application(_self: Any, settings: BackendSettings) -> Any:
    return Shop(create_async_engine(settings.database_url), settings)


class _EngineGone(Shop):
    """Its engine is there no more."""

    def __getattribute__(self, name: str) -> Any:
        if name == "engine":
            raise RuntimeError("engine gone")
        return super().__getattribute__(name)


def _at_once(_self: Shop, _request: ChatRequest) -> Any:
    raise ValueError("no coroutine")


async def _by_turn_alone(self: Shop, request: ChatRequest) -> Answer:
    if self.settings.ledger_grain is LedgerGrain.REQUEST:
        raise NotImplementedError("per request: later")
    return await Shop.send(self, request)


# send


async def _text(_self: Shop, _request: ChatRequest) -> Any:
    return "from nine to five"


async def _nothing_said(_self: Shop, _request: ChatRequest) -> Answer:
    return Answer(text="", llm_request_id=None)


async def _for_ever(_self: Shop, _request: ChatRequest) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError


async def _own_model(self: Shop, request: ChatRequest) -> Answer:
    result = await AGENT.run(request.message, deps=self.engine, model=TestModel(call_tools=[]))
    return Answer(text=result.output, llm_request_id=None)


async def _other_message(self: Shop, _request: ChatRequest) -> Answer:
    result = await AGENT.run("Hello!", deps=self.engine, model=self.settings.model)
    return Answer(text=result.output, llm_request_id=None)


async def _one_by_one(self: Shop, request: ChatRequest) -> Answer:
    if vars(type(self)).get("busy"):
        raise RuntimeError("one turn at a time")
    type(self).busy = True  # type: ignore[attr-defined]  # that is the defect: one flag for all turns
    try:
        return await Shop.send(self, request)
    finally:
        type(self).busy = False  # type: ignore[attr-defined]  # the same


async def _unbilled(self: Shop, request: ChatRequest) -> Answer:
    result = await AGENT.run(request.message, deps=self.engine, model=self.settings.model)
    return Answer(text=result.output, llm_request_id=uuid4())


async def _unnamed(self: Shop, request: ChatRequest) -> Answer:
    return replace(await Shop.send(self, request), llm_request_id=None)


async def _for_another(self: Shop, request: ChatRequest) -> Answer:
    return await Shop.send(self, replace(request, conversation_id="somebody else"))


async def _failing_stream(self: Shop, request: ChatRequest) -> Answer:
    if request.stream:
        raise NotImplementedError("no streams")
    return await Shop.send(self, request)


async def _streaming(self: Shop, request: ChatRequest) -> Answer:
    if not request.stream:
        return await Shop.send(self, request)
    async with AGENT.run_stream(request.message, deps=self.engine, model=self.settings.model) as result:
        return Answer(text=await result.get_output(), llm_request_id=await _billed(self, request))


async def _leaving(self: Shop, request: ChatRequest) -> Answer:
    answer = await _streaming(self, request)
    if request.leave_after is not None:
        raise ClientLeft("it left")
    return answer


async def _billed(self: Shop, request: ChatRequest) -> UUID:
    row = {"id": uuid4(), "conversation": request.conversation_id}
    async with self.engine.begin() as connection:
        await connection.execute(insert(BILLS).values(row))
    return row["id"]  # type: ignore[return-value]  # the dictionary has values of two types


async def _falling_back(self: Shop, request: ChatRequest) -> Answer:
    try:
        return await Shop.send(self, request)
    except Exception:  # whatever the first model raised: it is raised on without another one
        if self.settings.fallback_model is None:
            raise
        return await Shop.send(Shop(self.engine, replace(self.settings, model=self.settings.fallback_model)), request)


# ledger


async def _floats(self: Any, connection: AsyncConnection) -> Sequence[LedgerRow]:
    rows = await MinimalBackend.read_ledger(self, connection)
    return [replace(row, total_cost=float(row.total_cost or 0)) for row in rows]  # type: ignore[arg-type]  # the defect


async def _another_account(self: Any, connection: AsyncConnection) -> Sequence[LedgerRow]:
    return [replace(row, account_slug="market") for row in await MinimalBackend.read_ledger(self, connection)]


async def _unreadable(_self: Any, connection: AsyncConnection) -> Sequence[LedgerRow]:
    await connection.execute(text("SELECT * FROM invoices"))
    raise AssertionError


WITH = frozenset({Capability.LEDGER})
EMPTY: frozenset[Capability] = frozenset()

VIOLATING: Mapping[str, tuple[MinimalBackend, str, str]] = {
    "a prepared database that is in use": (
        made(prepare=_prepare_and_stay),
        "prepare",
        "1 of its connections was open when it had ended",
    ),
    "a schema that is not committed": (made(prepare=_prepare_without_commit), "prepare", "has no table afterwards"),
    "a preparation that hangs": (made(prepare=_prepare_for_ever), "prepare", "has not ended after 2 s; task"),
    "a preparation that fails": (made(prepare=_prepare_wrongly), "prepare", 'type "nonsense" does not exist'),
    "a preparation of another database": (made(prepare=_prepare_elsewhere), "prepare", "/postgres"),
    "a preparation that is not awaited": (
        made(prepare=_prepare_nothing),
        "prepare",
        "it returned a NoneType, which cannot be awaited",
    ),
    "a turn that is not awaited": (
        selling(lambda _shop, _request: "from nine to five"),
        "send to 'shop'/'clerk'",
        "it returned a str, which cannot be awaited",
    ),
    "a ledger table that is not there": (made(ledger_table="bill"), "ledger_table", "there is no table 'bill'"),
    "a pool of its own": (made(start=_own_pool), "start", "pool_size is 5, and `settings.pool` asks for 3"),
    "connections that are left": (
        made(start=_left_open),
        "start in mode 'per_operation', on leaving",
        "1 connection was open to the database",
    ),
    "a task that is left": (
        made(start=staticmethod(Beside(before=_task))),
        "start in mode 'per_operation', on leaving",
        "tasks went on after it had stopped: 'heartbeat'",
    ),
    "a thread that is left": (
        made(start=staticmethod(Beside(before=_thread))),
        "start in mode 'per_operation', on leaving",
        "there are more threads after each start: flusher",
    ),
    "a stop that fails": (
        made(start=staticmethod(Beside(after=_fail))),
        "start in mode 'per_operation', on leaving",
        "RuntimeError: the queue is not empty",
    ),
    "a stop that hangs": (
        made(start=staticmethod(Beside(after=lambda: asyncio.Event().wait()))),
        "start in mode 'per_operation', on leaving",
        "it has not ended after 2 s",
    ),
    "a start that gives nothing": (made(start=_nothing), "start", "a NoneType has no `send`"),
    "a start that works once": (made(start=_once), "start in mode 'per_operation'", "it is started already"),
    "a start that raises": (made(start=_raising), "start in mode 'per_operation'", "it raised RuntimeError: no start"),
    "a start that raises no exception": (made(start=_odd), "start in mode 'per_operation'", "it raised Odd: hm"),
    "a start that cancels its task": (
        made(start=_cancelling),
        "start in mode 'per_operation'",
        "its task was cancelled by somebody else",
    ),
    "a start that hangs": (
        made(start=_in_a_library),
        "start in mode 'per_operation'",
        "it has not ended after 2 s; it waits at tests/conformance/shops.py",
    ),
    "a start that returns an application": (
        made(start=_application),
        "start in mode 'per_operation'",
        "it returned a Shop, which is no async context manager",
    ),
    "an engine that cannot be read": (
        _made(Selling, application=_EngineGone),
        "start",
        "reading which raises RuntimeError: engine gone",
    ),
    "a turn that raises at once": (
        selling(_at_once),
        "send to 'shop'/'clerk'",
        "it raised ValueError: no coroutine",
    ),
    "a grain that fails": (
        selling(_by_turn_alone, capabilities=WITH | {Capability.LEDGER_PER_REQUEST}),
        "Capability.LEDGER_PER_REQUEST",
        "NotImplementedError: per request: later",
    ),
    "an answer that is a text": (selling(_text), "send to 'shop'/'clerk'", "it returned a str, and no Answer"),
    "an empty answer": (selling(_nothing_said), "send to 'shop'/'clerk'", "the answer's text is empty"),
    "an answer that does not come": (selling(_for_ever), "send to 'shop'/'clerk'", "it has not ended after 2 s"),
    "a model of its own": (selling(_own_model), "send", "it did not ask the model"),
    "a message that is not passed on": (selling(_other_message), "send to 'shop'/'clerk'", "UnscriptedRequestError"),
    "one turn at a time": (selling(_one_by_one), "send to 'shop'/'clerk', 3 turns at once", "one turn at a time"),
    "a tool that is not there": (
        with_tools({ToolRole.READ: ToolUse(tool="opening_hour")}),
        "tenants[0].tools[ToolRole.READ]",
        "the agent offers no tool 'opening_hour' to the model; it offers 'opening_hours', 'stock'",
    ),
    "arguments that do not fit": (
        with_tools({ToolRole.READ: ToolUse(tool="stock", arguments={"artikel": "pears"})}),
        "tenants[0].tools[ToolRole.READ]",
        "'stock' does not take {'artikel': 'pears'}: article: Field required",
    ),
    "a commit that writes nothing": (
        with_tools({ToolRole.COMMIT: READ}),
        "tenants[0].tools[ToolRole.COMMIT]",
        "'opening_hours' with {} wrote no row",
    ),
    "a failure that succeeds": (
        with_tools({ToolRole.FAIL: READ}),
        "tenants[0].tools[ToolRole.FAIL]",
        "was refused nothing by the database",
    ),
    "a retry that answers": (
        with_tools({ToolRole.RETRY: READ}),
        "tenants[0].tools[ToolRole.RETRY]",
        "did not ask the model to try again",
    ),
    "a question that nobody is asked": (
        with_tools({ToolRole.DELEGATE: ToolUse(tool="stock", question="article")}),
        "tenants[0].tools[ToolRole.DELEGATE]",
        "did not ask the model the question that it was given",
    ),
    "a bill that is not written": (
        selling(_unbilled),
        "send to 'shop'/'clerk': its ledger row",
        "none of the 0 committed rows has the conversation's identifier",
    ),
    "a bill that is not named": (
        selling(_unnamed),
        "send to 'shop'/'clerk': its ledger row",
        "the answer names no row",
    ),
    "a bill for another conversation": (
        selling(_for_another),
        "send to 'shop'/'clerk': its ledger row",
        "the row that the answer names has the session_id 'somebody else'",
    ),
    "costs that are floats": (made(read_ledger=_floats), "read_ledger", "costs must be Decimal"),
    "rows of another account": (
        made(read_ledger=_another_account),
        "send to 'shop'/'clerk': its ledger row",
        "it is of 'market'/'clerk'",
    ),
    "a ledger that cannot be read": (
        made(read_ledger=_unreadable),
        "read_ledger",
        'relation "invoices" does not exist',
    ),
    "a stream that is none": (
        made(capabilities=WITH | {Capability.STREAMING}),
        "Capability.STREAMING",
        "the model was asked for a whole answer",
    ),
    "a stream that fails": (
        selling(_failing_stream, capabilities=WITH | {Capability.STREAMING}),
        "send to 'shop'/'clerk', streamed",
        "NotImplementedError: no streams",
    ),
    "a client that cannot leave": (
        selling(_streaming, capabilities=WITH | {Capability.STREAMING, Capability.DISCONNECT}),
        "Capability.DISCONNECT",
        "with `request.leave_after` it gave an answer",
    ),
    "a second model that is not asked": (
        made(capabilities=WITH | {Capability.FALLBACK}),
        "Capability.FALLBACK",
        "when `model` answered HTTP 503, it raised ModelHTTPError",
    ),
    "one row for two requests": (
        made(capabilities=WITH | {Capability.LEDGER_PER_REQUEST}),
        "Capability.LEDGER_PER_REQUEST",
        "a turn of 2 model responses has 1 ledger rows",
    ),
    "a mode that is another": (
        made(modes=frozenset({SessionMode.SHARED})),
        "modes",
        "in the mode 'shared' two tool calls of a turn had database connections of their own",
    ),
}
"""What is wrong, the backend, the part that it is told of, and a piece of what is seen."""

HINTED: Mapping[str, tuple[MinimalBackend, str, str]] = {
    "a stream that is not declared": (selling(_streaming), "Capability.STREAMING", "it seems to do that"),
    "a client that may leave": (
        selling(_leaving, capabilities=WITH | {Capability.STREAMING}),
        "Capability.DISCONNECT",
        "it seems to do that",
    ),
    "a second model that is not declared": (selling(_falling_back), "Capability.FALLBACK", "it seems to do that"),
    "a ledger that is not declared": (made(capabilities=EMPTY), "Capability.LEDGER", "read_ledger gives"),
    "a ledger without a name": (
        made(ledger_table=None),
        "ledger_table",
        "it does not say in which table its ledger is",
    ),
}
"""What is said of a backend that conforms: the part, and a piece of what is seen."""


BOTH = frozenset({SessionMode.PER_OPERATION, SessionMode.SHARED})
TWO = (TENANT, replace(TENANT, account="market"))


async def _without_tools(self: Shop, request: ChatRequest) -> Answer:
    """It answers as long as the model calls nothing."""
    answer = await Shop.send(self, request)
    if _asked(self, request.message):
        raise RuntimeError(f"no tools for {request.conversation_id}")
    return answer


def _asked(shop: Shop, message: str) -> bool:
    requests: Any = getattr(shop.settings.model, "_requests", ())
    return sum(message in each.text for each in requests) > 1


_ACCOUNTS: dict[str, str] = {}
"""By conversation, whose account it is: the minimal ledger knows one alone."""


async def _unnamed_for_all(self: Shop, request: ChatRequest) -> Answer:
    _ACCOUNTS[request.conversation_id] = request.account
    return await _unnamed(self, request)


async def _of_all(self: Any, connection: AsyncConnection) -> Sequence[LedgerRow]:
    rows = await MinimalBackend.read_ledger(self, connection)
    return [replace(row, account_slug=_ACCOUNTS[str(row.session_id)]) for row in rows]


REPEATED: Mapping[str, tuple[MinimalBackend, str, tuple[str, ...]]] = {
    "a start that raises in each mode": (
        made(start=_raising, modes=BOTH),
        "start in mode 'per_operation'",
        ("start in mode 'shared'",),
    ),
    "connections that are left in each mode": (
        made(start=_left_open, modes=BOTH, tenants=(replace(TENANT, tools={}),)),
        "start in mode 'per_operation', on leaving",
        ("start in mode 'shared', on leaving",),
    ),
    "a turn that raises in each role": (
        selling(_without_tools),
        "tenants[0].tools[ToolRole.READ]",
        ("tenants[0].tools[ToolRole.SEARCH]",),
    ),
    "a bill that no tenant's turn has": (
        selling(_unnamed_for_all, tenants=TWO, read_ledger=_of_all),
        "send to 'shop'/'clerk': its ledger row",
        ("send to 'market'/'clerk': its ledger row",),
    ),
    "a stream that fails, and is not left": (
        selling(_failing_stream, capabilities=WITH | {Capability.STREAMING, Capability.DISCONNECT}),
        "send to 'shop'/'clerk', streamed",
        (),
    ),
}
"""What is wrong at one place and seen at several: the backend, the part that it is told of, and the others."""


async def _many(self: Shop, request: ChatRequest) -> Answer:
    if request.stream:
        raise NotImplementedError("no streams")
    return replace(await _one_by_one(self, request), llm_request_id=None)


MANY = selling(
    _many,
    tenants=(replace(TENANT, tools={ToolRole.COMMIT: READ, ToolRole.READ: ToolUse(tool="opening_hour")}),),
    capabilities=WITH | {Capability.STREAMING, Capability.FALLBACK},
    ledger_table=None,
)
"""A tool that is not there, one that writes nothing, one turn at a time, an answer without a bill's name, no stream."""


class _Opened:
    """An application that is entered by a class, and leaves itself."""

    def __init__(self, settings: BackendSettings) -> None:
        self._context = MinimalBackend().start(settings)

    async def __aenter__(self) -> Shop:
        return await self._context.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await self._context.__aexit__(*error)  # type: ignore[arg-type]  # the three are handed on


class _TwoEngines(Shop):
    """Bills go through an engine of their own, on the same database."""


@asynccontextmanager
async def _two_engines(_self: Any, settings: BackendSettings) -> AsyncIterator[Shop]:
    bills = create_async_engine(settings.database_url, poolclass=NullPool)
    async with MinimalBackend().start(settings) as shop, bills.connect() as connection:
        await connection.execute(text("SELECT 1"))
        yield shop


LEGAL: Mapping[str, MinimalBackend] = {
    "the minimal one": made(),
    "a class for a context": made(start=lambda _self, settings: _Opened(settings)),
    "a second engine": made(start=_two_engines),
    "no roles": made(tenants=(Tenant(account="shop", agent="clerk", tools={}),)),
    "no ledger": made(capabilities=EMPTY, read_ledger=lambda _self, _connection: asyncio.sleep(0, [])),
    "a stream": selling(_leaving, capabilities=WITH | {Capability.STREAMING, Capability.DISCONNECT}),
    "a second model": selling(_falling_back, capabilities=WITH | {Capability.FALLBACK}),
}
