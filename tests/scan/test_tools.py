"""Tools that share a session, wherever they are registered, and tools that do not."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import PRELUDE, codes, findings

TWO = """
async def one(ctx: RunContext[AsyncSession]):
    await use(ctx.deps)
async def two(ctx: RunContext[AsyncSession]):
    await use(ctx.deps)
"""
REGISTERED = {
    "tools": "agent = Agent(deps_type=AsyncSession, tools=[one, two])",
    "Tool": "agent = Agent(deps_type=AsyncSession, tools=[Tool(one), Tool(two, takes_ctx=True)])",
    "calls": "agent = Agent(deps_type=AsyncSession)\nagent.tool(one)\nagent.tool(two)",
    "decorators with options": "agent = Agent(deps_type=AsyncSession)\n"
    "agent.tool(retries=2)(one)\nagent.tool(name='b')(two)",
    "toolset": "tools = FunctionToolset(tools=[one, two])\nagent = Agent(deps_type=AsyncSession, toolsets=[tools])",
    "add_function": "tools = FunctionToolset()\ntools.add_function(one)\ntools.add_function(two)\n"
    "agent = Agent(deps_type=AsyncSession, toolsets=[tools.prefixed('a')])",
    "given to the run": "agent = Agent(deps_type=AsyncSession, tools=[one])\n"
    "async def f(session: AsyncSession):\n"
    "    await agent.run('x', deps=session, toolsets=[FunctionToolset(tools=[two])])",
    "a factory": "def build():\n    return Agent(deps_type=AsyncSession, tools=[one, two])\n"
    "async def f(session: AsyncSession):\n    await build().run('x', deps=session)",
    "an inherited agent": "class Own(Agent): ...\nagent = Own(deps_type=AsyncSession, tools=[one, two])",
    "iterated": "agent = Agent(tools=[one, two])\nasync def f(session: AsyncSession):\n"
    "    async with agent.iter('x', deps=session) as run:\n        async for node in run: ...",
    "streamed": "agent = Agent(tools=[one, two])\nasync def f(session: AsyncSession):\n"
    "    async with agent.run_stream('x', deps=session) as run:\n        await run.get_output()",
    "unparametrised": "agent = Agent[AsyncSession, str]('m', deps_type=AsyncSession, tools=[one, two])",
}
SEQUENTIAL = {
    "each tool": "agent = Agent(deps_type=AsyncSession, "
    "tools=[Tool(one, sequential=True), Tool(two, sequential=True)])",
    "one of two": "agent = Agent(deps_type=AsyncSession, tools=[Tool(one, sequential=True), Tool(two)])",
    "the toolset": "agent = Agent(deps_type=AsyncSession, "
    "toolsets=[FunctionToolset(tools=[one, two], sequential=True)])",
    "the run": "agent = Agent(tools=[one, two])\nasync def f(session: AsyncSession):\n"
    "    with agent.parallel_tool_call_execution_mode('sequential'):\n        await agent.run('x', deps=session)",
    "the model": "agent = Agent(deps_type=AsyncSession, "
    "tools=[one, two], model_settings={'parallel_tool_calls': False})",
}


@pytest.mark.parametrize("name", REGISTERED)
def test_tools_are_found_however_they_are_registered(name: str, tmp_path: Path) -> None:
    """And the session in their deps with them."""
    assert Code.DEPS in codes(tmp_path, f"{TWO}\n{REGISTERED[name]}")


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_sequential_tools_are_right(name: str, tmp_path: Path) -> None:
    """However that is said."""
    assert not codes(tmp_path, f"{TWO}\n{SEQUENTIAL[name]}")


def test_tools_of_other_files_count(tmp_path: Path) -> None:
    """An agent, its deps and its tools in three modules of a package."""
    found = findings(
        tmp_path,
        {
            "app/__init__.py": "",
            "app/deps.py": "from sqlalchemy.ext.asyncio import AsyncSession as Db\nfrom dataclasses import dataclass\n"
            "@dataclass\nclass Deps:\n    db: Db",
            "app/agent.py": "from pydantic_ai import Agent\nfrom .deps import Deps\nclerk = Agent('m', deps_type=Deps)",
            "app/tools.py": "from .agent import clerk\n@clerk.tool\nasync def one(ctx): await ctx.deps.db.commit()\n"
            "@clerk.tool\nasync def two(ctx): await ctx.deps.db.commit()",
        },
    )

    (finding,) = found
    assert (finding.code, finding.variable, Path(finding.place.file).name, finding.place.line) == (
        Code.DEPS,
        "deps.db",
        "deps.py",
        5,
    )
    assert [(user.name, user.place.line) for user in finding.users] == [("one", 3), ("two", 5)]


def test_one_cause_is_one_finding(tmp_path: Path) -> None:
    """Three tools and two runs in which they share one field."""
    tools = "\n".join(
        f"@agent.tool\nasync def t{number}(ctx: RunContext[Deps]): await use(ctx.deps.db)" for number in range(3)
    )
    runs = "\n".join(
        f"async def f{number}(s: AsyncSession):\n    await agent.run('x', deps=Deps(s))" for number in range(2)
    )
    source = f"@dataclass\nclass Deps:\n    db: AsyncSession\nagent = Agent(deps_type=Deps)\n{tools}\n{runs}"

    (finding,) = findings(tmp_path, source)
    assert [user.name for user in finding.users] == ["t0", "t1", "t2"]


def test_what_was_decided_is_not_asked_twice(tmp_path: Path) -> None:
    """A singleton that makes its session once is one session; a function that makes one each time is many."""
    once = "kept = None\ndef get():\n    global kept\n    if kept is None:\n        kept = factory()\n    return kept\n"
    each = "def get():\n    return factory()\n"
    tool = "@agent.tool_plain\nasync def {}(): await use(get())\n"
    tools = f"agent = Agent()\n{tool.format('one')}{tool.format('two')}"

    assert codes(tmp_path, once + tools) == {Code.GLOBAL}
    assert not codes(tmp_path, each + tools)


def test_a_double_of_a_test_hides_nothing(tmp_path: Path) -> None:
    """That a test calls a function with something else does not make its sessions right."""
    program = (
        f"{PRELUDE}\nasync def both(session: AsyncSession):\n    await asyncio.gather(use(session), use(session))\n"
    )
    test = (
        "from program import both\nclass Fake:\n    async def execute(self, text): ...\n"
        "async def test_both():\n    await both(Fake())\n"
    )

    assert codes(tmp_path, {"program.py": program, "test_program.py": test}) == {Code.GATHER}


REGISTRY = """
kept: dict[str, AsyncSession] = {{}}
def of(key: str) -> AsyncSession:
{body}
@dataclass
class Shop:
    name: str
