"""A watched test suite on a terminal: each root cause in full, its tests, and what is suppressed with its reason.

Guarantee: the same lines in pytest's own summary and in `sessionproof report`; nothing of the program reaches the
terminal as a control character. The first line of a sanitizer that failed says so, before anything else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from harness.plurals import number_of
from harness.report import sessions_words as words
from harness.report.sessions_causes import CauseShown, by_cause
from harness.report.sessions_document import RaceDocument, SessionsDocument
from harness.report.text import block, inline

__all__ = ["FAILED", "UNWATCHED", "TerminalLimits", "paragraphs", "render_sessions"]

FAILED = "THE SANITIZER FAILED, and watched no further: that nothing was found from then on means nothing."
UNWATCHED = "NOT EVERYTHING WAS WATCHED: that nothing was found there means nothing."
_LONG = 20_000
R = TypeVar("R", bound=RaceDocument)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalLimits:
    """How many root causes are shown, of each how many pairs of operations and tests; where `more` are to be found."""

    causes: int | None = None
    pairs: int | None = None
    tests: int | None = None
    more: str = ""


def render_sessions(document: SessionsDocument) -> str:
    """The report as text."""
    lines = [f"sessionproof: {words.answer(document)}", words.scope(document), ""]
    lines += [line for said in document.problems for line in (FAILED, block(said, limit=_LONG), "")]
    lines += [line for said in document.unwatched for line in (UNWATCHED, block(said, limit=_LONG), "")]
    lines += paragraphs(document)
    lines += ["", words.versions(document)] if lines[-1] else [words.versions(document)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def paragraphs(document: SessionsDocument, *, limits: TerminalLimits | None = None) -> Iterator[str]:
    """A paragraph for each root cause, then one for each that is suppressed, then what else is to be known.

    What has no room by the limits, if there are any, is counted.
    """
    limits = limits or TerminalLimits()
    found, hidden = by_cause(document.races), by_cause(document.suppressed)
    for cause in found[: limits.causes]:
        yield from words.finding(document, cause, most=limits.pairs, more=limits.more).splitlines()
        yield from _seen(cause, limits)
    yield from _more(found[limits.causes :] if limits.causes is not None else (), "root cause", limits)
    for each in hidden[: limits.causes]:
        yield f"suppressed: {words.title(document, each)}"
        yield from (f"  reason: {reason}" for reason in words.reasons(document, each))
        yield from _seen(each, limits)
    yield from _more(hidden[limits.causes :] if limits.causes is not None else (), "suppressed one", limits)
    yield from words.complaints(document)
    yield from (inline(f"limit: {limit}", limit=_LONG) for limit in document.limits)


def _seen(cause: CauseShown[R], limits: TerminalLimits) -> Iterator[str]:
    yield "  seen in"
    yield from (f"    {test}" for test in words.seen(cause, most=limits.tests, more=limits.more))
    yield ""


def _more(left: Sequence[CauseShown[R]], what: str, limits: TerminalLimits) -> Iterator[str]:
    if left:
        pairs = sum(len(cause.pairs) for cause in left)
        yield f"and {number_of(len(left), f'more {what}')}, with {number_of(pairs, 'pair')}: {limits.more}"
        yield ""
