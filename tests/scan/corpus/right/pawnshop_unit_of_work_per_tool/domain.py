"""Pledges and loans, and the unit of work that has their repositories."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, Self, TypeVar

from sqlalchemy import ForeignKey, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


Row = TypeVar("Row", bound=Base)


class Pledge(Base):
    __tablename__ = "pledges"

    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]


class Loan(Base):
    __tablename__ = "loans"

    id: Mapped[int] = mapped_column(primary_key=True)
    pledge_id: Mapped[int] = mapped_column(ForeignKey("pledges.id"))
    amount: Mapped[int]


class Repository(Generic[Row]):
    model: type[Row]

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def all(self) -> list[Row]:
        return list(await self._session.scalars(select(self.model)))


class Pledges(Repository[Pledge]):
    model = Pledge


class Loans(Repository[Loan]):
    model = Loan


class UnitOfWork:
    pledges: Pledges
    loans: Loans

    def __init__(self, factory: async_sessionmaker[AsyncSession]) -> None:
        self._factory = factory

    async def __aenter__(self) -> Self:
        self._session = self._factory()
        self.pledges = Pledges(self._session)
        self.loans = Loans(self._session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            await self._session.rollback()
        await self._session.close()

    async def commit(self) -> None:
        await self._session.commit()
