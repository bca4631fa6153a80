"""What is known of libraries: which names make or are sessions, and what their methods do.

A name is known by the library's uppermost name and the last part, because libraries export a class from several
modules: `sqlalchemy.ext.asyncio.AsyncSession` is `sqlalchemy.ext.asyncio.session.AsyncSession`.
"""

import re
from functools import lru_cache

from harness.scan.trace import Nature
from harness.scan.values import Kind

__all__ = ["GIVES", "LIBRARIES", "LOADS", "TAKES", "bills", "is_synchronous", "key_of", "kind_of", "nature_of", "short"]

_KINDS: dict[tuple[str, str], Kind] = {
    ("sqlalchemy", "AsyncSession"): Kind.SESSION,
    ("sqlalchemy", "Session"): Kind.SESSION,
    ("sqlalchemy", "AsyncConnection"): Kind.SESSION,
    ("sqlalchemy", "Connection"): Kind.SESSION,
    ("sqlmodel", "Session"): Kind.SESSION,
    ("sqlmodel", "AsyncSession"): Kind.SESSION,
    ("asyncpg", "Connection"): Kind.SESSION,
    ("asyncpg", "PoolConnectionProxy"): Kind.SESSION,
    ("psycopg", "AsyncConnection"): Kind.SESSION,
    ("psycopg", "Connection"): Kind.SESSION,
    ("sqlalchemy", "async_sessionmaker"): Kind.FACTORY,
    ("sqlalchemy", "sessionmaker"): Kind.FACTORY,
    ("sqlalchemy", "AsyncEngine"): Kind.ENGINE,
    ("sqlalchemy", "Engine"): Kind.ENGINE,
    ("sqlalchemy", "create_async_engine"): Kind.ENGINE,
    ("sqlalchemy", "create_engine"): Kind.ENGINE,
    ("sqlalchemy", "async_engine_from_config"): Kind.ENGINE,
    ("sqlalchemy", "engine_from_config"): Kind.ENGINE,
    ("sqlmodel", "create_engine"): Kind.ENGINE,
    ("sqlalchemy", "async_scoped_session"): Kind.SCOPED,
    ("sqlalchemy", "scoped_session"): Kind.SCOPED,
    ("asyncpg", "Pool"): Kind.POOL,
    ("asyncpg", "create_pool"): Kind.POOL,
    ("psycopg_pool", "AsyncConnectionPool"): Kind.POOL,
    ("psycopg_pool", "ConnectionPool"): Kind.POOL,
    ("psycopg_pool", "AsyncNullConnectionPool"): Kind.POOL,
    ("psycopg_pool", "NullConnectionPool"): Kind.POOL,
    ("asyncio", "Lock"): Kind.LOCK,
    ("asyncio", "Condition"): Kind.LOCK,
    ("anyio", "Lock"): Kind.LOCK,
    ("anyio", "Condition"): Kind.LOCK,
    ("threading", "Lock"): Kind.LOCK,
    ("threading", "RLock"): Kind.LOCK,
    ("asyncio", "Event"): Kind.SIGNAL,
    ("asyncio", "Queue"): Kind.SIGNAL,
    ("asyncio", "LifoQueue"): Kind.SIGNAL,
    ("asyncio", "PriorityQueue"): Kind.SIGNAL,
    ("asyncio", "Future"): Kind.SIGNAL,
    ("asyncio", "Barrier"): Kind.SIGNAL,
    ("anyio", "Event"): Kind.SIGNAL,
    ("anyio", "create_memory_object_stream"): Kind.SIGNAL,
    ("threading", "Event"): Kind.SIGNAL,
    ("threading", "Barrier"): Kind.SIGNAL,
    ("queue", "Queue"): Kind.SIGNAL,
    ("asyncio", "TaskGroup"): Kind.TASK_GROUP,
    ("anyio", "create_task_group"): Kind.TASK_GROUP,
    ("anyio", "TaskGroup"): Kind.TASK_GROUP,
    ("trio", "open_nursery"): Kind.TASK_GROUP,
    ("trio", "Nursery"): Kind.TASK_GROUP,
    ("asyncio", "get_running_loop"): Kind.LOOP,
    ("asyncio", "get_event_loop"): Kind.LOOP,
    ("asyncio", "new_event_loop"): Kind.LOOP,
    ("asyncio", "AbstractEventLoop"): Kind.LOOP,
    ("asyncio", "Runner"): Kind.LOOP,
    ("concurrent", "ThreadPoolExecutor"): Kind.EXECUTOR,
    ("concurrent", "Executor"): Kind.EXECUTOR,
    ("fastapi", "BackgroundTasks"): Kind.BACKGROUND,
    ("starlette", "BackgroundTasks"): Kind.BACKGROUND,
    ("contextvars", "ContextVar"): Kind.VARIABLE,
    ("contextlib", "AsyncExitStack"): Kind.STACK,
    ("contextlib", "ExitStack"): Kind.STACK,
    ("pydantic_ai", "Agent"): Kind.AGENT,
    ("pydantic_ai", "AbstractAgent"): Kind.AGENT,
    ("pydantic_ai", "FunctionToolset"): Kind.TOOLSET,
    ("pydantic_ai", "CombinedToolset"): Kind.TOOLSET,
    ("pydantic_ai", "AbstractToolset"): Kind.TOOLSET,
    ("pydantic_ai", "WrapperToolset"): Kind.TOOLSET,
    ("pydantic_ai", "FilteredToolset"): Kind.TOOLSET,
    ("pydantic_ai", "PrefixedToolset"): Kind.TOOLSET,
    ("pydantic_ai", "RenamedToolset"): Kind.TOOLSET,
    ("pydantic_ai", "PreparedToolset"): Kind.TOOLSET,
    ("pydantic_ai", "ApprovalRequiredToolset"): Kind.TOOLSET,
    ("pydantic_ai", "Tool"): Kind.TOOL,
    ("pydantic_ai", "RunContext"): Kind.RUN_CONTEXT,
    ("fastapi", "Depends"): Kind.DEPENDS,
    ("fastapi", "Security"): Kind.DEPENDS,
}
LIBRARIES = frozenset({top for top, _ in _KINDS} | {"pydantic", "typing", "functools", "contextlib", "builtins"})
"""Uppermost names that are never the project's own, also if their source is scanned."""
_SYNCHRONOUS = frozenset(
    {("sqlalchemy", name) for name in ("Session", "Connection", "sessionmaker", "Engine", "create_engine")}
    | {("sqlalchemy", "engine_from_config"), ("sqlalchemy", "scoped_session")}
    | {("sqlmodel", "Session"), ("sqlmodel", "create_engine"), ("psycopg", "Connection")}
    | {("psycopg_pool", "ConnectionPool"), ("psycopg_pool", "NullConnectionPool")}
)

