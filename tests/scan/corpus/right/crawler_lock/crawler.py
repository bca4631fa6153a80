"""Right: many tasks crawl, but each holds the crawler's lock while it is in the session, up to its commit."""

import asyncio

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
    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._lock = asyncio.Lock()

    async def visit(self, url: str) -> None:
        statement = insert(Page).values(url=url, visits=1)
        statement = statement.on_conflict_do_update(index_elements=["url"], set_={"visits": Page.visits + 1})
        async with self._lock:
            await self._session.execute(statement)
            await self._session.commit()

    async def crawl(self, urls: list[str]) -> None:
        async with asyncio.TaskGroup() as visits:
            for url in urls:
                visits.create_task(self.visit(url))


async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        await Crawler(session).crawl(["https://x.org/a", "https://x.org/b"])
    await engine.dispose()
