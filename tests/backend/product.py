"""The reference backend, started in this process, and models that say what they are told to."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from fastapi import FastAPI
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.usage import RequestUsage
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncEngine

from fixtures.backend.app.agents.simple_chat import SimpleChat
from fixtures.backend.app.database import Database
from fixtures.backend.app.main import create_app
from fixtures.backend.app.models import Base
from fixtures.backend.app.services.usage_lookup import UsageLookup
from fixtures.backend.app.settings import Settings

Call = tuple[str, Mapping[str, Any]]

SEARCH_DIRECTORY: Call = ("search_directory", {"query": "cardio", "schema_name": "people"})
SEARCH_DOCUMENTS: Call = ("search_documents", {"query": "visiting hours of cardiology"})
LEAVE_MESSAGE: Call = ("leave_message", {"department": "Cardiology", "text": "Please send directions."})
REQUEST_CALLBACK: Call = ("request_callback", {"name": "Jordan Example", "phone": "555-0199"})
FAILING_SEARCH: Call = (
    "search_directory",
    {"query": "cardio", "schema_name": "people", "filters": {"hired_after": "once upon a time"}},
)

FIRST_USAGE = RequestUsage(input_tokens=120, output_tokens=30)
SECOND_USAGE = RequestUsage(input_tokens=400, output_tokens=50)


def script(*calls: Call, model_name: str = "gpt-4o") -> FunctionModel:
    """A model that makes `calls` at once, and then answers with what the tools returned, each on a line."""

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if calls and not tool_results(messages):
            parts = [ToolCallPart(name, dict(arguments)) for name, arguments in calls]
            return ModelResponse(parts=parts, usage=replace(FIRST_USAGE))
        return ModelResponse(parts=[TextPart(_quote(messages))], usage=replace(SECOND_USAGE))

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        if calls and not tool_results(messages):
            yield {
                index: DeltaToolCall(name, json.dumps(arguments), tool_call_id=str(index))
                for index, (name, arguments) in enumerate(calls)
            }
        else:
            for line in _quote(messages).splitlines(keepends=True):
                yield line

    return FunctionModel(respond, stream_function=stream, model_name=model_name)


def tool_results(messages: Sequence[ModelMessage]) -> list[ToolReturnPart]:
    """What the tools returned to the model, or why they failed."""
    return [part for part in messages[-1].parts if isinstance(part, ToolReturnPart)]


def _quote(messages: Sequence[ModelMessage]) -> str:
    return "\n".join(part.model_response_str() for part in tool_results(messages)) or "Hello."


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """The running application, a client that speaks to it, and a look into its tables."""

    app: FastAPI
    client: httpx2.AsyncClient

    @property
    def chat(self) -> SimpleChat:
        """The hospital's agent, without HTTP."""
        chat: SimpleChat = self.app.state.chats["wyckoff", "simple-chat-1"]
        return chat

    @property
    def engine(self) -> AsyncEngine:
        """The application's engine."""
        database: Database = self.app.state.database
        return database.engine

    async def post(self, *, account: str = "wyckoff", **body: Any) -> httpx2.Response:
        """The response to one message."""
        url = f"/accounts/{account}/agents/simple-chat-1/chat"
        return await self.client.post(url, json={"message": "Who is there?", **body})

    async def ask(self, **body: Any) -> dict[str, Any]:
        """The fields of the answer to one message."""
        response = await self.post(**body)
        response.raise_for_status()
        answer: dict[str, Any] = response.json()
        return answer

    async def stream(self, **body: Any) -> list[tuple[str, dict[str, Any]]]:
        """The events of the streamed answer to one message, each with its data."""
        response = await self.post(stream=True, **body)
        blocks = response.text.strip().split("\n\n")
        pairs = [block.split("\n") for block in blocks]
        return [(event[len("event: ") :], json.loads(data[len("data: ") :])) for event, data in pairs]

    async def rows(self, table_name: str) -> list[Mapping[str, Any]]:
        """All rows of a table."""
        table: Table = Base.metadata.tables[table_name]
        async with self.engine.connect() as connection:
            return [dict(row) for row in (await connection.execute(select(table))).mappings()]


@asynccontextmanager
async def running(settings: Settings, *, usage_lookup: UsageLookup | None = None) -> AsyncIterator[Product]:
    """The application, from start to stop."""
    app = create_app(settings, usage_lookup=usage_lookup)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://product") as client,
    ):
        yield Product(app=app, client=client)
