"""Broken: the semaphore lets five tasks through at a time, so five tasks are in the one session at a time."""

import asyncio

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Page(Base):
    __tablename__ = "pages"

    url: Mapped[str] = mapped_column(primary_key=True)
    visits: Mapped[int] = mapped_column(default=0)


class Crawler:
    def __init__(self, session: AsyncSession, *, parallel: int = 5) -> None:
        self.session = session  # expect-any: shared_by_tasks
        self.limit = asyncio.Semaphore(parallel)

    async def visit(self, url: str) -> None:
        async with self.limit:
            statement = insert(Page).values(url=url, visits=1)
            statement = statement.on_conflict_do_update(index_elements=["url"], set_={"visits": Page.visits + 1})
            await self.session.execute(statement)  # expect-any: shared_by_tasks

    async def crawl(self, urls: list[str]) -> int:
        for finished in asyncio.as_completed([self.visit(url) for url in urls]):  # expect-any: shared_by_tasks
            await finished
        await self.session.commit()
        return await self.session.scalar(select(func.count()).select_from(Page)) or 0


async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        await Crawler(session).crawl(["https://x.org/a", "https://x.org/b", "https://x.org/c"])
    await engine.dispose()
