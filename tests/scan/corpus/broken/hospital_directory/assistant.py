"""Broken: both tools run at once on the one AsyncSession that stands in the agent's deps."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import String, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Physician(Base):
    __tablename__ = "physicians"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    ward: Mapped[str] = mapped_column(String(40))
    on_call: Mapped[bool] = mapped_column(default=False)


@dataclass
class DirectoryDeps:
    session: AsyncSession  # expect-any: shared_by_tools
    hospital: str


directory_agent = Agent(
    deps_type=DirectoryDeps,
    instructions="You answer questions about the staff of a hospital. Look up everything you need at once.",
)


@directory_agent.tool
async def find_physicians(ctx: RunContext[DirectoryDeps], name: str) -> list[str]:
    """Find physicians by a part of their name."""
    rows = await ctx.deps.session.scalars(  # expect-any: shared_by_tools
        select(Physician).where(Physician.name.icontains(name))
    )
    return [f"{row.name}, {row.ward}" for row in rows]


@directory_agent.tool
async def count_on_call(ctx: RunContext[DirectoryDeps], ward: str) -> int:
    """How many physicians of a ward are on call."""
    statement = select(func.count()).select_from(Physician).where(Physician.ward == ward, Physician.on_call)
    return await ctx.deps.session.scalar(statement) or 0  # expect-any: shared_by_tools


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    async with sessions() as session:
        deps = DirectoryDeps(session=session, hospital="St. Vincent")  # expect-any: shared_by_tools
        result = await directory_agent.run(  # expect-any: shared_by_tools
            "Who is Dr. Okafor, and who is on call in ICU?", deps=deps, model=model
        )
    await engine.dispose()
    return result.output
