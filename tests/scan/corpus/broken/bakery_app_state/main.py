"""Broken: one session lives in the application's state from start to end, and the tools take it from the request."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from fastapi import FastAPI, Request
from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine = create_async_engine("postgresql+asyncpg://bakery@localhost/bakery")
    app.state.db = AsyncSession(engine)  # expect-any: shared_by_tools
    yield
    await app.state.db.close()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@dataclass
class BakeryDeps:
    request: Request
    shop: str


baker = Agent("openai:gpt-5-mini", deps_type=BakeryDeps, defer_model_check=True)


@baker.tool
async def loaves_left(ctx: RunContext[BakeryDeps], kind: str) -> int:
    """How many loaves of a kind are left."""
    db = ctx.deps.request.app.state.db  # expect-any: shared_by_tools
    return (  # expect-any: shared_by_tools
        await db.scalar(text("SELECT pieces FROM loaves WHERE kind = :kind"), {"kind": kind}) or 0
    )


@baker.tool
async def order(ctx: RunContext[BakeryDeps], kind: str, pieces: int) -> str:
    """Order loaves for tomorrow."""
    db = ctx.deps.request.app.state.db  # expect-any: shared_by_tools
    await db.execute(  # expect-any: shared_by_tools
        text("INSERT INTO orders (kind, pieces) VALUES (:kind, :pieces)"), {"kind": kind, "pieces": pieces}
    )
    await db.commit()  # expect-any: shared_by_tools
    return f"ordered at {ctx.deps.shop}"


@app.post("/chat")
async def chat(request: Request, message: str) -> str:
    result = await baker.run(message, deps=BakeryDeps(request=request, shop="Mill Lane"))
    return result.output
