"""Right: each tool sets the context variable to a session of its own, in the context of its own task."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE articles (id serial PRIMARY KEY, headline text, desk text);
CREATE TABLE corrections (id serial PRIMARY KEY, article int, body text);
"""
_session: ContextVar[AsyncSession] = ContextVar("session")
Factory = async_sessionmaker[AsyncSession]
editor = Agent(deps_type=async_sessionmaker)


@asynccontextmanager
async def unit(factory: Factory) -> AsyncIterator[None]:
    async with factory.begin() as session:
        token = _session.set(session)
        try:
            yield
        finally:
            _session.reset(token)


async def read_headlines(desk: str) -> list[str]:
    return list(await _session.get().scalars(text("SELECT headline FROM articles WHERE desk = :desk"), {"desk": desk}))


async def write_correction(article: int, body: str) -> None:
    statement = text("INSERT INTO corrections (article, body) VALUES (:article, :body)")
    await _session.get().execute(statement, {"article": article, "body": body})


@editor.tool
async def headlines(ctx: RunContext[Factory], desk: str) -> list[str]:
    """The headlines of a desk."""
    async with unit(ctx.deps):
        return await read_headlines(desk)


@editor.tool
async def correct(ctx: RunContext[Factory], article: int, body: str) -> str:
    """Add a correction to an article."""
    async with unit(ctx.deps):
        await write_correction(article, body)
    return "corrected"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    result = await editor.run("Article 4 misspells Kyiv.", deps=async_sessionmaker(engine), model=model)
    await engine.dispose()
    return result.output
