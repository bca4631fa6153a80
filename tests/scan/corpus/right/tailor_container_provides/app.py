"""Right: the container is shared, but each tool asks it for a service, which has a session of its own."""

from typing import Annotated

from container import Container
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from pydantic_ai import Agent, RunContext

app = FastAPI()
app.state.container = Container("postgresql+asyncpg://tailor@localhost/tailor")
tailor: Agent[Container, str] = Agent("openai:gpt-5-mini", deps_type=Container, defer_model_check=True)


@tailor.tool
async def find_customer(ctx: RunContext[Container], name: str) -> int | None:
    """The number of a customer."""
    async with ctx.deps.customers() as customers:
        return await customers.find(name)


@tailor.tool
async def measurements(ctx: RunContext[Container], customer: int) -> dict[str, int]:
    """What was measured at the last fitting."""
    async with ctx.deps.measurements() as service:
        return await service.of(customer)


class Question(BaseModel):
    text: str


def get_container(request: Request) -> Container:
    return request.app.state.container


@app.post("/ask")
async def ask(question: Question, container: Annotated[Container, Depends(get_container)]) -> str:
    result = await tailor.run(question.text, deps=container)
    return result.output
