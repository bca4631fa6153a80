"""Agents and their tools are found however they are made and registered; and what only looks like one is not."""

import pytest

from harness.adoption.found import Deeds, Way
from tests.adoption.conftest import Surveyed

HEAD = """
from dataclasses import dataclass
from pydantic_ai import Agent, FunctionToolset, ModelRetry, RunContext, Tool
from sqlalchemy import insert, select, text
"""

TOOL = """
async def look(ctx: RunContext[str], title: str) -> str:
    ...
"""


CLASS = "class Desk:\n    def __init__(self):\n        self.agent = Agent('test')"
IN_CLASS = """
class Desk:
    def __init__(self):
        self.agent = Agent('test', tools=[self.look])

    async def look(self, ctx: RunContext[str], title: str): ...
"""
IN_FUNCTION = """
def make():
    agent = Agent('test')

    @agent.tool
    async def look(ctx, title: str): ...

    return agent
"""
REGISTERED = """
def register(agent):
    @agent.tool
    async def look(ctx, title: str): ...

helper = Agent('test')
register(helper)
"""
SOME = "some = FunctionToolset(tools=[look])\n"
FLUSH = "async with ctx.deps() as s:\n        s.add(1)\n        await s.flush()\n        await s.commit()"


@pytest.mark.parametrize(
    ("text", "name", "way"),
    [
        ("helper = Agent('test')", "shop.helper", Way.GLOBAL),
        ("helper: Agent[str, str] = Agent[str, str]('test')", "shop.helper", Way.GLOBAL),
        ("import pydantic_ai as pai\nhelper = pai.Agent('test')", "shop.helper", Way.GLOBAL),
        ("class Desk:\n    helper = Agent('test')", "shop.Desk.helper", Way.GLOBAL),
        ("if True:\n    helper = Agent('test')", "shop.helper", Way.GLOBAL),
        ("def make():\n    helper = Agent('test')\n    return helper", "shop.make", Way.FUNCTION),
        ("def make(model='test'):\n    return Agent(model)", "shop.make", Way.FUNCTION),
        ("def make(model):\n    return Agent(model)\nhelper = make('test')", "shop.helper", Way.GLOBAL),
        ("def make(model):\n    return Agent(model)", "shop.make", Way.INSIDE),
        (f"{CLASS}\ndesk = Desk()", "shop.desk.agent", Way.GLOBAL),
        (CLASS, "shop.Desk.__init__", Way.INSIDE),
    ],
)  # fmt: skip
def test_an_agent_is_found_with_how_it_is_reached(text: str, name: str, way: Way, surveyed: Surveyed) -> None:
    """By its name, by the function that makes it, or not at all."""
    (agent,) = surveyed(shop=HEAD + text).agents

    assert (agent.name, agent.way) == (name, way)


