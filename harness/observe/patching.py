"""One attribute of a class, replaced for a while.

Problem: some things can only be seen where a library does them, and what was replaced must come back.

Mechanism: `Patch` replaces what the class itself defines under a name, and `restore` puts it back.

Guarantee: patches that are undone in the reverse order leave nothing behind. If something else was put in
the place meanwhile, it stays, and `restore` says so.
"""

from typing import Any

__all__ = ["Patch"]


class Patch:
    """Replaces `owner.name` by `replacement` until it is restored."""

    def __init__(self, owner: type, name: str, replacement: Any) -> None:
        self._owner = owner
        self._name = name
        self._original = vars(owner)[name]
        self._replacement = replacement
        setattr(owner, name, replacement)

    def restore(self) -> bool:
        """Put back what was there; false if something else has taken the place."""
        if vars(self._owner)[self._name] is not self._replacement:
            return False
        setattr(self._owner, self._name, self._original)
        return True
