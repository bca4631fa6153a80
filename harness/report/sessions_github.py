"""A watched test suite as annotations of GitHub Actions: a line for each root cause.

Each stands beside the second access of the finding that tells the most.

Guarantee: what is suppressed is no annotation. If there are more than GitHub shows of a step, the last one counts the
rest. A sanitizer that failed is an error, and comes first.
"""

from collections.abc import Iterator

from harness.report import sessions_words as words
from harness.report.github import SHOWN, command
from harness.report.places import Roots, innermost
from harness.report.sessions_causes import CauseShown, by_cause
from harness.report.sessions_document import RaceDocument, SessionsDocument
from harness.report.sessions_terminal import FAILED, UNWATCHED
from harness.sanitizer import WatchMode

__all__ = ["sessions_annotations"]

_TESTS = 5
_PAIRS = 5
_FAILING = frozenset({WatchMode.RAISE, WatchMode.COLLECT})


def sessions_annotations(document: SessionsDocument, *, root: str = "") -> str:
    """The lines; one at least. `root` is the workspace, pytest's root by default."""
    return "".join(f"{line}\n" for line in _lines(document, Roots(directory=document.environment.directory, root=root)))


def _lines(document: SessionsDocument, roots: Roots) -> Iterator[str]:
    for said, what in ((document.problems, FAILED), (document.unwatched, UNWATCHED)):
        yield from (command("error", f"{what}\n{each}", title="sessionproof") for each in said)
    level = "error" if document.mode in _FAILING else "warning"
    room = max(1, SHOWN - len(document.problems) - len(document.unwatched))
    causes = by_cause(document.races)
    shown = causes if len(causes) <= room else causes[: room - 1]
    yield from (_annotation(document, cause, level, roots) for cause in shown)
    if left := len(causes) - len(shown):
        yield command(level, f"and {left} more, in the job's summary and in run.json", title="sessionproof")
    summary = [f"{words.answer(document)}: {words.scope(document)}", *words.complaints(document)]
    yield command("notice", "\n".join(summary), title="sessionproof")


def _annotation(document: SessionsDocument, cause: CauseShown[RaceDocument], level: str, roots: Roots) -> str:
    race = cause.example.race
    place = innermost(race.second.stack, roots)
    file = roots.relative(place.file) if place is not None else None
    where = {"file": file, "line": str(place.line)} if place is not None and file else {}
    found = words.finding(document, cause, most=_PAIRS, more="in run.json")
    text = "\n".join([found, "Seen in:", *words.seen(cause, most=_TESTS)])
    return command(level, text, **where, title=f"session race ({race.kind})")
