"""Lists that are cut, and say so.

Guarantee: what is left out is counted, whatever the list is.
"""

from collections.abc import Sequence

__all__ = ["first", "more"]


def first(items: Sequence[str], most: int, *, file: str = "run.json") -> list[str]:
    """The first of the texts, and a last one that counts the others, if there are others."""
    return [*items[:most], *filter(None, [more(len(items) - most, file=file)])]


def more(left: int, *, file: str = "run.json") -> str:
    """`and 12 more, in run.json`; nothing if none are left out."""
    return f"and {left:,} more, in {file}" if left > 0 else ""
