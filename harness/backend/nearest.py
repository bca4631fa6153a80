"""What to write in place of a word that is no member of an enumeration."""

import difflib
from enum import StrEnum

__all__ = ["advice"]


def advice(word: object, kind: type[StrEnum]) -> str:
    """The nearest member, or all of them, as they are written in Python."""
    by_value = {member.value: member for member in kind}
    nearest = difflib.get_close_matches(str(word).lower(), by_value, n=1, cutoff=0.6)
    if nearest:
        return f"write {kind.__name__}.{by_value[nearest[0]].name}"
    return f"write one of {', '.join(f'{kind.__name__}.{member.name}' for member in kind)}"
