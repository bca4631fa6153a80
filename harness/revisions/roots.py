"""Where Python finds the code of a checkout: the folders that come first on its import path.

Problem: a project's packages lie in its root, in `src`, where its pytest settings say, or where an editable install of
the user's own work tree points to; what is imported must be the checkout's, and not the work tree's.

Mechanism: the same places, below the checkout. Whatever of the current import path (editable installs, `PYTHONPATH`)
leads below the user's work tree is replaced by the same place in the checkout; what leads elsewhere stays.

Guarantee: no folder below a work tree of the user's is on the path that is made here, but for an environment that is
installed in it. What still comes from there, by an import hook, is found by `harness.revisions.origins`.
"""

import configparser
import os
import site
import sys
import sysconfig
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Checkout", "import_roots", "installed_folders", "is_below", "is_installed", "started_in", "transferred"]

_INI_FILES = (("pytest.ini", "pytest"), (".pytest.ini", "pytest"), ("tox.ini", "pytest"), ("setup.cfg", "tool:pytest"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A revision as it lies there: the top of its work tree, and the folder that stands for the caller's own.

    `roots` are the folders in which its modules are looked for, in their order.
    """

    top: Path
    directory: Path
    roots: Sequence[Path]


def started_in(top: Path, prefix: str) -> Path:
    """The caller's folder below another top, or the nearest above it that is there."""
    folder = top / prefix
    while not folder.is_dir() and folder != top:
        folder = folder.parent
    return folder


def import_roots(top: Path, directory: Path, *, own: Sequence[Path], entries: Iterable[Path]) -> list[Path]:
    """The folders of a checkout in which modules are looked for; `entries` is the import path of now.

    `own` are the tops of the user's work trees.
    """
    found = [root for base in dict.fromkeys((directory, top)) for root in _of_project(base)]
    for entry in entries:
        trees = [tree for tree in own if is_below(entry, tree)]
        if trees and not is_installed(entry):
            found.append(top / entry.relative_to(max(trees, key=lambda tree: len(tree.parts))))
    return [root for root in dict.fromkeys(found) if root.is_dir() and is_below(root.resolve(), top)]


def transferred(entries: Iterable[Path], own: Sequence[Path]) -> list[Path]:
    """What stays of an import path: all that does not lead into a work tree of the user's."""
    return [entry for entry in entries if is_installed(entry) or not any(is_below(entry, tree) for tree in own)]


def is_installed(path: Path) -> bool:
    """Whether it lies where packages are installed, also if that is in the middle of somebody's sources."""
    return any(is_below(path, folder) for folder in installed_folders())


def is_below(path: Path, folder: Path) -> bool:
    """Whether it is the folder, or lies in it."""
    return path == folder or folder in path.parents


def installed_folders() -> list[Path]:
    """Where this interpreter's packages are installed: no sources, also if a virtual environment lies among them."""
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders = [*site.getsitepackages(), site.getusersitepackages(), *paths]
    known = [Path(folder).resolve() for folder in folders if folder]
    return [*known, *([Path(sys.prefix).resolve()] if sys.prefix != sys.base_prefix else [])]


def _of_project(base: Path) -> Iterator[Path]:
    yield base
    yield base / "src"
    for entry in _stated(base):
        yield Path(os.path.normpath(base / entry))


def _stated(base: Path) -> Iterator[str]:
    """What the project's settings say; settings that cannot be read say nothing here, and are their owner's to find."""
    settings: Mapping[str, Any] = {}
    with suppress(OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        settings = tomllib.loads((base / "pyproject.toml").read_text(encoding="utf-8"))
    yield from _words(_at(settings, "tool", "pytest", "pythonpath"))
    yield from _words(_at(settings, "tool", "pytest", "ini_options", "pythonpath"))
    yield from _words(_at(settings, "tool", "setuptools", "packages", "find", "where"))
    yield from _words(_at(settings, "tool", "setuptools", "package-dir", ""))
    for name, section in _INI_FILES:
        parser = configparser.ConfigParser(interpolation=None)
        with suppress(OSError, configparser.Error, UnicodeDecodeError):
            parser.read(base / name, encoding="utf-8")
            yield from _words(parser.get(section, "pythonpath", fallback=""))


def _at(settings: Any, *names: str) -> Any:
    for name in names:
        settings = settings.get(name) if isinstance(settings, Mapping) else None
    return settings


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