agent = Agent(deps_type=Shop)
@agent.tool
async def one(ctx: RunContext[Shop], table: str): await use(of({one}))
@agent.tool
async def two(ctx: RunContext[Shop], table: str): await use(of({two}))
async def main(name: str):
    await agent.run("x", deps=Shop(name))
"""
REGISTRIES = {
    "in": "    if key not in kept:\n        kept[key] = factory()\n    return kept[key]",
    "get": "    found = kept.get(key)\n    if found is None:\n        found = kept[key] = factory()\n    return found",
    "setdefault": "    return kept.setdefault(key, factory())",
    "in, the other way round": "    if key in kept:\n        return kept[key]\n"
    "    kept[key] = made = factory()\n    return made",
}


@pytest.mark.parametrize("name", REGISTRIES)
def test_what_is_kept_under_one_key_is_shared(name: str, tmp_path: Path) -> None:
    """Also if nobody knows the key, but it is the same."""
    source = REGISTRY.format(body=REGISTRIES[name], one="ctx.deps.name", two="ctx.deps.name")

    assert codes(tmp_path, source) == {Code.GLOBAL}


@pytest.mark.parametrize("name", REGISTRIES)
@pytest.mark.parametrize("keys", [("'one'", "'two'"), ("table", "table"), ("ctx.deps.name", "table"), ("1", "2")])
def test_what_is_kept_under_two_keys_is_not(name: str, keys: tuple[str, str], tmp_path: Path) -> None:
    """A key that each tool is given by the model may be the same, but nothing says so."""
    source = REGISTRY.format(body=REGISTRIES[name], one=keys[0], two=keys[1])

    assert not codes(tmp_path, source)


def test_what_was_popped_is_not_kept(tmp_path: Path) -> None:
    """A function that takes its session out again before another is made."""
    source = (
        "kept = {}\nasync def work(key):\n    if key not in kept:\n        kept[key] = factory()\n"
        "    await use(kept.pop(key))\n"
        "async def main():\n    await work('a')\n    await asyncio.gather(work('a'), work('a'))\n"
    )

    assert not codes(tmp_path, source)


LEDGER = """
class Ledger:
    @classmethod
    def of(cls, session):
        ledger = cls()
        ledger.session = session
        return ledger
    async def charge(self): await use(self.session)
agent = Agent()
@agent.tool(sequential=True)
async def one(ctx: RunContext[AsyncSession]): await use(ctx.deps)
async def main():
    async with factory() as session, factory() as other:
        ledger = Ledger.of({given})
        await agent.run("x", deps=session)
        await ledger.charge()
"""


def test_a_writer_stands_where_it_is_asked_for(tmp_path: Path) -> None:
    """A class method that makes it does not choose its session."""
    (finding,) = findings(tmp_path, LEDGER.format(given="session"))

    lines = (tmp_path / "program.py").read_text(encoding="utf-8").splitlines()
    assert (finding.code, lines[finding.place.line - 1].strip()) == (Code.TRACKER, "ledger = Ledger.of(session)")


def test_a_writer_with_a_session_of_its_own_is_right(tmp_path: Path) -> None:
    """However it is made."""
    assert not codes(tmp_path, LEDGER.format(given="other"))
