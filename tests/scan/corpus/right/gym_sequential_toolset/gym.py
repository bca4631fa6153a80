"""Right: the toolset is sequential as a whole, so that its tools take turns with the session of the deps."""

from dataclasses import dataclass

from pydantic_ai import Agent, FunctionToolset, RunContext
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


@dataclass
class GymDeps:
    session: AsyncSession


gym_tools = FunctionToolset[GymDeps](sequential=True)


@gym_tools.tool
async def courses(ctx: RunContext[GymDeps]) -> list[str]:
    """All courses that have places left."""
    async with ctx.deps.session.begin():
        return list(await ctx.deps.session.scalars(select(Course.title).where(Course.places > 0)))


@gym_tools.tool
async def enrol(ctx: RunContext[GymDeps], course_id: int) -> str:
    """Enrol in a course."""
    async with ctx.deps.session.begin():
        statement = update(Course).where(Course.id == course_id).values(places=Course.places - 1)
        await ctx.deps.session.execute(statement)
    return "enrolled"


trainer = Agent(deps_type=GymDeps, toolsets=[gym_tools])


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        result = await trainer.run("Yoga, please", deps=GymDeps(session), model=model)
    await engine.dispose()
    return result.output
