"""A watched test suite as annotations of GitHub Actions: a line for each root cause, beside the second access.

Guarantee: what is suppressed is no annotation. If there are more than GitHub shows of a step, the last one counts the
rest. A sanitizer that failed is an error, and comes first.
"""

from collections.abc import Iterator

from harness.report import sessions_words as words
from harness.report.github import SHOWN, command
from harness.report.places import Roots, innermost
from harness.report.sessions_document import RaceDocument, SessionsDocument
from harness.report.sessions_terminal import FAILED, UNWATCHED
from harness.sanitizer import WatchMode

__all__ = ["sessions_annotations"]

_TESTS = 5
_FAILING = frozenset({WatchMode.RAISE, WatchMode.COLLECT})


def sessions_annotations(document: SessionsDocument, *, root: str = "") -> str:
    """The lines; one at least. `root` is the workspace, pytest's root by default."""
    return "".join(f"{line}\n" for line in _lines(document, Roots(directory=document.environment.directory, root=root)))


def _lines(document: SessionsDocument, roots: Roots) -> Iterator[str]:
    for said, what in ((document.problems, FAILED), (document.unwatched, UNWATCHED)):
        yield from (command("error", f"{what}\n{each}", title="sessionproof") for each in said)
    level = "error" if document.mode in _FAILING else "warning"
    room = max(1, SHOWN - len(document.problems) - len(document.unwatched))
    shown = document.races if len(document.races) <= room else document.races[: room - 1]
    yield from (_annotation(document, race, level, roots) for race in shown)
    if left := len(document.races) - len(shown):
        yield command(level, f"and {left} more, in the job's summary and in run.json", title="sessionproof")
    summary = [f"{words.answer(document)}: {words.scope(document)}", *words.complaints(document)]
    yield command("notice", "\n".join(summary), title="sessionproof")


def _annotation(document: SessionsDocument, race: RaceDocument, level: str, roots: Roots) -> str:
    place = innermost(race.race.second.stack, roots)
    file = roots.relative(place.file) if place is not None else None
    where = {"file": file, "line": str(place.line)} if place is not None and file else {}
    text = "\n".join([words.finding(document, race), "Seen in:", *words.seen(race, most=_TESTS)])
    return command(level, text, **where, title=f"session race ({race.race.kind})")
