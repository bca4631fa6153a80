"""Broken: the tools are methods of one object, and work on the session that the object was made with."""

from pydantic_ai import Agent
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Bay(Base):
    __tablename__ = "bays"

    id: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[int]
    plate: Mapped[str | None]


class ParkingAssistant:
    """Finds cars, and free bays."""

    def __init__(self, session: AsyncSession, model: object) -> None:
        self.session = session  # expect-any: shared_by_tools
        self.agent = Agent(model, tools=[self.find_car, self.free_bay])  # expect-any: shared_by_tools

    async def find_car(self, plate: str) -> str:
        """Where a car stands."""
        bay = await self.session.scalar(select(Bay).where(Bay.plate == plate))  # expect-any: shared_by_tools
        return f"level {bay.level}, bay {bay.id}" if bay else "not here"

    async def free_bay(self, level: int) -> int | None:
        """A free bay on a level."""
        statement = select(Bay.id).where(Bay.level == level, Bay.plate.is_(None)).limit(1)
        return await self.session.scalar(statement)  # expect-any: shared_by_tools

    async def answer(self, message: str) -> str:
        return (await self.agent.run(message)).output


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:
        answer = await ParkingAssistant(session, model).answer(  # expect-any: shared_by_tools
            "Where is B-AB 12, and is there room on 2?"
        )
    await engine.dispose()
    return answer
