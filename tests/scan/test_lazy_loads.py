"""Objects that load lazily: a lazy load is a query by the session that has loaded the object."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import codes, findings

MODELS = """
        from sqlalchemy import ForeignKey, select
        from sqlalchemy.ext.asyncio import AsyncAttrs, async_object_session
        from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

        class Base(AsyncAttrs, DeclarativeBase):
            pass

        class Author(Base):
            __tablename__ = "authors"
            id: Mapped[int] = mapped_column(primary_key=True)
            books: Mapped[list["Book"]] = relationship()

            async def titles(self):
                return [book.title for book in await self.awaitable_attrs.books]

        class Book(Base):
            __tablename__ = "books"
            id: Mapped[int] = mapped_column(primary_key=True)
            author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
            title: Mapped[str]
"""
BROKEN = {
    "of one object": (
        Code.GATHER,
        """
        async def f(author: Author):
            await asyncio.gather(author.awaitable_attrs.books, author.awaitable_attrs.prizes)
        """,
    ),
    "of all rows": (
        Code.GATHER,
        """
        async def f(session: AsyncSession):
            authors = (await session.scalars(select(Author))).all()
            await asyncio.gather(*(author.awaitable_attrs.books for author in authors))
        """,
    ),
    "of rows of a result": (
        Code.GATHER,
        """
        async def f(session: AsyncSession):
            result = await session.execute(select(Author).limit(5))
            authors = result.scalars().unique().all()
            await asyncio.gather(*[author.awaitable_attrs.books for author in authors])
        """,
    ),
    "in tasks of a function": (
        Code.TASK_GROUP,
        """
        async def books_of(author):
            return len(await author.awaitable_attrs.books)

        async def f():
            async with factory() as session:
                first, second = await session.get(Author, 1), await session.get(Author, 2)
                async with asyncio.TaskGroup() as group:
                    group.create_task(books_of(first))
                    group.create_task(books_of(second))
        """,
    ),
    "in a method": (
        Code.GATHER,
        """
        async def f(session: AsyncSession):
            authors: list[Author] = list(await session.scalars(select(Author)))
            await asyncio.gather(*(titles_of(author) for author in authors))

        async def titles_of(author: Author):
            return await author.titles()
        """,
    ),
    "beside the session itself": (
        Code.TASK,
        """
        async def f(session: AsyncSession):
            author: Author = await session.get_one(Author, 1)
            task = asyncio.create_task(author.titles())
            await session.execute("x")
            await task
        """,
    ),
    "of a new object": (
        Code.GATHER,
        """
        async def f(session: AsyncSession):
            author = Author(id=1)
            session.add(author)
            await session.commit()
            await asyncio.gather(author.awaitable_attrs.books, use(session))
        """,
    ),
    "by a repository": (
        Code.GATHER,
        """
        class Authors:
            def __init__(self, session: AsyncSession):
                self.session = session

            async def one(self, number: int) -> Author:
                return await self.session.get_one(Author, number)

        async def f():
            async with factory() as session:
                authors = Authors(session)
                first, second = await authors.one(1), await authors.one(2)
                await asyncio.gather(first.titles(), second.titles())
        """,
    ),
    "of what was loaded lazily": (
        Code.GATHER,
        """
        async def f(session: AsyncSession):
            author = await session.get(Author, 1)
            books = await author.awaitable_attrs.books
            await asyncio.gather(*(book.awaitable_attrs.author for book in books))
        """,
    ),
    "the session of an object": (
        Code.GATHER,
        """
        async def f(author: Author):
            session = async_object_session(author)
            await asyncio.gather(session.refresh(author, ["books"]), author.awaitable_attrs.prizes)
        """,
    ),
    "run_sync": (
        Code.GATHER,
        """
        def books_of(session, author):
            return len(author.books)

        async def f(session: AsyncSession):
            authors = list(await session.scalars(select(Author)))
            await asyncio.gather(*(session.run_sync(books_of, author) for author in authors))
        """,
    ),
    "refresh": (
        Code.GATHER,
        """
        async def f(session: AsyncSession):
            authors = list(await session.scalars(select(Author)))
            await asyncio.gather(*(session.refresh(author, ["books"]) for author in authors))
        """,
    ),
    "of deps": (
        Code.DEPS,
        """
        @dataclass
        class Deps:
            author: Author

        agent = Agent("test", deps_type=Deps)

        @agent.tool
        async def books(ctx: RunContext[Deps]) -> int:
            return len(await ctx.deps.author.awaitable_attrs.books)

        @agent.tool
        async def titles(ctx: RunContext[Deps]) -> list[str]:
            return await ctx.deps.author.titles()
        """,
    ),
}
RIGHT = {
    "one after the other": """
        async def f(session: AsyncSession):
            for author in await session.scalars(select(Author)):
                await author.awaitable_attrs.books
        """,
    "each in a session of its own": """
        async def books_of(number):
            async with factory() as session:
                author = await session.get(Author, number)
                return await author.awaitable_attrs.books

        async def f():
            await asyncio.gather(books_of(1), books_of(2))
        """,
    "merged into sessions of their own": """
        async def books_of(author):
            async with factory() as session:
                mine = await session.merge(author)
                return await mine.awaitable_attrs.books

        async def f(session: AsyncSession):
            authors = list(await session.scalars(select(Author)))
            await asyncio.gather(*(books_of(author) for author in authors))
        """,
    "loaded before": """
        from sqlalchemy.orm import selectinload

        async def send(author):
            return len(author.books)

        async def f(session: AsyncSession):
            authors = (await session.scalars(select(Author).options(selectinload(Author.books)))).all()
            await asyncio.gather(*(send(author) for author in authors))
        """,
    "two objects of which nothing is known": """
        async def f(first: Author, other: Book):
            await asyncio.gather(first.awaitable_attrs.books, other.awaitable_attrs.author)
        """,
    "rows that are handed to something else": """
        import httpx

        async def f(session: AsyncSession, client: httpx.AsyncClient):
            rows = (await session.execute(select(Author.id))).all()
            await asyncio.gather(*(client.post("/", json={"id": row.id}) for row in rows))
        """,
    "an attribute of something else": """
        async def f(wallet):
            await asyncio.gather(wallet.awaitable_attrs.books, wallet.awaitable_attrs.prizes)
        """,
    "rows in tools": """
        agent = Agent("test", deps_type=list)

        @agent.tool
        async def names(ctx: RunContext[list]) -> list[str]:
            return [row.name for row in ctx.deps]

        @agent.tool
        async def numbers(ctx: RunContext[list]) -> list[int]:
            return [row.id for row in ctx.deps]

        async def f():
            async with factory() as session:
                rows = list(await session.scalars(select(Author)))
            await agent.run("x", deps=rows)
        """,
}


@pytest.mark.parametrize("name", BROKEN)
def test_lazy_loads_that_meet_are_found(tmp_path: Path, name: str) -> None:
    """As other uses of the session are."""
    code, source = BROKEN[name]

    assert codes(tmp_path, MODELS + source) == {code}


@pytest.mark.parametrize("name", RIGHT)
def test_lazy_loads_that_do_not_meet_are_right(tmp_path: Path, name: str) -> None:
    """Then nothing is said."""
    assert [(each.place.line, each.message) for each in findings(tmp_path, MODELS + RIGHT[name])] == []
