"""`sessionproof report`: any report again, from the document alone; or what changed between two runs.

Guarantee: everything is rendered before anything is written, and all files are written beside their places and then
renamed onto them; a failure leaves what was there. Secrets are masked once more, by what this process's environment
knows.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from harness.command.github import append_summary, print_report
from harness.command.workflow import commands_stopped, is_github, workspace
from harness.errors import ConfigurationError, UsageError
from harness.files import replace_files
from harness.report.bench_document import BenchDocument
from harness.report.bench_terminal import show_bench
from harness.report.document import RunDocument
from harness.report.formats import (
    TERMINAL,
    Format,
    bench_formats,
    change_formats,
    chosen,
    proof_formats,
    run_formats,
    sessions_formats,
)
from harness.report.markdown import MarkdownWriter
from harness.report.proof_document import ProofDocument
from harness.report.proof_terminal import show_proof
from harness.report.reading import Document, read_document
from harness.report.redact import masked, masker
from harness.report.run_change import change_status, compare_runs
from harness.report.run_change_terminal import show_change
from harness.report.selection import select_cells, select_turn
from harness.report.sessions_document import SessionsDocument
from harness.report.sessions_markdown import sessions_markdown
from harness.report.sessions_terminal import render_sessions
from harness.report.terminal import show

__all__ = ["Rendering", "report"]

_D = TypeVar("_D")
_TWO = 2
_SLASHES = ("/", "\\")
_ENDING = re.compile(r".*[^/\\.]\.[A-Za-z]{1,8}", re.DOTALL)
"""A name that ends as a file's does."""
_NAMES_FILES = frozenset({"github", "sarif"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """One call: which documents, in which formats, and where to.

    `cells` and `turn` are names of `harness.report.selection`. `root` is where the sources are, for formats that name
    files to other tools. Without an `output` the format `terminal` is shown on `console`, and the text of another one
    given to `write` as it is. `output` is a file, or a folder if it is one already or ends with a slash.
    """

    documents: Sequence[Path]
    console: Console
    errors: Console
    environment: Mapping[str, str]
    write: Callable[[str], None]
    formats: tuple[str, ...] = (TERMINAL,)
    output: str | None = None
    cells: tuple[str, ...] = ()
    turn: str | None = None
    root: str | None = None


def report(call: Rendering) -> int:
    """Render, and return the exit status.

    It is 0 if a document was rendered. That of two documents is `harness.report.run_change.change_status`.

    Raises:
        UsageError: a file is no document, or there is no such format, cell or turn.
        ConfigurationError: the output cannot be written.
        EnvironmentMissing: a format needs a package that is not installed.
    """
    if len(call.documents) not in {1, _TWO}:
        raise UsageError(f"expected one document, or two to compare, and not {len(call.documents)}")
    if call.turn is not None and set(call.formats) != {"trace"}:
        raise UsageError("--turn is for --format trace alone; other formats have all turns of a cell")
    if call.root is not None and not _NAMES_FILES & set(call.formats):
        raise UsageError(f"--root is for --format {' and '.join(sorted(_NAMES_FILES))}: no other format names files")
    mask = masker(call.environment)
    documents = [masked(read_document(path), mask) for path in call.documents]
    if len(documents) == _TWO:
        return _compare(call, documents)
    (document,) = documents
    if isinstance(document, BenchDocument):
        return _bench(call, document)
    if isinstance(document, SessionsDocument):
        return _sessions(call, document)
    if isinstance(document, ProofDocument):
        return _proof(call, document)
    return _run(call, document)


def _run(call: Rendering, document: RunDocument) -> int:
    formats = chosen(run_formats(), call.formats, "a run")
    _check_output(call, formats)
    (selected,) = select_cells([document], call.cells)
    if call.turn is not None:
        selected = select_turn(selected, call.turn)
    _deliver(call, formats, selected, lambda: show(selected, call.console))
    if call.output is None and set(call.formats) == {"github"}:
        append_summary(MarkdownWriter().write(selected), call.environment, errors=call.errors)
    return 0


def _bench(call: Rendering, document: BenchDocument) -> int:
    if call.cells:
        raise UsageError(f"{str(call.documents[0])!r} is a benchmark, which has no cells to choose by --cell")
    formats = chosen(bench_formats(), call.formats, "a benchmark")
    _check_output(call, formats)
    _deliver(call, formats, document, lambda: show_bench(document, call.console))
    return 0


def _sessions(call: Rendering, document: SessionsDocument) -> int:
    if call.cells:
        raise UsageError(f"{str(call.documents[0])!r} is a watched test suite, which has no cells to choose by --cell")
    formats = chosen(sessions_formats(), call.formats, "a watched test suite")
    _check_output(call, formats)
    _deliver(
        call, formats, document, lambda: call.console.print(Text(render_sessions(document)), soft_wrap=True, end="")
    )
    if call.output is None and set(call.formats) == {"github"}:
        append_summary(sessions_markdown(document), call.environment, errors=call.errors)
    return 0


def _proof(call: Rendering, document: ProofDocument) -> int:
    if call.cells:
        raise UsageError(
            f"{str(call.documents[0])!r} is a proof; its cells are in the runs beside it, before/run.json and after"
        )
    formats = chosen(proof_formats(), call.formats, "a proof")
    _check_output(call, formats)
    _deliver(call, formats, document, lambda: show_proof(document, call.console))
    return 0


def _compare(call: Rendering, documents: Sequence[Document]) -> int:
    if any(isinstance(document, ProofDocument) for document in documents):
        raise UsageError("a proof compares two runs already, those beside it: give these, before/run.json and after")
    runs = [document for document in documents if isinstance(document, RunDocument)]
    if any(isinstance(document, SessionsDocument) for document in documents):
        raise UsageError("a watched test suite is compared with nothing: give it alone, or two of run.json of verify")
    if not runs:
        raise UsageError(
            "two benchmarks are compared by `sessionproof bench --compare BASELINE`, which measures as well"
        )
    if len(runs) < _TWO:
        raise UsageError("a run and a benchmark have nothing in common to compare: give two of run.json")
    formats = chosen(change_formats(), call.formats, "a comparison of two runs")
    _check_output(call, formats)
    before, after = select_cells(runs, call.cells)
    change = compare_runs(before, after)
    _deliver(call, formats, change, lambda: show_change(change, call.console))
    return change_status(change)


def _deliver(call: Rendering, formats: Sequence[Format[_D]], value: _D, show_it: Callable[[], None]) -> None:
    """Render in every format, then show, or write."""
    if call.output is None and [each.name for each in formats] == [TERMINAL]:
        with commands_stopped(call.environment, console=call.console):
            show_it()
        return
    root = _root(call)
    if call.output is None and (len(formats) > 1 or not formats[0].filename):
        what = "several formats are" if len(formats) > 1 else f"the format {formats[0].name} is"
        raise UsageError(f"{what} more than one file: name a folder by --output DIR")
    rendered = [each.render(value, root) for each in formats]
    if call.output is None:
        text = next(iter(rendered[0].values()))
        print_report(formats[0].name, text, call.environment, console=call.console, write=call.write)
    elif _is_folder(call.output, formats):
        texts = {Path(call.output, name): text for files in rendered for name, text in files.items()}
        _write(texts, call.output, folder=Path(call.output))
    else:
        _write({Path(call.output): next(iter(rendered[0].values()))}, call.output)


def _root(call: Rendering) -> str:
    """Where the sources are; empty for where the run was started."""
    if call.root is not None:
        return str(Path(call.root).absolute())
    return workspace(call.environment) if is_github(call.environment) else ""


def _check_output(call: Rendering, formats: Sequence[Format[_D]]) -> None:
    """Refuse an output that cannot be meant, before anything is rendered.

    Raises:
        UsageError: it is no name, a file's name where a folder has to be, or the document's own.
    """
    if (output := call.output) is None:
        return
    if output in {"", "-"}:
        raise UsageError(
            f"--output {output!r} names no file and no folder; standard output is meant by leaving it away"
        )
    folder = _is_folder(output, formats)
    if folder and not output.endswith(_SLASHES) and not _is_directory(Path(output)) and _ENDING.fullmatch(output):
        meant = f"{Path(output).with_suffix('')}/"
        raise UsageError(
            f"the report is several files, and {output!r} is named as one: name a folder by --output, such as {meant!r}"
        )
    for path in (Path(output, each.filename) if folder else Path(output) for each in formats if each.filename):
        if any(_same(path, document) for document in call.documents):
            raise UsageError(f"{str(path)!r} is the document that the report is made of: name another by --output")


def _same(path: Path, document: Path) -> bool:
    try:
        return path.samefile(document)
    except (OSError, ValueError):  # one of them is not there, or cannot be: what is wrong is said when it is written
        return False


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # it may not be asked, or its name is too long: both are said when it is written
        return False


def _is_folder(output: str, formats: Sequence[Format[_D]]) -> bool:
    """Whether the output is a folder: because it is one, is meant to be one, or has to be one."""
    return _is_directory(Path(output)) or output.endswith(_SLASHES) or len(formats) > 1 or not formats[0].filename


def _write(texts: Mapping[Path, str], output: str, *, folder: Path | None = None) -> None:
    """Write the files; nothing is written, and no folder is left, if one of them cannot be.

    Raises:
        ConfigurationError: the place is something else already, or cannot be written to.
    """
    made: list[Path] = []
    try:
        if folder is not None and folder.exists() and not folder.is_dir():
            raise ConfigurationError(
                f"the report is to be a folder, and {output!r} is a file: name another by --output"
            )
        _refuse_what_is_no_file(texts)
        for path in texts:
            made += [each for each in (path.parent, *path.parent.parents) if not each.exists()][::-1]
            path.parent.mkdir(parents=True, exist_ok=True)
        replace_files({_behind_links(path): text for path, text in texts.items()})
    except (OSError, ValueError, RuntimeError) as error:
        _remove_folders(made)
        said = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, ValueError):
            said = "no file can have that name"  # each Python says something else
        raise ConfigurationError(
            f"the report cannot be written to {output!r}: {said}; name another by --output"
        ) from error


def _remove_folders(made: Sequence[Path]) -> None:
    for folder in reversed(made):
        with suppress(OSError):  # somebody else put something into it
            folder.rmdir()


def _behind_links(path: Path) -> Path:
    """The file that a link leads to: the link stays, and what it leads to is replaced."""
    return path.resolve() if path.is_symlink() else path


def _refuse_what_is_no_file(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "no regular file"
            raise ConfigurationError(
                f"the report is to be a file, and {str(path)!r} is {kind}: name another by --output"
            )
        above = next((folder for folder in path.parents if folder.exists()), None)
        if above is not None and not above.is_dir():
            raise ConfigurationError(f"nothing can be below {str(above)!r}, which is a file: name another by --output")
