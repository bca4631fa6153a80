"""Names, followed through a project that is not run."""

import ast

import pytest

from harness.project.module import Module
from harness.project.project import Project
from tests.project.conftest import Load

ASYNC_SESSION = "sqlalchemy.ext.asyncio.AsyncSession"


def _module(project: Project, name: str) -> Module:
    found = project.module(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("source", "expression"),
    [
        ("from sqlalchemy.ext.asyncio import AsyncSession", "AsyncSession"),
        ("from sqlalchemy.ext.asyncio import AsyncSession as Db", "Db"),
        ("import sqlalchemy.ext.asyncio as aio", "aio.AsyncSession"),
        ("import sqlalchemy.ext.asyncio", "sqlalchemy.ext.asyncio.AsyncSession"),
        ("from sqlalchemy.ext import asyncio as sa", "sa.AsyncSession"),
        ("from sqlalchemy.ext.asyncio import AsyncSession\nSession = AsyncSession", "Session"),
        ("from sqlalchemy.ext.asyncio import AsyncSession", "'AsyncSession'"),
        ("if True:\n    from sqlalchemy.ext.asyncio import AsyncSession", "AsyncSession"),
        ("try:\n    pass\nexcept ImportError:\n    from sqlalchemy.ext.asyncio import AsyncSession", "AsyncSession"),
        ("from shop.database import AsyncSession", "AsyncSession"),
        ("from shop import Db", "Db"),
        ("from .database import AsyncSession", "AsyncSession"),
        ("from . import database", "database.AsyncSession"),
        ("from .. import shop", "shop.database.AsyncSession"),
        ("from shop.database import *", "AsyncSession"),
        ("import shop.database as there", "there.AsyncSession"),
    ],
)
def test_a_name_is_followed_to_where_it_comes_from(load: Load, source: str, expression: str) -> None:
    """Through aliases, imports of all forms, and re-exports."""
    project = load(
        {
            "shop/__init__.py": "from .database import AsyncSession as Db",
            "shop/database.py": "from sqlalchemy.ext.asyncio import AsyncSession",
            "shop/user.py": source,
        }
    )

    assert project.resolve(_module(project, "shop.user"), expression) == ASYNC_SESSION


@pytest.mark.parametrize(
    ("source", "expression", "expected"),
    [
        ("from desks import desk", "desk", "desks.desk.desk"),
        ("from desks import desk", "desk.tool", "desks.desk.desk.tool"),
        ("from desks import desk as d", "d.tool", "desks.desk.desk.tool"),
        ("import desks", "desks.desk.tool", "desks.desk.desk.tool"),
        ("from desks.desk import desk", "desk", "desks.desk.desk"),
        ("from desks.desk import clerk", "clerk", "desks.desk.clerk"),
        ("from desks import bell", "bell", "desks.bell"),
        ("from desks import bell", "bell.ring", "desks.bell.ring"),
        ("from desks import lamp", "lamp.on", "desks.lamp.on"),
        ("from desks import door", "door.opened", "desks.door.opened"),
    ],
)
def test_what_a_package_binds_hides_its_module(load: Load, source: str, expression: str, expected: str) -> None:
    """As at run time; the module itself is still there to import from, and an imported module hides nothing."""
    project = load(
        {
            "desks/__init__.py": "from .desk import desk\nfrom . import bell\nimport desks.lamp as lamp\ndoor: object",
            "desks/desk.py": "def desk(): ...\ndef clerk(): ...",
            "desks/bell.py": "def ring(): ...",
            "desks/lamp.py": "def on(): ...",
            "desks/door.py": "def opened(): ...",
            "user.py": source,
        }
    )

    assert project.resolve(_module(project, "user"), expression) == expected


def test_a_definition_has_the_name_of_where_it_is(load: Load) -> None:
    """However it is imported."""
    project = load(
        {"a/__init__.py": "from a.b import Thing", "a/b.py": "class Thing: ...", "c.py": "from a import Thing"}
    )

    assert project.resolve(_module(project, "c"), "Thing") == "a.b.Thing"
    assert project.class_("a.b.Thing") is not None
    assert project.class_("a.b.Other") is None


