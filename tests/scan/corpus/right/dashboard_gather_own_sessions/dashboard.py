"""Right: three queries are gathered, and each opens a session of its own."""

import asyncio
import os

from fastapi import FastAPI
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql import Select


class Base(DeclarativeBase):
    pass


class Sale(Base):
    __tablename__ = "sales"

    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    region: Mapped[str]


engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://shop@localhost/shop"))
Session = async_sessionmaker(engine)
app = FastAPI()


async def ask(statement: Select[tuple[int]]) -> int:
    async with Session() as db:
        return await db.scalar(statement) or 0


@app.get("/dashboard")
async def dashboard() -> dict[str, int]:
    total, number, regions = await asyncio.gather(
        ask(select(func.sum(Sale.amount))),
        ask(select(func.count()).select_from(Sale)),
        ask(select(func.count(Sale.region.distinct()))),
    )
    return {"revenue": total, "sales": number, "regions": regions}


async def main(url: str) -> None:
    await dashboard()
    await engine.dispose()
