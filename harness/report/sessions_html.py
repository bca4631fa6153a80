"""`report.html` of a watched test suite: one page, offline, that says the answer first.

Guarantee: pure, and the same document gives the same bytes. Everything is escaped; the page loads nothing, which a
content security policy holds it to. Under 1 MB whatever the document is: what has no room is counted, and said.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from harness.evidence import AccessSeen, PlaceSeen
from harness.report import overview
from harness.report import sessions_words as words
from harness.report.html import BENCH_SCRIPTS, BENCH_STYLES, macros, page
from harness.report.screen import Screen
from harness.report.sessions_causes import CauseShown, by_cause
from harness.report.sessions_document import RaceDocument, SessionsDocument
from harness.report.sessions_terminal import FAILED, UNWATCHED
from harness.report.text import inline
from harness.sanitizer.causes import narrowed

__all__ = ["sessions_html"]

_PAGE = 800_000
"""How many bytes the lists of the page may have."""
_LISTS = 60_000
_TESTS = 200
_PAIRS = 500
_LONG = 2_000
R = TypeVar("R", bound=RaceDocument)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Access:
    """One access as the page has it; `without` says why there is no stack."""

    who: str
    stack: tuple[str, ...]
    created: tuple[str, ...]
    without: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Race:
    """One root cause as the page has it."""

    title: str
    means: str
    repair: str
    reasons: tuple[str, ...]
    accesses: tuple[tuple[str, _Access], ...]
    made: tuple[str, ...]
    pairs: tuple[str, ...]
    more_pairs: int
    count: int
    tests: tuple[str, ...]


def sessions_html(document: SessionsDocument, *, source: str = "run.json") -> str:
    """The page; `source` is the name of the document that it was made from."""
    packages, more_packages = overview.versions(document.environment.packages, file=source)
    screen, made = Screen(_PAGE), macros()
    said = [*words.complaints(document), *(inline(f"limit: {each}", limit=_LONG) for each in document.limits)]
    problems = [
        (heading, screen.fit([inline(each, limit=_LONG) for each in what], made.problem, most=_LISTS))
        for heading, what in ((FAILED, document.problems), (UNWATCHED, document.unwatched))
        if what
    ]
    others = screen.fit(said, made.choice, most=_LISTS)
    return page(
        "sessions.html.jinja",
        BENCH_STYLES,
        BENCH_SCRIPTS,
        document=document,
        environment=document.environment,
        packages=packages,
        more_packages=more_packages,
        title=words.answer(document),
        scope=words.scope(document),
        source=source,
        problems=problems,
        races=screen.fit(by_cause(document.races), lambda each: str(made.race(_race(document, each, ())))),
        suppressed=screen.fit(
            by_cause(document.suppressed),
            lambda each: str(made.race(_race(document, each, words.reasons(document, each)))),
        ),
        others=others,
        limits=words.NOT_SAID,
    )


def _race(document: SessionsDocument, of: CauseShown[R], reasons: Iterable[str]) -> _Race:
    example = of.example
    race = narrowed(example.race, example.seen[0].test if example.seen else "")
    others = [pair for pair in of.pairs if pair is not example]
    return _Race(
        title=words.title(document, of),
        means=inline(example.means),
        repair=inline(example.repair),
        reasons=tuple(reasons),
        accesses=(("First", _access(document, race.first)), ("Second", _access(document, race.second))),
        made=tuple(_frame(document, place) for place in reversed(race.subject_created)),
        pairs=tuple(words.pair(document, pair) for pair in others[:_PAIRS]),
        more_pairs=max(0, len(others) - _PAIRS),
        count=len(of.seen),
        tests=tuple(inline(test, limit=500) for test in words.seen(of, most=_TESTS)),
    )


def _access(document: SessionsDocument, access: AccessSeen) -> _Access:
    return _Access(
        who=inline(words.who(access), limit=500),
        stack=tuple(_frame(document, place) for place in reversed(access.stack)),
        created=tuple(_frame(document, place) for place in reversed(access.task_created)),
        without="no stack is known",
    )


def _frame(document: SessionsDocument, place: PlaceSeen) -> str:
    return inline(f"{words.place_of(document, place.file, place.line)} in {place.function}", limit=500)
