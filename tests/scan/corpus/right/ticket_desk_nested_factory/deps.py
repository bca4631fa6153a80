"""Dependencies of the ticket desk."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

SessionProvider = Callable[[], AbstractAsyncContextManager[AsyncSession]]


@dataclass(slots=True)
class Storage:
    open: SessionProvider
    schema: str = "public"


@dataclass(slots=True)
class DeskDeps:
    storage: Storage
    user_id: int
