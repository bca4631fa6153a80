"""One session for each round of a loop, and one for all."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from harness.scan.scan import scan
from tests.scan.programs import PRELUDE, codes

RIGHT = {
    "zip": """
        async def f(names):
            sessions = [factory() for name in names]
            await asyncio.gather(*(use(session) for name, session in zip(names, sessions)))
        """,
    "a mapping by a comprehension": """
        async def f(names):
            sessions = {name: factory() for name in names}
            await asyncio.gather(*(use(sessions[name]) for name in names))
        """,
    "a mapping that is filled": """
        async def f(names):
            sessions = {}
            for name in names:
                sessions[name] = factory()
            await asyncio.gather(*[use(sessions[name]) for name in names])
        """,
    "an index": """
        async def f(names):
            sessions = [factory() for name in names]
            await asyncio.gather(*[use(sessions[order]) for order in range(len(names))])
        """,
    "two keys": """
        async def f(names):
            sessions = {name: factory() for name in names}
            await asyncio.gather(use(sessions["a"]), use(sessions["b"]))
        """,
    "a task that is polled": """
        async def f(session: AsyncSession):
            task = asyncio.create_task(use(session))
            while not task.done():
                await asyncio.sleep(1)
            await use(session)
        """,
}
BROKEN = {
    "zip": """
        async def f(session: AsyncSession, names):
            sessions = [session for name in names]
            await asyncio.gather(*(use(each) for name, each in zip(names, sessions)))
        """,
    "a mapping by a comprehension": """
        async def f(session: AsyncSession, names):
            sessions = {name: session for name in names}
            await asyncio.gather(*(use(sessions[name]) for name in names))
        """,
    "a mapping of one": """
        async def f(names):
            sessions = {"main": factory()}
            await asyncio.gather(*(use(sessions["main"]) for name in names))
        """,
    "an index": """
        async def f(session: AsyncSession, names):
            sessions = [session for name in names]
            await asyncio.gather(*[use(sessions[order]) for order in range(len(names))])
        """,
    "map over what is not known": """
        async def f(session: AsyncSession, names):
            async def one(name):
                await session.execute(name)
            await asyncio.gather(*map(one, names))
        """,
    "a task that is polled for a while": """
        async def f(session: AsyncSession):
            task = asyncio.create_task(use(session))
            while not task.done():
                if input():
                    break
            await use(session)
        """,
}


@pytest.mark.parametrize("name", RIGHT)
def test_each_round_has_its_own(name: str, tmp_path: Path) -> None:
    """Then nothing is said."""
    assert not codes(tmp_path, RIGHT[name])


@pytest.mark.parametrize("name", BROKEN)
def test_one_for_all_rounds_is_found(name: str, tmp_path: Path) -> None:
    """However it comes to each of them."""
    assert codes(tmp_path, BROKEN[name]) & {Code.GATHER, Code.TASK}


def _chain(given: str) -> str:
    functions = [f"async def f{each}({given}):\n    return await f{each + 1}({given})\n" for each in range(20)]
    last = f"async def f20({given}):\n    await asyncio.gather(use({given}), use({given}))\n"
    return "\n".join(
        [
            PRELUDE,
            *functions,
            last,
            "async def main():\n",
            f"    {given} = factory()\n",
            f"    await f0({given})\n",
            "asyncio.run(main())\n",
        ]
    )


def test_calls_that_are_too_deep_are_told(tmp_path: Path) -> None:
    """If they are given a session."""
    (tmp_path / "program.py").write_text(_chain("session"), encoding="utf-8")

    (problem, *_) = scan([tmp_path]).problems

    assert "not followed to its end: calls are more than 12 deep" in problem.message
