"""Broken: two reports are made in the executor's threads at the same time, on one synchronous core connection."""

import asyncio

from sqlalchemy import Connection, create_engine, text

SCHEMA = "CREATE TABLE payments (id serial PRIMARY KEY, payer text, cents int, day date)"


def sum_by_payer(connection: Connection) -> dict[str, int]:
    with connection.begin_nested():  # expect-any: shared_by_tasks
        rows = connection.execute(  # expect-any: shared_by_tasks
            text("SELECT payer, sum(cents) FROM payments GROUP BY payer")
        )
        return {row.payer: row.sum for row in rows}


def sum_by_day(connection: Connection) -> dict[str, int]:
    with connection.begin_nested():  # expect-any: shared_by_tasks
        rows = connection.execute(  # expect-any: shared_by_tasks
            text("SELECT day, sum(cents) FROM payments GROUP BY day")
        )
        return {str(day): cents for day, cents in rows}


async def report(connection: Connection) -> tuple[dict[str, int], dict[str, int]]:
    loop = asyncio.get_running_loop()
    payers = loop.run_in_executor(None, sum_by_payer, connection)  # expect-any: shared_by_tasks
    days = loop.run_in_executor(None, sum_by_day, connection)  # expect-any: shared_by_tasks
    return await payers, await days


async def main(url: str) -> None:
    engine = create_engine(url.replace("+asyncpg", "+psycopg"))
    with engine.connect() as connection:
        await report(connection)
    engine.dispose()
