"""The adapter of a revision that has none: taken from the other one, from the work tree, or from a file.

Problem: the object by which the harness starts an application was mostly written with the repair, or after it; the
revision with the bug has none.

Mechanism: the module is looked for in the checkout's import roots, and copied to the same place in a checkout that
lacks it (a package with all that is in its folder). The checkout is temporary, so that nobody's files are changed.

Guarantee: nothing but the adapter's own module, and the packages above it where they are missing, is put there: what
else it needs must be the revision's.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.errors import ConfigurationError, UsageError
from harness.revisions.roots import Checkout, is_below

__all__ = ["Adapter", "AdapterFrom", "find_adapter", "from_file", "place_adapter"]

_INIT = "__init__.py"


class AdapterFrom(StrEnum):
    """Whose adapter starts the application of both revisions."""

    OWN = "own"
    """Each revision's own; that of the later one for both, if the earlier one has none."""
    BEFORE = "before"
    AFTER = "after"
    WORKTREE = "worktree"
    """The one that lies in the user's work tree, whether or not git knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A module that was found: its name, its file, and the import root that it lies in, `None` if it is a lone file."""

    module: str
    file: Path
    root: Path | None = None

    @property
    def is_package(self) -> bool:
        """Whether it is a folder with modules."""
        return self.file.name == _INIT


def find_adapter(module: str, checkout: Checkout) -> Adapter | None:
    """The module in a checkout, if that has it."""
    parts = module.split(".")
    for root in checkout.roots:
        for file in (root.joinpath(*parts, _INIT), root.joinpath(*parts).with_suffix(".py")):
            if file.is_file():
                return Adapter(module=module, file=file, root=root)
    return None


def from_file(module: str, path: Path) -> Adapter:
    """The adapter in a file, or in a package's folder, of any name.

    Raises:
        ConfigurationError: there is no such file.
    """
    file = path / _INIT if path.is_dir() else path
    if not file.is_file() or file.suffix != ".py":
        names = ", ".join(AdapterFrom)
        raise ConfigurationError(
            f"--adapter-from {str(path)!r} is not one of {names}, and no Python file or package that is there"
        )
    return Adapter(module=module, file=file.absolute())


def place_adapter(adapter: Adapter, checkout: Checkout, *, source: Path | None) -> Path:
    """Copy it into the checkout, in place of one that is there; returns where it is, relative to the checkout's top.

    `source` is the top of where it was found.

    Raises:
        UsageError: it would lie outside of the checkout, because a folder of that is a link.
    """
    root = _root_for(adapter, checkout, source)
    parts = adapter.module.split(".")
    target = root.joinpath(*parts, _INIT) if adapter.is_package else root.joinpath(*parts).with_suffix(".py")
    if not is_below(target.parent.resolve(), checkout.top):
        raise UsageError(f"the adapter {adapter.module!r} would lie outside of the revision: {str(target)!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    for found, missing in _packages_above(adapter, root):
        shutil.copyfile(found, missing)
    if adapter.is_package:
        shutil.copytree(
            adapter.file.parent, target.parent, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    else:
        shutil.copyfile(adapter.file, target)
    return target.relative_to(checkout.top)


def _root_for(adapter: Adapter, checkout: Checkout, source: Path | None) -> Path:
    """Where its outermost package is, or else where it lay, or else the first root."""
    first = adapter.module.partition(".")[0]
    for root in checkout.roots:
        if "." in adapter.module and (root / first).is_dir():
            return root
    if adapter.root is not None and source is not None:
        same = checkout.top / adapter.root.relative_to(source)
        if same in checkout.roots:
            return same
    return checkout.roots[0]


def _packages_above(adapter: Adapter, root: Path) -> Iterator[tuple[Path, Path]]:
    """The `__init__.py` of packages above it that the checkout lacks, and where they belong."""
    if adapter.root is None:
        return
    parts = adapter.module.split(".")[:-1]
    for count in range(1, len(parts) + 1):
        found, missing = (base.joinpath(*parts[:count], _INIT) for base in (adapter.root, root))
        if found.is_file() and not missing.exists():
            yield found, missing
