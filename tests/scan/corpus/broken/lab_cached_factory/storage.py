"""Access to the laboratory's database."""

import os
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine


@lru_cache
def get_engine() -> AsyncEngine:
    return create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://lab@localhost/lab"))


@lru_cache(maxsize=1)
def get_session() -> AsyncSession:  # expect-any: shared_by_tools
    return AsyncSession(get_engine())  # expect-any: shared_by_tools
