"""Where in the code a finding is, as tools that show findings beside the code want it.

Problem: a document names files as Python did on the machine of the run: absolute, or relative to the folder in which it
was started. A tool wants them relative to the root of the sources, which may lie elsewhere by the time it looks.

Mechanism: `Roots` knows the folder of the run and the root of the sources; a file below either is relative to it. A
frame is read back from the text that findings have, and a finding that tells of a race is brought together with it by
what both have: kind, turn, tool call and stack, in their order.

Guarantee: a path that is called relative is so, has no `..` in it, and uses `/`. What is no file is below no folder.
"""

import ntpath
import posixpath
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from types import ModuleType
from typing import Self
from urllib.parse import quote

from harness.evidence import PlaceSeen, RaceKind, SessionRace
from harness.report.document import CellDocument, EnvironmentDocument, FindingDocument
from harness.verdict import FindingKind

__all__ = [
    "Roots",
    "innermost",
    "is_pseudo",
    "parse_frame",
    "places_of",
    "quoted",
    "race_kind",
    "race_of",
    "races_of_findings",
]

_FRAME = re.compile(r"(?P<file>.+):(?P<line>[1-9][0-9]{0,8}) in (?P<function>.+)", re.DOTALL)
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_LONG = re.compile(r"//\?/(?P<share>UNC/)?", re.IGNORECASE)
_INSTALLED = re.compile(r".*[\\/](?:site|dist)-packages[\\/]", re.DOTALL)
_Key = tuple[FindingKind, str | None, str | None, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """`directory` is where the run was started, `root` where the sources are, `top` that of the work tree there.

    Each may be empty, for unknown.
    """

    directory: str = ""
    root: str = ""
    top: str = ""

    @classmethod
    def of(cls, environment: EnvironmentDocument, *, root: str = "") -> Self:
        """Those of a run, with the root if somebody says where that is."""
        return cls(directory=environment.directory, root=root, top=environment.top)

    def relative(self, file: str) -> str | None:
        """The file's path below the root, or below the run's folder; `None` if it is below neither."""
        return self._relative(file, (self.root, self.directory))

    def _relative(self, file: str, bases: Iterable[str]) -> str | None:
        if is_pseudo(file):
            return None
        rules, whole = self._whole(file)
        for base in bases:
            if base and _rules(base) is rules and (found := _below(whole, base, rules)):
                return found
        if self.directory or rules.isabs(whole) or whole.split(rules.sep)[0] == "..":
            return None
        return str(whole.replace(rules.sep, "/"))  # relative to a folder that nobody has told

    def absolute(self, file: str) -> str:
        """The file's whole path with `/`, as far as it is known."""
        rules, whole = self._whole(file)
        return whole.replace(rules.sep, "/")

    def uri(self, file: str) -> str:
        """The file's address, `file:///srv/a.py` or `file:///C:/a.py`; relative if nobody knows where it lies."""
        rules, whole = self._whole(file)
        if not rules.isabs(whole):
            return quoted(whole.replace(rules.sep, "/"))
        drive, path = (part.replace(rules.sep, "/") for part in rules.splitdrive(whole))
        if _LONG.match(drive):
            drive = _LONG.sub(lambda found: "//" if found["share"] else "", drive)
        if drive.startswith("//"):
            return f"file:{quoted(drive)}{quoted(path)}"
        return f"file:///{drive}{'/' if drive else ''}{quoted(path.lstrip('/'))}"

    def _whole(self, file: str) -> tuple[ModuleType, str]:
        """The rules of the file's system, and its path as far as it is known."""
        rules = ntpath if _WINDOWS.match(file) else _rules(self.directory or file)
        return rules, str(rules.normpath(rules.join(self.directory, file)))

    def stable(self, file: str) -> str:
        """A name of the file that is the same on every machine: relative, within its package, or the bare name.

        From whichever folder of a work tree the run was started, it is relative to its top.
        """
        if (found := self._relative(file, (self.root, self.top, self.directory))) is not None and _INSTALLED.match(
            found
        ) is None:
            return found
        whole = self.absolute(file)
        if installed := _INSTALLED.match(whole):
            return whole[installed.end() :]
        return posixpath.basename(whole)


def is_pseudo(file: str) -> bool:
    """Whether Python's name of a file names none: `<string>`, `<frozen importlib._bootstrap>`."""
    return file.startswith("<") and file.endswith(">")


def quoted(path: str) -> str:
    """A path with `/` as a part of a URI."""
    return quote(path, safe="/", errors="backslashreplace")


def _rules(path: str) -> ModuleType:
    return ntpath if _WINDOWS.match(path) else posixpath


def _below(path: str, base: str, rules: ModuleType) -> str:
    """The path relative to a folder that it is below; empty if it is not."""
    folder = rules.normpath(base).rstrip(rules.sep) + rules.sep
    inside = rules.normcase(path).startswith(rules.normcase(folder))
    return str(path[len(folder) :].replace(rules.sep, "/")).lstrip("/") if inside else ""


def parse_frame(frame: str) -> PlaceSeen | None:
    """The place that a finding's frame names (`path:line in function`); `None` if it names none."""
    found = _FRAME.fullmatch(frame)
    if found is None:
        return None
    return PlaceSeen(file=found["file"], line=int(found["line"]), function=found["function"])


def places_of(stack: Iterable[str]) -> list[PlaceSeen]:
    """The places that a finding's frames name, in their order; frames that name none are left out."""
    return [place for frame in stack if (place := parse_frame(frame)) is not None]


def innermost(stack: Iterable[PlaceSeen], roots: Roots) -> PlaceSeen | None:
    """The innermost frame that lies in the sources, failing that in any file, or at all; `None` of no frames."""
    frames = [frame for frame in stack if frame.line >= 1][::-1]
    own = (frame for frame in frames if roots.relative(frame.file))
    real = (frame for frame in frames if not is_pseudo(frame.file))
    return next(chain(own, real, frames), None)


def race_kind(kind: RaceKind) -> FindingKind:
    """The kind of finding that tells of such a race."""
    return FindingKind.BLEED if kind is RaceKind.BLEED else FindingKind(f"session_{kind}")


def races_of_findings(cell: CellDocument) -> Mapping[int, SessionRace]:
    """The races that a cell's findings tell of, by the number of the finding in the cell, from 0."""
    waiting: dict[_Key, deque[SessionRace]] = defaultdict(deque)
    for race in cell.evidence.races.items:
        waiting[_key_of_race(race)].append(race)
    found: dict[int, SessionRace] = {}
    for number, finding in enumerate(cell.findings):
        if queue := waiting.get(_key_of(finding)):
            found[number] = queue.popleft()
    return found


def race_of(finding: FindingDocument, races: Iterable[SessionRace]) -> SessionRace | None:
    """The first of the races of which the finding tells; `None` if it tells of none of them."""
    key = _key_of(finding)
    return next((race for race in races if _key_of_race(race) == key), None)


def _key_of(finding: FindingDocument) -> _Key:
    return _key(finding.kind, finding.turn, finding.tool_call_id, finding.stack)


def _key_of_race(race: SessionRace) -> _Key:
    stack = tuple(map(str, race.second.stack))
    return _key(race_kind(race.kind), race.second.turn, race.second.tool_call_id, stack)


def _key(kind: FindingKind, turn: str | None, call: str | None, stack: tuple[str, ...]) -> _Key:
    """Bleeds are told with the stack of the commit or rollback that the replay saw, which may be another's frame."""
    return kind, turn, call, () if kind is FindingKind.BLEED else stack
