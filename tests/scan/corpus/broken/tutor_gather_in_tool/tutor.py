"""Broken: the tool has a session of its own, but asks it three things at once."""

import asyncio
from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

SCHEMA = """
CREATE TABLE marks (student int, subject text, mark int);
CREATE TABLE lessons (student int, subject text, day date);
CREATE TABLE homework (student int, subject text, done boolean);
"""


@dataclass
class TutorDeps:
    sessions: async_sessionmaker[AsyncSession]
    student: int


tutor = Agent(deps_type=TutorDeps)


@tutor.tool
async def progress(ctx: RunContext[TutorDeps], subject: str) -> dict[str, int]:
    """How the student does in a subject."""
    values = {"student": ctx.deps.student, "subject": subject}
    where = "WHERE student = :student AND subject = :subject"
    async with ctx.deps.sessions() as session:
        mark, lessons, homework = await asyncio.gather(  # expect-any: shared_by_tasks
            session.scalar(text(f"SELECT max(mark) FROM marks {where}"), values),  # expect-any: shared_by_tasks
            session.scalar(text(f"SELECT count(*) FROM lessons {where}"), values),  # expect-any: shared_by_tasks
            session.scalar(  # expect-any: shared_by_tasks
                text(f"SELECT count(*) FROM homework {where} AND done"), values
            ),
        )
    return {"mark": mark or 0, "lessons": lessons, "homework": homework}


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    deps = TutorDeps(sessions=async_sessionmaker(engine), student=3)
    result = await tutor.run("How am I doing in maths?", deps=deps, model=model)
    await engine.dispose()
    return result.output
