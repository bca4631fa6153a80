"""Documents of watched test suites, for reports."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from harness.evidence import AccessSeen, PlaceSeen, RaceKind, SessionRace
from harness.masking import masked, masker
from harness.report.sessions_document import SessionsDocument
from harness.report.sessions_make import SuiteRun, sessions_document
from harness.sanitizer import WatchMode
from harness.sanitizer.tally import OUTSIDE, Found, Tally
from harness.suppressions import Place, SuppressedRace, Suppression
from tests.report.documents import HOSTILE, SECRETS

__all__ = ["ENTRIES", "SUITES", "clean", "empty", "everything", "failed", "hostile", "placeless", "race", "suite"]

ROOT = Path("/srv/shop")
ENTRIES = (
    Suppression(number=1, reason="moves in spring", expires=date(2027, 3, 1), at=(Place.parse("shop/legacy.py"),)),
    Suppression(number=2, reason="repaired long ago", expires=date(2027, 3, 1), at=(Place.parse("gone.py"),)),
    Suppression(number=3, reason="overdue", expires=date(2020, 1, 1), at=(Place.parse("shop/old.py"),)),
)


def _place(file: str, line: int, function: str) -> PlaceSeen:
    return PlaceSeen(file=file if file.startswith("<") else f"{ROOT}/{file}", line=line, function=function)


def _access(task: str, file: str, line: int, **others: Any) -> AccessSeen:
    return AccessSeen(
        operation="Session.execute",
        task=task,
        stack=(_place("tests/test_chat.py", 9, "test_chat"), _place(file, line, "Notes.read")),
        task_created=(_place("shop/chat.py", 77, "answer"),),
        **others,
    )


def race(
    kind: RaceKind = RaceKind.OVERLAP,
    *,
    file: str = "shop/notes.py",
    line: int = 31,
    task: str = "Ada",
    made: int = 4,
) -> SessionRace:
    """A race of two tools, at that place; on a session that was made in that line."""
    return SessionRace(
        kind=kind,
        subject="Session 3",
        first=_access(task, file, line, tool="read", tool_call_id="call_1"),
        second=_access("Ben", file, line + 1),
        subject_created=(_place("tests/conftest.py", made, "session"),),
        at=1.5,
        count=2,
    )


def suite(tally: Tally, **others: Any) -> SessionsDocument:
    """The document of a run of two tests that found this, but for what else is given."""
    values: dict[str, Any] = {
        "command": "pytest --sessions=raise",
        "mode": WatchMode.RAISE,
        "started_at": datetime(2026, 11, 2, 9, 30, tzinfo=UTC),
        "seconds": 12.5,
        "directory": ROOT,
        "tests": 2,
        "workers": 0,
        "tally": tally,
        "suppressions": (),
        "ended_on": date(2026, 11, 2),
        "is_partial": False,
        "limits": (),
        "problems": (),
        "unwatched": (),
    }
    return masked(sessions_document(SuiteRun(**values | others)), masker({"API_KEY": "value-from-the-environment"}))


def tallied(races: Iterable[SessionRace], *, test: str = "tests/test_chat.py::test_chat") -> Tally:
    """What one test has shown."""
    tally = Tally()
    tally.add(test, Found(races=tuple(races)))
    return tally


def clean() -> SessionsDocument:
    """Nothing was found."""
    return suite(Tally())


def everything() -> SessionsDocument:
    """Each kind, in several tests and outside of them; suppressions that are used, unused and expired; limits."""
    tally = tallied(race(kind, line=10 * number) for number, kind in enumerate(RaceKind, 1))
    tally.add("tests/test_chat.py::test_other", Found(races=(race(line=10),)))
    tally.add(OUTSIDE, Found(races=(race(line=10),)))
    known = SuppressedRace(race=race(file="shop/legacy.py"), by=ENTRIES[:1])
    tally.add("tests/test_legacy.py::test_report", Found(suppressed=(known,)))
    return suite(tally, suppressions=ENTRIES, limits=("the driver aiosqlite is not watched itself",), workers=2)


def failed() -> SessionsDocument:
    """The sanitizer failed, a worker was lost, and nothing was found."""
    return suite(
        Tally(),
        problems=("the sanitizer failed in a test and watched no further: RuntimeError: broken",),
        unwatched=("the worker gw1 was lost, and with it what it had seen besides tests",),
    )


def empty() -> SessionsDocument:
    """No test ran."""
    return suite(Tally(), tests=0)


def placeless() -> SessionsDocument:
    """A race of which no place is known, and one in no file."""
    nowhere = AccessSeen(operation="Session.commit", task="Ada")
    pseudo = AccessSeen(operation="Session.commit", task="Ben", stack=(_place("<string>", 1, "<module>"),))
    races = [
        SessionRace(kind=RaceKind.BLEED, subject="Session 1", first=nowhere, second=nowhere, at=0.0),
        SessionRace(kind=RaceKind.OVERLAP, subject="Session 1", first=pseudo, second=pseudo, at=0.0),
    ]
    return suite(tallied(races))


def hostile() -> SessionsDocument:
    """Text of the program that looks like markup, commands, escapes and secrets, wherever there is text."""
    texts = [*HOSTILE, *SECRETS.values(), "::error::no", "##[error]no", "x" * 20_000]
    tally = Tally()
    for number, text in enumerate(texts, 1):
        entry = Suppression(number=number, reason=text, expires=date(2027, 3, 1), at=(Place(file=text or "-"),))
        made = race(file=text, line=3 * number, task=text)
        tally.add(text, Found(races=(made,), suppressed=(SuppressedRace(race=made, by=(entry,)),)))
    said = tuple(texts)
    return suite(tally, limits=said, problems=said, unwatched=said, command=" ".join(said), directory=Path("/srv"))


SUITES: dict[str, Callable[[], SessionsDocument]] = {
    "clean": clean,
    "everything": everything,
    "failed": failed,
    "empty": empty,
    "placeless": placeless,
    "hostile": hostile,
}
