"""Where Python finds the code of a checkout."""

import sys
import sysconfig
from pathlib import Path

import pytest

from harness.revisions.roots import import_roots, installed_folders, started_in, transferred
from tests.prove import shops

SETTINGS = {
    "pyproject.toml, [tool.pytest]": ("pyproject.toml", '[tool.pytest]\npythonpath = ["lib"]\n'),
    "pyproject.toml, ini_options": ("pyproject.toml", '[tool.pytest.ini_options]\npythonpath = ["lib", "."]\n'),
    "pyproject.toml, a text": ("pyproject.toml", '[tool.pytest.ini_options]\npythonpath = "lib other"\n'),
    "setuptools, where": ("pyproject.toml", '[tool.setuptools.packages.find]\nwhere = ["lib"]\n'),
    "setuptools, package-dir": ("pyproject.toml", '[tool.setuptools.package-dir]\n"" = "lib"\n'),
    "pytest.ini": ("pytest.ini", "[pytest]\npythonpath = lib\n"),
    "tox.ini": ("tox.ini", "[pytest]\npythonpath =\n    lib\n"),
    "setup.cfg": ("setup.cfg", "[tool:pytest]\npythonpath = lib\n"),
}


@pytest.mark.parametrize(("name", "text"), SETTINGS.values(), ids=SETTINGS)
def test_settings_name_roots(name: str, text: str, tmp_path: Path) -> None:
    """Wherever a project says it."""
    shops.written(tmp_path, {name: text, "lib/shop.py": ""})

    assert import_roots(tmp_path, tmp_path, own=(), entries=()) == [tmp_path, tmp_path / "lib"]


def test_src_is_a_root(tmp_path: Path) -> None:
    """Without anybody saying so; and the folder that the caller stands in comes first."""
    here = tmp_path / "services" / "api"
    for folder in (here / "src", tmp_path / "src"):
        folder.mkdir(parents=True)

    roots = import_roots(tmp_path, here, own=(), entries=())

    assert roots == [here, here / "src", tmp_path, tmp_path / "src"]


@pytest.mark.parametrize("text", ["[tool.pytest\n", "tool = 1\n", "[tool.pytest]\npythonpath = 7\n", "\xff"])
def test_settings_that_cannot_be_read_name_none(text: str, tmp_path: Path) -> None:
    """That they are wrong is for others to say."""
    (tmp_path / "pyproject.toml").write_bytes(text.encode("latin-1"))
    (tmp_path / "setup.cfg").write_bytes(text.encode("latin-1"))

    assert import_roots(tmp_path, tmp_path, own=(), entries=()) == [tmp_path]


def test_a_root_lies_in_the_checkout(tmp_path: Path) -> None:
    """What settings name beside it, or a link in it leads to, is not the revision's."""
    outside = tmp_path / "outside"
    outside.mkdir()
    top = shops.written(tmp_path / "top", {"pytest.ini": "[pytest]\npythonpath = ../outside linked /etc inner\n"})
    (top / "linked").symlink_to(outside)
    (top / "inner").mkdir()

    assert import_roots(top, top, own=(), entries=()) == [top, top / "inner"]


def test_the_import_path_of_now_is_carried_over(tmp_path: Path) -> None:
    """An editable install leads into the work tree, in whatever layout: the same folder of the checkout counts."""
    own, top = tmp_path / "own", tmp_path / "top"
    entries = [own / "packages" / "shop", own / "gone", tmp_path / "elsewhere"]
    (top / "packages" / "shop").mkdir(parents=True)
    (top / "src").mkdir()

    roots = import_roots(top, top, own=[tmp_path, own], entries=entries)

    assert roots == [top, top / "src", top / "packages" / "shop"]
    assert transferred(entries, [own]) == [tmp_path / "elsewhere"]


def test_an_environment_in_the_work_tree_is_none_of_its_sources() -> None:
    """`.venv` beside the code: what is installed there stays where it is."""
    packages = Path(sysconfig.get_path("purelib"))

    assert transferred([packages], [packages.parents[3]]) == [packages]
    assert packages.resolve() in installed_folders()
    assert Path(sys.prefix).resolve() in installed_folders() or sys.prefix == sys.base_prefix


def test_a_folder_that_the_revision_lacks_stands_for_the_one_above(tmp_path: Path) -> None:
    """The caller may stand in what only the work tree has."""
    (tmp_path / "services").mkdir()

    assert started_in(tmp_path, "services/api/") == tmp_path / "services"
    assert started_in(tmp_path, "") == tmp_path
