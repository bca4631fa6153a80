"""The adapter of a revision that has none."""

from pathlib import Path

import pytest
from inline_snapshot import snapshot

from harness.errors import ConfigurationError, UsageError
from harness.revisions.adapters import find_adapter, from_file, place_adapter
from harness.revisions.roots import Checkout
from tests.prove import shops


def checkout(top: Path, files: dict[str, str], *roots: str) -> Checkout:
    """A checkout with these files, and these import roots after its top."""
    top.mkdir(exist_ok=True)
    shops.written(top, files)
    return Checkout(top=top, directory=top, roots=[top, *(top / root for root in roots)])


def placed(source: Checkout, target: Checkout, module: str) -> Path:
    """Where it is put."""
    adapter = find_adapter(module, source)
    assert adapter is not None
    return place_adapter(adapter, target, source=source.top)


def test_a_module_goes_to_its_own_place(tmp_path: Path) -> None:
    """Into the package that is there, whose other modules stay what they are."""
    source = checkout(tmp_path / "source", {"shop/__init__.py": "new", "shop/checks.py": "adapter", "shop/a.py": "new"})
    target = checkout(tmp_path / "target", {"shop/__init__.py": "old", "shop/a.py": "old"})

    assert placed(source, target, "shop.checks") == Path("shop/checks.py")
    assert (target.top / "shop" / "checks.py").read_text(encoding="utf-8") == "adapter"
    assert (target.top / "shop" / "__init__.py").read_text(encoding="utf-8") == "old"
    assert (target.top / "shop" / "a.py").read_text(encoding="utf-8") == "old"


def test_packages_above_come_along_where_they_are_missing(tmp_path: Path) -> None:
    """And nothing else of them."""
    files = {"checks/__init__.py": "", "checks/of/__init__.py": "", "checks/of/shop.py": "adapter", "checks/b.py": ""}
    source, target = checkout(tmp_path / "source", files), checkout(tmp_path / "target", {})

    placed(source, target, "checks.of.shop")

    found = sorted(str(path.relative_to(target.top)) for path in target.top.rglob("*.py"))
    assert found == ["checks/__init__.py", "checks/of/__init__.py", "checks/of/shop.py"]


def test_a_package_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    """But not with what Python left there."""
    files = {"checks/__init__.py": "adapter", "checks/tools.py": "", "checks/__pycache__/a.pyc": ""}
    source, target = checkout(tmp_path / "source", files), checkout(tmp_path / "target", {})

    placed(source, target, "checks")

    found = sorted(str(path.relative_to(target.top)) for path in target.top.rglob("*") if path.is_file())
    assert found == ["checks/__init__.py", "checks/tools.py"]


def test_a_module_goes_to_the_root_that_it_lay_in(tmp_path: Path) -> None:
    """Or to that in which its package is."""
    source = checkout(tmp_path / "source", {"src/checks.py": "adapter", "src/shop/checks.py": "adapter"}, "src")
    target = checkout(tmp_path / "target", {"src/x.py": "", "lib/shop/__init__.py": ""}, "src", "lib")

    assert placed(source, target, "checks") == Path("src/checks.py")
    assert placed(source, target, "shop.checks") == Path("lib/shop/checks.py")


def test_a_file_of_any_name_becomes_the_module(tmp_path: Path) -> None:
    """Also one that is there already: what was asked for is what is used."""
    shops.written(tmp_path, {"my adapter.py": "mine"})
    target = checkout(tmp_path / "target", {"shop/__init__.py": "", "shop/checks.py": "theirs"})

    place_adapter(from_file("shop.checks", tmp_path / "my adapter.py"), target, source=None)

    assert (target.top / "shop" / "checks.py").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("name", ["nothing.py", "folder", "text.txt", "befor"])
def test_what_is_no_file_is_refused(name: str, tmp_path: Path) -> None:
    """A slip in one of the words is told as that."""
    shops.written(tmp_path, {"text.txt": "", "folder/a.py": ""})

    with pytest.raises(ConfigurationError, match="is not one of own, before, after, worktree, and no Python file"):
        from_file("checks", tmp_path / name)


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A revision may have links that lead out of it."""
    (tmp_path / "outside").mkdir()
    source = checkout(tmp_path / "source", {"shop/checks.py": "adapter"})
    target = checkout(tmp_path / "target", {})
    (target.top / "shop").symlink_to(tmp_path / "outside")

    with pytest.raises(UsageError) as caught:
        placed(source, target, "shop.checks")

    assert str(caught.value).replace(str(tmp_path), "DIR") == snapshot(
        "the adapter 'shop.checks' would lie outside of the revision: 'DIR/target/shop/checks.py'"
    )
    assert not list((tmp_path / "outside").iterdir())
