"""Engines, sessions, routes, functions, ledgers, schemas and variables are found; and look-alikes are not."""

import pytest

from harness.adoption.found import Kind, Way
from tests.adoption.conftest import Surveyed

ENGINE = "from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine\n"
AGENT = "from pydantic_ai import Agent\nhelper = Agent('test')\n"
TABLE = """
from sqlalchemy import Column, Integer, MetaData, Numeric, String, Table
metadata = MetaData()
"""
WEB = """
from typing import Annotated
from fastapi import APIRouter, Body, Depends, FastAPI, Header, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from pydantic_ai import Agent
helper = Agent('test')
class Ask(BaseModel):
    message: str
    lang: str = "en"
"""


def test_an_engine_of_a_module_is_replaced_under_all_of_its_names(surveyed: Surveyed) -> None:
    """Also those by which others have imported it, but not a local one."""
    found = surveyed(
        db=ENGINE + "engine = create_async_engine('x', pool_size=3, isolation_level='SERIALIZABLE')",
        bills="from db import engine as bank",
        late="def f():\n    from db import engine\n    return engine",
    )

    (engine,) = found.engines
    assert engine.way is Way.GLOBAL
    assert sorted(engine.holders) == ["bills.bank", "db.engine"]
    assert engine.options == (("isolation_level", "'SERIALIZABLE'"),)


LAZY = """
from functools import cache
_engine = None

def get_engine():
    global _engine
    if _engine is None:
        _engine = create_async_engine('x')
    return _engine

@cache
def get_sessions():
    return async_sessionmaker(get_engine())
"""
HELD = """
class Database:
    def __init__(self, url):
        self.engine = create_async_engine(url)
        self.sessions = async_sessionmaker(self.engine)

db = Database('x')
"""


def test_an_engine_that_a_function_makes_is_made_again(surveyed: Surveyed) -> None:
    """By what the function calls; what keeps it is known."""
    found = surveyed(db=ENGINE + LAZY)

    (engine,), (sessions,) = found.engines, found.sessions
    assert (engine.way, engine.maker) == (Way.FUNCTION, "db.create_async_engine")
    assert (engine.globals, engine.caches) == (("db._engine",), ("db.get_sessions",))
    assert (sessions.way, sessions.path, sessions.returns) == (Way.FUNCTION, "get_sessions", True)


def test_an_engine_that_an_object_holds_is_found_there(surveyed: Surveyed) -> None:
    """With its session factory; the class alone would make another."""
    found = surveyed(db=ENGINE + HELD)

    assert [(each.way, each.path) for each in found.engines] == [(Way.GLOBAL, "db.engine")]
    assert [(each.way, each.path) for each in found.sessions] == [(Way.GLOBAL, "db.sessions")]


@pytest.mark.parametrize(
    "text",
    [
        "from sqlalchemy.orm import sessionmaker\nSession = sessionmaker()",
        "from other import async_sessionmaker\nSession = async_sessionmaker()",
        "from sqlalchemy.ext.asyncio import async_sessionmaker\ndef f(sessions: async_sessionmaker): ...",
    ],
)
def test_what_makes_no_async_sessions_is_no_factory(text: str, surveyed: Surveyed) -> None:
    """A synchronous one, another library's, an annotation."""
    assert not surveyed(db=text).sessions


def test_a_sessionmaker_for_async_sessions_is_one(surveyed: Surveyed) -> None:
    """As it was written before there was `async_sessionmaker`."""
    text = "from sqlalchemy.orm import sessionmaker\nSession = sessionmaker(class_=AsyncSession)"

    assert [each.path for each in surveyed(db=ENGINE + text).sessions] == ["Session"]


