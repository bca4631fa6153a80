"""Broken: the TypedDict of the deps has one session under a key, and both tools take it out and use it at once."""

from typing import TypedDict

from pydantic_ai import Agent, RunContext
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Course(Base):
    __tablename__ = "courses"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    places: Mapped[int]


class GymDeps(TypedDict):
    session: AsyncSession  # expect-any: shared_by_tools
    member: int


trainer = Agent(deps_type=GymDeps)


@trainer.tool
async def courses(ctx: RunContext[GymDeps]) -> list[str]:
    """All courses that have places left."""
    session = ctx.deps["session"]  # expect-any: shared_by_tools
    return list(await session.scalars(select(Course.title).where(Course.places > 0)))  # expect-any: shared_by_tools


@trainer.tool
async def enrol(ctx: RunContext[GymDeps], course_id: int) -> str:
    """Enrol the member in a course."""
    session = ctx.deps["session"]  # expect-any: shared_by_tools
    await session.execute(  # expect-any: shared_by_tools
        update(Course).where(Course.id == course_id).values(places=Course.places - 1)
    )
    await session.commit()  # expect-any: shared_by_tools
    return f"member {ctx.deps['member']} is enrolled"


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine, expire_on_commit=False) as session:
        deps: GymDeps = {"session": session, "member": 7}  # expect-any: shared_by_tools
        result = await trainer.run("Yoga, please", deps=deps, model=model)  # expect-any: shared_by_tools
    await engine.dispose()
    return result.output
