"""Which SQL statements write rows, as far as their text tells.

The first word decides, after comments and parentheses; a statement that begins with `WITH` writes if one of its parts
does. A function that writes and is called by `SELECT` is not recognised.
"""

import re
from functools import lru_cache

__all__ = ["writes_rows"]

_LEADING = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
_WRITE = re.compile(r"(?:INSERT|UPDATE|DELETE|MERGE|COPY|CALL)\b", re.IGNORECASE)
_PART = re.compile(r"\(\s*(?:INSERT|UPDATE|DELETE|MERGE)\b|\)\s*(?:INSERT|UPDATE|DELETE|MERGE)\b", re.IGNORECASE)


@lru_cache(maxsize=1024)
def writes_rows(sql: str) -> bool:
    """Whether it inserts, updates, deletes or merges; `SELECT … FOR UPDATE` does not."""
    text = sql[_LEADING.match(sql).end() :]  # type: ignore[union-attr]  # it matches the empty text too
    if text[:4].upper() == "WITH":
        return _PART.search(text) is not None
    return _WRITE.match(text) is not None
