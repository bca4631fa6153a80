"""Tools as objects: each has what it works with, and one method."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass
class DatabaseTool:
    connection: AsyncConnection  # expect-any: shared_by_tools

    async def first(self, sql: str, **values: object) -> object:
        return (await self.connection.execute(text(sql), values)).scalar()  # expect-any: shared_by_tools


class TariffTool(DatabaseTool):
    async def tariff(self, code: str) -> str:
        """The tariff of a code."""
        return str(  # expect-any: shared_by_tools
            await self.first("SELECT percent FROM tariffs WHERE code = :code", code=code)
        )


class QuotaTool(DatabaseTool):
    async def quota(self, code: str, country: str) -> str:
        """What is left of a country's quota."""
        sql = "SELECT remaining FROM quotas WHERE code = :code AND country = :country"
        return str(await self.first(sql, code=code, country=country))  # expect-any: shared_by_tools
