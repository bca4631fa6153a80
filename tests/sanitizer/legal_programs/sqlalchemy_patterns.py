"""What the manual of SQLAlchemy's asyncio extension shows for sessions, written as an application has it."""

import asyncio

from sqlalchemy import ForeignKey, func, select, update
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncSession, async_scoped_session, async_sessionmaker
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
)

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.world import World

CORPUS = Corpus()


class Base(AsyncAttrs, DeclarativeBase):
    """Rows whose attributes can be awaited."""


class Author(Base):
    """Who wrote notes."""

    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    notes: Mapped[list["Note"]] = relationship(back_populates="author", order_by="Note.id")


class Note(Base):
    """A note by an author."""

    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    body: Mapped[str]
    author_id: Mapped[int | None] = mapped_column(ForeignKey("authors.id"))
    author: Mapped[Author | None] = relationship(back_populates="notes")


async def count(session: AsyncSession) -> int:
    """How many notes there are."""
    return (await session.execute(select(func.count()).select_from(Note))).scalar_one()


@CORPUS.legal
async def orm_tour(world: World) -> None:
    """Insert, select with eager loading, change, commit, and read again, by one task."""
    factory = async_sessionmaker(world.engine, expire_on_commit=False)
    async with factory() as session:
        async with session.begin():
            session.add_all(
                [
                    Author(name="Cyd", notes=[Note(body="first"), Note(body="second")]),
                    Author(name="Dan", notes=[Note(body="third")]),
                ]
            )
        statement = select(Author).order_by(Author.id).options(selectinload(Author.notes))
        authors = (await session.scalars(statement)).all()
        assert [len(author.notes) for author in authors] == [20, 0, 2, 1]
        result = await session.execute(select(Author).order_by(Author.id).limit(1))
        author = result.scalars().one()
        author.name = "Ada the First"
        author.notes[0].body = "changed"
        await session.commit()
        assert author.name == "Ada the First"
        found = await session.scalars(select(Note).options(joinedload(Note.author)).where(Note.body == "changed"))
        assert found.one().author is author


@CORPUS.legal
async def awaitable_attributes(world: World) -> None:
    """Attributes that are not loaded are awaited, expired ones refreshed."""
    async with AsyncSession(world.engine) as session:
        author = await session.get_one(Author, 1)
        assert len(await author.awaitable_attrs.notes) == 20
        await session.commit()
        assert await author.awaitable_attrs.name == "Ada"
        await session.refresh(author, attribute_names=["notes"])
        (await author.awaitable_attrs.notes)[3].body = "changed"
        await session.commit()


@CORPUS.legal
async def streamed_select(world: World) -> None:
    """Rows are streamed, and what is streamed may be changed, by the task that streams."""
    async with world.session() as session:
        result = await session.stream(select(Note).order_by(Note.id).execution_options(yield_per=5))
        async for note in result.scalars():
            note.body = note.body.upper()
        streamed = await session.stream_scalars(select(Note.id).order_by(Note.id))
        assert [number async for number in streamed][:3] == [1, 2, 3]
        async for partition in (await session.stream(select(Note.id))).partitions(8):
            assert partition
        await session.commit()


@CORPUS.legal
async def work_in_run_sync(world: World) -> None:
    """Synchronous code in `run_sync`, with its lazy loads, belongs to the task that runs it."""

    def rename(session: Session, name: str) -> int:
        author = session.get_one(Author, 1)
        author.name = name
        for note in author.notes:
            note.body = f"{note.author.name if note.author else name}: {note.body}"
        session.flush()
        return len(author.notes)

    async with world.session() as session:
        assert await session.run_sync(rename, "Augusta") == 20
        await session.commit()
        await asyncio.create_task(session.run_sync(rename, "Ada"))
        await session.commit()


