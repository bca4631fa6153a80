"""What stands in both sides of a branch runs in one of them only."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import codes

RIGHT = {
    "a task in either side": """
        async def f(session: AsyncSession, fast):
            if fast:
                task = asyncio.create_task(use(session))
            else:
                task = asyncio.create_task(use(session))
            return await task
        """,
    "a match": """
        async def f(session: AsyncSession, kind):
            match kind:
                case "a":
                    job = use(session)
                case "b":
                    job = use(session)
                case _:
                    raise ValueError(kind)
            await asyncio.gather(asyncio.sleep(1), job)
        """,
    "a conditional expression": """
        async def f(session: AsyncSession, fast):
            job = session.execute("a") if fast else session.execute("b")
            await asyncio.gather(asyncio.sleep(1), job)
        """,
    "a coroutine that is chosen": """
        async def f(session: AsyncSession, fast):
            one, other = use(session), use(session)
            await asyncio.gather(asyncio.sleep(1), one if fast else other)
        """,
    "a function that is chosen": """
        async def other(session):
            await session.execute("select 2")
        async def f(session: AsyncSession, fast):
            work = use if fast else other
            await asyncio.gather(asyncio.sleep(1), work(session))
        """,
    "a list that one of both adds to": """
        async def f(session: AsyncSession, fast):
            waiting = [asyncio.sleep(1)]
            if fast:
                waiting.append(use(session))
            else:
                waiting.append(use(session))
            await asyncio.gather(*waiting)
        """,
    "a group, or no group": """
        async def f(session: AsyncSession, fast):
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.sleep(1))
                if fast:
                    group.create_task(use(session))
                else:
                    await use(session)
        """,
    "a branch that returns": """
        async def f(session: AsyncSession, fast):
            if fast:
                return asyncio.create_task(use(session))
            return asyncio.create_task(use(session))
        """,
    "several branches that return": """
        async def f(session: AsyncSession, kind):
            if kind == 1:
                return asyncio.create_task(use(session))
            elif kind == 2:
                return asyncio.create_task(use(session))
            await use(session)
        """,
    "one exception or the other": """
        async def f(session: AsyncSession):
            try:
                number = int(input())
            except ValueError:
                task = asyncio.create_task(use(session))
            except TypeError:
                task = asyncio.create_task(use(session))
            else:
                task = asyncio.create_task(use(session))
            await task
        """,
    "the same test again": """
        async def f(session: AsyncSession, fast):
            task = None
            if fast:
                task = asyncio.create_task(use(session))
            await asyncio.sleep(1)
            if not fast:
                await use(session)
            if task is not None:
                await task
        """,
    "the same test in each round": """
        async def f(session: AsyncSession, ids, background: bool):
            for each in ids:
                if background:
                    asyncio.create_task(asyncio.sleep(1))
                else:
                    await use(session)
        """,
}
BROKEN = {
    "rounds of a loop that take different sides": """
        async def f(session: AsyncSession, ids):
            for each in ids:
                if each > 1:
                    asyncio.create_task(use(session))
                else:
                    await use(session)
        """,
    "tests of their own": """
        async def f(session: AsyncSession, first, second):
            if first:
                asyncio.create_task(use(session))
            if second:
                await use(session)
        """,
    "a test whose name was bound meanwhile": """
        async def f(session: AsyncSession, fast):
            if fast:
                asyncio.create_task(use(session))
            fast = input()
            if not fast:
                await use(session)
        """,
    "a list that is filled meanwhile": """
        async def f(session: AsyncSession):
            tasks = []
            if not tasks:
                tasks.append(asyncio.create_task(use(session)))
            if tasks:
                await use(session)
        """,
    "two in one side": """
        async def f(session: AsyncSession, fast):
            if fast:
                task = asyncio.create_task(use(session))
                await use(session)
                await task
            else:
                await use(session)
        """,
    "one side and what comes after both": """
        async def f(session: AsyncSession, fast):
            if fast:
                task = asyncio.create_task(use(session))
            else:
                task = asyncio.create_task(use(session))
            await use(session)
            await task
        """,
    "what was tried, and what is done when it failed": """
        async def f(session: AsyncSession):
            try:
                task = asyncio.create_task(use(session))
                await asyncio.sleep(1)
            except OSError:
                await use(session)
        """,
    "calls that take different sides": """
        async def one(session, fast):
            if fast:
                await session.execute("a")
            else:
                await session.execute("b")
        async def f(session: AsyncSession):
            await asyncio.gather(one(session, True), one(session, False))
        """,
}
TWO = """
async def one(ctx: RunContext[AsyncSession]):
    await use(ctx.deps)
