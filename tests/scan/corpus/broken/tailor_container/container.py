"""Wiring: what the services of one request are made of."""

from functools import cached_property

from services import Customers, Measurements
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine


class Container:
    def __init__(self, url: str) -> None:
        self._url = url

    @cached_property
    def _sessions(self) -> async_sessionmaker[AsyncSession]:
        return async_sessionmaker(create_async_engine(self._url))

    @cached_property
    def session(self) -> AsyncSession:
        return self._sessions()  # expect-any: shared_by_tools

    @cached_property
    def customers(self) -> Customers:
        return Customers(self.session)

    @cached_property
    def measurements(self) -> Measurements:
        return Measurements(self.session)

    async def aclose(self) -> None:
        await self.session.close()
