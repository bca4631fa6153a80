"""Right: `request.session` is the signed cookie of Starlette, a dictionary; the posts are read by sessions per tool."""

from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://forum@localhost/forum")
new_session = async_sessionmaker(engine)
app = FastAPI()  # the middleware for cookies is added by the server that mounts it


@dataclass
class ForumDeps:
    session: dict[str, Any]


moderator = Agent("openai:gpt-5-mini", deps_type=ForumDeps, defer_model_check=True)


@moderator.tool
async def remember(ctx: RunContext[ForumDeps], topic: str) -> str:
    """Remember what the user cares about."""
    ctx.deps.session["topic"] = topic
    return "remembered"


@moderator.tool
async def posts(ctx: RunContext[ForumDeps], topic: str) -> list[str]:
    """Posts about a topic, the user's own first."""
    async with new_session() as db:
        found = await db.execute(
            text("SELECT body FROM posts WHERE topic = :topic ORDER BY author = :user DESC"),
            {"topic": topic, "user": ctx.deps.session.get("user")},
        )
        return list(found.scalars())


@app.post("/chat")
async def chat(request: Request, message: str) -> str:
    return (await moderator.run(message, deps=ForumDeps(session=request.session))).output
