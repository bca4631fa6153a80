"""Lays out Python as ruff's formatter would leave it, whatever stands in it.

A construct with brackets is on one line if it fits, else one element a line with a comma after each, which the
formatter keeps at any longer line length. Texts are literals in the quotes that need the fewest escapes. What goes
into a comment or a docstring loses everything that could end it.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "INDENT",
    "WIDTH",
    "Bracketed",
    "Element",
    "call",
    "comment",
    "docstring",
    "harmless",
    "lay",
    "quoted",
    "value",
    "wrapped",
]

WIDTH = 88
INDENT = "    "


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracketed:
    """`opening`, elements with commas between them, `closing`."""

    opening: str
    elements: Sequence["Element"]
    closing: str


@dataclass(frozen=True, slots=True)
class Element:
    """One element, with what stands before it (`name=`), and comments above it."""

    prefix: str
    code: "str | Bracketed"
    comments: Sequence[str] = ()


Code = str | Bracketed


def call(name: str, *positional: Code, **named: Code) -> Bracketed:
    """A call."""
    elements = [Element("", each) for each in positional]
    elements += [Element(f"{key}=", each) for key, each in named.items()]
    return Bracketed(opening=f"{name}(", elements=elements, closing=")")


def value(given: object) -> Code:
    """A value that JSON has, as a literal."""
    match given:
        case str():
            return quoted(given)
        case Mapping():
            elements = [Element(f"{quoted(str(key))}: ", value(each)) for key, each in given.items()]
            return Bracketed(opening="{", elements=elements, closing="}")
        case list() | tuple():
            return Bracketed(opening="[", elements=[Element("", value(each)) for each in given], closing="]")
        case _:
            return repr(given)


def quoted(text: str) -> str:
    """A text as a literal, in ASCII."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    return mark + "".join(_escaped(character, mark) for character in text) + mark


def _escaped(character: str, mark: str) -> str:
    if character in {mark, "\\"}:
        return f"\\{character}"
    if character.isprintable() and character.isascii():
        return character
    return character.encode("unicode_escape").decode("ascii")


def lay(prefix: str, code: Code, *, indent: str = "", suffix: str = "") -> list[str]:
    """The lines of a piece of code, between a prefix and a suffix."""
    if isinstance(code, str):
        return [f"{indent}{prefix}{code}{suffix}"]
    if not _has_comments(code):
        line = f"{indent}{prefix}{_flat(code)}{suffix}"
        if len(line) <= WIDTH or not code.elements:
            return [line]
    lines = [f"{indent}{prefix}{code.opening}"]
    for element in code.elements:
        for each in element.comments:
            lines += comment(each, indent=indent + INDENT)
        lines += lay(element.prefix, element.code, indent=indent + INDENT, suffix=",")
    return [*lines, f"{indent}{code.closing}{suffix}"]


def _has_comments(code: Code) -> bool:
    return isinstance(code, Bracketed) and any(each.comments or _has_comments(each.code) for each in code.elements)


def _flat(code: Code) -> str:
    if isinstance(code, str):
        return code
    return code.opening + ", ".join(each.prefix + _flat(each.code) for each in code.elements) + code.closing


def comment(text: str, *, indent: str = "") -> list[str]:
    """A comment, wrapped."""
    return [f"{indent}# {line}" for line in wrapped(text, WIDTH - len(indent) - 2)]


def docstring(text: str, *, indent: str = "") -> list[str]:
    """A docstring: its first sentence's line, and paragraphs after it."""
    first, *rest = text.split("\n\n")
    if not rest and len(indent) + len(harmless(first)) + 6 <= WIDTH:
        return [f'{indent}"""{harmless(first)}"""']
    lines = wrapped(first, WIDTH - len(indent) - 3)
    lines[0] = f'"""{lines[0]}'
    for paragraph in rest:
        lines += ["", *wrapped(paragraph, WIDTH - len(indent))]
    return [f"{indent}{line}".rstrip() for line in [*lines, '"""']]


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, without what could end the comment or docstring that it is in."""
    return textwrap.wrap(harmless(text), width, break_long_words=False, break_on_hyphens=False) or [""]


def harmless(text: str) -> str:
    """A text for a comment or a docstring: on one line, printable, without quotes that end it and backslashes."""
    plain = "".join(each if each.isprintable() else " " for each in text)
    return re.sub(r"\s+", " ", plain.replace("\\", "/").replace('"', "'")).strip()
