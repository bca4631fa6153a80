"""Broken: the session is two levels down, `deps.storage.db`, and three tools that run at once reach it there."""

from deps import Caller, DeskDeps, Storage
from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession


async def open_tickets(ctx: RunContext[DeskDeps]) -> list[str]:
    """Titles of the caller's open tickets."""
    storage = ctx.deps.storage
    rows = await storage.db.execute(  # expect-any: shared_by_tools
        text("SELECT title FROM tickets WHERE owner = :owner AND closed_at IS NULL"),
        {"owner": ctx.deps.caller.user_id},
    )
    return [row.title for row in rows]


async def close_ticket(ctx: RunContext[DeskDeps], ticket_id: int) -> str:
    """Close a ticket."""
    db = ctx.deps.storage.db  # expect-any: shared_by_tools
    await db.execute(  # expect-any: shared_by_tools
        text("UPDATE tickets SET closed_at = now() WHERE id = :id"), {"id": ticket_id}
    )
    await db.commit()  # expect-any: shared_by_tools
    return "closed"


async def add_comment(ctx: RunContext[DeskDeps], ticket_id: int, body: str) -> str:
    """Comment on a ticket."""
    if "agent" not in ctx.deps.caller.roles:
        return "not allowed"
    await ctx.deps.storage.db.execute(  # expect-any: shared_by_tools
        text("INSERT INTO comments (ticket_id, body) VALUES (:id, :body)"), {"id": ticket_id, "body": body}
    )
    return "added"


desk = Agent(
    "openai:gpt-5",
    deps_type=DeskDeps,
    tools=[open_tickets, close_ticket, add_comment],
    defer_model_check=True,
)


async def answer(engine: AsyncEngine, user_id: int, message: str) -> str:
    async with AsyncSession(engine) as db:
        deps = DeskDeps(  # expect-any: shared_by_tools
            storage=Storage(db=db),
            caller=Caller(user_id=user_id, roles=("agent",)),
        )
        return (await desk.run(message, deps=deps)).output  # expect-any: shared_by_tools
