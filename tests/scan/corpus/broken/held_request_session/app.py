"""Broken: the request's session has begun a transaction for the history, and stays open while the agent runs."""

from typing import Annotated

from agent import coach
from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://coach@localhost/coach", pool_size=5)
factory = async_sessionmaker(engine)
app = FastAPI()


async def get_session():
    async with factory() as session:
        yield session


@app.post("/conversations/{conversation}/messages")
async def post_message(
    conversation: int,
    message: str,
    session: Annotated[AsyncSession, Depends(get_session)],  # expect-any: held_across_run
) -> dict[str, str]:
    found = await session.execute(  # expect-any: held_across_run
        text("SELECT body FROM messages WHERE conversation = :c ORDER BY id"), {"c": conversation}
    )
    history = list(found.scalars())
    if not history:
        raise HTTPException(404)
    result = await coach.run("\n".join([*history, message]), deps=factory)  # expect-any: held_across_run
    await session.execute(
        text("INSERT INTO messages (conversation, body) VALUES (:c, :b)"), {"c": conversation, "b": result.output}
    )
    await session.commit()
    return {"answer": result.output}
