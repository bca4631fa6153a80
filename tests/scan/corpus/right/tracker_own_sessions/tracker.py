"""Writes what each turn has cost, in sessions of its own."""

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class LLMRequest(Base):
    __tablename__ = "llm_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str]
    tokens: Mapped[int]


class LLMRequestTracker:
    def __init__(self, session: async_sessionmaker[AsyncSession]) -> None:
        self._session = session

    async def track_request(self, model: str, tokens: int) -> int:
        row = LLMRequest(model=model, tokens=tokens)
        async with self._session() as session:
            session.add(row)
            await session.commit()
        return row.id
