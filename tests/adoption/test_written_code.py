"""What is written is Python that the formatter leaves as it is, whatever a project's names are; gaps are marked."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from fixtures.minimal import MinimalBackend
from harness.adoption.adapter import Adapter, write_adapter
from harness.adoption.choice import Wanted, choose
from harness.adoption.code import call, comment, docstring, lay, quoted, value
from harness.adoption.found import Survey
from harness.backend import examine
from tests.adoption.conftest import Surveyed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
PARTS = {
    "engine": "from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine\n"
    "engine = create_async_engine('postgresql+asyncpg:///')\nSessions = async_sessionmaker(engine)\n",
    "agent": "from pydantic_ai import Agent, RunContext\nhelper = Agent('test')\n",
}


def adapter_of(survey: Survey, **wanted: str) -> Adapter:
    """What is written for it."""
    return write_adapter(survey, choose(survey, Wanted(**wanted), None), project="shop")


def formatted(text: str, folder: Path) -> str:
    """What ruff would change; empty if nothing."""
    path = folder / "written.py"
    path.write_text(text, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.stdout + (ran.stderr if ran.returncode > 1 else "")


@given(st.text())
def test_a_text_is_a_literal_in_ascii(text: str) -> None:
    """That is read as the same text."""
    assert ast.literal_eval(quoted(text)) == text
    assert quoted(text).isascii()
    assert "\n" not in quoted(text)


@given(JSON)
def test_a_value_is_laid_out_as_itself(given_value: object) -> None:
    """On as many lines as it takes."""
    lines = lay("x = ", value(given_value))

    assert ast.literal_eval("\n".join(lines).removeprefix("x = ")) == given_value


@given(st.text())
def test_nothing_ends_a_comment_or_a_docstring(text: str) -> None:
    """Neither a line break nor a quote nor a backslash."""
    lines = [*docstring(f"Start {text}"), *comment(f"is {text}", indent="    "), "x = 1"]

    tree = ast.parse("\n".join(lines))

    assert [type(node) for node in tree.body] == [ast.Expr, ast.Assign]


def test_a_long_call_has_an_argument_a_line() -> None:
    """And a short one none."""
    assert lay("f = ", call("g", "a", b="c")) == ["f = g(a, b=c)"]
    assert lay("return ", call("make", *["argument" * 3] * 4), indent="    ") == snapshot(
        [
            "    return make(",
            "        argumentargumentargument,",
            "        argumentargumentargument,",
            "        argumentargumentargument,",
            "        argumentargumentargument,",
            "    )",
        ]
    )


HOSTILE = """
from dataclasses import dataclass
from typing import Literal
from pydantic_ai import Agent, RunContext
@dataclass
class BackendSettings:
    settings: int
    self: "str \\n \\"\\"\\" " = ""