_INTROSPECTION = frozenset(
    {"get_bind", "get_transaction", "get_nested_transaction", "identity_key", "in_nested_transaction", "in_transaction"}
    | {
        "is_active",
        "is_closed",
        "is_in_transaction",
        "is_modified",
        "object_session",
        "async_session",
        "get_dsn_parameters",
    }
    | {"get_server_pid", "get_server_version", "get_settings", "add_listener", "remove_listener", "execution_options"}
)
GIVES = frozenset(
    {"set", "put", "put_nowait", "set_result", "set_exception", "send", "send_nowait", "task_done", "started"}
    | {"notify", "notify_all"}
)
TAKES = frozenset({"wait", "wait_for", "get", "get_nowait", "receive", "join", "result", "done", "is_set"})
_STAGING = frozenset({"add", "add_all", "expunge", "expunge_all", "expire", "expire_all"})
LOADS = frozenset({"execute", "get", "get_one", "merge", "scalar", "scalars", "stream", "stream_scalars"})
"""What gives objects that load lazily by the session."""
_BOUNDARY = frozenset(
    {"begin", "begin_nested", "begin_twophase", "commit", "rollback", "close", "close_all", "aclose", "reset", "remove"}
    | {"invalidate", "prepare_twophase", "transaction", "terminate", "detach"}
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_BILLING = frozenset(
    {"audit", "bill", "billing", "charge", "cost", "invoice", "ledger", "meter", "metering", "token"}
    | {"track", "tracker", "tracking", "usage"}
)


@lru_cache(maxsize=4096)
def key_of(name: str) -> tuple[str, str]:
    """The uppermost and the last part of a dotted name."""
    return name.partition(".")[0].removeprefix("_"), name.rpartition(".")[2]


def short(name: str) -> str:
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


def is_synchronous(name: str) -> bool:
    """Whether something of a library blocks its thread instead of waiting."""
    return key_of(name) in _SYNCHRONOUS


def bills(name: str) -> bool:
    """Whether something with this name writes down what was used, by the words in it."""
    return any(word.lower().rstrip("s") in _BILLING for word in _WORD.findall(name))


def kind_of(name: str) -> Kind | None:
    """What something of a library is, if it matters."""
    return _KINDS.get(key_of(name))


def nature_of(operation: str) -> Nature | None:
    """What a session's method is to others; `None` if it only looks."""
    if operation in _INTROSPECTION:
        return None
    if operation in _STAGING:
        return Nature.STAGING
    return Nature.BOUNDARY if operation in _BOUNDARY else Nature.AWAITED
