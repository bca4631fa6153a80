"""Broken: each tool's task inherits a copy of the context, and finds the same session in it as the other one."""

from context import current_session, request_session
from pydantic_ai import Agent
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE articles (id serial PRIMARY KEY, headline text, desk text);
CREATE TABLE corrections (id serial PRIMARY KEY, article int, body text);
"""

editor = Agent(instructions="You help the editors of a newspaper.")


@editor.tool_plain
async def headlines(desk: str) -> list[str]:
    """The headlines of a desk."""
    found = await current_session().execute(  # expect-any: shared_by_tools
        text("SELECT headline FROM articles WHERE desk = :desk"), {"desk": desk}
    )
    return list(found.scalars())


@editor.tool_plain
async def correct(article: int, body: str) -> str:
    """Add a correction to an article."""
    session = current_session()  # expect-any: shared_by_tools
    await session.execute(  # expect-any: shared_by_tools
        text("INSERT INTO corrections (article, body) VALUES (:article, :body)"), {"article": article, "body": body}
    )
    await session.commit()  # expect-any: shared_by_tools
    return "corrected"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    factory = async_sessionmaker(engine)
    async with request_session(factory):
        result = await editor.run(  # expect-any: shared_by_tools
            "What does Foreign have? Article 4 misspells Kyiv.", model=model
        )
    await engine.dispose()
    return result.output