@pytest.mark.parametrize(
    "text",
    [
        "class Agent: ...\nhelper = Agent()",
        "from other_library import Agent as Other\nhelper = Other('test')",
        "def of(agent: Agent) -> Agent:\n    return agent",
        "'helper = Agent()'",
    ],
)
def test_what_only_looks_like_an_agent_is_none(text: str, surveyed: Surveyed) -> None:
    """Another class of that name, an annotation, a text."""
    assert not surveyed(shop=HEAD + text).agents


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("helper = Agent('test')\n@helper.tool\n" + TOOL.strip(), ["look"]),
        ("helper = Agent('test')\n@helper.tool(name='find', retries=2)\n" + TOOL.strip(), ["find"]),
        ("helper = Agent('test')\n@helper.tool_plain\ndef today() -> str: ...", ["today"]),
        (TOOL + "helper = Agent('test', tools=[look])", ["look"]),
        (TOOL + "helper = Agent('test', tools=[Tool(look, name='find')])", ["find"]),
        (TOOL + "TOOLS = [look]\nhelper = Agent('test', tools=TOOLS)", ["look"]),
        (TOOL + "TOOLS = [look]\nhelper = Agent('test', tools=[*TOOLS])", ["look"]),
        (TOOL + "find = Tool(look, name='find')\nhelper = Agent('test', tools=[find])", ["find"]),
        (TOOL + "helper = Agent('test')\nhelper.tool(look)", ["look"]),
        (TOOL + "helper = Agent('test')\nhelper.tool(retries=2)(look)", ["look"]),
        (TOOL + "helper = Agent('test', toolsets=[FunctionToolset([look])])", ["look"]),
        (TOOL + SOME + "helper = Agent('test', toolsets=[some.prefixed('x')])", ["x_look"]),
        ("some = FunctionToolset()\nhelper = Agent('test', toolsets=[some])\n@some.tool\n" + TOOL.strip(), ["look"]),
        (TOOL + "some = FunctionToolset()\nsome.add_function(look)\nhelper = Agent('test', toolsets=[some])", ["look"]),
        (REGISTERED, ["look"]),
        (IN_FUNCTION, ["look"]),
        (IN_CLASS, ["look"]),
        ("helper = Agent('test')\nother = Agent('test')\n@other.tool_plain\ndef f(): ...", []),
        ("import click\nhelper = Agent('test')\n@click.tool\ndef f(): ...", []),
    ],
)  # fmt: skip
def test_tools_are_found_however_they_are_registered(text: str, names: list[str], surveyed: Surveyed) -> None:
    """With the name that the model knows them by, and without their context; another's are not."""
    agent = surveyed(shop=HEAD + text).agents[0]

    assert [tool.name for tool in agent.tools] == names
    assert [[each.name for each in tool.parameters] for tool in agent.tools if tool.name != "today"] == [
        ["title"] for name in names if name != "today"
    ]


def test_what_cannot_be_followed_to_a_tool_is_told(surveyed: Surveyed) -> None:
    """With its place."""
    text = HEAD + "from elsewhere import search_tool\nhelper = Agent('test', tools=[search_tool(), lambda: 1])"

    (agent,) = surveyed(shop=text).agents

    assert agent.unclear == ("search_tool() (shop.py:6)", "lambda: 1 (shop.py:6)")


def test_a_name_of_a_package_hides_its_module_of_that_name(surveyed: Surveyed) -> None:
    """As it does when it is imported."""
    found = surveyed(
        {
            "shop/__init__.py": "",
            "shop/agents/__init__.py": "from .desk import desk",
            "shop/agents/desk.py": HEAD + "desk = Agent('test', deps_type=str)",
            "shop/main.py": "from shop.agents import desk\nasync def say(text: str):\n    return await desk.run(text)",
        }
    )

    assert [entry.agents for entry in found.entries] == [("shop.agents.desk.desk",)]


@pytest.mark.parametrize(
    ("body", "deeds"),
    [
        ("async with ctx.deps() as s:\n        await s.scalars(select(1))", Deeds(selects=True)),
        ("db = ctx.deps.db\n    await db.get(int, 1)\n    await db.commit()", Deeds(selects=True, commits=True)),
        (FLUSH, Deeds(adds=True, flushes=True, commits=True)),
        ("async with ctx.deps.begin() as s:\n        s.add_all([1])", Deeds(adds=True, commits=True)),
        ("async with ctx.deps() as s:\n        await s.execute(text('DELETE FROM t'))", Deeds(selects=True, adds=True)),
        ("async with ctx.deps() as s:\n        await s.execute(insert(t))", Deeds(selects=True, adds=True)),
        ("await keep(ctx.deps)", Deeds(adds=True, commits=True)),
        ("seen = set()\n    seen.add(1)\n    {}.get(1)\n    [].insert(0, 1)", Deeds()),
        ("raise ModelRetry('again')", Deeds(retries=True)),
    ],
)  # fmt: skip
def test_what_a_tool_does_is_guessed_from_its_calls(body: str, deeds: Deeds, surveyed: Surveyed) -> None:
    """Also from what it calls; what collections do is nothing to a database."""
    keep = "async def keep(session):\n    session.add(1)\n    await session.commit()\n"
    text = f"{HEAD}{keep}helper = Agent('test')\n@helper.tool\nasync def f(ctx):\n    {body}\n"

    (tool,) = surveyed(shop=text).agents[0].tools

    assert tool.deeds == deeds