backend = Agent("test", deps_type=BackendSettings)
engine = Agent("test")
@backend.tool(name="na\\"me\\n\\"\\"\\" + exit() #")
async def request(ctx: RunContext[BackendSettings], client: Literal["\\"\\"\\"'\\\\ \\u202e"], Answer: int): ...
@backend.tool_plain
def _engine(x: "no such ) type"): ...
"""


def test_names_of_the_project_hide_none_of_the_adapter(surveyed: Surveyed, tmp_path: Path) -> None:
    """And no text of it gets out of its literal."""
    found = surveyed({'odd "folder"\\/shop/__init__.py': "", 'odd "folder"\\/shop/main.py': HOSTILE, **ENGINE_FILE})

    written = adapter_of(found, agent="backend")

    assert "from shop.main import BackendSettings as BackendSettings_, backend as backend_" in written.text
    assert "deps=BackendSettings_(\n" in written.text
    assert "# Made up from its type: write what your users have.\n                    settings=1,\n" in written.text
    assert formatted(written.text, tmp_path) == ""
    tree = ast.parse(written.text)
    assert [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "exit"] == []


ENGINE_FILE = {"engine.py": PARTS["engine"]}


def test_what_was_not_found_is_marked(surveyed: Surveyed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gap is one statement that raises, and all are told, with lines, before anything is run."""
    deps = "from dataclasses import dataclass\nimport socket\n@dataclass\nclass Deps:\n    line: socket.socket\n"
    tool = "@helper.tool\nasync def f(ctx: RunContext[Deps]): ...\n"
    found = surveyed(engine=PARTS["engine"], agent=deps + PARTS["agent"] + tool)

    written = adapter_of(found)

    assert [each.function for each in written.todos] == ["prepare", "_line"]
    assert formatted(written.text, tmp_path) == ""
    assert written.text.partition("\n\n\ndef _line()")[2] == snapshot("""\
 -> Any:
    raise NotImplementedError(
        "TODO: return what agent.Deps is to be given for 'line', a socket.socket"
    )


backend = ShopBackend()
""")
    (tmp_path / "gaps_adapter.py").write_text(written.text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    told = [*map(str, examine(importlib.import_module("gaps_adapter").backend))]
    for name in ("gaps_adapter", "agent", "engine"):
        sys.modules.pop(name)
    lines = written.text.splitlines()
    assert told == [
        f"{each.function} (gaps_adapter.py:{_line_of(lines, each.function)}): it is left to be written; "
        f"{each.sentence}: write that in place of its `raise`"
        for each in written.todos
    ]


def _line_of(lines: Sequence[str], function: str) -> int:
    return next(number for number, line in enumerate(lines, 1) if f"def {function}(" in line)


def test_a_project_without_a_ledger_has_nothing_to_write_for_it(surveyed: Surveyed) -> None:
    """It is said that none was found, and bills are not verified: there is no code to be replaced or removed."""
    written = adapter_of(surveyed(**PARTS))

    assert "capabilities: frozenset[Capability] = frozenset()" in written.text
    assert "        # Not found: a table with columns for tokens and costs. " in written.text
    assert "        return ()\n" in written.text
    assert [each.function for each in written.lacking] == ["read_ledger"]
    assert "read_ledger" not in [each.function for each in written.todos]


def test_functions_that_only_look_left_open_are_none() -> None:
    """An abstract method, one that does something, and a text that is no marker."""

    class Shop(MinimalBackend):
        def abstract(self) -> None:
            raise NotImplementedError

        def of_the_sort(self) -> None:
            raise NotImplementedError("not yet TODO: this")

        def later(self, *, far: bool) -> None:
            if far:
                raise NotImplementedError("TODO: " + "far places")

    assert examine(Shop()) == []


def test_a_route_that_asks_who_it_is_has_a_gap_for_headers(surveyed: Surveyed) -> None:
    """No password is made up."""
    web = (
        "from fastapi import Depends, FastAPI\nfrom fastapi.security import HTTPBearer\nfrom agent import helper\n"
        "app = FastAPI()\nbearer = HTTPBearer()\ndef user(token=Depends(bearer)): ...\n"
        "@app.post('/chat')\nasync def chat(message: str, who=Depends(user)):\n    return await helper.run(message)\n"
    )

    written = adapter_of(surveyed(web=web, **PARTS))

    assert "headers=_headers()," in written.text
    assert [each.sentence for each in written.todos if each.function == "_headers"] == snapshot(
        ["return the headers with which /chat lets the message in; it asks for token (web.py:6)"]
    )


def test_a_dependency_that_is_not_found_is_told_as_one(surveyed: Surveyed) -> None:
    """It may read no header at all: nobody is told that the route asks for one."""
    web = (
        "from typing import Annotated\nfrom fastapi import Depends, FastAPI\nfrom agent import helper\n"
        "from elsewhere import users\napp = FastAPI()\n"
        "@app.post('/chat')\nasync def chat(message: str, who: Annotated[str, Depends(users.current())]):\n"
        "    return await helper.run(message)\n"
    )

    written = adapter_of(surveyed(web=web, **PARTS))

    assert [each.sentence for each in written.todos if each.function == "_headers"] == snapshot(
        ["the dependency users.current() (web.py:7) was not found: return the headers it reads, or {} if it reads none"]
    )


LEDGER = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): ...
class Usage(Base):
    __tablename__ = "usage"
    id: Mapped[int] = mapped_column(primary_key=True)
    input_tokens: Mapped[int]
    output_tokens: Mapped[int]
"""


@pytest.mark.parametrize(
    ("columns", "lines"),
    [
        ("", ["parts = _priced(served, prompt, completion)", "total = None if None in parts else sum(parts)"]),
        ("    model: Mapped[str]\n    cost_cents: Mapped[int]", ['parts = _priced(row["model"], prompt, completion)']),
        (
            "    prompt_cost: Mapped[int]\n    completion_cost: Mapped[int]\n    total_cost: Mapped[int]",
            ['prompt_cost=_decimal(row["prompt_cost"]),'],
        ),
    ],
)
def test_costs_that_a_ledger_does_not_keep_are_worked_out(
    columns: str, lines: list[str], surveyed: Surveyed, tmp_path: Path
) -> None:
    """All of them, the parts, or none."""
    say = "async def say(text: str):\n    return await helper.run(text)\n"
    parts = {**PARTS, "agent": PARTS["agent"] + say}
    written = adapter_of(surveyed(ledger=LEDGER + columns, **parts))

    for line in lines:
        assert line in written.text
    assert formatted(written.text, tmp_path) == ""


def test_a_ledger_that_nothing_is_seen_to_write_is_not_promised(surveyed: Surveyed) -> None:
    """The agent alone bills nothing: its turns would all lack a row."""
    alone = adapter_of(surveyed(ledger=LEDGER, **PARTS)).text

    assert "capabilities: frozenset[Capability] = frozenset()" in alone
    assert "Nothing was found that writes usage when the agent is run" in alone
    assert "def _ledger_row(" in alone


TWO = """
from pydantic_ai import Agent
from sqlalchemy.ext.asyncio import async_scoped_session
from engine import Sessions
Scoped = async_scoped_session(Sessions, scopefunc=id)

second = Agent('test')
third = Agent('test')
async def say(text: str):
    await third.run(text)
    return await second.run(text)
async def say_more(text: str):
    return await say(text)
"""


def test_every_agent_that_a_message_gets_to_is_answered_by_the_given_model(surveyed: Surveyed) -> None:
    """Not only the one that is meant. A registry around a session factory is no second one; a function can be named."""
    found = surveyed(engine=PARTS["engine"], agent=TWO)

    written = adapter_of(found, agent="third")
    named = adapter_of(found, agent="third", entry="say")

    assert "with third.override(model=self.model):\n            with second.override(model=self.model):" in written.text
    assert "answer = await say_more(text=request.message)" in written.text
    assert "answer = await say(text=request.message)" in named.text


SHARED = """
from dataclasses import dataclass
from sqlalchemy.ext.asyncio import AsyncSession
from pydantic_ai import Agent
@dataclass
class Deps:
    session: AsyncSession
    user_id: str
helper = Agent('test', deps_type=Deps)
"""


def test_a_session_in_the_deps_is_opened_around_the_run(surveyed: Surveyed) -> None:
    """By the project's own factory: one for all tools, as the project has it."""
    written = adapter_of(surveyed(engine=PARTS["engine"], agent=SHARED))

    assert "            async with Sessions() as session:\n" in written.text
    assert "deps=Deps(session=session, user_id=request.account)," in written.text


ODD = """
from typing import Any
from sqlalchemy import Integer, Numeric, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): ...
class Usage(Base):
    __tablename__ = "usage"
    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int]
    tokens: Mapped[dict[str, Any]] = mapped_column(JSONB)
    cost: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[int] = mapped_column(Integer)
"""


def test_a_column_whose_type_does_not_fit_is_left_to_be_written(surveyed: Surveyed, tmp_path: Path) -> None:
    """A document is no number of tokens, a number no model and no time; a text may be an amount."""
    written = adapter_of(surveyed(ledger=ODD, **PARTS))

    assert {each.function: each.sentence.partition("; ")[2] for each in written.todos} == snapshot(
        {
            "_prompt_tokens": "its column of tokens is 'tokens' (dict JSONB)",
            "_completion_tokens": "its column of tokens is 'tokens' (dict JSONB)",
            "_model_": "its column is 'model_id' (int)",
            "_created_at": "its column is 'created_at' (int Integer)",
        }
    )
    assert '_decimal(row["cost"])' in written.text
    assert 'row["tokens"]' not in written.text
    assert 'row["created_at"]' not in written.text
    assert "def _prompt_tokens(row: Any) -> Any:" in written.text
    assert formatted(written.text, tmp_path) == ""


TENANTS = """
from dataclasses import dataclass
from datetime import datetime
from sqlalchemy import BigInteger, Identity, String, func
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column
from pydantic_ai import Agent
class Base({bases}): ...
class Tenant(Base):
    __tablename__ = "tenants"
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True{init})
    slug: Mapped[str] = mapped_column(String(50), unique=True)
    note: Mapped[str | None] = mapped_column(String(50))
    since: Mapped[datetime] = mapped_column(server_default=func.now())
    plan: Mapped[str] = mapped_column(default="free")
@dataclass
class Deps:
    tenant: Tenant
helper = Agent("test", deps_type=Deps)
"""


@pytest.mark.parametrize(
    ("bases", "init", "given_names"),
    [
        ("MappedAsDataclass, DeclarativeBase", ", init=False", ["slug", "note", "since"]),
        ("DeclarativeBase", "", ["slug"]),
    ],
)
def test_a_mapped_class_is_given_every_column_that_it_needs(
    bases: str, init: str, given_names: list[str], surveyed: Surveyed, tmp_path: Path
) -> None:
    """As a dataclass it needs those without a default of Python's; else those that neither may be null nor are made."""
    text = TENANTS.format(bases=bases, init=init)

    written = adapter_of(surveyed(engine=PARTS["engine"], agent=text))

    (made,) = [
        node
        for node in ast.walk(ast.parse(written.text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Tenant_"
    ]
    assert [each.arg for each in made.keywords] == given_names
    assert ast.unparse(made.keywords[0].value) == "'example'"
    assert formatted(written.text, tmp_path) == ""
