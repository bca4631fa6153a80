"""Under which dotted names a file can be imported.

Problem: nothing in a tree says what is on `sys.path`: the folder itself, its `src`, or that of a script.

Mechanism: a module's own name begins at the uppermost folder that is a package, one with an `__init__.py`. Packages
without one may begin at any folder above, so longer names are names, too; of files in no package the shorter ones, down
to their own, as for scripts.

Guarantee: no name begins inside of a package.
"""

from collections.abc import Callable
from pathlib import Path

__all__ = ["names_of"]

_ABOVE = 4
"""How many folders above the uppermost package a name may begin."""


def names_of(path: Path, is_package: Callable[[Path], bool]) -> tuple[str, ...]:
    """The file's dotted names, its own one first; `is_package` says whether a folder has an `__init__.py`."""
    whole = path.absolute()
    parts = [whole.stem] if whole.stem != "__init__" else []
    folder = whole.parent
    while is_package(folder) and folder.name:
        parts.insert(0, folder.name)
        folder = folder.parent
    names = [".".join(parts)] if parts else []
    for _ in range(_ABOVE):
        if not folder.name.isidentifier():
            break
        parts.insert(0, folder.name)
        names.append(".".join(parts))
        folder = folder.parent
    return tuple(names) or (whole.stem,)
