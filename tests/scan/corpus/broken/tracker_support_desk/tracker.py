"""Writes what each turn has cost."""

from decimal import Decimal

from sqlalchemy import Numeric
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class LLMRequest(Base):
    __tablename__ = "llm_requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str]
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
    cost: Mapped[Decimal | None] = mapped_column(Numeric(12, 6))


class LLMRequestTracker:
    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def track_request(self, model: str, input_tokens: int, output_tokens: int) -> int:
        row = LLMRequest(model=model, input_tokens=input_tokens, output_tokens=output_tokens)
        self._session.add(row)
        await self._session.commit()
        return row.id
