"""Did the code that ran come from the revision?"""

import json
import sysconfig
from pathlib import Path

import pytest
from inline_snapshot import snapshot

import harness
from harness.revisions.origins import objection
from harness.revisions.roots import Checkout
from harness.revisions.witness import imported, read_origins
from tests.prove import shops

INSTALLED = Path(sysconfig.get_path("purelib"))


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A revision with a package and a module, in two roots."""
    top = shops.written(tmp_path / "top", {"shop/__init__.py": "", "shop/agent.py": "", "src/tills.py": ""})
    return Checkout(top=top, directory=top, roots=[top, top / "src"])


def said(checkout: Checkout, placed: bool = False, /, **modules: Path) -> str:
    """What is objected to these modules, dots in whose names are written as two underscores."""
    named = [(name.replace("__", "."), str(file)) for name, file in modules.items()]
    own = checkout.top.parent / "own"
    return objection(named, checkout, own=[own], adapter="shop.checks", placed=placed).replace(str(own.parent), "DIR")


def test_modules_of_the_revision_are_no_objection(checkout: Checkout) -> None:
    """Beside those that are installed, and the harness's own."""
    here = Path(harness.__file__)

    assert said(checkout, shop__agent=checkout.top / "shop" / "agent.py", json=Path(json.__file__), harness=here) == ""


def test_a_module_of_the_work_tree_is_one(checkout: Checkout) -> None:
    """Whatever it is called: an editable install goes there."""
    own = checkout.top.parent / "own" / "lib" / "prices.py"

    assert said(checkout, shop=checkout.top / "shop" / "__init__.py", prices=own) == snapshot(
        "the code under test did not come from the revision, but 'prices' from 'DIR/own/lib/prices.py': an installed copy, or an editable install with an import hook, goes before it. Uninstall it (pip uninstall), or install it by a path (`pythonpath` in the pytest settings of pyproject.toml says where its modules lie)"  # noqa: E501  # golden text
    )


@pytest.mark.parametrize("name", ["shop", "shop__agent", "tills"])
def test_an_installed_copy_of_what_the_revision_has_is_one(name: str, checkout: Checkout) -> None:
    """In whichever root the revision has it; also beside modules that are the revision's."""
    found = said(checkout, shop__agent=checkout.top / "shop" / "agent.py") + said(
        checkout, **{name: INSTALLED / "x.py"}
    )

    assert f"but {name.replace('__', '.')!r} from" in found


def test_an_installed_package_with_the_name_of_a_folder_is_none(checkout: Checkout) -> None:
    """`redis/` with a Dockerfile is no package, and a submodule that the revision has not is no copy of one."""
    shops.written(checkout.top, {"redis/Dockerfile": "", "redis/conf/a.ini": ""})
    agent = checkout.top / "shop" / "agent.py"

    assert (
        said(checkout, shop__agent=agent, redis=INSTALLED / "redis.py", redis__conf=INSTALLED / "redis" / "c.py") == ""
    )


def test_an_environment_in_the_work_tree_is_installed(checkout: Checkout) -> None:
    """`.venv` beside the sources is where this interpreter's packages are, and no source."""
    modules = [("shop.agent", str(checkout.top / "shop" / "agent.py")), ("yaml", str(INSTALLED / "yaml.py"))]

    assert objection(modules, checkout, own=[INSTALLED.parents[3]], adapter="shop.checks", placed=False) == ""


def test_a_run_without_modules_of_the_revision_is_about_nothing(checkout: Checkout) -> None:
    """An adapter that was put there, and the package above it, are no sign of its application."""
    adapter = {"shop": checkout.top / "shop" / "__init__.py", "shop__checks": checkout.top / "shop" / "checks.py"}

    assert "none of the modules that were imported came from the revision" in said(checkout, json=Path(json.__file__))
    assert "none of the modules" in said(checkout, True, **adapter)
    assert said(checkout, False, **adapter) == ""
    assert said(checkout, True, **adapter, shop__agent=checkout.top / "shop" / "agent.py") == ""


def test_processes_that_differ_are_both_heard(tmp_path: Path) -> None:
    """One worker may have found a module elsewhere."""
    (tmp_path / "1.json").write_text('{"shop": "/a/shop.py", "x": "/x.py"}', encoding="utf-8")
    (tmp_path / "2.json").write_text('{"shop": "/b/shop.py", "x": "/x.py"}', encoding="utf-8")

    assert read_origins(tmp_path) == [("shop", "/a/shop.py"), ("x", "/x.py"), ("shop", "/b/shop.py")]
    assert imported()["harness"] == harness.__file__
