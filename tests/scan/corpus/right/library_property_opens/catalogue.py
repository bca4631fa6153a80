"""Right: `deps.session` is a property too, but each time it is read it makes a new session, which the tool closes."""

from pydantic_ai import Agent, FunctionToolset, RunContext
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Book(Base):
    __tablename__ = "books"

    isbn: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    borrower: Mapped[str | None]


class LibraryDeps:
    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @property
    def session(self) -> AsyncSession:
        return AsyncSession(self._engine, expire_on_commit=False)


catalogue = FunctionToolset[LibraryDeps]()


@catalogue.tool
async def find_book(ctx: RunContext[LibraryDeps], title: str) -> list[str]:
    """Books by title."""
    async with ctx.deps.session as session:
        return list(await session.scalars(select(Book.isbn).where(Book.title.icontains(title))))


@catalogue.tool
async def lend_book(ctx: RunContext[LibraryDeps], isbn: str, reader: str) -> bool:
    """Lend a book to a reader."""
    async with ctx.deps.session as session, session.begin():
        book = await session.get(Book, isbn)
        if book is None or book.borrower:
            return False
        book.borrower = reader
    return True


librarian = Agent(deps_type=LibraryDeps, toolsets=[catalogue])


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    result = await librarian.run("Lend me Dune", deps=LibraryDeps(engine), model=model)
    await engine.dispose()
    return result.output
