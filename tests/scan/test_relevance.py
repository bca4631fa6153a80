"""Sessions are found by whichever import a module has them, and what cannot have any is not followed."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from harness.project.project import Project
from harness.scan.codes import Code
from harness.scan.known import LIBRARIES
from harness.scan.relevance import Relevance
from tests.scan.programs import codes

DATABASE = """
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

Factory = async_sessionmaker(create_async_engine("postgresql+asyncpg://localhost/shop"))
"""
JOB = """
import asyncio
{above}

async def count(session):
    await session.execute("select 1")

async def job():{inside}
    async with {factory}() as one, {factory}() as two:
        await asyncio.gather(count(one), count(two))
"""
IMPORTS: Mapping[str, tuple[str, str, str]] = {
    "a name": ("from shop.db import Factory", "", "Factory"),
    "a module": ("from shop import db", "", "db.Factory"),
    "a dotted name": ("import shop.db", "", "shop.db.Factory"),
    "an alias": ("import shop.db as database", "", "database.Factory"),
    "a package's name": ("from shop import Exported", "", "Exported"),
    "a star": ("from shop.everything import *", "", "Factory"),
    "through another": ("import shop.through", "", "shop.through.db.Factory"),
    "inside of the function": ("", "\n    from shop.db import Factory", "Factory"),
    "inside, dotted": ("", "\n    import shop.db", "shop.db.Factory"),
    "after a colon": ("if asyncio: from shop import db", "", "db.Factory"),
    "for types": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from shop.db import Factory",
        "",
        "Factory",
    ),
}
SHOP = {
    "shop/__init__.py": "from shop.db import Factory as Exported",
    "shop/db.py": DATABASE,
    "shop/everything.py": "from shop.db import *",
    "shop/through.py": "from shop import db",
}


@pytest.mark.parametrize(("above", "inside", "factory"), IMPORTS.values(), ids=IMPORTS)
def test_a_session_is_known_by_any_import(tmp_path: Path, above: str, inside: str, factory: str) -> None:
    """Two tasks that share one are reported; two that have their own are not."""
    right = JOB.format(above=above, inside=inside, factory=factory)
    broken = right.replace("count(two)", "count(one)")

    assert codes(tmp_path / "broken", {**SHOP, "job.py": broken}) == {Code.GATHER}
    assert codes(tmp_path / "right", {**SHOP, "job.py": right}) == set()


KEPT = {
    "a global": """
        current = None

        def keep(session):
            global current
            current = session

        def get():
            return current
    """,
    "a global with a remark": """
        current = None

        def keep(session):
            global current  # the one of now
            current = session

        def get():
            return current
    """,
    "a context variable": """
        from contextvars import ContextVar

        current = ContextVar("session")

        def keep(session):
            current.set(session)

        def get():
            return current.get()
    """,
}


@pytest.mark.parametrize("holder", KEPT.values(), ids=KEPT)
def test_what_is_kept_by_a_module_without_libraries(tmp_path: Path, holder: str) -> None:
    """A module that names no library gives what another has put there."""
    job = """
        import asyncio
        from holder import get, keep
        from shop.db import Factory

        async def count(session):
            await session.execute("select 1")

        async def job():
            async with Factory() as one, Factory() as two:
                keep(one)
                await asyncio.gather(count(get()), count({second}))
    """

    shared = {**SHOP, "holder.py": holder, "job.py": job.format(second="get()")}
    assert codes(tmp_path / "broken", shared) == {Code.GATHER}
    apart = {**SHOP, "holder.py": holder, "job.py": job.format(second="two")}
    assert codes(tmp_path / "right", apart) == set()


def _relevant(folder: Path, files: Mapping[str, str]) -> set[str]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text), encoding="utf-8")
    project = Project.load([folder], foreign=LIBRARIES)
    return {module.name for module in Relevance(project).modules}


@pytest.mark.parametrize(
    ("line", "relevant"),
    [
        ("from shop.words import WORDS", False),
        ("import shop.words", True),
        ("import shop.words as words", False),
        ("from shop import Exported", True),
        ("from shop import words", False),
        ("text = 'sqlalchemy'", False),
        ("import importlib\nimportlib.import_module('sqlalchemy')", True),
        ("import sqlalchemy.orm", True),
        ("from sqlalchemy import *", True),
        ("def later():\n    import asyncpg", True),
        ("app.state.anything = 1", True),
    ],
)
def test_what_a_module_gets_by_an_import(tmp_path: Path, line: str, relevant: bool) -> None:  # a column
    """What stands in a package's own module is got by its name alone, and a library's name in a text is none."""
    files = {**SHOP, "shop/words.py": "WORDS = ()", "other.py": line}

    assert ("other" in _relevant(tmp_path, files)) is relevant


SET = {
    **SHOP,
    "box.py": "class Box:\n    first = None\n    second = None\n",
    "start.py": """
        from box import Box
        from shop.db import Factory

        def start():
            Box.first = Factory()
            Box.second = Factory()
    """,
}


@pytest.mark.parametrize("shared", [True, False])
def test_what_another_module_sets_on_a_class(tmp_path: Path, shared: bool) -> None:  # both
    """Who reads it is followed, though no library is named there, and nobody calls who sets it."""
    work = f"""
        import asyncio
        from box import Box

        async def first():
            await Box.first.execute("select 1")

        async def second():
            await Box.{"first" if shared else "second"}.execute("select 2")

        async def work():
            await asyncio.gather(first(), second())
    """

    assert codes(tmp_path, {**SET, "work.py": work}) == ({Code.GATHER} if shared else set())


@pytest.mark.parametrize("shared", [True, False])
def test_what_did_nothing_before_something_was_set(tmp_path: Path, shared: bool) -> None:  # both
    """A function that was called often before another set what it reads is followed again after that."""
    work = f"""
        import asyncio
        from box import Box

        async def step(name):
            await Box.first.execute(name)

        async def work():
            await asyncio.gather(step("a"), {'step("b"), step("c")' if shared else "asyncio.sleep(0)"})
    """

    assert codes(tmp_path, {**SET, "work.py": work}) == ({Code.GATHER} if shared else set())


@pytest.mark.parametrize(
    ("line", "relevant"),
    [
        ("Box.first = Factory()", True),
        ("Box.first.second = Factory()", True),
        ("Box.first == Factory()", False),
        ("other(first=Box.first)", False),
        ("first = Box.first", False),
    ],
)
def test_a_module_is_given_something_by_who_sets_it(tmp_path: Path, line: str, relevant: bool) -> None:  # a column
    """Reading it gives it nothing."""
    files = {**SET, "start.py": f"from box import Box\nfrom shop.db import Factory\n{line}\n"}

    assert ("box" in _relevant(tmp_path, files)) is relevant


def test_nothing_is_relevant_without_a_library(tmp_path: Path) -> None:
    """A project in which none is named has no sessions, whatever it keeps."""
    assert _relevant(tmp_path, {"holder.py": KEPT["a global"], "app.py": "app.state.x = 1"}) == set()


@pytest.mark.parametrize("shared", [True, False])
def test_a_source_is_followed_late(tmp_path: Path, shared: bool) -> None:  # both
    """After thousands of other steps, a function that names a library still says what it gives."""
    steps = "\n            ".join(["number = 1"] * 5_000)
    program = f"""
        def opened():
            return AsyncSession(engine)

        async def job():
            {steps}
            one, two = opened(), opened()
            await asyncio.gather(use(one), use({"one" if shared else "two"}))
    """

    assert codes(tmp_path, program) == ({Code.GATHER} if shared else set())
