"""`summary.md` of a watched test suite: the answer, each root cause, what is suppressed, and where it ran.

Guarantee: no HTML, link or image out of the program's text, which stands in code spans and fences; a bounded page.
"""

from collections.abc import Iterator

from harness.report import sessions_words as words
from harness.report.markdown import bounded, code, escape, fence
from harness.report.sessions_causes import CauseShown, by_cause
from harness.report.sessions_document import RaceDocument, SessionsDocument, SuppressedDocument
from harness.report.sessions_terminal import FAILED, UNWATCHED
from harness.report.text import inline

__all__ = ["sessions_markdown"]

_TESTS = 10
_PAIRS = 10
_LONG = 4_000


def sessions_markdown(document: SessionsDocument) -> str:
    """The page."""
    sections = (_answer, _problems, _races, _suppressed, _others, _limits, _environment)
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section(document)))) + "\n"


def _answer(document: SessionsDocument) -> Iterator[str]:
    yield f"# {escape(words.answer(document))}"
    yield ""
    yield escape(words.scope(document))


def _problems(document: SessionsDocument) -> Iterator[str]:
    for said, what in ((document.problems, FAILED), (document.unwatched, UNWATCHED)):
        for each in said:
            yield f"**{what}**"
            yield ""
            yield fence(each)


def _races(document: SessionsDocument) -> Iterator[str]:
    yield from bounded(_race(document, cause) for cause in by_cause(document.races))


def _race(document: SessionsDocument, race: CauseShown[RaceDocument]) -> Iterator[str]:
    yield f"## {escape(words.title(document, race))}"
    yield ""
    yield fence(words.finding(document, race, most=_PAIRS, more="in the document"))
    yield ""
    yield from _seen(race)
    yield ""


def _seen(race: CauseShown[RaceDocument]) -> Iterator[str]:
    yield "Seen in:"
    yield ""
    yield from (f"- {code(test)}" for test in words.seen(race, most=_TESTS))


def _suppressed(document: SessionsDocument) -> Iterator[str]:
    if document.suppressed:
        yield "## Suppressed"
        yield ""
        yield from bounded(_entry(document, each) for each in by_cause(document.suppressed))


def _entry(document: SessionsDocument, of: CauseShown[SuppressedDocument]) -> Iterator[str]:
    yield f"- {code(words.title(document, of))}"
    yield from (f"  - {escape(reason)}" for reason in words.reasons(document, of))
    yield from (f"  - seen in {code(test)}" for test in words.seen(of, most=_TESTS))


def _others(document: SessionsDocument) -> Iterator[str]:
    said = [*words.complaints(document), *(inline(f"limit: {limit}", limit=_LONG) for limit in document.limits)]
    yield from bounded([f"- {escape(each)}"] for each in said)


def _limits(_: SessionsDocument) -> Iterator[str]:
    yield "## What this does not say"
    yield ""
    yield from (f"- {said}" for said in words.NOT_SAID)


def _environment(document: SessionsDocument) -> Iterator[str]:
    yield "## Where it ran"
    yield ""
    yield f"- {code(document.command)}"
    yield f"- {escape(words.versions(document))}"
