"""Metering: each response of a model is written down as it comes."""

from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ModelResponse
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


class Meter:
    def __init__(self, db: AsyncSession) -> None:
        self.db = db

    async def write(self, account: str, response: ModelResponse) -> None:
        await self.db.execute(
            text("INSERT INTO usage (account, model, tokens) VALUES (:account, :model, :tokens)"),
            {"account": account, "model": response.model_name, "tokens": response.usage.total_tokens},
        )
        await self.db.commit()


class UsageMeter(Meter, AbstractCapability[Any]):
    """Bills each response to an account."""

    def __init__(self, db: AsyncSession, account: str) -> None:
        super().__init__(db)
        self.account = account

    async def after_model_request(
        self, ctx: RunContext[Any], *, request_context: Any, response: ModelResponse
    ) -> ModelResponse:
        await self.write(self.account, response)
        return response
