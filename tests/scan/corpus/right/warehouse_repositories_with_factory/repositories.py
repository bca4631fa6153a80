"""Repositories of the warehouse. Each operation has a session of its own."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    quantity: Mapped[int]


class Supplier(Base):
    __tablename__ = "suppliers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Repository:
    def __init__(self, session: async_sessionmaker[AsyncSession]) -> None:
        self._session = session


class StockRepository(Repository):
    async def quantity(self, code: str) -> int:
        async with self._session() as session:
            return await session.scalar(select(func.sum(Item.quantity)).where(Item.code == code)) or 0


class SupplierRepository(Repository):
    async def names(self, part: str) -> list[str]:
        async with self._session() as session:
            return list(await session.scalars(select(Supplier.name).where(Supplier.name.icontains(part))))
