"""One attribute of a class or module, replaced for a while.

Problem: some things can only be seen where a library does them, and what was replaced must come back.

Mechanism: `Patch` puts a replacement under a name, and `restore` puts back what the owner itself defined there; if it
defined nothing, and inherited, the replacement is deleted. `Patches` undoes several in the reverse order.

Guarantee: patches that are undone in the reverse order leave nothing behind. If something else was put in the place
meanwhile, it stays, and `restore` says so.
"""

from types import ModuleType
from typing import Any

__all__ = ["Patch", "Patches"]

_INHERITED = object()


class Patch:
    """Replaces `owner.name` by `replacement` until it is restored."""

    def __init__(self, owner: type | ModuleType, name: str, replacement: Any) -> None:
        self._owner = owner
        self._name = name
        self._original = vars(owner).get(name, _INHERITED)
        self._replacement = replacement
        setattr(owner, name, replacement)

    def restore(self) -> bool:
        """Put back what was there; false if something else has taken the place."""
        if vars(self._owner).get(self._name) is not self._replacement:
            return False
        if self._original is _INHERITED:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._original)
        return True

    def __str__(self) -> str:
        return f"{self._owner.__name__}.{self._name}"


class Patches:
    """Patches that belong together."""

    def __init__(self) -> None:
        self._patches: list[Patch] = []

    def replace(self, owner: type | ModuleType, name: str, replacement: Any) -> None:
        """Replace one more attribute."""
        self._patches.append(Patch(owner, name, replacement))

    def restore(self) -> tuple[str, ...]:
        """Undo them all, the last first; returns the names in whose place something else stands."""
        displaced = [str(patch) for patch in reversed(self._patches) if not patch.restore()]
        self._patches.clear()
        return tuple(displaced)
