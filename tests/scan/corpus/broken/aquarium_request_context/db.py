"""The session of the request, wherever one is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://aquarium@localhost/aquarium")
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)
_session: ContextVar[AsyncSession | None] = ContextVar("session", default=None)


@asynccontextmanager
async def session_scope() -> AsyncIterator[AsyncSession]:
    async with SessionLocal() as session:
        token = _session.set(session)
        try:
            yield session
            await session.commit()
        finally:
            _session.reset(token)


def db() -> AsyncSession:
    session = _session.get()
    if session is None:
        raise RuntimeError("no session in this context")
    return session
