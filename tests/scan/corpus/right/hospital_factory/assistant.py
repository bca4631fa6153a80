"""Right: the deps have the session factory, and each tool opens a session of its own."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import String, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Nurse(Base):
    __tablename__ = "nurses"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    ward: Mapped[str] = mapped_column(String(40))


@dataclass
class DirectoryDeps:
    session_factory: async_sessionmaker[AsyncSession]
    hospital: str


directory_agent = Agent(deps_type=DirectoryDeps)


@directory_agent.tool
async def find_nurses(ctx: RunContext[DirectoryDeps], name: str) -> list[str]:
    """Find nurses by a part of their name."""
    async with ctx.deps.session_factory() as session:
        rows = await session.scalars(select(Nurse).where(Nurse.name.icontains(name)))
        return [f"{row.name}, {row.ward}" for row in rows]


@directory_agent.tool
async def count_nurses(ctx: RunContext[DirectoryDeps], ward: str) -> int:
    """How many nurses a ward has."""
    async with ctx.deps.session_factory() as session:
        return await session.scalar(select(func.count()).select_from(Nurse).where(Nurse.ward == ward)) or 0


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    deps = DirectoryDeps(async_sessionmaker(engine, expire_on_commit=False), "St. Vincent")
    result = await directory_agent.run("Who is Nurse Amadi?", deps=deps, model=model)
    await engine.dispose()
    return result.output
