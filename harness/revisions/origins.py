"""Did the code that ran come from the revision? A proof about other code is worthless.

Problem: an editable install points to the user's work tree, an installed copy lies in the environment, an import hook
answers before any path is asked: the run is right, and says nothing of the revision.

Mechanism: the process that ran tells where each of its modules came from (`harness.revisions.witness`), and that is
held against the checkout: what the checkout has by that name must be the checkout's, nothing may come from the work
tree, and something must come from the checkout at all.

Guarantee: pure, but for looking whether a file is in the checkout.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.revisions.roots import Checkout, installed_folders, is_below

__all__ = ["Modules", "objection"]

Modules = Iterable[tuple[str, str]]
"""The modules that were imported, by all processes of a run: their names and files."""

_SHOWN = 3
_HARNESS = Path(__file__).resolve().parents[1]


def objection(modules: Modules, checkout: Checkout, *, own: Sequence[Path], adapter: str, placed: bool) -> str:
    """Why the run is not about the checkout, in a sentence; empty if it is.

    `own` are the tops of the user's work trees, `adapter` the name of the adapter's module, and `placed` whether that
    was put into the checkout: then it is no sign that anything else came from there.
    """
    files = [(name, Path(file).resolve()) for name, file in dict.fromkeys(modules) if name != "__main__"]
    installed = installed_folders()
    sources = [(name, file) for name, file in files if not _is_below_any(file, [checkout.top, _HARNESS])]
    strays = [
        (name, file)
        for name, file in sources
        if (_is_below_any(file, own) and not _is_below_any(file, installed)) or _has(checkout, name)
    ]
    if strays:
        more = f" and {len(strays) - _SHOWN} more" if len(strays) > _SHOWN else ""
        shown = ", ".join(f"{name!r} from {str(file)!r}" for name, file in strays[:_SHOWN])
        return (
            f"the code under test did not come from the revision, but {shown}{more}: an installed copy, or an editable "
            "install with an import hook, goes before it. Uninstall it (pip uninstall), or install it by a path "
            "(`pythonpath` in the pytest settings of pyproject.toml says where its modules lie)"
        )
    names = [name for name, file in files if is_below(file, checkout.top)]
    if not [name for name in names if not (placed and _is_part(name, adapter))]:
        return (
            "none of the modules that were imported came from the revision, so that nothing is known of it: name where "
            "they lie by `pythonpath` in the pytest settings of pyproject.toml"
        )
    return ""


def _is_below_any(file: Path, folders: Iterable[Path]) -> bool:
    return any(is_below(file, folder) for folder in folders)


def _has(checkout: Checkout, name: str) -> bool:
    """Whether the checkout has a module of that name."""
    places = (root.joinpath(*name.split(".")) for root in checkout.roots)
    return any(place.with_suffix(".py").is_file() or (place / "__init__.py").is_file() for place in places)


def _is_part(name: str, adapter: str) -> bool:
    """Whether a module is the adapter, in it, or a package above it."""
    return name == adapter or name.startswith(f"{adapter}.") or adapter.startswith(f"{name}.")
