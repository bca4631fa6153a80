"""The session of the request, wherever it is needed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

_session: ContextVar[AsyncSession] = ContextVar("session")  # expect-any: shared_by_tools


def current_session() -> AsyncSession:
    return _session.get()  # expect-any: shared_by_tools


@asynccontextmanager
async def request_session(factory: async_sessionmaker[AsyncSession]) -> AsyncIterator[None]:
    async with factory() as session:
        token = _session.set(session)  # expect-any: shared_by_tools
        try:
            yield
        finally:
            _session.reset(token)
