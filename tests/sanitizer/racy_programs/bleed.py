"""Sessions behind a lock: nobody overlaps, and yet one task's commit or rollback decides about another's work."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import anyio
from sqlalchemy import column, delete, insert, table, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import shared_session, together
from tests.sanitizer.racy_programs.operations import last_line
from tests.sanitizer.world import Note, World

CORPUS = Corpus()

Step = Callable[[AsyncSession, Note], Awaitable[None]]
Guard = Callable[[], AbstractAsyncContextManager[object]]


async def add(session: AsyncSession, note: Note) -> None:
    session.add(Note(body="added"))


async def add_all(session: AsyncSession, note: Note) -> None:
    session.add_all([Note(body="one"), Note(body="two")])


async def merge(session: AsyncSession, note: Note) -> None:
    await session.merge(Note(id=7, body="merged"))


async def flush(session: AsyncSession, note: Note) -> None:
    await session.flush()


async def change(session: AsyncSession, note: Note) -> None:
    note.body = "changed"


async def delete_a_note(session: AsyncSession, note: Note) -> None:
    await session.delete(note)


async def insert_by_the_orm(session: AsyncSession, note: Note) -> None:
    await session.execute(insert(Note), [{"body": "bulk"}, {"body": "more"}])


async def insert_by_core(session: AsyncSession, note: Note) -> None:
    await session.execute(insert(table("notes", column("body"))).values(body="core"))


async def insert_by_text(session: AsyncSession, note: Note) -> None:
    await session.execute(text("INSERT INTO notes (body) VALUES ('text')"))


async def insert_returning(session: AsyncSession, note: Note) -> None:
    await session.scalars(insert(Note).values(body="returned").returning(Note))


async def update_many(session: AsyncSession, note: Note) -> None:
    await session.execute(update(Note).where(Note.id > 10).values(body="many"))


async def delete_many(session: AsyncSession, note: Note) -> None:
    await session.execute(delete(Note).where(Note.id > 15))


async def commit(session: AsyncSession, note: Note) -> None:
    await session.commit()


async def rollback(session: AsyncSession, note: Note) -> None:
    await session.rollback()


async def close(session: AsyncSession, note: Note) -> None:
    await session.close()


WRITES: tuple[Step, ...] = (
    add, add_all, merge, flush, change, delete_a_note, insert_by_the_orm, insert_by_core, insert_by_text,
    insert_returning, update_many, delete_many,
)  # fmt: skip

ENDS: tuple[Step, ...] = (commit, rollback, close)

GUARDS: tuple[Guard, ...] = (asyncio.Lock, partial(asyncio.Semaphore, 1), anyio.Lock, partial(anyio.Semaphore, 1))


async def behind_a_guard(world: World, *, write: Step, end: Step, guard: Guard) -> None:
    """One writes under the guard, the other ends the transaction under it, while the one has more to do."""

    async def writer() -> None:
        async with guarding:
            await write(session, note)
        world.steps.reach("written")
        await world.steps.until("ended")

    async def other() -> None:
        await world.steps.until("written")
        async with guarding:
            await end(session, note)
        world.steps.reach("ended")

    guarding = guard()
    async with shared_session(world) as session:
        note = await session.get_one(Note, 1)
        if write is flush:
            session.add(Note(body="pending"))
        await together(writer(), other())


async def without_a_guard(world: World, *, write: Step, end: Step) -> None:
    """The same, and nothing keeps the two apart."""

    async def writer() -> None:
        await write(session, note)
        world.steps.reach("written")
        await world.steps.until("ended")

    async def other() -> None:
        await world.steps.until("written")
        await end(session, note)
        world.steps.reach("ended")

    async with shared_session(world) as session:
        note = await session.get_one(Note, 1)
        await together(writer(), other())


def lines(write: Step, end: Step) -> frozenset[int]:
    """The two accesses."""
    return frozenset({last_line(write), last_line(end)})


for number, each in enumerate(WRITES):
    last, guard = ENDS[number % 3], GUARDS[number // 3]
    CORPUS.add(
        f"{last.__name__} after {each.__name__} behind a guard",
        partial(behind_a_guard, write=each, end=last, guard=guard),
        kinds=("bleed",),
        lines=lines(each, last),
    )

for last in ENDS:
    for each in (add, insert_by_text):
        CORPUS.add(
            f"{last.__name__} after {each.__name__} by luck",
            partial(without_a_guard, write=each, end=last),
            kinds=("bleed", "unordered"),
            lines=lines(each, last),
        )
