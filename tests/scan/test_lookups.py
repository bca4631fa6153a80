"""What is looked up once is what asking again would give, and what depends on the moment is asked again."""

from pathlib import Path
from textwrap import dedent

import pytest

from harness.project.module import Function
from harness.project.project import Project
from harness.scan.codes import Code
from harness.scan.lookups import Lookups, is_generator, marks_of, stored_on_self
from harness.scan.scan import scan
from harness.scan.values import Kind

BEGIN = """
import asyncio
from contextvars import ContextVar
from functools import partial
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

factory: async_sessionmaker[AsyncSession]

async def count(session: AsyncSession, table: str) -> int:
    return await session.scalar(text(table))

async def both(session: AsyncSession) -> None:
    await asyncio.gather(count(session, "orders"), count(session, "returns"))
"""
REACHED_BY_A_DETOUR = {
    "a decorator that calls what it wraps": """
        def twice(function):
            async def wrapped(session: AsyncSession) -> None:
                await asyncio.gather(function(session), function(session))
            return wrapped

        @twice
        async def orders(session: AsyncSession) -> int:
            return await count(session, "orders")

        async def begin() -> None:
            async with factory() as session:
                await orders(session)
        """,
    "a method of the class above, by super": """
        class Report:
            async def make(self, session: AsyncSession) -> None:
                await both(session)

        class Overview(Report):
            async def make(self, session: AsyncSession) -> None:
                await super().make(session)

        async def begin() -> None:
            async with factory() as session:
                await Overview().make(session)
        """,
    "a function in a list that another function filled": """
        HOOKS = []

        def register() -> None:
            HOOKS.append(both)

        async def begin() -> None:
            register()
            async with factory() as session:
                for hook in HOOKS:
                    await hook(session)
        """,
    "partial": """
        async def begin() -> None:
            async with factory() as session:
                bound = partial(both, session)
                await bound()
        """,
    "a context variable": """
        current: ContextVar[AsyncSession] = ContextVar("current")

        async def overview() -> None:
            await both(current.get())

        async def begin() -> None:
            async with factory() as session:
                current.set(session)
                await overview()
        """,
    "an attribute of a class that a function sets": """
        class Desk:
            way = None

        async def begin() -> None:
            Desk.way = both
            async with factory() as session:
                await Desk.way(session)
        """,
    "a name of the module that a function binds again": """
        way = None

        def choose() -> None:
            global way
            way = both

        async def begin() -> None:
            choose()
            async with factory() as session:
                await way(session)
        """,
}
REACHED_BY_NO_NAME = {
    "a name that getattr is given": """
        class Desk:
            async def overview(self, session: AsyncSession) -> None:
                await both(session)

        async def begin() -> None:
            async with factory() as session:
                await getattr(Desk(), "overview")(session)
        """,
    "a method of a class further down": """
        class Report:
            async def make(self, session: AsyncSession) -> None: ...

            async def run(self, session: AsyncSession) -> None:
                await self.make(session)

        class Overview(Report):
            async def make(self, session: AsyncSession) -> None:
                await both(session)

        async def begin() -> None:
            async with factory() as session:
                await Overview().run(session)
        """,
    "a function in a mapping": """
        WAYS = {"both": both}

        async def begin() -> None:
            async with factory() as session:
                await WAYS["both"](session)
        """,
}


def _project(folder: Path, source: str) -> Project:
    (folder / "shop.py").write_text(dedent(source))
    return Project.load([folder])


def _found(folder: Path) -> list[tuple[Code, str]]:
    """The codes, each with where its session is made: a parameter of `both` is another one than `begin` opens."""
    return [(each.code, each.path[0].words) for each in scan([folder]).findings]


@pytest.mark.parametrize("source", REACHED_BY_A_DETOUR.values(), ids=REACHED_BY_A_DETOUR.keys())
def test_what_starts_tasks_is_found_by_whatever_way_it_is_reached(tmp_path: Path, source: str) -> None:
    """A lookup that were kept too long, or a function that were left out too early, would lose one of these."""
    (tmp_path / "shop.py").write_text(BEGIN + dedent(source))

    assert (Code.GATHER, "the session is opened here") in _found(tmp_path)


