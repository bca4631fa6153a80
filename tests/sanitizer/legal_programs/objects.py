"""What is in a session, and who may look at it, change it, take it along, or take it over."""

import asyncio
import gc
import weakref

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import make_transient_to_detached

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, unit, write
from tests.sanitizer.world import Author, Note, World

CORPUS = Corpus()


@CORPUS.legal
async def sessions_that_are_collected(world: World) -> None:
    """Sessions come and go, some at the address of an earlier one, and have nothing to do with each other."""

    async def work(number: int) -> None:
        session = world.session()
        gone.append(weakref.ref(session.sync_session))
        session.add(Note(body=f"by task {number}"))
        if number % 2:
            await session.commit()
        else:
            await session.rollback()
        await session.close()

    gone: list[weakref.ref[object]] = []
    for number in range(0, 12, 2):
        await asyncio.gather(work(number), work(number + 1))
    gc.collect()
    assert [session for session in gone if session() is not None] == []


@CORPUS.legal
async def objects_move_between_sessions(world: World) -> None:
    """What one session has expunged another task merges or adds into its own."""

    async def keep(note: Note) -> None:
        async with world.session() as own:
            own.add(note)
            note.body = "moved"
            merged = await own.merge(other)
            merged.body = "merged"
            await own.commit()

    async with world.session() as session:
        note, other = await session.get_one(Note, 1), await session.get_one(Note, 2)
        session.expunge_all()
        child = asyncio.create_task(keep(note))
        assert await count(session) == 20
        await child
        bodies = await session.scalars(select(Note.body).where(Note.id <= 2).order_by(Note.id))
        assert bodies.all() == ["moved", "merged"]


@CORPUS.legal
async def detached_objects_are_read_by_many(world: World) -> None:
    """Detached objects belong to no session: many tasks may read them, and change them."""

    async def read(note: Note) -> str:
        await asyncio.sleep(0)
        note.body += "!"
        return note.body

    async with world.session() as session:
        notes = (await session.scalars(select(Note).order_by(Note.id))).all()
    template = Note(id=99, body="never stored")
    make_transient_to_detached(template)
    assert len(await asyncio.gather(*map(read, [*notes, *notes, template]))) == 41


@CORPUS.legal
async def owner_of_a_plain_variable_says_so(world: World) -> None:
    """Whoever takes a session from a plain variable says that it is now theirs."""
    from harness.sanitizer import transfer  # noqa: PLC0415  # the only program that knows of the sanitizer

    async def first() -> None:
        shelf.append(session)
        await write(session, "first")
        world.steps.reach("on the shelf")
        await world.steps.until("committed")

    async def second() -> None:
        await world.steps.until("on the shelf")
        taken = shelf.pop()
        transfer(taken)
        await unit(taken, "second")
        world.steps.reach("committed")

    shelf: list[AsyncSession] = []
    async with world.session() as session, asyncio.TaskGroup() as group:
        group.create_task(second())
        group.create_task(first())


@CORPUS.legal
async def a_look_at_a_busy_session(world: World) -> None:
    """Another task may look at what a session has pending while its statement is in flight."""

    def look() -> tuple[bool, bool, int, int, bool]:
        modified = session.is_modified(author)
        return session.in_transaction(), session.in_nested_transaction(), len(session.new), len(session.dirty), modified

    async def monitor() -> None:
        await hold.in_flight()
        seen.append(look())
        hold.release()

    seen: list[object] = []
    hold = world.hold()
    async with world.session() as session:
        author = await session.get_one(Author, 1)
        watching = asyncio.create_task(monitor())
        await session.execute(hold.statement)
        await watching
        assert seen == [(True, False, 0, 0, False)]


@CORPUS.legal
async def two_tasks_that_only_stage(world: World) -> None:
    """Two tasks that only add to a session, and change what it knows, leave the awaiting to their parent."""

    async def collect(name: str) -> None:
        for number in range(3):
            session.add(Note(body=f"{name} {number}"))
            author.name += name
            await asyncio.sleep(0)

    async with world.session() as session:
        author = await session.get_one(Author, 1)
        await asyncio.gather(collect("a"), collect("b"))
        await session.commit()
        assert await count(session) == 26
