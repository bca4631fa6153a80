"""Routes that answer whole and in pieces are asked for the whole; the field that names a ledger's row is known."""

import pytest
from inline_snapshot import snapshot

from harness.adoption.adapter import write_adapter
from harness.adoption.choice import Wanted, choose
from harness.adoption.found import Kind, Survey
from tests.adoption.conftest import Surveyed

WEB = """
from typing import Annotated
from uuid import UUID, uuid4
from fastapi import FastAPI, Header, Query
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel
from pydantic_ai import Agent
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
engine = create_async_engine("postgresql+asyncpg:///")
Sessions = async_sessionmaker(engine)
helper = Agent("test")
app = FastAPI()
class Body(BaseModel):
    message: str
    stream: bool
    whole: bool = False
class Base(DeclarativeBase): ...
class ModelCall(Base):
    __tablename__ = "model_calls"
    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    thread_id: Mapped[str]
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
class Other(Base):
    __tablename__ = "others"
    id: Mapped[UUID] = mapped_column(primary_key=True)
class Out(BaseModel):
    answer: str
    call_id: UUID
    request_id: str
    model_call_id: UUID
async def pieces(text: str):
    async with helper.run_stream(text) as result:
        yield result
def streamed(text: str):
    return StreamingResponse(pieces(text))
"""


def written(survey: Survey) -> str:
    """The adapter's text."""
    return write_adapter(survey, choose(survey, Wanted(), None), project="shop").text


ASKS = {
    "if body.stream:\n        return StreamingResponse(pieces(body.message))": ("stream", False),
    "if body.stream is True:\n        return streamed(body.message)": ("stream", False),
    "if body.whole:\n        pass\n    if not body.whole:\n        response = streamed(body.message)\n"
    "        return response": ("whole", True),
}


@pytest.mark.parametrize("condition", ASKS)
def test_a_route_that_may_stream_is_asked_for_a_whole_answer(condition: str, surveyed: Surveyed) -> None:
    """By what is tested above the answer in pieces, also if that has a default."""
    route = f"@app.post('/chat')\nasync def chat(body: Body):\n    {condition}\n"
    found = surveyed(web=f"{WEB}{route}    return {{'answer': (await helper.run(body.message)).output}}\n")

    (way,) = found.routes
    asked = {each.name: each.example for each in way.body[0].fields or () if each.kind is Kind.WHOLE}
    assert (way.streams, asked) == (False, dict([ASKS[condition]]))
    text = written(found)
    name, value = ASKS[condition]
    assert f'                    "{name}": {value},\n' in text
    assert "passed over" not in text.lower()


def test_a_route_that_is_asked_in_its_address_is_asked_there(surveyed: Surveyed) -> None:
    """A function inside of it, which streams, is not its answer."""
    route = """
@app.post("/chat")
async def chat(message: str, stream: Annotated[bool, Query(alias="sse")] = True):
    if not stream:
        return {"answer": (await helper.run(message)).output}
    async def inner():
        yield message
    return StreamingResponse(inner())
"""

    (way,) = surveyed(web=WEB + route).routes

    assert not way.streams
    assert [(each.name, each.sent_as, each.example) for each in way.query if each.kind is Kind.WHOLE] == [
        ("stream", "sse", False)
    ]


@pytest.mark.parametrize(
    "route",
    [
        "@app.post('/chat')\nasync def chat(body: Body):\n    return StreamingResponse(pieces(body.message))\n",
        "@app.post('/chat')\nasync def chat(body: Body):\n    return streamed(body.message)\n",
        "@app.post('/chat')\nasync def chat(body: Body) -> StreamingResponse:\n    return await made_of(pieces(''))\n",
        "@app.post('/chat', response_class=StreamingResponse)\nasync def chat(body: Body): return pieces('')\n",
        "@app.post('/chat')\nasync def chat(body: Body):\n    async for each in pieces(body.message): yield each\n",
    ],
)
def test_a_route_that_only_streams_is_passed_over_and_told(route: str, surveyed: Surveyed) -> None:
    """In the adapter's own words, with what is run instead."""
    found = surveyed(web=WEB + route)
    adapter = write_adapter(found, choose(found, Wanted(), None), project="shop")

    assert [each.streams for each in found.routes] == [True]
    assert adapter.passed_over.partition("web.py:")[0] == snapshot("""\
Messages go to the agent helper itself, and not to the routes that reach the agent, so that nothing of what they do \
around it is verified. Passed over, because they answer in pieces: POST /chat (\
""")
    assert "Passed over" in adapter.text.partition("import ")[0]


ANSWERS = [
    ("return Out(answer='', call_id=row.id, request_id=str(other.id), model_call_id=other.id)", "call_id"),
    ("return Out(answer='', call_id=other.id, request_id=str(row.id), model_call_id=other.id)", "request_id"),
    ("out = Out(answer='', call_id=made.id, request_id='', model_call_id=other.id)\n    return out", "call_id"),
    ("return Out(**{'answer': ''})", "model_call_id"),
    ("return {'answer': '', 'number': str(row.id)}", "number"),
    ("return {'answer': '', 'request_id': str(uuid4()), 'number': other.id}", ""),
]


@pytest.mark.parametrize(("answer", "expected"), ANSWERS)
def test_the_field_that_names_the_row_is_known_by_what_it_is_given(
    answer: str, expected: str, surveyed: Surveyed
) -> None:
    """An object of the ledger's class, made here or by a function; else by the table's name; never by another's row."""
    declared = " -> Out" if "Out(" in answer else ""
    route = f"""
async def bill(text: str):
    call = ModelCall(thread_id=text)
    return call
@app.post("/chat")
async def chat(message: str, thread_id: str){declared}:
    result = await helper.run(message)
    row = ModelCall(thread_id=thread_id)
    made = await bill(thread_id)
    other = Other()
    {answer}
"""

    found = surveyed(web=WEB + route)

    assert found.routes[0].returned.bill == expected
    looked_up = "No field of the answer was recognised as the identifier of the row that bills" in written(found)
    assert looked_up is (not expected)


def test_a_function_that_is_named_passes_no_route_over(surveyed: Surveyed) -> None:
    """It is what was asked for."""
    text = "async def say(text: str):\n    return await helper.run(text)\n"
    route = "@app.post('/chat')\nasync def chat(body: Body):\n    return streamed(body.message)\n"
    found = surveyed(web=WEB + text + route)

    named = write_adapter(found, choose(found, Wanted(entry="say"), None), project="shop")
    alone = write_adapter(found, choose(found, Wanted(), None), project="shop")

    assert named.passed_over == ""
    assert alone.passed_over.startswith("Messages go to the function say, and not to the routes that reach the agent.")


def test_headers_are_named_as_they_are_sent(surveyed: Surveyed) -> None:
    """With hyphens, unless the route says otherwise; also in what is left to be written."""
    route = """
@app.post("/chat")
async def chat(
    message: str,
    x_api_key: Annotated[str, Header()],
    my_token: Annotated[str, Header(alias="Token-Of-Mine")],
    raw_secret: str = Header(convert_underscores=False),
    x_trace_id: str = Header(),
):
    return {"answer": (await helper.run(message)).output}
"""

    (way,) = surveyed(web=WEB + route).routes

    assert [each.rpartition(" (")[0] for each in way.unknown] == [
        "the header x-api-key",
        "the header Token-Of-Mine",
        "the header raw_secret",
    ]
    assert [each.sent_as for each in way.headers] == ["x-trace-id"]
