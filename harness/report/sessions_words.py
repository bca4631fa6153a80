"""What is said of a watched test suite, wherever it is said: pure functions from the document to words.

Guarantee: the same words on a terminal, on a page and in a job's summary. What is said of a suppression that matched
nothing is true of this run, and does not say that it can go: the run may not have been the whole suite.
"""

from collections.abc import Iterator
from typing import TypeVar

from harness.evidence import AccessSeen
from harness.plurals import number_of
from harness.report.places import Roots
from harness.report.sessions_causes import CauseShown, by_cause
from harness.report.sessions_document import (
    RaceDocument,
    SessionsDocument,
    SuppressedDocument,
    SuppressionDocument,
    SuppressionState,
)
from harness.report.text import block, inline, printable
from harness.sanitizer.causes import describe_cause
from harness.verdict import Verdict

__all__ = [
    "NOT_SAID",
    "OUTSIDE",
    "answer",
    "complaints",
    "finding",
    "pair",
    "place_of",
    "reasons",
    "scope",
    "seen",
    "title",
    "versions",
    "who",
]

R = TypeVar("R", bound=RaceDocument)

OUTSIDE = "outside of any test"
NOT_SAID = (
    "A race is found where both accesses were made: what no test does is not looked at.",
    "Who does not appear in a finding is not proved to be right: the sanitizer sees one run of each test.",
)
"""What a report about a suite does not say."""
_LONG = 4000


def answer(document: SessionsDocument) -> str:
    """What the run found, in one sentence."""
    count, pairs = len(by_cause(document.races)), len(document.races)
    if count:
        found = f"{count} session {'race' if count == 1 else 'races'}, by root cause"
        return found if pairs == count else f"{found}; {pairs:,} pairs of operations show {_them(count)}"
    if document.problems:
        return "Nothing is known: the sanitizer failed"
    if document.unwatched:
        return "Nothing is known: not everything was watched"
    if document.verdict is Verdict.UNKNOWN:
        return "Nothing is known: no test ran"
    return "No session race was found"


def scope(document: SessionsDocument) -> str:
    """What was looked at."""
    tests = number_of(document.tests, "test")
    workers = f", in {document.workers} processes" if document.workers else ""
    hidden = len(by_cause(document.suppressed))
    suppressed = f"; {hidden} {'finding is' if hidden == 1 else 'findings are'} suppressed" if hidden else ""
    return f"{tests} ran{workers}, watched in the mode {document.mode}, {document.seconds:.1f} s{suppressed}"


def title(document: SessionsDocument, of: CauseShown[R]) -> str:
    """One root cause on one line: kind, object, and both places; of which, if there are several, is the example."""
    others = len(of.pairs) - 1
    has = "has" if others == 1 else "have"
    more = f"; {number_of(others, 'more pair')} of operations {has} this root cause" if others else ""
    return inline(f"{pair(document, of.example)}{more}")


def pair(document: SessionsDocument, of: RaceDocument) -> str:
    """Two places that race, on one line: kind, object, and both places."""
    race = of.race
    times = f", {race.count:,} times" if race.count > 1 else ""
    places = [place_of(document, place.file, place.line) for each in (race.first, race.second) if (place := each.place)]
    return inline(f"{race.kind}{times} on {race.subject}, {' and '.join(dict.fromkeys(places)) or 'no place is known'}")


def finding(document: SessionsDocument, of: CauseShown[R], *, most: int | None = None, more: str = "") -> str:
    """One root cause in full, over several lines; of the pairs beside the example `most`, and where there are more."""
    roots = Roots(directory=document.environment.directory)
    text = describe_cause(
        [each.race for each in of.pairs],
        test=of.example.seen[0].test if of.example.seen else "",
        shown=lambda file: roots.relative(file) or file,
        most=most,
        more=more,
    )
    return block(text, limit=5 * _LONG)


def who(access: AccessSeen) -> str:
    """What was called, by which task, for which tool."""
    tool = f", tool {access.tool!r} (call {access.tool_call_id})" if access.tool else ""
    return f"{access.operation} in task {access.task!r}{tool}"


def place_of(document: SessionsDocument, file: str, line: int) -> str:
    """`shop/legacy.py:31`, from pytest's root if it is below that."""
    return f"{Roots(directory=document.environment.directory).relative(file) or file}:{line}"


def seen(of: CauseShown[R], *, most: int | None = None, more: str = "in the document") -> list[str]:
    """The tests that showed it, each with how often, if that is more than once."""
    shown = [
        f"{printable(each.test) or OUTSIDE}{f' ({each.count} times)' if each.count > 1 else ''}"
        for each in of.seen[:most]
    ]
    left = len(of.seen) - len(shown)
    return [*shown, f"and {left} more, {more}"] if left else shown


def reasons(document: SessionsDocument, of: CauseShown[SuppressedDocument]) -> list[str]:
    """Why it is suppressed, and until when: a line for each entry that names it."""
    entries = {each.number: each for each in document.suppressions}
    return [_reason(entries[number]) for number in of.example.by if number in entries]


def _them(count: int) -> str:
    return "it" if count == 1 else "them"


def _reason(entry: SuppressionDocument) -> str:
    return inline(f"{entry.reason} (suppression {entry.number}, until {entry.expires})", limit=_LONG)


def complaints(document: SessionsDocument) -> Iterator[str]:
    """What has become of suppressions that suppressed nothing."""
    tests = number_of(document.tests, "test")
    for entry in document.suppressions:
        named = f"suppression {entry.number} ({entry.what})"
        if entry.state is SuppressionState.EXPIRED:
            yield inline(
                f"expired: {named} suppresses nothing since {entry.expires} is over: {entry.reason}", limit=_LONG
            )
        elif entry.state is SuppressionState.UNUSED and document.partial:
            yield inline(f"not met: {named} matched nothing in this part of the tests", limit=_LONG)
        elif entry.state is SuppressionState.UNUSED:
            yield inline(
                f"unused: {named} matched nothing in this run of {tests}; if these are all, it can go", limit=_LONG
            )


def versions(document: SessionsDocument) -> str:
    """Python and the packages that are installed."""
    environment = document.environment
    there = [f"{name} {version}" for name, version in environment.packages.items() if version != "not installed"]
    return inline(", ".join([f"Python {environment.python}", *there]), limit=_LONG)