@pytest.mark.parametrize(
    ("columns", "expected", "scale"),
    [
        (
            "id thread_id model input_tokens output_tokens cost_usd created_at",
            {
                "session_id": "thread_id",
                "prompt_tokens": "input_tokens",
                "completion_tokens": "output_tokens",
                "total_cost": "cost_usd",
                "created_at": "created_at",
            },
            0,
        ),
        (
            "id conversation_id tenant promptTokens completionTokens totalTokens inputCostCents outputCostCents",
            {
                "account_slug": "tenant",
                "prompt_tokens": "promptTokens",
                "completion_tokens": "completionTokens",
                "total_tokens": "totalTokens",
                "prompt_cost": "inputCostCents",
                "completion_cost": "outputCostCents",
            },
            2,
        ),
        ("id tokens cost_micros", {"total_tokens": "tokens", "total_cost": "cost_micros"}, 6),
    ],
)
def test_columns_of_a_ledger_are_known_by_their_names(
    columns: str, expected: dict[str, str], scale: int, surveyed: Surveyed
) -> None:
    """Exact or near, with their unit."""
    given = ", ".join(f"Column({name!r}, primary_key={name == 'id'})" for name in columns.split())

    (ledger,) = surveyed(db=f"{TABLE}bills = Table('bills', metadata, {given})").ledgers

    assert expected.items() <= ledger.columns.items()
    assert (ledger.columns["id"], ledger.scale, ledger.core) == ("id", scale, True)


@pytest.mark.parametrize("columns", ["id name price", "id name model price", "id user token expires_at", "id tokens"])
def test_a_table_of_something_else_is_no_ledger(columns: str, surveyed: Surveyed) -> None:
    """Goods have prices, cars have models, users have tokens."""
    given = ", ".join(f"Column({name!r}, Integer)" for name in columns.split())

    assert not surveyed(db=f"{TABLE}things = Table('things', metadata, {given})").ledgers


def test_every_metadata_with_tables_is_made(surveyed: Surveyed) -> None:
    """With the modules that define them, and the schemas that they name."""
    base = "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\nclass Base(DeclarativeBase): ...\n"
    book = "class Book(Base):\n    __tablename__ = 'books'\n    __table_args__ = {'schema': 'lib'}\n    id: Mapped[int]"

    found = surveyed(base=base, books=f"from base import Base\n{book}", other=TABLE + "t = Table('t', metadata)")

    assert {(each.name, each.modules, each.schemas) for each in found.metadata} == {
        ("base.Base.metadata", ("books",), ("lib",)),
        ("other.metadata", ("other",), ()),
    }


def test_a_route_is_read_as_fastapi_reads_it(surveyed: Surveyed) -> None:
    """Prefixes of routers, parts of the path, models, queries, sessions, and what nobody can make up."""
    text = """
async def get_session(x_token: str = Header()) -> AsyncSession: ...
Session = Annotated[AsyncSession, Depends(get_session)]
inner = APIRouter(prefix="/{tenant}")
@inner.post("/chat/{room:path}")
async def chat(tenant: str, room: int, ask: Ask, session: Session, request: Request, deep: bool = False):
    result = await helper.run(ask.message)
    return {"reply": result.output, "bill_id": 1}
outer = APIRouter()
outer.include_router(inner, prefix="/v2")
app = FastAPI()
app.include_router(outer, prefix="/api")
"""

    (route,) = surveyed(web=WEB + text).routes

    assert route.url == "/api/v2/{tenant}/chat/{room:path}"
    assert [each.name for each in route.path_parameters] == ["tenant", "room"]
    assert [[each.name for each in part.fields or ()] for part in route.body] == [["message", "lang"]]
    assert [each.name for each in route.query] == ["deep"]
    assert [each.partition(" (")[0] for each in route.unknown] == ["the header x-token"]
    assert (route.returned.text, route.returned.bill, route.returned.by_key) == ("reply", "bill_id", True)


DATABASE = """
from typing import Annotated
from fastapi import Depends, Header, Request
from sqlalchemy.ext.asyncio import AsyncSession
async def get_session(request: Request, x_trace: Annotated[str, Header()] = ""): ...
DbSession = Annotated[AsyncSession, Depends(get_session)]
"""


