"""Methods of asyncpg's connections, and of what belongs to them, each beside a query of another task."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO

import asyncpg
from asyncpg.cursor import Cursor
from asyncpg.prepared_stmt import PreparedStatement
from asyncpg.transaction import Transaction

from tests.sanitizer.ablation_programs.pairs import behind_a_lock, by_luck
from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.operations import last_line
from tests.sanitizer.world import World

CORPUS = Corpus()

INSERT = "INSERT INTO notes (body) VALUES ($1)"


class FrugalConnection(asyncpg.Connection):
    """A connection that needs no statement to be reset."""

    def get_reset_query(self) -> str:
        """Nothing."""
        return ""


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A connection in a transaction, and what belongs to it."""

    connection: FrugalConnection
    transaction: Transaction
    insert: "PreparedStatement[asyncpg.Record]"
    select: "PreparedStatement[asyncpg.Record]"
    cursor: "Cursor[asyncpg.Record]"


Operation = Callable[[Wire], Awaitable[object]]


def hear(*told: object) -> None:
    """Listen to a channel, without interest."""


def hear_too(*told: object) -> None:
    """Listen to it as well."""


def hear_late(*told: object) -> None:
    """Listen to it from now on."""


@asynccontextmanager
async def connect(world: World) -> AsyncIterator[Wire]:
    """A connection with an open transaction, which is closed at the end in whatever state the race left it."""
    connection = await asyncpg.connect(world.dsn, connection_class=FrugalConnection)
    try:
        for listener in (hear, hear_too):
            await connection.add_listener("news", listener)
        await connection.execute("CREATE TYPE pair AS (a int, b int)")
        transaction = connection.transaction()
        await transaction.start()
        yield Wire(
            connection=connection,
            transaction=transaction,
            insert=await connection.prepare(INSERT),
            select=await connection.prepare("SELECT 1"),
            cursor=await connection.cursor("SELECT id FROM notes"),
        )
    finally:
        connection.terminate()


async def fetchval(wire: Wire) -> None:
    await wire.connection.fetchval("SELECT 1")


async def add_listener(wire: Wire) -> None:
    await wire.connection.add_listener("news", hear_late)


async def remove_listener(wire: Wire) -> None:
    await wire.connection.remove_listener("news", hear)


async def copy_from_query(wire: Wire) -> None:
    await wire.connection.copy_from_query("SELECT 1", output=BytesIO())


async def copy_from_table(wire: Wire) -> None:
    await wire.connection.copy_from_table("notes", output=BytesIO())


async def copy_records_to_table(wire: Wire) -> None:
    await wire.connection.copy_records_to_table("notes", records=[("copied",)], columns=["body"])


async def copy_to_table(wire: Wire) -> None:
    await wire.connection.copy_to_table("notes", source=BytesIO(b"copied\n"), columns=["body"])


async def execute(wire: Wire) -> None:
    await wire.connection.execute("SELECT 1")


async def executemany(wire: Wire) -> None:
    await wire.connection.executemany(INSERT, [("one",), ("two",)])


async def fetch(wire: Wire) -> None:
    await wire.connection.fetch("SELECT 1")


async def fetchmany(wire: Wire) -> None:
    await wire.connection.fetchmany("SELECT $1::int", [(1,), (2,)])


async def fetchrow(wire: Wire) -> None:
    await wire.connection.fetchrow("SELECT 1")


async def prepare(wire: Wire) -> None:
    await wire.connection.prepare("SELECT 2")


async def reload_schema_state(wire: Wire) -> None:
    await wire.connection.reload_schema_state()


async def set_type_codec(wire: Wire) -> None:
    await wire.connection.set_type_codec("pair", encoder=tuple, decoder=tuple, format="tuple")


async def reset_type_codec(wire: Wire) -> None:
    await wire.connection.reset_type_codec("pair")


async def set_builtin_type_codec(wire: Wire) -> None:
    await wire.connection.set_builtin_type_codec("pair", codec_name="pg_contrib.hstore")


async def close(wire: Wire) -> None:
    await wire.connection.close(timeout=5)


async def reset(wire: Wire) -> None:
    await wire.connection.reset()


async def start_again(wire: Wire) -> None:
    await wire.transaction.start()


async def executemany_prepared(wire: Wire) -> None:
    await wire.insert.executemany([("one",), ("two",)])


async def fetch_prepared(wire: Wire) -> None:
    await wire.select.fetch()


async def fetchmany_prepared(wire: Wire) -> None:
    await wire.insert.fetchmany([("one",), ("two",)])


async def fetchrow_prepared(wire: Wire) -> None:
    await wire.select.fetchrow()


async def fetchval_prepared(wire: Wire) -> None:
    await wire.select.fetchval()


async def explain_prepared(wire: Wire) -> None:
    await wire.select.explain()


async def open_a_cursor(wire: Wire) -> None:
    await wire.connection.cursor("SELECT id FROM notes")


async def iterate(wire: Wire) -> None:
    [row async for row in wire.connection.cursor("SELECT id FROM notes")]


async def fetch_by_a_cursor(wire: Wire) -> None:
    await wire.cursor.fetch(3)


OPERATIONS: tuple[Operation, ...] = (
    fetchval, add_listener, remove_listener, copy_from_query, copy_from_table, copy_records_to_table, copy_to_table,
    execute, executemany, fetch, fetchmany, fetchrow, prepare, reload_schema_state, set_type_codec, reset_type_codec,
    set_builtin_type_codec, close, start_again, executemany_prepared, fetch_prepared, fetchmany_prepared,
    fetchrow_prepared, fetchval_prepared, explain_prepared, open_a_cursor, iterate, fetch_by_a_cursor,
)  # fmt: skip


async def lucky(world: World, *, operation: Operation) -> None:
    """The operation begins when the other task's query has, by luck, returned."""
    async with connect(world) as wire:
        await by_luck(world, partial(fetchval, wire), partial(operation, wire))


for each in OPERATIONS:
    CORPUS.add(
        f"asyncpg {each.__name__} by luck after fetchval",
        partial(lucky, operation=each),
        kinds=("unordered",),
        lines=frozenset({last_line(fetchval), last_line(each)}),
    )


@CORPUS.racy("unordered")
async def asyncpg_reset_by_luck_after_fetchval(world: World) -> None:
    """A connection that needs no statement to be reset is put back, with another task's settings."""
    connection = await asyncpg.connect(world.dsn, connection_class=FrugalConnection)

    async def one() -> None:
        await connection.fetchval("SELECT 1")  # first

    async def other() -> None:
        await connection.reset()  # second

    await by_luck(world, one, other)
    connection.terminate()


async def insert(wire: Wire) -> None:
    await wire.connection.execute("INSERT INTO notes (body) VALUES ('by the one')")


async def commit(wire: Wire) -> None:
    await wire.transaction.commit()


async def rollback(wire: Wire) -> None:
    await wire.transaction.rollback()


async def ended(world: World, *, end: Operation) -> None:
    """The other ends the transaction with the one's row in it."""
    async with connect(world) as wire:
        await behind_a_lock(world, partial(insert, wire), partial(end, wire))


for each in (commit, rollback):
    CORPUS.add(
        f"asyncpg {each.__name__} behind a lock",
        partial(ended, end=each),
        kinds=("bleed",),
        lines=frozenset({last_line(insert), last_line(each)}),
    )
