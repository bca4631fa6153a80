"""Modes: what a configuration chooses at run time is followed in each of its ways."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from harness.scan.scan import scan
from tests.scan.programs import codes, findings

BACKEND = Path(__file__).parents[2] / "fixtures" / "backend"
TOOLS = """
        from functools import partial
        from types import MappingProxyType

        @contextlib.asynccontextmanager
        async def lend(session):
            yield session

        @contextlib.asynccontextmanager
        async def lend_locked(session, lock):
            async with lock:
                yield session

        async def orders(ctx: RunContext) -> int:
            async with ctx.deps() as session:
                return await session.scalar("x")

        async def returns(ctx: RunContext) -> int:
            async with ctx.deps() as session:
                return await session.scalar("x")

        TABLE = MappingProxyType({each.__name__: each for each in (orders, returns)})

        def agent_of(names: list[str]):
            return Agent("test", tools=[Tool(TABLE[name], takes_ctx=True) for name in names])
"""
SHARED_IN_ONE_MODE = """
        async def f(names: list[str], locked: bool):
            async with factory() as session:
                own = partial(lend_locked, session, asyncio.Lock()) if locked else partial(lend, session)
                await agent_of(names).run("x", deps=own)
"""
NEVER_SHARED = """
        async def f(names: list[str], locked: bool):
            await agent_of(names).run("x", deps=factory)
"""
ALWAYS_LOCKED = """
        async def f(names: list[str]):
            async with factory() as session:
                await agent_of(names).run("x", deps=partial(lend_locked, session, asyncio.Lock()))
"""


def test_tools_by_name_from_a_table_are_followed(tmp_path: Path) -> None:
    """All of the table may be chosen, and a lock in one of two modes keeps nobody apart in the other."""
    assert codes(tmp_path, TOOLS + SHARED_IN_ONE_MODE) == {Code.DEPS}


@pytest.mark.parametrize("program", [NEVER_SHARED, ALWAYS_LOCKED])
def test_modes_that_share_nothing_are_right(tmp_path: Path, program: str) -> None:
    """Sessions of their own, and one session behind a lock."""
    assert [each.message for each in findings(tmp_path, TOOLS + program)] == []


def test_a_lock_that_an_object_takes_when_it_is_entered_is_held(tmp_path: Path) -> None:
    """Until it is left."""
    source = """
        class Guarded:
            def __init__(self, session):
                self.session, self.lock = session, asyncio.Lock()

            async def __aenter__(self):
                await self.lock.acquire()
                return self.session

            async def __aexit__(self, *_):
                self.lock.release()

        async def work(guarded):
            async with guarded as session:
                await session.scalar("x")

        async def f():
            async with factory() as session:
                guarded = Guarded(session)
                async with asyncio.TaskGroup() as group:
                    group.create_task(work(guarded))
                    group.create_task(work(guarded))
        """

    assert [each.message for each in findings(tmp_path, source)] == []


def test_the_shared_mode_of_the_backend_that_comes_along_is_found() -> None:
    """One session is lent to all tools of a turn."""
    assert {each.code for each in scan([BACKEND]).findings} == {Code.DEPS}
