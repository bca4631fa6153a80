"""What the dependencies of all agents have in common."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker


@dataclass(kw_only=True)
class AgentDependencies:
    conversation: UUID
    _factory: async_sessionmaker[AsyncSession]

    @asynccontextmanager
    async def db(self) -> AsyncIterator[AsyncSession]:
        """A session for one operation."""
        async with self._factory() as session:
            try:
                yield session
                await session.commit()
            except BaseException:
                await session.rollback()
                raise
