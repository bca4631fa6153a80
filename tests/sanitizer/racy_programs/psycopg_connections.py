"""psycopg below SQLAlchemy, and by itself: its own lock lets the second wait, so that nothing is ever raised."""

import psycopg
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import release, together
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@CORPUS.racy("overlap")
async def a_psycopg_session_executes_twice_at_once(world: World) -> None:
    """The driver does not matter."""
    hold = world.hold()

    async def slow() -> None:
        await session.execute(hold.statement)  # first

    async def quick() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await session.execute(text("SELECT 1"))  # second

    async with world.engine_with(drivername="postgresql+psycopg") as engine, AsyncSession(engine) as session:
        await together(slow(), quick(), release(world, hold))


@CORPUS.racy("unordered")
async def a_psycopg_session_executes_twice_by_luck(world: World) -> None:
    """Nor does it in the lucky order."""

    async def one() -> None:
        await session.scalars(select(Note))  # first
        world.steps.reach("done")

    async def other() -> None:
        await world.steps.until("done")
        await session.rollback()  # second

    async with world.engine_with(drivername="postgresql+psycopg") as engine, AsyncSession(engine) as session:
        await together(one(), other())


@CORPUS.racy("overlap")
async def a_psycopg_session_streams_during_execute(world: World) -> None:
    """A named cursor, and a statement beside it."""
    hold = world.hold()

    async def slow() -> None:
        await session.execute(hold.statement)  # first

    async def streaming() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        [note async for note in await session.stream_scalars(select(Note))]  # second

    async with world.engine_with(drivername="postgresql+psycopg") as engine, AsyncSession(engine) as session:
        await together(slow(), streaming(), release(world, hold))


@CORPUS.racy("overlap")
async def a_psycopg_connection_executes_twice_at_once(world: World) -> None:
    """The connection's lock lets the second wait."""
    hold = world.hold()

    async def query(sql: str) -> None:
        if sql != hold.sql:
            await hold.in_flight()
            world.steps.reach("begun")
        await connection.execute(sql.encode())  # both

    async with await psycopg.AsyncConnection.connect(world.dsn) as connection:
        await together(query(hold.sql), query("SELECT 1"), release(world, hold))


@CORPUS.racy("unordered")
async def a_psycopg_connection_executes_twice_by_luck(world: World) -> None:
    """The same, one after the other."""

    async def one() -> None:
        await connection.execute("SELECT 1")  # first
        world.steps.reach("done")

    async def other() -> None:
        await world.steps.until("done")
        await connection.execute("SELECT 2")  # second

    async with await psycopg.AsyncConnection.connect(world.dsn) as connection:
        await together(one(), other())


@CORPUS.racy("unordered", also=("bleed",))
async def a_psycopg_connection_commits_by_luck(world: World) -> None:
    """The commit of one is the commit of both."""

    async def writer() -> None:
        await connection.execute("INSERT INTO notes (body) VALUES ('raw')")  # first
        world.steps.reach("written")
        await world.steps.until("committed")

    async def committer() -> None:
        await world.steps.until("written")
        await connection.commit()  # second
        world.steps.reach("committed")

    async with await psycopg.AsyncConnection.connect(world.dsn) as connection:
        await together(writer(), committer())


@CORPUS.racy("overlap")
async def two_psycopg_cursors_of_one_connection(world: World) -> None:
    """Cursors look like resources of their own, and share the connection."""
    hold = world.hold()

    async with await psycopg.AsyncConnection.connect(world.dsn) as connection:
        one, two = connection.cursor(), connection.cursor()

        async def slow() -> None:
            await one.execute(hold.sql.encode())  # first

        async def quick() -> None:
            await hold.in_flight()
            world.steps.reach("begun")
            await two.execute("SELECT 1")  # second

        await together(slow(), quick(), release(world, hold))


@CORPUS.racy("unordered")
async def a_psycopg_cursor_of_two_tasks(world: World) -> None:
    """The second statement takes away the first one's rows."""
    async with await psycopg.AsyncConnection.connect(world.dsn) as connection, connection.cursor() as cursor:

        async def one() -> None:
            await cursor.execute("SELECT body FROM notes")  # first
            world.steps.reach("done")

        async def other() -> None:
            await world.steps.until("done")
            await cursor.execute("SELECT 2")  # second

        await together(one(), other())
