"""A watched test suite on a terminal: each root cause in full, its tests, and what is suppressed with its reason.

Guarantee: the same lines in pytest's own summary and in `sessionproof report`; nothing of the program reaches the
terminal as a control character. The first line of a sanitizer that failed says so, before anything else.
"""

from collections.abc import Iterator

from harness.report import sessions_words as words
from harness.report.sessions_document import SessionsDocument
from harness.report.text import block, inline

__all__ = ["FAILED", "UNWATCHED", "paragraphs", "render_sessions"]

FAILED = "THE SANITIZER FAILED, and watched no further: that nothing was found from then on means nothing."
UNWATCHED = "NOT EVERYTHING WAS WATCHED: that nothing was found there means nothing."
_LONG = 20_000


def render_sessions(document: SessionsDocument) -> str:
    """The report as text."""
    lines = [f"sessionproof: {words.answer(document)}", words.scope(document), ""]
    lines += [line for said in document.problems for line in (FAILED, block(said, limit=_LONG), "")]
    lines += [line for said in document.unwatched for line in (UNWATCHED, block(said, limit=_LONG), "")]
    lines += paragraphs(document, tests_shown=None)
    lines += ["", words.versions(document)] if lines[-1] else [words.versions(document)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def paragraphs(document: SessionsDocument, *, tests_shown: int | None) -> Iterator[str]:
    """A paragraph for each root cause, then one for each that is suppressed, then what else is to be known."""
    for race in document.races:
        yield from words.finding(document, race).splitlines()
        yield "  seen in"
        yield from (f"    {test}" for test in words.seen(race, most=tests_shown, more="which -v shows"))
        yield ""
    for suppressed in document.suppressed:
        yield f"suppressed: {words.title(document, suppressed)}"
        yield from (f"  reason: {reason}" for reason in words.reasons(document, suppressed))
        yield "  seen in"
        yield from (f"    {test}" for test in words.seen(suppressed, most=tests_shown, more="which -v shows"))
        yield ""
    yield from words.complaints(document)
    yield from (inline(f"limit: {limit}", limit=_LONG) for limit in document.limits)
