r"""Untrusted text made harmless before it is put anywhere.

Problem: answers, SQL and error messages come from the backend under test. They can hold control characters
that drive a terminal, that XML cannot carry, or that turn the reading direction round; they can hold half a
surrogate pair, which no file can carry; and they can be a megabyte long.

Mechanism: whatever does not print is shown as its escape (`\x1b`), and what is too long is cut, with a word
about it.

Guarantee: the result of `printable` encodes to UTF-8 and consists of XML characters; line breaks and tabs
stay. Escaping for a format (Markdown, XML, rich markup) is the business of that format's writer.
"""

import re

__all__ = ["block", "clip", "inline", "printable"]

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    """The text with everything that does not print shown as its escape."""
    return _UNPRINTABLE.sub(_escape, text.replace("\r\n", "\n"))


def clip(text: str, limit: int) -> str:
    """At most `limit` characters of the text, and how many were left out."""
    left_out = len(text) - limit
    return text if left_out <= 0 else f"{text[:limit]}... ({left_out:,} more characters)"


def inline(text: str, *, limit: int = 300) -> str:
    """The text on one line, printable and not too long."""
    return clip(printable(" ".join(text.split())), limit)


def block(text: str, *, limit: int = 2000) -> str:
    """The text as lines, printable and not too long."""
    return clip(printable(text.strip("\n")), limit)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004  # the two lengths of an escape