@CORPUS.legal
async def scoped_session_for_each_task(world: World) -> None:
    """A registry by the current task gives each task its own session, which it removes."""
    registry = async_scoped_session(
        async_sessionmaker(world.engine, expire_on_commit=False), scopefunc=asyncio.current_task
    )

    async def work(number: int) -> None:
        registry.add(Note(body=f"by task {number}"))
        await registry.flush()
        assert await registry.scalar(select(func.count()).select_from(Note)) == 21
        await registry.rollback()
        await registry.remove()

    await asyncio.gather(*map(work, range(4)))


@CORPUS.legal
async def savepoints(world: World) -> None:
    """Savepoints are released and rolled back within their transaction."""
    async with world.session() as session, session.begin():
        async with session.begin_nested():
            session.add(Note(body="kept"))
        nested = await session.begin_nested()
        session.add(Note(body="dropped"))
        await session.flush()
        await nested.rollback()
        await asyncio.create_task(savepoint_by_a_child(session))
        assert await count(session) == 22


async def savepoint_by_a_child(session: AsyncSession) -> None:
    """A child's work in a savepoint of its own."""
    async with session.begin_nested():
        session.add(Note(body="by a child"))


@CORPUS.legal
async def factory_that_begins(world: World) -> None:
    """A factory's `begin` makes, begins, commits and closes a session, in each task anew."""
    factory = async_sessionmaker(world.engine)

    async def work(number: int) -> None:
        async with factory.begin() as session:
            session.add(Note(body=f"by task {number}"))

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(work(number))
    async with factory() as session:
        assert await count(session) == 30


@CORPUS.legal
async def gathered_tasks_with_sessions_of_their_own(world: World) -> None:
    """Ten tasks that each open a session run side by side, while their parent's session has work pending."""

    async def read(number: int) -> str:
        async with world.session() as session:
            note = await session.get_one(Note, number)
            return note.body

    async with world.session() as session:
        session.add(Note(body="pending"))
        bodies = await asyncio.gather(*map(read, range(1, 11)))
        assert bodies == [f"note {number}" for number in range(1, 11)]
        await session.commit()


@CORPUS.legal
async def children_write_beside_their_parent(world: World) -> None:
    """The parent adds and commits its own rows before, while, and after its children do so in their sessions."""

    async def write(body: str) -> None:
        async with world.session() as session:
            session.add(Note(body=body))
            await session.commit()

    async with world.session() as session:
        session.add(Note(body="by the parent, before"))
        await session.flush()
        children = [asyncio.create_task(write(f"by child {number}")) for number in range(3)]
        session.add(Note(body="by the parent, while they work"))
        await session.commit()
        await asyncio.gather(*children)
        assert await count(session) == 25


@CORPUS.legal
async def flush_by_the_parent_then_by_the_child(world: World) -> None:
    """What the parent flushed the child goes on with, in the same transaction, and the parent commits both."""

    async def annotate(note: Note) -> None:
        note.body += ", annotated"
        session.add(Note(body="by the child", author_id=note.author_id))
        await session.flush()

    async with world.session() as session:
        note = Note(body="by the parent", author=await session.get(Author, 2))
        session.add(note)
        await session.flush()
        await asyncio.create_task(annotate(note))
        await session.commit()
        author = await session.get_one(Author, 2, options=[selectinload(Author.notes)], populate_existing=True)
        assert [each.body for each in author.notes] == ["by the parent, annotated", "by the child"]


@CORPUS.legal
async def merge_refresh_delete(world: World) -> None:
    """Merging, refreshing, expiring and deleting by one task after the other."""
    async with world.session() as session:
        merged = await session.merge(Note(id=1, body="merged"))
        await session.flush()
        await session.execute(update(Note).where(Note.id == 1).values(body="updated"))
        await asyncio.ensure_future(session.refresh(merged))
        assert merged.body == "updated"
        session.expire(merged)
        await session.delete(await session.get_one(Note, 2))
        await session.commit()
        assert await count(session) == 19


@CORPUS.legal
async def session_is_used_after_it_was_closed(world: World) -> None:
    """A session that was closed begins anew, in another task as well."""
    session = world.session()
    assert await count(session) == 20
    await session.close()
    assert await asyncio.create_task(count(session)) == 20
    await session.reset()
    async with session:
        assert await count(session) == 20
