"""An empty PostgreSQL database for one test of any suite: what the fixture `sessionproof_database_url` gives.

Problem: whoever wants to see a race in an application of their own needs a database first, and a test, its fixtures and
its plugins have loops of their own.

Mechanism: a copy of an empty template of this run, made and dropped in a thread, so that no event loop of the suite's
own is replaced, and a loop that runs is not in the way.

Guarantee: the database is dropped, whoever is still connected to it.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from harness.postgres.clones import Clones, Database, drop

__all__ = ["empty_database"]

T = TypeVar("T")


@contextmanager
def empty_database(clones: Clones, label: str) -> Iterator[str]:
    """The URL of a new, empty database, as SQLAlchemy takes it with asyncpg; it holds the password."""
    database = clones.database(label)
    try:
        _apart(_make(clones, database))
        yield database.url
    finally:
        _apart(_drop(clones, database))


def _apart(work: Coroutine[Any, Any, T]) -> T:
    with ThreadPoolExecutor(1, thread_name_prefix="sessionproof") as thread:
        return thread.submit(asyncio.run, work).result()


async def _make(clones: Clones, database: Database) -> None:
    template = await clones.template("empty", _nothing)
    async with clones.connect() as connection:
        await clones.copy(connection, template, database)


async def _drop(clones: Clones, database: Database) -> None:
    async with clones.connect() as connection:
        await drop(connection, database.name)


async def _nothing(_: str) -> None:
    """An empty template has nothing in it."""
