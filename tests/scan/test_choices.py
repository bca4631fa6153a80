"""Two names for two sessions that are given crosswise: each may be either, but they are never the same."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import codes, findings

BOTH = """
            await asyncio.gather(use(first), use(second))
"""
RIGHT = {
    "swapped": f"""
        async def f(a: AsyncSession, b: AsyncSession):
            first, second = a, b
            first, second = second, first
{BOTH}""",
    "swapped if asked for": f"""
        async def f(first: AsyncSession, second: AsyncSession, back: bool):
            if back:
                first, second = second, first
{BOTH}""",
    "an expression gives either pair": f"""
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            first, second = (a, b) if back else (b, a)
{BOTH}""",
    "a test that is not only names": f"""
        async def f(a: AsyncSession, b: AsyncSession, options):
            first, second = (a, b) if options.get("back") else (b, a)
{BOTH}""",
    "a pair with a name": """
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            pair = (a, b) if back else (b, a)
            await asyncio.gather(use(pair[0]), use(pair[1]))
        """,
    "a pair that is handed on": """
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            await asyncio.gather(*(use(each) for each in ((a, b) if back else (b, a))))
        """,
    "one expression for each name": f"""
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            first = a if back else b
            second = b if back else a
{BOTH}""",
    "one turned round": f"""
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            first, second = a if back else b, a if not back else b
{BOTH}""",
    "expressions in the calls": """
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            await asyncio.gather(use(a if back else b), use(b if back else a))
        """,
    "expressions in tasks": """
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            async with asyncio.TaskGroup() as group:
                group.create_task(use(a if back else b))
                group.create_task(use(b if back else a))
        """,
    "both sides bind": f"""
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            if back:
                first, second = b, a
            else:
                first, second = a, b
{BOTH}""",
    "a chain of tests": f"""
        async def f(a: AsyncSession, b: AsyncSession, c: AsyncSession, mode: str):
            if mode == "a":
                first, second = a, b
            elif mode == "b":
                first, second = b, c
            else:
                first, second = c, a
{BOTH}""",
    "cases": f"""
        async def f(a: AsyncSession, b: AsyncSession, mode: str):
            match mode:
                case "back":
                    first, second = b, a
                case _:
                    first, second = a, b
{BOTH}""",
    "a branch in a branch": f"""
        async def f(a: AsyncSession, b: AsyncSession, mode: str, back: bool):
            if mode:
                if back:
                    first, second = b, a
                else:
                    first, second = a, b
            else:
                first, second = a, b
{BOTH}""",
    "inside of with": """
        async def f(back: bool):
            async with factory() as a, factory() as b:
                if back:
                    a, b = b, a
                async with asyncio.TaskGroup() as group:
                    group.create_task(use(a))
                    group.create_task(use(b))
        """,
    "passed crosswise": """
        async def both(first: AsyncSession, second: AsyncSession):
            await asyncio.gather(use(first), use(second))

        async def f(a: AsyncSession, b: AsyncSession):
            await both(a, b)
            await both(b, a)
        """,
    "pairs in a loop": """
        async def f(a: AsyncSession, b: AsyncSession):
            for first, second in ((a, b), (b, a)):
                await asyncio.gather(use(first), use(second))
        """,
    "assigned while asking": """
        async def f(a: AsyncSession, b: AsyncSession):
            await asyncio.gather(use(first := a), use(b))
            await use(first)
        """,
    "in objects": """
        class Store:
            def __init__(self, session: AsyncSession):
                self.session = session

            async def count(self):
                await self.session.execute("x")

        async def f(back: bool):
            async with factory() as a, factory() as b:
                first, second = Store(a), Store(b)
                if back:
                    first, second = second, first
                await asyncio.gather(first.count(), second.count())
        """,
    "mappings": """
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            if back:
                pair = {"left": b, "right": a}
            else:
                pair = {"left": a, "right": b}
            await asyncio.gather(use(pair["left"]), use(pair["right"]))
        """,
    "cases with mappings": """
        async def f(a: AsyncSession, b: AsyncSession, mode: str):
            match mode:
                case "back":
                    pair = {"left": b, "right": a}
                case _:
                    pair = {"left": a, "right": b}
            await asyncio.gather(use(pair["left"]), use(pair.get("right")))
        """,
    "an expression gives a mapping": """
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            pair = {"left": b, "right": a} if back else {"left": a, "right": b}
            await asyncio.gather(use(pair["left"]), use(pair["right"]))
        """,
    "objects with attributes": """
        @dataclass
        class Pair:
            left: AsyncSession
            right: AsyncSession

        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            if back:
                pair = Pair(left=b, right=a)
            else:
                pair = Pair(left=a, right=b)
            await asyncio.gather(use(pair.left), use(pair.right))
        """,
    "a function that gives either pair": f"""
        def chosen(a, b, back):
            if back:
                return b, a
            return a, b

        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            first, second = chosen(a, b, back)
{BOTH}""",
    "a coroutine that gives either pair, which is kept": """
        async def chosen(a, b, back):
            if back:
                return b, a
            return a, b

        class Router:
            async def run(self, a: AsyncSession, b: AsyncSession, back: bool):
                self.pair = await chosen(a, b, back)
                await asyncio.gather(use(self.pair[0]), use(self.pair[1]))
        """,
    "either pair is handed on at once": """
        def chosen(a, b, back):
            if back:
                return b, a
            return a, b

        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            await asyncio.gather(*(use(each) for each in chosen(a, b, back)))
            await asyncio.gather(*map(use, chosen(a, b, back)))
        """,
    "either pair is given by a manager": """
        @contextlib.asynccontextmanager
        async def pair(back):
            async with factory() as a, factory() as b:
                if back:
                    yield b, a
                else:
                    yield a, b

        async def f(back: bool):
            async with pair(back) as (first, second):
                await asyncio.gather(use(first), use(second))
        """,
    "attributes of whatever object it is": """
        class Router:
            async def run(self, a: AsyncSession, b: AsyncSession, back: bool):
                if back:
                    self.left, self.right = b, a
                else:
                    self.left, self.right = a, b
                await asyncio.gather(use(self.left), use(self.right))
        """,
    "swapped after an error": f"""
        async def f(a: AsyncSession, b: AsyncSession):
            try:
                first, second = a, b
                await use(first)
            except ValueError:
                first, second = b, a
            finally:
                done = True
{BOTH}""",
    "a branch in try": f"""
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            try:
                if back:
                    first, second = b, a
                else:
                    first, second = a, b
            except ValueError:
                return
{BOTH}""",
}
BROKEN = {
    "mappings, one of them with the same twice": """
        async def f(a: AsyncSession, b: AsyncSession, mode: str):
            if mode == "back":
                pair = {"left": b, "right": a}
            elif mode == "one":
                pair = {"left": a, "right": a}
            else:
                pair = {"left": a, "right": b}
            await asyncio.gather(use(pair["left"]), use(pair["right"]))
        """,
    "mappings, and one more use": """
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            pair = {"left": b, "right": a} if back else {"left": a, "right": b}
            await asyncio.gather(use(pair["left"]), use(b))
        """,
    "the same attribute twice": """
        @dataclass
        class Pair:
            left: AsyncSession
            right: AsyncSession

        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            pair = Pair(b, a) if back else Pair(a, b)
            await asyncio.gather(use(pair.left), use(pair.left))
        """,
    "a function that gives either pair, and one more use": """
        def chosen(a, b, back):
            if back:
                return b, a
            return a, b

        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            first, second = chosen(a, b, back)
            await asyncio.gather(use(first), use(b))
        """,
    "a function that may give the same twice": f"""
        def chosen(a, b, back):
            if back:
                return b, b
            return a, b

        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            first, second = chosen(a, b, back)
{BOTH}""",
    "attributes, one of them twice": """
        class Router:
            async def run(self, a: AsyncSession, b: AsyncSession, back: bool):
                if back:
                    self.left, self.right = b, a
                else:
                    self.left, self.right = a, b
                await asyncio.gather(use(self.left), use(self.left))
        """,
    "the same after an error": f"""
        async def f(a: AsyncSession, b: AsyncSession):
            first, second = a, b
            try:
                await use(first)
            except ValueError:
                first = b
            finally:
                done = True
{BOTH}""",
    "bound at last": f"""
        async def f(a: AsyncSession, b: AsyncSession):
            try:
                first, second = a, b
                await use(first)
            except ValueError:
                first, second = b, a
            finally:
                second = first
{BOTH}""",
    "the same after all": f"""
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            first, second = (a, b) if back else (b, b)
{BOTH}""",
    "one expression that is not turned": f"""
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            first = a if back else b
            second = a if back else b
{BOTH}""",
    "tests that have nothing to do with each other": f"""
        async def f(a: AsyncSession, b: AsyncSession, one: bool, other: bool):
            first = a if one else b
            second = b if other else a
{BOTH}""",
    "a name that was bound between": f"""
        async def f(a: AsyncSession, b: AsyncSession, back: bool, again: bool):
            first = a if back else b
            back = again
            second = b if back else a
{BOTH}""",
    "swapped, and one of them once more": """
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            first, second = a, b
            if back:
                first, second = second, first
            await asyncio.gather(use(first), use(second), use(a))
        """,
    "one side only": f"""
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            first, second = a, b
            if back:
                first = second
{BOTH}""",
    "a case in which both are one": f"""
        async def f(a: AsyncSession, b: AsyncSession, mode: str):
            match mode:
                case "back":
                    first, second = b, a
                case "one":
                    first = second = a
                case _:
                    first, second = a, b
{BOTH}""",
    "assigned while asking": """
        async def f(a: AsyncSession):
            await asyncio.gather(use(first := a), use(first))
        """,
    "after the branches": """
        async def f(a: AsyncSession, b: AsyncSession, back: bool):
            if back:
                a, b = b, a
            await asyncio.gather(use(a), use(a))
        """,
}


@pytest.mark.parametrize("name", RIGHT)
def test_they_are_never_the_same(tmp_path: Path, name: str) -> None:
    """Then nothing is said."""
    assert [(each.place.line, each.message) for each in findings(tmp_path, RIGHT[name])] == []


@pytest.mark.parametrize("name", BROKEN)
def test_they_may_be_the_same(tmp_path: Path, name: str) -> None:
    """Then it is found."""
    assert codes(tmp_path, BROKEN[name]) == {Code.GATHER}
