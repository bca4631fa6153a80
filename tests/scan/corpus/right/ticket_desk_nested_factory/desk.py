"""Right: two levels down in the deps stands a way to open sessions, and every tool opens and closes one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deps import DeskDeps, Storage
from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = "CREATE TABLE tickets (id serial PRIMARY KEY, owner int, title text, closed_at timestamptz)"


async def open_tickets(ctx: RunContext[DeskDeps]) -> list[str]:
    """Titles of the caller's open tickets."""
    async with ctx.deps.storage.open() as db:
        rows = await db.execute(
            text("SELECT title FROM tickets WHERE owner = :owner AND closed_at IS NULL"), {"owner": ctx.deps.user_id}
        )
        return [row.title for row in rows]


async def close_ticket(ctx: RunContext[DeskDeps], ticket_id: int) -> str:
    """Close a ticket."""
    async with ctx.deps.storage.open() as db:
        await db.execute(text("UPDATE tickets SET closed_at = now() WHERE id = :id"), {"id": ticket_id})
        await db.commit()
    return "closed"


desk = Agent(deps_type=DeskDeps, tools=[open_tickets, close_ticket])


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)

    @asynccontextmanager
    async def open_session() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(engine) as session:
            yield session

    result = await desk.run("What is open?", deps=DeskDeps(Storage(open_session), user_id=3), model=model)
    await engine.dispose()
    return result.output
