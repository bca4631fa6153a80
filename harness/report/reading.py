"""A document from a file, of whatever kind it is, or one clear line about what is wrong with the file.

Problem: a report is made again from a file that somebody else uploaded, cut off, or wrote with another version.

Mechanism: the file is read once; what it is is told by the field that only its kind has, then its schema version is
compared, only then every field, and at last the numbers and times (`harness.report.bounds`).

Guarantee: whatever the file is, the result is a document that every format of its kind can show, or a `UsageError` of
one line that names the file.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import from_json

from harness.errors import UsageError
from harness.report.bench_document import BENCH_SCHEMA_VERSION, BenchDocument
from harness.report.bounds import absurdity
from harness.report.document import SCHEMA_VERSION, RunDocument
from harness.report.proof_document import PROOF_SCHEMA_VERSION, ProofDocument
from harness.report.sessions_document import SESSIONS_SCHEMA_VERSION, SessionsDocument
from harness.report.text import inline

__all__ = ["Document", "read_document"]

Document: TypeAlias = RunDocument | BenchDocument | ProofDocument | SessionsDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """A kind of document: the field by which it is known, and what can be done with it."""

    field: str
    what: str
    version: int | None = None
    model: type[Document] | None = None
    instead: str = ""


_KINDS = (
    _Kind(field="cells", what="a run document", version=SCHEMA_VERSION, model=RunDocument),
    _Kind(field="cases", what="a benchmark", version=BENCH_SCHEMA_VERSION, model=BenchDocument),
    _Kind(field="races", what="a watched test suite", version=SESSIONS_SCHEMA_VERSION, model=SessionsDocument),
    _Kind(field="vanished", what="a proof", version=PROOF_SCHEMA_VERSION, model=ProofDocument),
    _Kind(field="changes", what="a comparison", instead="the report is made of the bench.json beside it"),
    _Kind(field="ignored", what="a scan", instead="`sessionproof scan --format` makes it in another form"),
    _Kind(field="conforms", what="a check of a backend", instead="`sessionproof check-backend` says it in words"),
    _Kind(field="exchanges", what="a recording", instead="`sessionproof verify --tier recorded` plays it"),
)


def read_document(path: Path) -> Document:
    """The document in the file: of a run, a benchmark, a proof, or a watched test suite.

    Raises:
        UsageError: there is no such file, or it holds none that this version can read; in one line.
    """
    content = _content(path)
    value = _parsed(path, content)
    if not isinstance(value, dict):
        raise UsageError(f"{str(path)!r} is JSON, but no document of sessionproof: expected an object")
    kind = next((kind for kind in _KINDS if kind.field in value), None)
    if kind is None or "schema_version" not in value:
        expected = "a run.json, a bench.json or a proof.json"
        raise UsageError(f"{str(path)!r} is JSON, but no document of sessionproof: expected {expected}")
    if kind.model is None:
        raise UsageError(f"{str(path)!r} is {kind.what}, of which there is no report: {kind.instead}")
    _check_version(path, kind, value)
    document = _validated(path, kind.what, kind.model, content)
    if (said := absurdity(document)) is not None:
        raise UsageError(f"{str(path)!r} is {kind.what} with what no run can have: at {inline(said, limit=500)}")
    return document


def _validated(path: Path, what: str, model: type[Document], content: bytes) -> Document:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        count = "" if error.error_count() == 1 else f" ({error.error_count()} errors)"
        said = inline(f"at {place}: {first['msg']}{count}", limit=500)
        raise UsageError(f"{str(path)!r} is not {what} that follows its schema: {said}") from error


def _content(path: Path) -> bytes:
    if str(path) == "-":
        raise UsageError("a document is read from a file, and not from standard input: name the file")
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UsageError(f"{str(path)!r} is a folder, and no file{_documents_in(path)}")
        if not stat.S_ISREG(mode):
            raise UsageError(f"{str(path)!r} is no regular file, so that no document can be read from it")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"there is no file {str(path)!r}{_nearby(path)}") from error
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "no file can have that name"  # and Pythons differ
        raise UsageError(f"{str(path)!r} cannot be read: {said}") from error


def _documents_in(folder: Path) -> str:
    found = [name for name in ("run.json", "bench.json", "proof.json") if (folder / name).is_file()]
    return f"; its document is {str(folder / found[0])!r}" if found else ""


def _nearby(path: Path) -> str:
    """What there is in its stead, if the folder at least is there."""
    if not path.parent.is_dir():
        return f": there is no folder {str(path.parent)!r} either"
    documents = sorted(each.name for each in path.parent.glob("*.json"))[:5]
    return f"; in its folder there are {', '.join(map(inline, documents))}" if documents else ""


def _parsed(path: Path, content: bytes) -> Any:
    if not content.strip():
        raise UsageError(f"{str(path)!r} is empty")
    try:
        return from_json(content)
    except ValueError as error:
        said = inline(str(error))
        if said.startswith("EOF "):
            raise UsageError(f"{str(path)!r} is cut short: it ends in the middle ({said})") from error
        raise UsageError(f"{str(path)!r} is not JSON: {said}") from error


def _check_version(path: Path, kind: _Kind, value: Mapping[str, Any]) -> None:
    version = value["schema_version"]
    if type(version) is not int or version != kind.version:  # in Python, true is 1
        environment = value.get("environment")
        packages = environment.get("packages") if isinstance(environment, dict) else None
        writer = packages.get("sessionproof") if isinstance(packages, dict) else None
        wrote = f", which sessionproof {inline(str(writer), limit=40)} wrote" if writer else ""
        raise UsageError(
            f"{str(path)!r} is {kind.what} of schema version {inline(str(version), limit=40)}{wrote}; this version of "
            f"sessionproof reads {kind.version}: make the report with the version that wrote it, or run it again"
        )
