"""What is given by something of which only the annotation is known: another one each time that it is called."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import codes

UNIT = """
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager

class Repository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def count(self) -> int:
        return await self.session.scalar("select 1")

class Unit:
    def __init__(self, factory: Callable[[], AsyncSession]) -> None:
        self.factory = factory

    async def __aenter__(self) -> "Unit":
        self.session = self.factory()
        self.items, self.moves = Repository(self.session), Repository(self.session)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.session.close()

class Open:
    def __init__(self, session: AsyncSession) -> None:
        self.items, self.moves = Repository(session), Repository(session)

Maker = Callable[[], Unit]

"""
ENTERED = (
    *("Callable[[], Unit]", "Callable[..., Unit]", "type[Unit]", "Maker", "Maker | None"),
    *("'Callable[[], Unit]'", "Callable[[], 'Unit']"),
    *("Callable[[], AbstractAsyncContextManager[Open]]", "Callable[[], AbstractAsyncContextManager['Open']]"),
    *("Callable[[], AsyncIterator[Open]]", "Callable[[], AsyncGenerator[Open, None]]"),
)
SHARED = """
async def f(make: {annotation}) -> None:
    async with make() as unit:
        await asyncio.gather(unit.items.count(), unit.moves.count())
"""
IN_SERVICE = """
class Service:
    def __init__(self, make: {annotation}) -> None:
        self.make = make

    async def f(self) -> None:
        async with self.make() as unit:
            await asyncio.gather(unit.items.count(), unit.moves.count())
"""
EACH = """
async def f(make: {annotation}) -> None:
    async def one():
        async with make() as unit:
            await unit.items.count()
            await unit.moves.count()

    async with make() as unit, make() as other:
        await asyncio.gather(unit.items.count(), other.items.count(), one(), one())
"""


@pytest.mark.parametrize("program", [SHARED, IN_SERVICE], ids=["an argument", "an attribute"])
@pytest.mark.parametrize("annotation", ENTERED)
def test_what_is_entered_is_known_by_the_annotation(tmp_path: Path, annotation: str, program: str) -> None:
    """It is of a class of the project, and has one session."""
    assert codes(tmp_path, UNIT + program.replace("{annotation}", annotation)) == {Code.GATHER}


@pytest.mark.parametrize("annotation", ENTERED)
def test_each_call_gives_another(tmp_path: Path, annotation: str) -> None:
    """With a session of its own."""
    assert codes(tmp_path, UNIT + EACH.replace("{annotation}", annotation)) == set()


@pytest.mark.parametrize(
    ("annotation", "made"),
    [
        ("Callable[[], Open]", "make()"),
        ("Callable[[], Awaitable[Open]]", "await make()"),
        ("type[Open]", "make()"),
        ("type[Open]", "make(factory())"),
    ],
)
def test_what_is_made_or_awaited_is_known_by_the_annotation(tmp_path: Path, annotation: str, made: str) -> None:
    """And two that are made have nothing in common."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "right").mkdir()
    start = f"{UNIT}\nasync def f(make: {annotation}) -> None:\n    one, two = {made}, {made}\n"
    broken = f"{start}    await asyncio.gather(one.items.count(), one.moves.count())\n"
    right = f"{start}    await asyncio.gather(one.items.count(), two.moves.count())\n"

    assert codes(tmp_path / "broken", broken) == {Code.GATHER}
    assert codes(tmp_path / "right", right) == set()


PROTOCOL = """
from typing import Protocol

class Work(Protocol):
    async def done(self) -> int: ...
"""


@pytest.mark.parametrize(
    ("annotation", "work"),
    [("Callable[[AsyncSession], Awaitable[Open]]", "make(session)"), ("type[Work]", "make(session).done()")],
)
def test_what_is_given_a_session_still_uses_it(tmp_path: Path, annotation: str, work: str) -> None:
    """Whatever it makes of it."""
    program = f"""
async def f(session: AsyncSession, make: {annotation}):
    await asyncio.gather({work}, {work})
"""

    assert codes(tmp_path, f"{UNIT}{PROTOCOL}{program}") == {Code.GATHER}
