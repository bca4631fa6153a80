"""The rental's tables, and its engine."""

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Bicycle(Base):
    __tablename__ = "bicycles"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    station: Mapped[str]
    rented: Mapped[bool] = mapped_column(default=False)


def make_engine(url: str) -> AsyncEngine:
    return create_async_engine(url, pool_recycle=600)
