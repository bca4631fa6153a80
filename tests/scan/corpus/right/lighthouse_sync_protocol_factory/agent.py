"""Right: tools that are plain functions run in threads, and the log book behind a protocol opens a session for each."""

from datetime import date

from ports import Keeper, SqlLogbook
from pydantic_ai import Agent, RunContext
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

keeper_agent = Agent("openai:gpt-5-mini", deps_type=Keeper, defer_model_check=True)


@keeper_agent.tool
def read_log(ctx: RunContext[Keeper], day: date) -> list[str]:
    """Entries of a day."""
    return ctx.deps.logbook.entries(day)


@keeper_agent.tool
def write_log(ctx: RunContext[Keeper], entry: str) -> str:
    """Write an entry."""
    ctx.deps.logbook.write(f"{ctx.deps.name}: {entry}")
    return "written"


def night_watch(url: str, message: str) -> str:
    keeper = Keeper(logbook=SqlLogbook(sessionmaker(create_engine(url))), name="Fresnel")
    return keeper_agent.run_sync(message, deps=keeper).output
