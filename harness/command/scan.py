"""`sessionproof scan`: what a static scan finds, in the format that somebody reads.

Guarantee: nothing of what is scanned is imported or run. Everything is rendered before anything is written, and
secrets that the environment knows are masked. A file that could not be read ends with a status that is not that of a
clean scan.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from rich.console import Console

from harness.command.github import is_github, print_report, workspace
from harness.errors import ConfigurationError, EnvironmentMissing, UsageError
from harness.files import replace_file
from harness.report.redact import masked, masker
from harness.report.scan_document import ScanDocument, document_of
from harness.report.scan_github import scan_github
from harness.report.scan_text import scan_text
from harness.scan.codes import CODES, Code
from harness.scan.scan import scan

__all__ = ["FORMATS", "Scan", "codes_of", "paths_of", "run_scan"]

FORMATS = ("text", "json", "sarif", "github")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One call: what to scan, for which codes, in which format, and where to.

    `select` and `ignore` are codes, or several with commas between; `SP1` stands for all that begin so. Without an
    `output` the text is given to `write`.
    """

    paths: Sequence[Path]
    console: Console
    environment: Mapping[str, str]
    write: Callable[[str], None]
    folder: Path
    format: str = "text"
    output: str | None = None
    select: Sequence[str] = ()
    ignore: Sequence[str] = ()


def run_scan(call: Scan) -> int:
    """Scan, and return the exit status: 1 for an error, 3 if something was not scanned, else 0.

    Raises:
        UsageError: a path does not exist, there is no Python file, or no such code or format.
        ConfigurationError: the output cannot be written.
        EnvironmentMissing: the format needs a package that is not installed.
    """
    select, ignore = codes_of(call.select), codes_of(call.ignore)
    if select and select <= ignore:
        raise UsageError("--ignore leaves none of the codes of --select: there is nothing to scan for")
    render = _renderer(call.format)
    _check_output(call.output)
    for path in call.paths:
        if not _exists(path):
            raise UsageError(f"there is no {str(path)!r}: name files or folders that exist")
    result = scan(call.paths, select=select, ignore=ignore)
    if not result.files and not result.problems:
        raise UsageError(f"there is no Python file in {', '.join(repr(str(path)) for path in call.paths)}")
    document = masked(document_of(result, folder=_root(call)), masker(call.environment))
    _deliver(call, render(document))
    return document.status


def paths_of(given: Iterable[str]) -> tuple[Path, ...]:
    """The paths that are meant.

    Raises:
        UsageError: one is empty, as an unset variable of a shell is; `Path` would take it for the current folder.
    """
    texts = tuple(given)
    if "" in texts:
        raise UsageError("a path is empty: name files or folders that exist, '.' for the current folder")
    return tuple(map(Path, texts))


def codes_of(given: Iterable[str]) -> frozenset[Code]:
    """The codes that are meant.

    Raises:
        UsageError: one is unknown.
    """
    found: set[Code] = set()
    for text in (part.strip() for each in given for part in each.split(",")):
        met = {code for code in CODES if text and code.startswith(text.upper())}
        if not met:
            raise UsageError(_no_code(text))
        found |= met
    return frozenset(found)


def _no_code(text: str) -> str:
    if not text:
        return "a code is empty: name codes such as SP101, with commas between them"
    near = get_close_matches(text.upper(), list(CODES), n=1, cutoff=0.1)
    meant = f"did you mean {str(near[0])!r}?" if near else "codes are such as SP101, or SP1 for all that begin so"
    return f"there is no code {text!r}; {meant}"


def _renderer(name: str) -> Callable[[ScanDocument], str]:
    renderers = {
        "text": scan_text,
        "json": lambda document: f"{document.model_dump_json(indent=1)}\n",
        "github": scan_github,
    }
    if name == "sarif":
        return _sarif()
    if name not in renderers:
        near = get_close_matches(name, FORMATS, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise UsageError(f"a scan has no format {name!r}{meant}; there are {', '.join(FORMATS)}")
    return renderers[name]


def _sarif() -> Callable[[ScanDocument], str]:
    if importlib.util.find_spec("sarif_pydantic") is None:
        raise EnvironmentMissing(
            "the format sarif needs sarif-pydantic, and it is not installed; install the extra: "
            "pip install 'sessionproof[sarif]'"
        )
    render: Callable[[ScanDocument], str] = importlib.import_module("harness.report.scan_sarif").scan_sarif
    return render


def _root(call: Scan) -> Path:
    """What files are shown relative to: the workspace of a job, else the folder in which the command runs."""
    there = workspace(call.environment) if is_github(call.environment) else ""
    return Path(there) if there else call.folder


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # no file can have that name, or nobody may ask
        return False


def _check_output(output: str | None) -> None:
    if output in {"", "-"}:
        raise UsageError(f"--output {output!r} names no file; standard output is meant by leaving it away")


def _deliver(call: Scan, text: str) -> None:
    if call.output is None:
        print_report(call.format, text, call.environment, console=call.console, write=call.write)
        return
    path = Path(call.output)
    try:
        if path.is_dir():
            raise ConfigurationError(f"the report is to be a file, and {call.output!r} is a folder: name another one")
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path.resolve() if path.is_symlink() else path, text)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else "no file can have that name"
        raise ConfigurationError(
            f"the report cannot be written to {call.output!r}: {said}; name another one"
        ) from error
