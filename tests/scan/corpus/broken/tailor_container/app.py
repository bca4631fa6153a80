"""Broken: the container keeps one session for a request, and both tools take services from the container."""

from collections.abc import AsyncIterator
from typing import Annotated

from container import Container
from fastapi import Depends, FastAPI
from pydantic import BaseModel
from pydantic_ai import Agent, RunContext

app = FastAPI()
tailor: Agent[Container, str] = Agent("openai:gpt-5-mini", deps_type=Container, defer_model_check=True)


@tailor.tool
async def find_customer(ctx: RunContext[Container], name: str) -> int | None:
    """The number of a customer."""
    return await ctx.deps.customers.find(name)  # expect-any: shared_by_tools


@tailor.tool
async def measurements(ctx: RunContext[Container], customer: int) -> dict[str, int]:
    """What was measured at the last fitting."""
    return await ctx.deps.measurements.of(customer)  # expect-any: shared_by_tools


class Question(BaseModel):
    text: str


async def get_container() -> AsyncIterator[Container]:
    container = Container("postgresql+asyncpg://tailor@localhost/tailor")
    try:
        yield container
    finally:
        await container.aclose()


@app.post("/ask")
async def ask(question: Question, container: Annotated[Container, Depends(get_container)]) -> str:
    result = await tailor.run(question.text, deps=container)  # expect-any: shared_by_tools
    return result.output
