"""The session of the task, wherever one is."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://aquarium@localhost/aquarium")
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)
P = ParamSpec("P")
T = TypeVar("T")
_session: ContextVar[AsyncSession | None] = ContextVar("session", default=None)


def in_session(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    @wraps(function)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        async with SessionLocal.begin() as session:
            token = _session.set(session)
            try:
                return await function(*args, **kwargs)
            finally:
                _session.reset(token)

    return wrapped


def db() -> AsyncSession:
    session = _session.get()
    if session is None:
        raise RuntimeError("no session in this context")
    return session
