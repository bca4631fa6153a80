"""Methods of a session and of its transaction, each beside a use that touches nothing below the session."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import SessionTransaction
from sqlalchemy.pool import NullPool

from tests.sanitizer.ablation_programs.pairs import behind_a_lock, by_luck, during
from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, unit, write
from tests.sanitizer.racy_programs.consequences import shared_session
from tests.sanitizer.racy_programs.operations import last_line
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A session, a note of it, and two that it has let go."""

    session: AsyncSession
    note: Note
    loose: list[Note]


Operation = Callable[[Desk], Awaitable[object]]


async def prepare(session: AsyncSession, *, idle: bool = False) -> Desk:
    """Load the notes; an idle session has no transaction."""
    session.autoflush = False
    note, *loose = await session.scalars(select(Note).where(Note.id < 4).order_by(Note.id))
    for each in loose:
        session.expunge(each)
    if idle:
        await session.commit()
    return Desk(session=session, note=note, loose=loose)


async def add(desk: Desk) -> None:
    desk.session.add(Note(body="added"))


async def expire_all(desk: Desk) -> None:
    desk.session.expire_all()


async def execute(desk: Desk) -> None:
    await desk.session.execute(text("SELECT 1"))


async def scalar(desk: Desk) -> None:
    await desk.session.scalar(text("SELECT 1"))


async def scalars_in_a_function(desk: Desk) -> None:
    await desk.session.run_sync(lambda session: session.scalars(text("SELECT 1")))


async def merge_what_is_known(desk: Desk) -> None:
    await desk.session.merge(desk.loose[0], load=False)


async def merge_all_that_is_known(desk: Desk) -> None:
    await desk.session.merge_all(desk.loose, load=False)


async def delete_all(desk: Desk) -> None:
    await desk.session.delete_all([desk.note])


async def load_relationships_of_a_pending_note(desk: Desk) -> None:
    desk.session.sync_session.enable_relationship_loading(desk.loose[0])


async def begin(desk: Desk) -> None:
    await desk.session.begin()


async def rollback(desk: Desk) -> None:
    await desk.session.rollback()


async def reset(desk: Desk) -> None:
    await desk.session.reset()


async def invalidate(desk: Desk) -> None:
    await desk.session.invalidate()


async def prepare_to_commit(desk: Desk) -> None:
    await desk.session.run_sync(lambda session: session.prepare())


async def prepare_the_transaction(desk: Desk) -> None:
    await desk.session.run_sync(lambda session: known(session.get_transaction()).prepare())


async def bulk_save_objects(desk: Desk) -> None:
    await desk.session.run_sync(lambda session: session.bulk_save_objects([Note(body="bulk")]))


async def bulk_insert_mappings(desk: Desk) -> None:
    await desk.session.run_sync(lambda session: session.bulk_insert_mappings(Note, [{"body": "bulk"}]))


async def bulk_update_mappings(desk: Desk) -> None:
    await desk.session.run_sync(lambda session: session.bulk_update_mappings(Note, [{"id": 1, "body": "bulk"}]))


def known(transaction: SessionTransaction | None) -> SessionTransaction:
    """The transaction that there is."""
    assert transaction is not None
    return transaction


async def lucky(world: World, *, one: Operation, other: Operation, idle: bool) -> None:
    """The other begins when the one has, by luck, ended."""
    async with shared_session(world) as session:
        desk = await prepare(session, idle=idle)
        await by_luck(world, partial(one, desk), partial(other, desk))


async def slow(world: World, *, one: Operation, other: Operation) -> None:
    """The one waits for the table when the other begins."""
    async with shared_session(world) as session:
        desk = await prepare(session, idle=True)
        await during(world, world.lock_notes(), partial(one, desk), partial(other, desk))


BUSY: tuple[tuple[Operation, Operation], ...] = (
    (scalar, add),
    (scalars_in_a_function, add),
    (merge_what_is_known, add),
    (execute, load_relationships_of_a_pending_note),
    (prepare_to_commit, add),
    (prepare_the_transaction, add),
)
IN_2_1: tuple[tuple[Operation, Operation], ...] = ((merge_all_that_is_known, add), (delete_all, add))
IDLE: tuple[tuple[Operation, Operation], ...] = (
    (begin, add),
    (rollback, add),
    (expire_all, reset),
    (expire_all, invalidate),
)
SLOW: tuple[Operation, ...] = (bulk_save_objects, bulk_insert_mappings, bulk_update_mappings)

for pairs, is_idle in ((BUSY, False), (IN_2_1 if hasattr(AsyncSession, "merge_all") else (), False), (IDLE, True)):
    for first, second in pairs:
        CORPUS.add(
            f"{second.__name__} by luck after {first.__name__}",
            partial(lucky, one=first, other=second, idle=is_idle),
            kinds=("unordered",),
            lines=frozenset({last_line(first), last_line(second)}),
        )
for each in SLOW:
    CORPUS.add(
        f"add during {each.__name__}",
        partial(slow, one=each, other=add),
        kinds=("overlap",),
        lines=frozenset({last_line(each), last_line(add)}),
    )


SLOW_FUNCTION = (
    "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM * FROM ({}) waited; RETURN NULL; END'"
)
SLOW_TRIGGER = (
    "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED"
    " FOR EACH ROW EXECUTE FUNCTION wait()"
)


@CORPUS.racy("overlap")
async def add_during_the_commit_of_a_transaction(world: World) -> None:
    """A transaction that is committed by itself, and not by its session, waits for a deferred trigger."""
    hold = world.hold()

    async def commit() -> None:
        await transaction.commit()  # first

    async def other() -> None:
        session.add(Note(body="too late, or not"))  # second

    async with shared_session(world) as session:
        await session.execute(text(SLOW_FUNCTION.format(hold.sql)))
        await session.execute(text(SLOW_TRIGGER))
        await session.commit()
        transaction = await session.begin()
        await session.execute(text("INSERT INTO notes (body) VALUES ('late')"))
        await during(world, hold, commit, other)


@CORPUS.legal
async def rollback_to_a_savepoint_after_anothers_write(world: World) -> None:
    """What was written before the savepoint stays, so that the rollback decides about nothing of another's."""

    async def write_first() -> None:
        await write(session, "kept")

    async def try_something() -> None:
        savepoint = await session.begin_nested()
        await write(session, "given up")
        await savepoint.rollback()

    async with world.session() as session:
        await behind_a_lock(world, write_first, try_something)
        await session.commit()
        assert await count(session) == 21


@CORPUS.legal
async def used_in_one_loop_after_another(world: World) -> None:
    """A session that is closed holds nothing any more, and may go on in another event loop."""

    async def work() -> None:
        await unit(session, "in this loop")
        await session.close()

    async with world.engine_with(poolclass=NullPool) as engine:
        session = AsyncSession(engine)
        await work()
        await asyncio.to_thread(asyncio.run, work())
