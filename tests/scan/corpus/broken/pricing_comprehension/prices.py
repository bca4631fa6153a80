"""Prices of articles."""

from decimal import Decimal

from sqlalchemy import Numeric, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Price(Base):
    __tablename__ = "prices"

    sku: Mapped[str] = mapped_column(primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Numeric(10, 2))


class PriceList:
    def __init__(self, session):
        self.session = session

    async def price(self, sku: str) -> Decimal:
        row = await self.session.execute(select(Price.amount).where(Price.sku == sku))  # expect-any: shared_by_tasks
        return row.scalar_one_or_none() or Decimal(0)
