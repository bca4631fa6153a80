"""Right: the registry gives each task a session of its own, and each tool runs in a task; it removes it at its end."""

import os
from asyncio import current_task

from pydantic_ai import Agent
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_scoped_session, async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE articles (id serial PRIMARY KEY, headline text, desk text);
CREATE TABLE corrections (id serial PRIMARY KEY, article int, body text);
"""
engine = create_async_engine(os.environ.get("DATABASE_URL", "postgresql+asyncpg://news@localhost/news"))
Session = async_scoped_session(async_sessionmaker(engine), scopefunc=current_task)

editor = Agent(instructions="You help the editors of a newspaper.")


@editor.tool_plain
async def headlines(desk: str) -> list[str]:
    """The headlines of a desk."""
    try:
        return list(await Session.scalars(text("SELECT headline FROM articles WHERE desk = :desk"), {"desk": desk}))
    finally:
        await Session.remove()


@editor.tool_plain
async def correct(article: int, body: str) -> str:
    """Add a correction to an article."""
    try:
        statement = text("INSERT INTO corrections (article, body) VALUES (:article, :body)")
        await Session.execute(statement, {"article": article, "body": body})
        await Session.commit()
    finally:
        await Session.remove()
    return "corrected"


async def main(model: object, url: str) -> str:
    result = await editor.run("What does Foreign have? Article 4 misspells Kyiv.", model=model)
    await engine.dispose()
    return result.output