async def two(ctx: RunContext[AsyncSession]):
    await use(ctx.deps)
async def three(ctx: RunContext[AsyncSession]):
    return 1
"""
RIGHT_TOOLS = {
    "lists": "def f(admin=input()):\n    return Agent(deps_type=AsyncSession, tools=[one] if admin else [two])",
    "lists of the module": "A, B = [one], [two]\n"
    "def f(admin=input()):\n"
    "    return Agent(deps_type=AsyncSession, tools=A if admin else B)",
    "tools": "def f(admin=input()):\n"
    "    return Agent(deps_type=AsyncSession, tools=[Tool(one) if admin else Tool(two)])",
    "toolsets": "A, B = FunctionToolset(tools=[one]), FunctionToolset(tools=[two])\n"
    "def f(admin=input()):\n"
    "    return Agent(deps_type=AsyncSession, toolsets=[A if admin else B])",
    "calls": "def f(admin=input()):\n    agent = Agent(deps_type=AsyncSession)\n"
    "    if admin:\n        agent.tool(one)\n    else:\n        agent.tool(two)\n    return agent",
    "append": "def f(admin=input()):\n    tools = [three]\n    if admin:\n        tools.append(one)\n"
    "    else:\n        tools.append(two)\n    return Agent(deps_type=AsyncSession, tools=tools)",
    "decorators": "agent = Agent(deps_type=AsyncSession)\nif input():\n"
    "    @agent.tool\n    async def a(ctx: RunContext[AsyncSession]):\n        await use(ctx.deps)\n"
    "else:\n    @agent.tool\n    async def b(ctx: RunContext[AsyncSession]):\n        await use(ctx.deps)",
    "one agent or the other": "async def f(session: AsyncSession, admin):\n"
    "    agent = Agent(tools=[one]) if admin else Agent(tools=[two])\n"
    "    await agent.run('x', deps=session)",
    "a function that is defined in either": "if input():\n"
    "    async def a(ctx: RunContext[AsyncSession]):\n        await use(ctx.deps)\n"
    "else:\n    async def a(ctx: RunContext[AsyncSession]):\n        await use(ctx.deps)\n"
    "agent = Agent(deps_type=AsyncSession, tools=[a])",
}
BROKEN_TOOLS = {
    "both in one side": "def f(admin=input()):\n"
    "    return Agent(deps_type=AsyncSession, tools=[one, two] if admin else [one, three])",
    "one in one side, one in both": "def f(admin=input()):\n    agent = Agent(deps_type=AsyncSession, tools=[one])\n"
    "    if admin:\n        agent.tool(two)\n    else:\n        agent.tool(three)\n    return agent",
    "tests of their own": "def f(admin=input(), staff=input()):\n    agent = Agent(deps_type=AsyncSession)\n"
    "    if admin:\n        agent.tool(one)\n    if staff:\n        agent.tool(two)\n    return agent",
}


@pytest.mark.parametrize("name", RIGHT)
def test_sides_of_a_branch_do_not_meet(name: str, tmp_path: Path) -> None:
    """However the branch is written."""
    assert not codes(tmp_path, RIGHT[name])


@pytest.mark.parametrize("name", BROKEN)
def test_what_one_run_comes_to_meets(name: str, tmp_path: Path) -> None:
    """Also with branches about."""
    assert codes(tmp_path, BROKEN[name]) & {Code.TASK, Code.GATHER}


def _called(source: str) -> str:
    """A factory is called, so that its agent is one of the program."""
    return f"{source}\nagent = f()" if "\ndef f(" in f"\n{source}" else source


@pytest.mark.parametrize("name", RIGHT_TOOLS)
def test_an_agent_has_the_tools_of_one_side(name: str, tmp_path: Path) -> None:
    """However they are given to it."""
    assert not codes(tmp_path, f"{TWO}\n{_called(RIGHT_TOOLS[name])}")


@pytest.mark.parametrize("name", BROKEN_TOOLS)
def test_tools_that_an_agent_can_have_together_share_its_session(name: str, tmp_path: Path) -> None:
    """By a branch, or beside one."""
    assert Code.DEPS in codes(tmp_path, f"{TWO}\n{_called(BROKEN_TOOLS[name])}")
