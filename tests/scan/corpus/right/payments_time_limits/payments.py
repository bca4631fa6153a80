"""Right: time limits may put single operations into tasks, but each is awaited before the next begins."""

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = "CREATE TABLE payments (id serial PRIMARY KEY, payer text, cents int)"


async def pay(session: AsyncSession, payer: str, cents: int) -> int:
    paid = text("SELECT coalesce(sum(cents), 0) FROM payments WHERE payer = :payer")
    before = await asyncio.wait_for(session.scalar(paid, {"payer": payer}), timeout=20)
    async with asyncio.timeout(20):
        await session.execute(
            text("INSERT INTO payments (payer, cents) VALUES (:payer, :cents)"), {"payer": payer, "cents": cents}
        )
    await asyncio.wait_for(session.commit(), timeout=20)
    return before + cents


async def pay_all(session: AsyncSession, payers: dict[str, int]) -> list[int]:
    return [await pay(session, payer, cents) for payer, cents in payers.items()]


async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        assert await pay_all(session, {"ada": 100, "ben": 250}) == [100, 250]
    await engine.dispose()
