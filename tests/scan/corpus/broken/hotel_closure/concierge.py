"""Broken: the agent is built around a session, and its plain tools close over it and run at once."""

from pydantic_ai import Agent
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Room(Base):
    __tablename__ = "rooms"

    number: Mapped[int] = mapped_column(primary_key=True)
    beds: Mapped[int]
    is_free: Mapped[bool]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    room: Mapped[int]
    what: Mapped[str]


def build_concierge(session: AsyncSession) -> Agent[None, str]:  # expect-any: shared_by_tools
    concierge = Agent(instructions="You are the concierge of a small hotel.")

    @concierge.tool_plain
    async def free_rooms(beds: int) -> int:
        """How many rooms with so many beds are free."""
        statement = select(func.count()).select_from(Room).where(Room.is_free, Room.beds >= beds)
        return await session.scalar(statement) or 0  # expect-any: shared_by_tools

    @concierge.tool_plain
    async def room_service(room: int, what: str) -> str:
        """Order something to a room."""
        session.add(Order(room=room, what=what))  # expect-any: shared_by_tools
        await session.commit()  # expect-any: shared_by_tools
        return "on its way"

    return concierge


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with async_sessionmaker(engine)() as session:
        result = await build_concierge(session).run(  # expect-any: shared_by_tools
            "A double, and tea to room 12", model=model
        )
    await engine.dispose()
    return result.output
