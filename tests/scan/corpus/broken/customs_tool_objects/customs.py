"""Broken: two tool objects of different classes are made with the same connection, and their methods run at once."""

from pydantic_ai import Agent
from sqlalchemy.ext.asyncio import create_async_engine
from tools import QuotaTool, TariffTool

SCHEMA = """
CREATE TABLE tariffs (code text PRIMARY KEY, percent numeric);
CREATE TABLE quotas (code text, country text, remaining int);
"""


async def ask(url: str, question: str, model: object) -> str:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        tariffs = TariffTool(connection)  # expect-any: shared_by_tools
        quotas = QuotaTool(connection)  # expect-any: shared_by_tools
        officer = Agent(model, tools=[tariffs.tariff, quotas.quota])  # expect-any: shared_by_tools
        result = await officer.run(question)  # expect-any: shared_by_tools
    await engine.dispose()
    return result.output


async def main(model: object, url: str) -> str:
    return await ask(url, "What do I pay for olives from Tunisia?", model)
