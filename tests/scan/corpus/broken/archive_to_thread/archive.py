"""Broken: two halves of the archive are read in two threads at once, with one synchronous Session."""

import asyncio
import os

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

SCHEMA = "CREATE TABLE documents (id serial PRIMARY KEY, year int, title text)"


def titles(session: Session, first: int, last: int) -> list[str]:
    statement = text("SELECT title FROM documents WHERE year BETWEEN :first AND :last")
    return list(session.scalars(statement, {"first": first, "last": last}))  # expect-any: shared_by_tasks


async def read_archive(session: Session) -> list[str]:
    old, new = await asyncio.gather(  # expect-any: shared_by_tasks
        asyncio.to_thread(titles, session, 1900, 1969),  # expect-any: shared_by_tasks
        asyncio.to_thread(titles, session, 1970, 2030),  # expect-any: shared_by_tasks
    )
    return old + new


async def main(url: str) -> None:
    engine = create_engine(url.replace("+asyncpg", "+psycopg"), pool_size=int(os.environ.get("POOL_SIZE", "5")))
    with Session(engine) as session:
        await read_archive(session)
    engine.dispose()
