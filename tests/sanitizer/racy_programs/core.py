"""One `AsyncConnection` in two tasks, by itself or below a session."""

from sqlalchemy import insert, select, text

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import (
    consequences,
    release,
    shared_connection,
    shared_session,
    together,
)
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@CORPUS.racy("overlap")
async def a_connection_executes_twice_at_once(world: World) -> None:
    """The driver's mutex lets the second wait, and nobody hears of it."""
    hold = world.hold()

    async def query(sql: str) -> None:
        if sql != hold.sql:
            await hold.in_flight()
            world.steps.reach("begun")
        await connection.execute(text(sql))  # both

    async with shared_connection(world) as connection:
        await together(query(hold.sql), query("SELECT 1"), release(world, hold))


@CORPUS.racy("unordered")
async def a_connection_executes_twice_by_luck(world: World) -> None:
    """The same, one after the other."""

    async def one() -> None:
        await connection.execute(select(Note))  # first
        world.steps.reach("done")

    async def other() -> None:
        await world.steps.until("done")
        await connection.scalar(text("SELECT 1"))  # second

    async with shared_connection(world) as connection:
        await together(one(), other())


@CORPUS.racy("overlap")
async def a_connection_commits_during_a_query(world: World) -> None:
    """The query's transaction ends below it."""
    hold = world.hold()

    async def slow() -> None:
        await connection.execute(hold.statement)  # first

    async def committer() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await connection.commit()  # second

    async with shared_connection(world) as connection:
        await together(slow(), committer(), release(world, hold))


@CORPUS.racy("unordered")
async def a_connection_commits_by_luck(world: World) -> None:
    """The query had just ended."""

    async def reader() -> None:
        await connection.execute(select(Note.body))  # first
        world.steps.reach("read")

    async def committer() -> None:
        await world.steps.until("read")
        await connection.commit()  # second

    async with shared_connection(world) as connection:
        await together(reader(), committer())


@CORPUS.racy("overlap")
async def a_connection_closed_during_a_query(world: World) -> None:
    """Whoever is done first gives the connection back for both."""
    hold = world.hold()

    async def slow() -> None:
        await connection.execute(hold.statement)  # first

    async def quick() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await connection.close()  # second

    async with shared_connection(world) as connection:
        await together(slow(), quick(), release(world, hold))


@CORPUS.racy("overlap")
async def a_stream_fetches_during_a_query(world: World) -> None:
    """A server-side cursor's rows come over the same wire."""
    hold = world.hold()

    async with shared_connection(world) as connection:
        numbers = f"SELECT n FROM generate_series(1, 3000) n WHERE n < 2500 OR EXISTS ({hold.sql})"
        result = await connection.stream(text(numbers))

        async def consume() -> None:
            await result.fetchmany(3000)  # first

        async def query() -> None:
            await hold.in_flight()
            world.steps.reach("begun")
            await connection.execute(text("SELECT 1"))  # second

        await together(consume(), query(), release(world, hold))
        with consequences():
            await result.close()


@CORPUS.racy("unordered")
async def a_stream_fetched_by_luck(world: World) -> None:
    """The query comes between two fetches."""
    async with shared_connection(world) as connection:
        result = await connection.stream(text("SELECT generate_series(1, 5000)"))

        async def consume() -> None:
            await result.fetchmany(1000)  # first
            world.steps.reach("fetched")

        async def query() -> None:
            await world.steps.until("fetched")
            await connection.execute(text("SELECT 1"))  # second

        await together(consume(), query())
        with consequences():
            await result.close()


@CORPUS.racy("overlap")
async def a_connection_begins_during_a_query(world: World) -> None:
    """`begin` finds the transaction that the other's query has begun."""
    hold = world.hold()

    async def slow() -> None:
        await connection.execute(hold.statement)  # first

    async def other() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await connection.begin()  # second

    async with shared_connection(world) as connection:
        await together(slow(), other(), release(world, hold))


@CORPUS.racy("unordered")
async def a_connection_begins_by_luck(world: World) -> None:
    """One begins the transaction that the other works in."""

    async def opener() -> None:
        await connection.begin()  # first
        world.steps.reach("begun")

    async def worker() -> None:
        await world.steps.until("begun")
        await connection.execute(text("SELECT 1"))  # second

    async with shared_connection(world) as connection:
        await together(opener(), worker())


@CORPUS.racy("unordered")
async def two_blocks_on_one_connection(world: World) -> None:
    """Each has its transaction, one after the other, by luck."""

    async def block(name: str, after: str) -> None:
        await world.steps.until(after)
        async with connection.begin():  # both
            await connection.execute(insert(Note).values(body=name))
        world.steps.reach(name)

    world.steps.reach("start")
    async with shared_connection(world) as connection:
        await together(block("one", "start"), block("two", "one"))


@CORPUS.racy("unordered")
async def a_savepoint_of_another_task(world: World) -> None:
    """One sets a savepoint in the transaction of the other."""

    async def worker() -> None:
        await connection.exec_driver_sql("SELECT 1")  # first
        world.steps.reach("worked")

    async def cautious() -> None:
        await world.steps.until("worked")
        await connection.begin_nested()  # second

    async with shared_connection(world) as connection:
        await together(worker(), cautious())


@CORPUS.racy("unordered")
async def a_connection_in_a_function(world: World) -> None:
    """`run_sync` is a use like any other."""

    async def inspector() -> None:
        await connection.run_sync(lambda inner: inner.execute(text("SELECT 1")))  # first
        world.steps.reach("done")

    async def other() -> None:
        await world.steps.until("done")
        await connection.rollback()  # second

    async with shared_connection(world) as connection:
        await together(inspector(), other())


@CORPUS.racy("overlap")
async def a_session_beside_its_connection(world: World) -> None:
    """One task took the session's connection, and uses it while another uses the session."""
    hold = world.hold()

    async with shared_session(world) as session:
        connection = await session.connection()

        async def below() -> None:
            await connection.execute(hold.statement)  # first

        async def above() -> None:
            await hold.in_flight()
            world.steps.reach("begun")
            await session.execute(select(Note))  # second

        await together(below(), above(), release(world, hold))


@CORPUS.racy("unordered")
async def a_session_beside_its_connection_by_luck(world: World) -> None:
    """The other way round, and not at once."""
    async with shared_session(world) as session:
        connection = await session.connection()

        async def above() -> None:
            await session.execute(select(Note))  # first
            world.steps.reach("done")

        async def below() -> None:
            await world.steps.until("done")
            await connection.execute(text("SELECT 1"))  # second

        await together(above(), below())
