"""Right: the tools close over the engine, and open what they need."""

from pydantic_ai import Agent
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
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


def build_concierge(engine: AsyncEngine) -> Agent[None, str]:
    concierge = Agent(instructions="You are the concierge of a small hotel.")

    @concierge.tool_plain
    async def free_rooms(beds: int) -> int:
        """How many rooms with so many beds are free."""
        statement = select(func.count()).select_from(Room).where(Room.is_free, Room.beds >= beds)
        async with AsyncSession(engine) as session:
            return await session.scalar(statement) or 0

    @concierge.tool_plain
    async def room_service(room: int, what: str) -> str:
        """Order something to a room."""
        async with AsyncSession(engine) as session:
            session.add(Order(room=room, what=what))
            await session.commit()
        return "on its way"

    return concierge


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    result = await build_concierge(engine).run("A double, and tea to room 12", model=model)
    await engine.dispose()
    return result.output
