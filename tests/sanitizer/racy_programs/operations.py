"""Every operation of a session beside a slow `execute` of another task: during it, after it, and before it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import TextClause, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import selectinload

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import release, shared_session, together
from tests.sanitizer.world import Author, Note, World

CORPUS = Corpus()

NOTES = select(Note).order_by(Note.id)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A session, and what was loaded before: Ada with a few of her notes, one of them, and Ben without his."""

    session: AsyncSession
    ada: Author
    ben: Author
    note: Note


Operation = Callable[[Desk], Awaitable[None]]


async def report(desk: Desk, statement: TextClause) -> None:
    await desk.session.execute(statement)


async def execute(desk: Desk) -> None:
    await desk.session.execute(NOTES)


async def execute_core(desk: Desk) -> None:
    await desk.session.execute(text("SELECT 1"))


async def scalars(desk: Desk) -> None:
    await desk.session.scalars(NOTES)


async def scalar(desk: Desk) -> None:
    await desk.session.scalar(select(Note.body).where(Note.id == 2))


async def get(desk: Desk) -> None:
    await desk.session.get(Note, 15)


async def get_from_the_identity_map(desk: Desk) -> None:
    await desk.session.get(Note, 1)


async def get_one(desk: Desk) -> None:
    await desk.session.get_one(Note, 16)


async def merge(desk: Desk) -> None:
    await desk.session.merge(Note(id=17, body="merged"))


async def refresh(desk: Desk) -> None:
    await desk.session.refresh(desk.note)


async def flush(desk: Desk) -> None:
    await desk.session.flush()


async def delete(desk: Desk) -> None:
    await desk.session.delete(desk.note)


async def run_sync(desk: Desk) -> None:
    await desk.session.run_sync(lambda session: session.execute(NOTES))


async def connection(desk: Desk) -> None:
    await desk.session.connection()


async def stream(desk: Desk) -> None:
    [row async for row in await desk.session.stream(NOTES)]


async def stream_scalars(desk: Desk) -> None:
    [note async for note in await desk.session.stream_scalars(NOTES)]


async def begin_nested(desk: Desk) -> None:
    await desk.session.begin_nested()


async def commit(desk: Desk) -> None:
    await desk.session.commit()


async def rollback(desk: Desk) -> None:
    await desk.session.rollback()


async def close(desk: Desk) -> None:
    await desk.session.close()


async def reset(desk: Desk) -> None:
    await desk.session.reset()


async def invalidate(desk: Desk) -> None:
    await desk.session.invalidate()


async def add(desk: Desk) -> None:
    desk.session.add(Note(body="added"))


async def add_all(desk: Desk) -> None:
    desk.session.add_all([Note(body="added"), Note(body="added, too")])


async def expunge(desk: Desk) -> None:
    desk.session.expunge(desk.note)


async def expunge_all(desk: Desk) -> None:
    desk.session.expunge_all()


async def expire(desk: Desk) -> None:
    desk.session.expire(desk.note)


async def expire_all(desk: Desk) -> None:
    desk.session.expire_all()


async def change_an_attribute(desk: Desk) -> None:
    desk.note.body = "changed"


async def append_to_a_collection(desk: Desk) -> None:
    desk.ada.notes.append(Note(body="appended"))


async def load_lazily(desk: Desk) -> None:
    await desk.ben.awaitable_attrs.notes


OPERATIONS: tuple[Operation, ...] = (
    execute, execute_core, scalars, scalar, get, get_from_the_identity_map, get_one, merge, refresh, flush, delete,
    run_sync, connection, stream, stream_scalars, begin_nested, commit, rollback, close, reset, invalidate, add,
    add_all, expunge, expunge_all, expire, expire_all, change_an_attribute, append_to_a_collection, load_lazily,
)  # fmt: skip


async def prepare(session: AsyncSession) -> Desk:
    """Load what the operations work on, and leave something to flush, which no `execute` flushes by the way."""
    session.autoflush = False
    ada = await session.get_one(Author, 1, options=[selectinload(Author.notes.and_(Note.id < 4))])
    ben = await session.get_one(Author, 2)
    session.add(Note(body="pending", author_id=2))
    return Desk(session=session, ada=ada, ben=ben, note=ada.notes[0])


async def during(world: World, *, operation: Operation) -> None:
    """The operation begins while the other task's statement is in flight."""
    hold = world.hold()

    async def other() -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await operation(desk)

    async with shared_session(world) as session:
        desk = await prepare(session)
        await together(report(desk, hold.statement), other(), release(world, hold))


async def after(world: World, *, operation: Operation) -> None:
    """The operation begins when the other task's statement has, by luck, returned."""

    async def one() -> None:
        await report(desk, text("SELECT 1"))
        world.steps.reach("done")

    async def other() -> None:
        await world.steps.until("done")
        await operation(desk)

    async with shared_session(world) as session:
        desk = await prepare(session)
        await together(one(), other())


async def before(world: World, *, operation: Operation) -> None:
    """The operation has, by luck, ended when the other task's statement begins."""

    async def one() -> None:
        await operation(desk)
        world.steps.reach("done")

    async def other() -> None:
        await world.steps.until("done")
        await report(desk, text("SELECT 1"))

    async with shared_session(world) as session:
        desk = await prepare(session)
        await together(one(), other())


def last_line(function: Callable[..., object]) -> int:
    """The line on which a function of one statement does it."""
    return max(line for *_, line in function.__code__.co_lines() if line is not None)


ALSO = {
    "invalidate during execute": ("unordered",),  # the connection is closed in a task of its own, in peace
}

for each in OPERATIONS:
    for order, kind in ((during, "overlap"), (after, "unordered"), (before, "unordered")):
        CORPUS.add(
            f"{each.__name__} {order.__name__} execute",
            partial(order, operation=each),
            kinds=(kind,),
            also=ALSO.get(f"{each.__name__} {order.__name__} execute", ()),
            lines=frozenset({last_line(report), last_line(each)}),
        )
