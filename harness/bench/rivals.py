"""What people use today to give each test a database, measured beside the harness's own copies.

Problem: that something is fast says nothing without what it is compared with; and a rival that is made up is none.

Mechanism: each rival is the real thing, set up as its users do. pytest-postgresql: its `DatabaseJanitor` makes a
database from a template, as its fixtures do for each test. create_all: the tables are made by SQLAlchemy's
`MetaData.create_all` through an engine that is kept, and the template's rows inserted, in a database that stays; the
`MetaData` is reflected once, which stands for the models that a project has. A testcontainer: a container is started
until it can be used, and the backend prepares its database.

Guarantee: each names what is measured: the half until there is a database in the known state whose URL can be used, or
the half in which it is given back, by the same means that the rival's users have. Connecting to it is part of neither,
for nobody. Databases have names of the run, and nothing is left behind. What a rival raises is told as its failure.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from time import perf_counter
from typing import Any, Protocol
from warnings import catch_warnings, simplefilter

from sqlalchemy import Connection, MetaData, Table, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.types import NullType

from harness.bench.cost import Ground, Way, reason_of, told
from harness.bench.interleave import Sample
from harness.errors import EnvironmentMissing, MissingEvidence
from harness.postgres.clones import Database, drop
from harness.postgres.owner import Owner

__all__ = [
    "CONTAINER",
    "CREATE_ALL",
    "JANITOR",
    "Half",
    "Seen",
    "Startable",
    "container",
    "create_all",
    "image_at_hand",
    "janitor",
    "started",
]

JANITOR = "pytest-postgresql"
CREATE_ALL = "create_all"
CONTAINER = "testcontainer"


class Half(Enum):
    """Which half of lending a database is timed; both are done."""

    TAKEN = auto()
    """Until there is one in the known state."""
    GIVEN_BACK = auto()
    """From when a test is done with it until the test may end."""


Seen = Callable[[Database], Awaitable[None]]
"""Is told of each database while it can be used, outside of the time."""


async def _unseen(database: Database) -> None:
    """Nobody looks."""


@asynccontextmanager
async def janitor(ground: Ground, *, half: Half = Half.TAKEN, seen: Seen = _unseen) -> AsyncIterator[Way]:
    """A database by pytest-postgresql's janitor from the template, as its fixture `postgresql` does it for a test.

    Raises:
        EnvironmentMissing: the package is not installed.
    """
    try:
        from pytest_postgresql.janitor import DatabaseJanitor  # noqa: PLC0415  # in the extra `rivals`
    except ImportError as error:
        raise EnvironmentMissing(
            f"{JANITOR}: it cannot be imported ({error}); python3 -m pip install 'sessionproof[rivals]'"
        ) from None
    address = ground.running.address

    async def once() -> Sample:
        database = ground.clones.database(JANITOR)
        keeper = DatabaseJanitor(
            user=address.user,
            password=address.password,
            host=address.host,
            port=address.port,
            dbname=database.name,
            template_dbname=ground.template,
            maintenance_dbname=ground.running.maintenance_database,
            connection_timeout=0,
        )
        try:
            start = perf_counter()
            keeper.init()
            taken = perf_counter() - start
            await seen(database)
            start = perf_counter()
            keeper.drop()
            given_back = perf_counter() - start
        finally:
            async with ground.clones.connect() as connection:
                await drop(connection, database.name)  # there is none, unless it was interrupted or failed
        return Sample(seconds=taken if half is Half.TAKEN else given_back)

    yield told(once, Exception)


@asynccontextmanager
async def create_all(ground: Ground, *, half: Half = Half.TAKEN, seen: Seen = _unseen) -> AsyncIterator[Way]:
    """The tables by `create_all`, and the template's rows, in a database that stays; then `drop_all`.

    Raises:
        MissingEvidence: the tables are not such that SQLAlchemy could make them again.
    """
    async with ground.clones.clone(ground.template, label=CREATE_ALL) as database:
        engine = create_async_engine(database.url, pool_size=1)
        try:
            try:
                metadata, rows = await _reflected(engine)
            except (SQLAlchemyError, OSError) as error:
                raise MissingEvidence(f"{CREATE_ALL}: {reason_of(error)}") from error

            async def once() -> Sample:
                start = perf_counter()
                async with engine.begin() as connection:
                    await connection.run_sync(metadata.create_all)
                    for table, content in rows.items():
                        await connection.execute(insert(table), content)
                taken = perf_counter() - start
                await seen(database)
                start = perf_counter()
                async with engine.begin() as connection:
                    await connection.run_sync(metadata.drop_all)
                given_back = perf_counter() - start
                return Sample(seconds=taken if half is Half.TAKEN else given_back)

            yield told(once, Exception)
        finally:
            await engine.dispose()


async def _reflected(engine: AsyncEngine) -> tuple[MetaData, dict[Table, list[dict[str, Any]]]]:
    """The tables and their rows; they are dropped then."""
    metadata = MetaData()

    def reflect(connection: Connection) -> None:
        with catch_warnings():
            simplefilter("ignore")  # of types that it does not know, which are told below
            metadata.reflect(connection)

    async with engine.begin() as connection:
        await connection.run_sync(reflect)
        columns = [column for table in metadata.sorted_tables for column in table.columns]
        if unknown := [str(column) for column in columns if isinstance(column.type, NullType)]:
            raise MissingEvidence(
                f"{CREATE_ALL}: SQLAlchemy does not know the type of {', '.join(unknown)}, and cannot make the table "
                "again; import the package that brings the type where the backend is defined"
            )
        rows: dict[Table, list[dict[str, Any]]] = {}
        for table in metadata.sorted_tables:
            if found := (await connection.execute(select(*_written(table)))).mappings().all():
                rows[table] = [dict(row) for row in found]
        await connection.run_sync(metadata.drop_all)
    return metadata, rows


def _written(table: Table) -> list[Any]:
    """The columns that one writes: not those that the database computes."""
    return [
        column
        for column in table.columns
        if column.computed is None and not (column.identity is not None and column.identity.always)
    ]


class Startable(Protocol):
    """Something that is started and stopped by calls that block, as a container is."""

    def start(self) -> object:
        """Start it; returns when it can be used."""
        ...

    def stop(self) -> object:
        """Stop it; harmless if it did not start."""
        ...


@asynccontextmanager
async def container(ground: Ground, *, seen: Seen = _unseen) -> AsyncIterator[Way]:
    """A container of its own, from nothing to a prepared database; for as many tests as share it.

    Ryuk, the second container that testcontainers starts by itself, is left out: it costs more time, and is fetched.
    What a killed process leaves is removed by the next `harness.postgres.container`, as its own containers are.

    Raises:
        EnvironmentMissing: there is no Docker engine, or it does not have the image.
    """
    image = await image_at_hand(ground.image)

    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415  # half a second
    from testcontainers.core.config import testcontainers_config  # noqa: PLC0415  # as above

    from harness.postgres.container import LABEL  # noqa: PLC0415  # as above

    async def once() -> Sample:
        labels = {LABEL: Owner.current().to_json()}
        postgres = PostgresContainer(image, driver="asyncpg").with_kwargs(labels=labels)
        start = perf_counter()
        async with started(postgres):
            url = await asyncio.to_thread(postgres.get_connection_url)
            await ground.backend.prepare(url)
            seconds = perf_counter() - start
            await seen(Database(name=postgres.dbname, url=url, masked_url=url.replace(postgres.password, "***")))
        return Sample(seconds=seconds)

    before, testcontainers_config.ryuk_disabled = testcontainers_config.ryuk_disabled, True
    try:
        yield told(once, Exception)
    finally:
        testcontainers_config.ryuk_disabled = before


@asynccontextmanager
async def started(startable: Startable) -> AsyncIterator[None]:
    """Start it in a thread, and stop it at the end.

    A thread cannot be cancelled: whoever is, while it starts, waits until it has, so that it is stopped. Only a second
    cancellation leaves it to the next `harness.postgres.container`.
    """
    starting = asyncio.get_running_loop().run_in_executor(None, startable.start)
    try:
        await asyncio.shield(starting)
        yield
    finally:
        await asyncio.wait({starting})
        await asyncio.to_thread(startable.stop)


async def image_at_hand(image: str | None) -> str:
    """The image, or the usual one, if a container of it can be started now; nothing is fetched for a measurement.

    Raises:
        EnvironmentMissing: there is no Docker engine, or it does not have the image.
    """
    from harness.postgres import engine  # noqa: PLC0415  # half a second
    from harness.postgres.container import DEFAULT_IMAGE  # noqa: PLC0415  # as above

    name = image or DEFAULT_IMAGE
    if not await asyncio.to_thread(engine.has_image, name):
        raise EnvironmentMissing(f"the image {name!r} is not on the Docker engine; docker pull {name}, or name another")
    return name
