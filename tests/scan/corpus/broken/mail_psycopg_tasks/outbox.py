"""Broken: two tasks open transactions on one psycopg connection, and end them in whatever order they come."""

import asyncio

import psycopg

SCHEMA = """
CREATE TABLE outbox (id serial PRIMARY KEY, recipient text, sent boolean DEFAULT false);
CREATE TABLE deliveries (id serial PRIMARY KEY, mail int);
"""


async def queue_mails(conn: psycopg.AsyncConnection, recipients: list[str]) -> None:
    async with conn.transaction():  # expect-any: shared_by_tasks
        for recipient in recipients:
            await conn.execute(  # expect-any: shared_by_tasks
                "INSERT INTO outbox (recipient) VALUES (%s)", (recipient,)
            )


async def mark_sent(conn: psycopg.AsyncConnection) -> None:
    async with conn.transaction():  # expect-any: shared_by_tasks
        cursor = await conn.execute(  # expect-any: shared_by_tasks
            "UPDATE outbox SET sent = true WHERE NOT sent RETURNING id"
        )
        for (mail,) in await cursor.fetchall():
            await conn.execute("INSERT INTO deliveries (mail) VALUES (%s)", (mail,))  # expect-any: shared_by_tasks


async def work(conn: psycopg.AsyncConnection) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(queue_mails(conn, ["a@x.org", "b@x.org"]))  # expect-any: shared_by_tasks
        tasks.create_task(mark_sent(conn))  # expect-any: shared_by_tasks


async def main(url: str) -> None:
    async with await psycopg.AsyncConnection.connect(url.replace("+asyncpg", "")) as conn:
        await work(conn)
