"""Findings that somebody has decided to live with for a while: `[[tool.sessionproof.suppress]]` in `pyproject.toml`.

Problem: a suite that is watched for the first time shows mistakes that cannot all be repaired today; a list of
exceptions without reasons and dates stays for ever, and hides what comes later.

Mechanism: an entry names the mistake by its kind and by its places, as file and function: of one access, of the other
one, of any frame above them, of where the session was made. All that it names has to fit. Lines are not named, because
they shift. Each entry has a reason, and a last day on which it counts.

Guarantee: pure, but for the reading of the file. What is wrong with an entry is one `ConfigurationError` that names the
file and the entry; an entry that is expired suppresses nothing; one without a place, or with one that is
everywhere, is refused.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError
from harness.evidence import AccessSeen, PlaceSeen, RaceKind, SessionRace
from harness.project_table import SUPPRESS, read_table

__all__ = [
    "TABLE",
    "Place",
    "SuppressedRace",
    "Suppression",
    "Suppressions",
    "parse_suppressions",
    "read_suppressions",
    "today",
]

TABLE = SUPPRESS
"""The name of the array of tables below `[tool.sessionproof]`."""

_KEYS = ("at", "beside", "expires", "finding", "made_at", "reason", "through")
_FUNCTION = re.compile(r"[\w.<>*?]+")
_EXAMPLE = "expires = 2027-03-01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A file, as a pattern, and a function in it; any function if that is empty.

    In a file's pattern `*` is part of one name, and `**` any number of folders; it is relative to the folder of
    `pyproject.toml`, or absolute. A function has its qualified name: `Reports.totals`, or `main.<locals>.look`, for
    which `main.look` will do; a pattern, too.
    """

    file: str
    function: str = ""

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that is written as `file` or `file:function`.

        Raises:
            ValueError: it is neither, in words for whoever wrote it.
        """
        file, colon, function = text.rpartition(":")
        if not colon or "/" in function or "\\" in function:
            file, function = text, ""
        elif function.isdigit():
            raise ValueError(f"{text!r} ends with a line, and lines shift: name the function, as in '{file}:function'")
        elif not _FUNCTION.fullmatch(function):
            raise ValueError(f"{text!r} is no place: expected 'file' or 'file:function'")
        if not file.strip() or file != file.strip():
            raise ValueError(f"{text!r} names no file: expected 'file' or 'file:function', such as 'shop/legacy.py'")
        if file.endswith("/"):
            raise ValueError(f"{text!r} names a folder: for every file below it, write '{file}**'")
        return cls(file=file.replace("\\", "/"), function=function)

    def fits(self, place: PlaceSeen, root: Path) -> bool:
        """Whether it is that place, seen from the root."""
        pattern = _pattern(self.file.removeprefix("./"))
        if not any(pattern.fullmatch(name) for name in _names(place.file, root)):
            return False
        wanted = _pattern(self.function) if self.function else None
        names = (place.function, place.function.replace("<locals>.", ""))
        return wanted is None or any(wanted.fullmatch(name) for name in names)

    def __str__(self) -> str:
        return f"{self.file}:{self.function}" if self.function else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """One entry: the `number`-th of its file, from 1. Where several places or kinds are given, one has to fit.

    `at` is where one access was called, in the innermost frame of the application, and `beside` where the other one
    was. `through` is any frame of either. `made_at` is where the session was made. It counts until the day `expires` is
    over.
    """

    number: int
    reason: str
    expires: date
    finding: tuple[RaceKind, ...] = ()
    at: tuple[Place, ...] = ()
    beside: tuple[Place, ...] = ()
    through: tuple[Place, ...] = ()
    made_at: tuple[Place, ...] = ()

    def is_expired(self, on: date) -> bool:
        """Whether it counts no more."""
        return on > self.expires

    def fits(self, race: SessionRace, root: Path) -> bool:
        """Whether it names the finding, whatever the day."""
        return (
            (not self.finding or race.kind in self.finding)
            and self._fits_accesses(race, root)
            and _any_fits(self.through, (*race.first.stack, *race.second.stack), root)
            and _any_fits(self.made_at, race.subject_created[-1:], root)
        )

    def _fits_accesses(self, race: SessionRace, root: Path) -> bool:
        pairs = ((race.first, race.second), (race.second, race.first))
        return any(_called(self.at, one, root) and _called(self.beside, other, root) for one, other in pairs)

    @property
    def what(self) -> str:
        """What it names, on one line: `overlap at shop/legacy.py:totals`."""
        named = [" or ".join(self.finding)] if self.finding else []
        for word, places in (
            ("at", self.at),
            ("beside", self.beside),
            ("through", self.through),
            ("made at", self.made_at),
        ):
            if places:
                named.append(f"{word} {' or '.join(map(str, places))}")
        return " ".join(named)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressedRace:
    """A finding, and the entries that name it: one at least, the first of them gives the reason."""

    race: SessionRace
    by: tuple[Suppression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressions:
    """All entries of a file; relative patterns are relative to `root`."""

    root: Path
    entries: tuple[Suppression, ...] = ()

    def naming(self, race: SessionRace, *, on: date) -> tuple[Suppression, ...]:
        """The entries that name the finding, and count on that day."""
        return tuple(each for each in self.entries if not each.is_expired(on) and each.fits(race, self.root))


def today() -> date:
    """The day on which it is asked, where it is asked."""
    return datetime.now().astimezone().date()


def read_suppressions(folder: Path) -> Suppressions:
    """The entries of the folder's `pyproject.toml`; none if there is no such file, or nothing in it.

    Raises:
        ConfigurationError: the file is no TOML, a name or key of the table is wrong, or an entry is.
    """
    given = read_table(folder).get(TABLE, [])
    return Suppressions(root=folder, entries=parse_suppressions(folder / "pyproject.toml", given))


def parse_suppressions(path: Path, given: object) -> tuple[Suppression, ...]:
    """The entries that stand in the file at `tool.sessionproof.suppress`.

    Raises:
        ConfigurationError: what stands there is no array of tables, or an entry is wrong.
    """
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise ConfigurationError(
            f"{path}: the suppressions are no array of tables: write each as [[tool.sessionproof.{TABLE}]]"
        )
    return tuple(_parsed(path, number, entry) for number, entry in enumerate(given, 1))


def _parsed(path: Path, number: int, entry: Mapping[str, Any]) -> Suppression:
    where = f"{path}: entry {number} of [[tool.sessionproof.{TABLE}]]"
    for key in entry:
        if key not in _KEYS:
            nearest = difflib.get_close_matches(key, _KEYS, n=1)
            advice = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(_KEYS)}"
            raise ConfigurationError(f"{where}: unknown key {key!r}; {advice}")
    try:
        return _suppression(number, entry, path.parent)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _suppression(number: int, entry: Mapping[str, Any], root: Path) -> Suppression:
    places = {key: _places(key, entry[key], root) for key in ("at", "beside", "through", "made_at") if key in entry}
    if "beside" in places and "at" not in places:
        raise ValueError("'beside' is the access beside the one 'at': name that, too")
    if not places:
        raise ValueError("it names no place, and would suppress everything: add 'at', 'through' or 'made_at'")
    return Suppression(
        number=number,
        reason=_reason(entry.get("reason")),
        expires=_expires(entry.get("expires")),
        finding=_kinds(entry["finding"]) if "finding" in entry else (),
        **places,
    )


def _places(key: str, value: object, root: Path) -> tuple[Place, ...]:
    texts = _texts(key, value, "a place, such as 'shop/legacy.py:totals'")
    for text in texts:
        if _names_all(text, root):
            raise ValueError(
                f"{key!r} cannot be {text!r}, which names no mistake, but all of them: name the file and the function, "
                "as in 'shop/legacy.py:totals', or a folder, as in 'shop/**'"
            )
    return tuple(map(Place.parse, texts))


def _names_all(text: str, root: Path) -> bool:
    """Whether a place has nothing in it that tells one from another: two that have nothing in common fit it."""
    if not text.strip("*?./\\:"):
        return bool(text)
    place = Place.parse(text)
    return all(
        place.fits(PlaceSeen(file=str(root / file), line=1, function=function), root)
        for file, function in (("qj/zx.py", "vk"), ("wb/gh/my.py", "Df.lu"))
    )


def _kinds(value: object) -> tuple[RaceKind, ...]:
    words = _texts("finding", value, "a kind of finding")
    known = [kind.value for kind in RaceKind]
    for word in words:
        if word not in known:
            nearest = difflib.get_close_matches(word, known, n=1)
            advice = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(known)}"
            raise ValueError(f"there is no finding {word!r}; {advice}")
    return tuple(map(RaceKind, words))


def _texts(key: str, value: object, what: str) -> Sequence[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{key!r} cannot be {value!r}: expected {what}, or a list of them")
    return texts


def _reason(value: object) -> str:
    if value is None:
        raise ValueError('it has no reason: add reason = "…", for whoever asks why this is not repaired')
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"'reason' cannot be {value!r}: expected some words")
    return value.strip()


def _expires(value: object) -> date:
    if value is None:
        raise ValueError(f"it has no date: add {_EXAMPLE}, the last day on which it counts")
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    shown, quoted = (repr(value), " without quotation marks") if isinstance(value, str) else (value, "")
    raise ValueError(f"'expires' cannot be {shown}: expected a date{quoted}, as in {_EXAMPLE}")


def _called(places: Sequence[Place], access: AccessSeen, root: Path) -> bool:
    """Whether the access was called at one of the places, if there are any."""
    return _any_fits(places, access.stack[-1:], root)


def _any_fits(places: Sequence[Place], frames: Iterable[PlaceSeen], root: Path) -> bool:
    return not places or any(place.fits(frame, root) for frame in frames for place in places)


@lru_cache(maxsize=4096)
def _names(file: str, root: Path) -> tuple[str, ...]:
    """What a file is called: its whole path, and from the root, whether that is reached by links or not."""
    whole = Path(file) if Path(file).is_absolute() else root / file
    names = [whole.as_posix()]
    for path in (whole, whole.resolve()):
        names += [path.relative_to(base).as_posix() for base in (root, root.resolve()) if path.is_relative_to(base)]
    return tuple(dict.fromkeys(names))


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """What fits a pattern in which `*` and `?` stand within a name, and `**` for any number of folders."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    wild: Mapping[str, str] = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(wild.get(part) or re.escape(part) for part in parts), re.DOTALL)
