"""Right: two halves of the archive are read in two threads at once, and each thread opens a Session itself."""

import asyncio

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

SCHEMA = "CREATE TABLE documents (id serial PRIMARY KEY, year int, title text)"


def titles(engine: Engine, first: int, last: int) -> list[str]:
    statement = text("SELECT title FROM documents WHERE year BETWEEN :first AND :last")
    with Session(engine) as session:
        return list(session.scalars(statement, {"first": first, "last": last}))


async def read_archive(engine: Engine) -> list[str]:
    old, new = await asyncio.gather(
        asyncio.to_thread(titles, engine, 1900, 1969), asyncio.to_thread(titles, engine, 1970, 2030)
    )
    return old + new


async def main(url: str) -> None:
    engine = create_engine(url.replace("+asyncpg", "+psycopg"))
    await read_archive(engine)
    engine.dispose()
