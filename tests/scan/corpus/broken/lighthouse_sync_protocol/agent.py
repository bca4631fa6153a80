"""Broken: tools that are plain functions run in threads, and both reach one session behind a protocol."""

from datetime import date

from ports import Keeper, SqlLogbook
from pydantic_ai import Agent, RunContext
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

keeper_agent = Agent("openai:gpt-5-mini", deps_type=Keeper, defer_model_check=True)


@keeper_agent.tool
def read_log(ctx: RunContext[Keeper], day: date) -> list[str]:
    """Entries of a day."""
    return ctx.deps.logbook.entries(day)  # expect-any: shared_by_tools


@keeper_agent.tool
def write_log(ctx: RunContext[Keeper], entry: str) -> str:
    """Write an entry."""
    ctx.deps.logbook.write(f"{ctx.deps.name}: {entry}")  # expect-any: shared_by_tools
    return "written"


def night_watch(url: str, message: str) -> str:
    make = sessionmaker(create_engine(url))
    with make() as session:
        keeper = Keeper(logbook=SqlLogbook(session), name="Fresnel")
        return keeper_agent.run_sync(message, deps=keeper).output  # expect-any: shared_by_tools
