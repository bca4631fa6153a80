"""Broken: debit and credit are gathered in one transaction, on one connection that can do one thing at a time."""

import asyncio

from sqlalchemy import Column, Integer, MetaData, String, Table, insert, update
from sqlalchemy.ext.asyncio import create_async_engine

metadata = MetaData()
accounts = Table(
    "accounts", metadata, Column("name", String(20), primary_key=True), Column("cents", Integer, nullable=False)
)
entries = Table(
    "entries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("account", String(20)),
    Column("cents", Integer),
)


async def book(connection, account: str, cents: int) -> None:
    await connection.execute(insert(entries).values(account=account, cents=cents))  # expect-any: shared_by_tasks
    await connection.execute(  # expect-any: shared_by_tasks
        update(accounts).where(accounts.c.name == account).values(cents=accounts.c.cents + cents)
    )


async def transfer(engine, source: str, target: str, cents: int) -> None:
    async with engine.begin() as connection:
        debit = book(connection, source, -cents)  # expect-any: shared_by_tasks
        credit = book(connection, target, cents)  # expect-any: shared_by_tasks
        await asyncio.gather(debit, credit)  # expect-any: shared_by_tasks


async def main(url: str) -> None:
    engine = create_async_engine(url)
    await transfer(engine, "ada", "ben", 250)
    await engine.dispose()