@pytest.mark.parametrize("source", REACHED_BY_NO_NAME.values(), ids=REACHED_BY_NO_NAME.keys())
def test_what_starts_tasks_is_found_where_it_stands_if_no_name_leads_to_it(tmp_path: Path, source: str) -> None:
    """Whoever reaches it names nothing that starts tasks, so that it is a beginning of its own."""
    (tmp_path / "shop.py").write_text(BEGIN + dedent(source))

    assert {code for code, _ in _found(tmp_path)} == {Code.GATHER}


def test_each_function_that_is_called_by_one_name_is_followed_as_itself(tmp_path: Path) -> None:
    """What a name of a module was bound to when it was first looked up is not what it is bound to later."""
    source = """
        async def alone(session: AsyncSession) -> None:
            await count(session, "orders")

        way = alone

        def choose() -> None:
            global way
            way = both

        async def begin() -> None:
            async with factory() as session:
                await way(session)
                choose()
                await way(session)
        """
    (tmp_path / "shop.py").write_text(BEGIN + dedent(source))

    assert (Code.GATHER, "the session is opened here") in _found(tmp_path)


def test_the_nearest_class_that_has_a_method_is_found(tmp_path: Path) -> None:
    """A base's method counts only if the class has none of its own, and a library's base is none of the project's."""
    project = _project(
        tmp_path,
        """
        from sqlalchemy.orm import Session

        class Base:
            def one(self): ...
            def two(self): ...

        class Own(Base, Session):
            def one(self): ...
        """,
    )
    base, own = project.class_("shop.Base"), project.class_("shop.Own")
    assert base is not None
    assert own is not None
    lookups = Lookups(project)

    assert [lookups.having_method(own, name) for name in ("one", "two", "three", "one")] == [own, base, None, own]
    assert lookups.kind_of_class(own) is Kind.SESSION
    assert lookups.kind_of_class(base) is None


def test_fields_stand_in_the_class_that_has_them(tmp_path: Path) -> None:
    """Those of the bases come first, and one that is written again is where it is written last."""
    project = _project(
        tmp_path,
        """
        class Base:
            one: int
            two: int

        class Own(Base):
            two: str
            three: int
        """,
    )
    own = project.class_("shop.Own")
    assert own is not None

    shape = Lookups(project).shape(own)

    assert [(name, each.place.line) for name, each in shape.items()] == [("one", 3), ("two", 7), ("three", 8)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x0c\n", "\u2028"])
def test_a_generator_is_known_whatever_ends_the_lines(tmp_path: Path, end: str) -> None:
    """Also if there is a character before it that ends a line for others than Python."""
    lines = [
        "def gives():",
        "    yield 1",
        "",
        "def keeps():",
        "    def inner():",
        "        yield 1",
        "    return inner",
    ]
    text = end.join(lines) if end != "\u2028" else "\n".join([f"TEXT = '{end}'", *lines])
    (tmp_path / "shop.py").write_bytes(text.encode())
    project = Project.load([tmp_path])
    module = project.modules[0]
    functions = [each for each in module.bindings.values() if isinstance(each, Function)]

    assert [is_generator(each, module) for each in functions] == [True, False]


def test_what_decorates_a_method_and_what_it_sets_are_read_from_it(tmp_path: Path) -> None:
    """Calls of decorators count by the name that is called; what is set on other objects is not the method's own."""
    project = _project(
        tmp_path,
        """
        class Desk:
            @property
            @functools.wraps(other)
            def set(self):
                self.one = self.two.three = 1
                other.four = self.five
        """,
    )
    desk = project.class_("shop.Desk")
    assert desk is not None
    method = desk.methods["set"]

    assert marks_of(method) == {"property", "wraps"}
    assert stored_on_self(method) == {"one"}
