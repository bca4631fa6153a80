"""What an answer has cost."""

from typing import Protocol

from pydantic_ai.usage import RunUsage
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker


class Meter(Protocol):
    async def add(self, account: int, usage: RunUsage) -> None: ...


class SqlMeter:
    """A meter that writes into the database."""

    def __init__(self, factory: async_sessionmaker[AsyncSession]) -> None:
        self._factory = factory

    async def add(self, account: int, usage: RunUsage) -> None:
        async with self._factory() as session:
            await session.execute(
                text("INSERT INTO bills (account, tokens) VALUES (:account, :tokens)"),
                {"account": account, "tokens": usage.input_tokens + usage.output_tokens},
            )
            await session.commit()
