"""Wiring: a provider of services, each with a session that ends with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TypeVar

from services import Customers, Measurements, Service
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

Kind = TypeVar("Kind", bound=Service)


class Container:
    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _sessions(self) -> async_sessionmaker[AsyncSession]:
        return async_sessionmaker(create_async_engine(self._url))

    @asynccontextmanager
    async def _provide(self, kind: type[Kind]) -> AsyncIterator[Kind]:
        async with self._sessions() as session:
            yield kind(session)

    def customers(self):
        return self._provide(Customers)

    def measurements(self):
        return self._provide(Measurements)