@pytest.mark.parametrize(
    ("importing", "annotation"),
    [
        ("from .db import DbSession", "DbSession"),
        ("from .db import DbSession as Db", "Db"),
        ("from . import db", "db.DbSession"),
        ("from .deps import DbSession", "DbSession"),
    ],
)
def test_an_alias_of_a_dependency_means_what_it_says_where_it_stands(
    surveyed: Surveyed, importing: str, annotation: str
) -> None:
    """The names in it are those of its own module, also if the route's module has others of that name."""
    text = f"""
{importing}
def get_session(x_other: Annotated[str, Header()]): ...
def get_service(session: {annotation}): ...
app = FastAPI()
@app.post("/chat")
async def chat(ask: Ask, service: Annotated[object, Depends(get_service)]):
    return await helper.run(ask.message)
"""
    files = {
        "shop/__init__.py": "",
        "shop/db.py": DATABASE,
        "shop/deps.py": "from .db import DbSession",
        "shop/web.py": WEB + text,
    }

    (route,) = surveyed(files).routes

    assert route.session_dependencies == ("shop.db.get_session",)
    assert (route.unknown, route.lost, route.query) == ((), (), ())
    assert [each.name for each in route.headers] == ["x_trace"]


def test_routes_without_an_agent_are_passed_over(surveyed: Surveyed) -> None:
    """And one that streams is known to."""
    text = """
app = FastAPI()
@app.get("/health")
async def health(): ...
@app.post("/runs")
async def runs(ask: Ask):
    return await app.run(ask)
@app.post("/stream")
async def stream(ask: Ask):
    async def pieces():
        async with helper.run_stream(ask.message) as run:
            yield run
    return StreamingResponse(pieces())
"""

    assert [(route.path, route.streams) for route in surveyed(web=WEB + text).routes] == [("stream", True)]


def test_functions_that_run_an_agent_for_a_text_are_entries(surveyed: Surveyed) -> None:
    """The outermost first; tools, streams and functions without a text are none."""
    text = (
        AGENT
        + """
async def inner(prompt: str, thread_id: str):
    return await helper.run(prompt)
async def outer(question: str):
    return await inner(question, "1")
async def nightly():
    await helper.run("report")
async def pieces(question: str):
    yield await helper.run(question)
"""
    )

    found = surveyed(chat=text).entries

    assert [(each.path, each.called) for each in found] == [("outer", False), ("inner", True)]
    assert [each.kind for each in found[1].parameters] == [Kind.MESSAGE, Kind.CONVERSATION]


def test_variables_that_an_import_needs_are_set(surveyed: Surveyed) -> None:
    """What may name a database in any case; keys of models that are named; what has a default is left alone."""
    text = """
import os
from pydantic_settings import BaseSettings
URL = os.environ.get("DATABASE_URL", "x")
REGION = os.environ["REGION"]
COLOUR = os.getenv("COLOUR")
MODEL = "anthropic:claude-sonnet-4-0"
class Settings(BaseSettings):
    class Config:
        env_prefix = "SHOP_"
    postgres_dsn: str
    workers: int
    name: str = "shop"
"""

    found = surveyed(config=text).placeholders

    assert [(each.name, each.forced) for each in found] == [
        ("DATABASE_URL", True),
        ("SHOP_POSTGRES_DSN", True),
        ("ANTHROPIC_API_KEY", False),
        ("REGION", False),
        ("SHOP_WORKERS", False),
    ]


def test_a_file_that_no_name_leads_to_is_told(surveyed: Surveyed) -> None:
    """If it could have something to do with it."""
    found = surveyed({"my-agent.py": AGENT, "2024-report.py": "print()"})

    assert [(each.place, each.reason) for each in found.unreadable] == [
        ("my-agent.py:1", "its name is none that Python can import")
    ]
    assert not found.agents


def test_a_long_chain_of_elif_is_looked_through(surveyed: Surveyed) -> None:
    """With the functions and calls in its last arm."""
    arms = "".join(f"elif kind == {number}:\n    pass\n" for number in range(1500))
    text = f"{ENGINE}{AGENT}if kind:\n    pass\n{arms}else:\n    engine = create_async_engine('x')\n"
    run = "    async def say(text: str):\n        return await helper.run(text)\n"

    found = surveyed(db=text + run)

    assert [each.path for each in found.engines] == ["engine"]
    assert [each.path for each in found.entries] == ["say"]
