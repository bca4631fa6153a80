"""Broken: `deps.session` is a property, which gives every tool the one session of the unit of work."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from pydantic_ai import Agent, FunctionToolset, RunContext
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "books"

    isbn: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    borrower: Mapped[str | None]


class UnitOfWork:
    def __init__(self, factory: async_sessionmaker[AsyncSession]) -> None:
        self._factory = factory

    async def __aenter__(self) -> Self:
        self._session = self._factory()  # expect-any: shared_by_tools
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None):
        await (self._session.rollback() if error else self._session.commit())
        await self._session.close()

    @property
    def session(self) -> AsyncSession:
        return self._session  # expect-any: shared_by_tools


class LibraryDeps:
    def __init__(self, work: UnitOfWork) -> None:
        self._work = work

    @property
    def session(self) -> AsyncSession:
        return self._work.session  # expect-any: shared_by_tools


catalogue = FunctionToolset[LibraryDeps]()


@catalogue.tool
async def find_book(ctx: RunContext[LibraryDeps], title: str) -> list[str]:
    """Books by title."""
    return list(  # expect-any: shared_by_tools
        await ctx.deps.session.scalars(select(Book.isbn).where(Book.title.icontains(title)))
    )


@catalogue.tool
async def lend_book(ctx: RunContext[LibraryDeps], isbn: str, reader: str) -> bool:
    """Lend a book to a reader."""
    book = await ctx.deps.session.get(Book, isbn)  # expect-any: shared_by_tools
    if book is None or book.borrower:
        return False
    book.borrower = reader
    await ctx.deps.session.flush()  # expect-any: shared_by_tools
    return True


librarian = Agent(deps_type=LibraryDeps, toolsets=[catalogue])


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with UnitOfWork(async_sessionmaker(engine)) as work:
        result = await librarian.run("Lend me Dune", deps=LibraryDeps(work), model=model)  # expect-any: shared_by_tools
    await engine.dispose()
    return result.output
