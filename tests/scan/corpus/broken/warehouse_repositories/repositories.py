"""Repositories of the warehouse. Each works in the session that it is given."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    quantity: Mapped[int]
    supplier_id: Mapped[int]


class Supplier(Base):
    __tablename__ = "suppliers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Repository:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session  # expect-any: shared_by_tools


class StockRepository(Repository):
    async def quantity(self, code: str) -> int:
        return (  # expect-any: shared_by_tools
            await self._session.scalar(select(func.sum(Item.quantity)).where(Item.code == code)) or 0
        )


class SupplierRepository(Repository):
    async def names(self, part: str) -> list[str]:
        found = await self._session.scalars(  # expect-any: shared_by_tools
            select(Supplier.name).where(Supplier.name.icontains(part))
        )
        return list(found)
