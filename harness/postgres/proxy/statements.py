"""What SQL text does to transactions, and to one table, as far as the text tells.

Mechanism: the text is cut at its semicolons, outside of strings, quoted identifiers, dollar quotes and comments; the
first words of a statement decide. A table is named with or without its schema, quoted or not.

What is not recognised: what functions, procedures, triggers, rules and `EXECUTE` of a statement that SQL prepared do.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

__all__ = ["Effect", "Table", "Text", "statements"]

_TOKEN = re.compile(
    r"""
    (?P<comment> --[^\n]* )
  | (?P<block> /\* )
  | (?P<string> (?<![\w$])[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' )
  | (?P<identifier> "(?:[^"]|"")*" )
  | (?P<dollar> (?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ )
  | (?P<end> ; )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK = re.compile(r"/\*|\*/")
_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_CHAIN = re.compile(rf"{_NAME}(?:\s*\.\s*{_NAME})*")
_WRITES = (
    r"(?:INSERT\s+INTO|UPDATE(?:\s+ONLY)?|DELETE\s+FROM(?:\s+ONLY)?|MERGE\s+INTO(?:\s+ONLY)?|COPY)"
    rf"\s+(?P<table>{_CHAIN.pattern})"
)
_WRITE = re.compile(rf"\(*\s*{_WRITES}", re.IGNORECASE)
_PART = re.compile(rf"[()]\s*{_WRITES}", re.IGNORECASE)
_COPY_FROM = re.compile(r"\s*(?:\([^)]*\)\s*)?FROM\b", re.IGNORECASE)
_ATOMIC = re.compile(r"\bBEGIN\s+ATOMIC\b", re.IGNORECASE)
_CHAINED = re.compile(r"\bAND\s+CHAIN\b", re.IGNORECASE)
_BY_DRIVER = re.compile(r"WITH\s+RECURSIVE\s+typeinfo_tree\b|SELECT\s+pg_sleep\(\s*\$1[^)]*\)$", re.IGNORECASE)


class Effect(StrEnum):
    """What a statement does to the transaction."""

    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    NESTED = "nested"
    """A savepoint is made, released or rolled back to."""
    NONE = "none"
    """It is a statement like any other."""
    UNCOUNTED = "uncounted"
    """It is not the application's own: asyncpg asks for a type's description, or the harness makes a tool slower."""


_EFFECTS = (
    (re.compile(r"(?:BEGIN|START\s+TRANSACTION)\b", re.IGNORECASE), Effect.BEGIN),
    (re.compile(r"(?:COMMIT|ROLLBACK)\s+PREPARED\b", re.IGNORECASE), Effect.NONE),
    (re.compile(r"(?:COMMIT|END)\b", re.IGNORECASE), Effect.COMMIT),
    (re.compile(r"ROLLBACK(?:\s+(?:WORK|TRANSACTION))?\s+TO\b", re.IGNORECASE), Effect.NESTED),
    (re.compile(r"(?:ROLLBACK|ABORT)\b", re.IGNORECASE), Effect.ROLLBACK),
    (re.compile(r"(?:SAVEPOINT|RELEASE)\b", re.IGNORECASE), Effect.NESTED),
    (_BY_DRIVER, Effect.UNCOUNTED),
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table's name and, if it was given, its schema, folded as PostgreSQL folds them."""

    name: str
    schema: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Table | None":
        """The table that an identifier names; `None` if the text is none."""
        if _CHAIN.fullmatch(text.strip()) is None:
            return None
        parts = [_fold(part) for part in re.findall(_NAME, text)]
        return cls(parts[-1], parts[-2] if len(parts) > 1 else None)

    def may_be(self, other: "Table") -> bool:
        """Whether both name the same table, if a schema that was left out is the other's."""
        return self.name == other.name and (None in {self.schema, other.schema} or self.schema == other.schema)


@dataclass(frozen=True, slots=True)
class Text:
    """One statement without its comments: its effect on the transaction, and the tables that it writes."""

    effect: Effect
    tables: tuple[Table, ...] = ()
    chained: bool = False

    def writes(self, table: Table) -> bool:
        """Whether it inserts, updates, deletes, merges or copies rows into the table."""
        return any(each.may_be(table) for each in self.tables)


@lru_cache(maxsize=1024)
def statements(sql: str) -> tuple[Text, ...]:
    """The statements of a text, without the empty ones."""
    if _ATOMIC.search(sql):  # the body of a function; its semicolons end no statement
        return (Text(Effect.NONE),)
    return tuple(_read(text) for text in map(str.strip, _split(sql)) if text)


def _read(text: str) -> Text:
    for pattern, effect in _EFFECTS:
        if pattern.match(text):
            return Text(effect, chained=_CHAINED.search(text) is not None)
    return Text(Effect.NONE, tuple(_written(text)))


def _written(text: str) -> Iterator[Table]:
    with_parts = text[:4].upper() == "WITH"
    for found in _PART.finditer(text) if with_parts else filter(None, [_WRITE.match(text)]):
        copies = found[0].lstrip("( \t\r\n")[:4].upper() == "COPY"
        table = Table.parse(found["table"])
        if table is not None and not (copies and _COPY_FROM.match(text, found.end()) is None):
            yield table


def _split(sql: str) -> Iterator[str]:
    """The texts between semicolons, comments replaced by spaces and strings emptied."""
    parts: list[str] = []
    position = 0
    while (found := _TOKEN.search(sql, position)) is not None:
        parts.append(sql[position : found.start()])
        position = found.end()
        if found["end"]:
            yield "".join(parts)
            parts = []
        elif found["block"]:
            parts.append(" ")
            position = _end_of_block(sql, position)
        else:
            parts.append(found["identifier"] or (" " if found["comment"] else "''"))
    yield "".join([*parts, sql[position:]])


def _end_of_block(sql: str, position: int) -> int:
    """Where a block comment ends; they nest."""
    depth = 1
    while depth:
        found = _BLOCK.search(sql, position)
        if found is None:
            return len(sql)
        depth += 1 if found[0] == "/*" else -1
        position = found.end()
    return position


def _fold(identifier: str) -> str:
    if identifier.startswith('"'):
        return identifier[1:-1].replace('""', '"')
    return identifier.lower()
