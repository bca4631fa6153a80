"""Right: an HTTP client and an engine stay open on the stack; each tool has a stack with its own connection."""

from contextlib import AsyncExitStack

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from wiring import TheatreDeps, build_deps

SCHEMA = """
CREATE TABLE plays (id serial PRIMARY KEY, title text, day date);
CREATE TABLE tickets (id serial PRIMARY KEY, play int, price int);
"""

prompter = Agent(deps_type=TheatreDeps)


async def first(deps: TheatreDeps, sql: str, **values: object) -> int | None:
    async with AsyncExitStack() as stack:
        connection = await stack.enter_async_context(deps.db.connect())
        return await connection.scalar(text(sql), values)


@prompter.tool
async def play(ctx: RunContext[TheatreDeps], title: str) -> int | None:
    """A play by title."""
    return await first(ctx.deps, "SELECT id FROM plays WHERE title = :title", title=title)


@prompter.tool
async def cheapest(ctx: RunContext[TheatreDeps], play: int) -> int | None:
    """The cheapest ticket for a play."""
    return await first(ctx.deps, "SELECT min(price) FROM tickets WHERE play = :play", play=play)


async def main(model: object, url: str) -> str:
    async with AsyncExitStack() as stack:
        deps = await build_deps(stack, url)
        return (await prompter.run("What does Hamlet cost?", deps=deps, model=model)).output
