"""Broken: three queries of one endpoint are gathered on the one session of the request."""

import asyncio
import os
from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Sale(Base):
    __tablename__ = "sales"

    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    region: Mapped[str]


class Visit(Base):
    __tablename__ = "visits"

    id: Mapped[int] = mapped_column(primary_key=True)
    page: Mapped[str]


engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://shop@localhost/shop"))
Session = async_sessionmaker(engine)
app = FastAPI()


async def get_db() -> AsyncIterator[AsyncSession]:
    async with Session() as session:
        yield session


async def revenue(db: AsyncSession) -> int:
    return await db.scalar(select(func.coalesce(func.sum(Sale.amount), 0)))  # expect-any: shared_by_tasks


async def visits(db: AsyncSession) -> int:
    return await db.scalar(select(func.count()).select_from(Visit))  # expect-any: shared_by_tasks


async def regions(db: AsyncSession) -> list[str]:
    return list(await db.scalars(select(Sale.region).distinct()))  # expect-any: shared_by_tasks


@app.get("/dashboard")
async def dashboard(db: AsyncSession = Depends(get_db)) -> dict[str, object]:
    total, seen, where = await asyncio.gather(revenue(db), visits(db), regions(db))  # expect-any: shared_by_tasks
    return {"revenue": total, "visits": seen, "regions": where}


async def main(url: str) -> None:
    async with Session() as db:
        await dashboard(db)
    await engine.dispose()
