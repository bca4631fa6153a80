"""The rental's tables, and its sessions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Bicycle(Base):
    __tablename__ = "bicycles"

    id: Mapped[int] = mapped_column(primary_key=True)
    station: Mapped[str]
    rented: Mapped[bool] = mapped_column(default=False)


class Database:
    def __init__(self, url: str) -> None:
        self.engine = create_async_engine(url)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        async with AsyncSession(self.engine, expire_on_commit=False) as session:
            yield session