@pytest.mark.parametrize("folder", ["", "src/", "services/api/src/"])
def test_packages_are_found_where_they_are(load: Load, folder: str) -> None:
    """At the top, in `src`, and deeper."""
    project = load({f"{folder}shop/__init__.py": "", f"{folder}shop/a.py": "X = 1", "run.py": "from shop.a import X"})

    assert project.resolve(_module(project, "run"), "X") == "shop.a.X"


def test_packages_without_init_are_packages(load: Load) -> None:
    """A folder needs no `__init__.py` to be imported from."""
    project = load({"app/services/a.py": "class A: ...", "app/b.py": "from app.services.a import A"})
    (user,) = (module for module in project.modules if module.path.name == "b.py")
    found = project.resolve(user, "A")

    assert found is not None
    assert project.class_(found) is not None


def test_circles_of_imports_end(load: Load) -> None:
    """Whoever resolves a name that is imported in a circle gets an answer."""
    project = load(
        {"a.py": "from b import x\nfrom b import *", "b.py": "from a import x\nfrom a import *", "c.py": "x = x"}
    )

    project.resolve(_module(project, "a"), "x")
    project.resolve(_module(project, "b"), "y")

    assert project.resolve(_module(project, "c"), "x") == "c.x"


def test_names_of_libraries_stay_theirs(load: Load) -> None:
    """Also if their source is in the tree, and a file that is called as a standard module is not that module."""
    files = {"sqlalchemy/__init__.py": "from .orm import Session", "sqlalchemy/orm.py": "class Session: ..."}
    project = load(
        {**files, "x/asyncio.py": "def gather(): ...", "a.py": "import asyncio\nfrom sqlalchemy import Session"}
    )
    own = Project.load([module.path for module in project.modules], foreign=["sqlalchemy"])

    assert own.resolve(_module(own, "a"), "Session") == "sqlalchemy.Session"
    assert own.resolve(_module(own, "a"), "asyncio.gather") == "asyncio.gather"


def test_what_a_function_imports_is_seen_in_it(load: Load) -> None:
    """And not outside of it."""
    project = load({"a.py": "def f():\n    from sqlalchemy.orm import Session\n    return Session"})
    module = _module(project, "a")
    function = module.tree.body[0]

    assert isinstance(function, ast.FunctionDef)
    assert project.resolve(module, "Session", within=[function]) == "sqlalchemy.orm.Session"
    assert project.resolve(module, "Session") is None


def test_classes_have_their_bases_and_fields(load: Load) -> None:
    """Those of the bases come first, an overridden one keeps its place, and bases of libraries are names."""
    project = load(
        {
            "base.py": "from pydantic import BaseModel\nclass Base(BaseModel):\n    a: int\n    b: str = ''",
            "deps.py": "from base import Base\nclass Deps(Base):\n    c: float\n    b: str = 'x'\n    def m(self): ...",
        }
    )
    deps = project.class_("deps.Deps")

    assert deps is not None
    assert [getattr(each, "name", each) for each in project.ancestors(deps)] == [
        "deps.Deps",
        "base.Base",
        "pydantic.BaseModel",
    ]
    assert list(project.fields(deps)) == ["a", "b", "c"]
    assert list(deps.methods) == ["m"]
    assert deps in project.classes


def test_a_long_chain_of_elif_is_read_to_its_end(load: Load) -> None:
    """Each arm stands within the one before it: a module may be deeper than Python calls."""
    arms = "".join(f"elif kind == {number}:\n    name_{number} = 1\n" for number in range(1, 1500))
    project = load({"a.py": f"if kind == 0:\n    name_0 = 1\n{arms}else:\n    from sqlalchemy.orm import Session"})

    assert not project.problems
    assert len(_module(project, "a").bindings) == 1501
    assert project.resolve(_module(project, "a"), "Session") == "sqlalchemy.orm.Session"
