"""Broken: a function of another module opens one session on an exit stack, and all tools find it in their deps."""

from contextlib import AsyncExitStack

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from wiring import TheatreDeps, build_deps

SCHEMA = """
CREATE TABLE plays (id serial PRIMARY KEY, title text, day date);
CREATE TABLE tickets (id serial PRIMARY KEY, play int, price int);
"""

prompter = Agent(deps_type=TheatreDeps)


@prompter.tool
async def plays(ctx: RunContext[TheatreDeps], title: str) -> list[int]:
    """Plays by title."""
    statement = text("SELECT id FROM plays WHERE title = :title")
    return list(await ctx.deps.db.scalars(statement, {"title": title}))  # expect-any: shared_by_tools


@prompter.tool
async def cheapest(ctx: RunContext[TheatreDeps], play: int) -> int | None:
    """The cheapest ticket for a play."""
    statement = text("SELECT min(price) FROM tickets WHERE play = :play")
    return await ctx.deps.db.scalar(statement, {"play": play})  # expect-any: shared_by_tools


async def main(model: object, url: str) -> str:
    async with AsyncExitStack() as stack:
        deps = await build_deps(stack, url)
        return (  # expect-any: shared_by_tools
            await prompter.run("What does Hamlet cost?", deps=deps, model=model)
        ).output
