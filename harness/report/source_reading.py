"""The application's lines that a run keeps: read when it ends, by the process that ran it.

Problem: a report may be made again later, or elsewhere, where other lines stand at the same numbers; and the file may
have been changed while the application ran.

Mechanism: around each place in the findings' and the races' stacks some lines are read, and kept in the document. A
file that was written since the run began, or in which one of the places does not lie in its function, is not what ran:
all that is kept of it is that.

Guarantee: only lines of Python files that this process could import are read, of installed packages none: text of the
backend cannot name another file of this machine and get it shown. Secrets are masked in the whole file, before lines
are taken out of it (`harness.report.source_masking`, and the masks for text). Every length is bounded.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from importlib.util import decode_source
from itertools import count, islice
from pathlib import Path
from sys import path as import_path
from warnings import catch_warnings

from harness.evidence import PlaceSeen
from harness.report.document import ExcerptDocument, RunDocument, SourceFileDocument
from harness.report.redact import MASK, Mask
from harness.report.source_masking import without_secrets
from harness.report.sources import AROUND, FRAMES_LIMIT, frames_of
from harness.stacks import is_application

__all__ = ["with_sources"]

_FILE_LIMIT = 2_000_000
_LINE_LIMIT = 200
_CHANGED = "the file was changed after the run began"
_UNREADABLE = "the file is not what ran: it cannot be read as Python"
_OTHER = "the file is not what ran: a line of a stack is not in its function"


def with_sources(document: RunDocument, mask: Mask) -> RunDocument:
    """The document with what stands at the places of its findings in this process's files."""
    places: dict[str, list[PlaceSeen]] = {}
    for _, place in islice(frames_of(document), FRAMES_LIMIT):
        places.setdefault(place.file, []).append(place)
    began = document.started_at.timestamp()
    directory = Path(document.environment.directory or Path.cwd())
    kept = [_kept(file, directory / file, found, began, mask) for file, found in places.items() if _named(file)]
    return document.model_copy(update={"source_files": tuple(each for each in kept if each is not None)})


def _named(file: str) -> bool:
    """Whether this may be a file's name at all."""
    return file.endswith(".py") and "\0" not in file


def _kept(file: str, path: Path, places: Sequence[PlaceSeen], began: float, mask: Mask) -> SourceFileDocument | None:
    """What is kept of a file; nothing if it is not to be read."""
    try:
        path = path.resolve()
        if not _may_be_shown(path):
            return None
    except (OSError, ValueError, RuntimeError):  # a name that no file can have, or links that lead round
        return None
    try:
        status = path.stat()
        if status.st_size > _FILE_LIMIT:
            return SourceFileDocument(file=file, missing="the file is too large")
        if status.st_mtime > began:
            return SourceFileDocument(file=file, missing=_CHANGED)
        content = path.read_bytes()
    except OSError as error:
        return SourceFileDocument(file=file, missing=f"the file cannot be read: {error.strerror}")
    return _kept_of(file, content, places, mask)


def _kept_of(file: str, content: bytes, places: Sequence[PlaceSeen], mask: Mask) -> SourceFileDocument:
    try:
        lines = decode_source(content).split("\n")  # as Python counts them
        with catch_warnings(action="ignore"):  # that of an escape that means nothing, above all
            tree = ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return SourceFileDocument(file=file, missing=_UNREADABLE)
    if not _are_what_ran(lines, tree, places):
        return SourceFileDocument(file=file, missing=_OTHER)
    shown = _masked(without_secrets(lines, tree), mask)
    return SourceFileDocument(file=file, excerpts=tuple(_excerpts(shown, places)))


def _may_be_shown(path: Path) -> bool:
    if not path.is_file() or path.suffix != ".py" or not is_application(str(path)):
        return False
    roots = [Path.cwd(), *(Path(entry).resolve() for entry in import_path if entry)]
    return any(path.is_relative_to(root) for root in roots)


def _are_what_ran(lines: Sequence[str], tree: ast.Module, places: Iterable[PlaceSeen]) -> bool:
    """Whether every place is there, in a function, or a class, of the name that its frame has."""
    spans: dict[str, list[range]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            spans.setdefault(node.name, []).append(range(first, (node.end_lineno or node.lineno) + 1))
    anywhere = [range(1, len(lines) + 1)]
    return all(_lies_in(place.line, _spans(place.function, spans, anywhere)) for place in places)


def _spans(function: str, spans: dict[str, list[range]], anywhere: list[range]) -> list[range]:
    """Where code of this qualified name can be: that of a lambda, or of a comprehension, in what is around it."""
    names = [name for name in function.split(".") if name and not name.startswith("<")]
    return spans.get(names[-1], []) if names else anywhere


def _lies_in(line: int, spans: Iterable[range]) -> bool:
    return any(line in span for span in spans)


def _excerpts(lines: Sequence[str], places: Iterable[PlaceSeen]) -> Iterator[ExcerptDocument]:
    """The lines around the places, each once."""
    wanted = {place.line + step for place in places for step in range(-AROUND, AROUND + 1)}
    numbers = {number for number in wanted if 0 < number <= len(lines)}
    for first in sorted(number for number in numbers if number - 1 not in numbers):
        last = next(number for number in count(first) if number + 1 not in numbers)
        yield ExcerptDocument(first=first, lines=tuple(line[:_LINE_LIMIT] for line in lines[first - 1 : last]))


def _masked(lines: Sequence[str], mask: Mask) -> list[str]:
    """The lines, masked together, because a secret may go over several: of those that it took none is kept."""
    shown = mask("\n".join(lines)).split("\n")
    if len(shown) == len(lines):
        return shown
    kept: list[str] = []
    for _, start, end, first, last in SequenceMatcher(None, lines, shown).get_opcodes():
        kept += shown[first:last] if end - start == last - first else [MASK] * (end - start)
    return kept
