"""The formats in which a document can be rendered: tables of writers, for each kind of document and for what changed.

A format gives the text of one file, or several files by their names. What needs a package that may not be installed is
loaded when it is used.
"""

import importlib
import importlib.util
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Generic, TypeVar

from rich.console import Console

from harness.errors import EnvironmentMissing, UsageError
from harness.report.bench_document import BenchDocument
from harness.report.bench_markdown import summary
from harness.report.bench_terminal import show_bench
from harness.report.charts import charts
from harness.report.document import RunDocument
from harness.report.github import GithubWriter
from harness.report.html import HtmlWriter, bench_html, html
from harness.report.junit import JunitWriter
from harness.report.markdown import MarkdownWriter
from harness.report.proof_document import ProofDocument
from harness.report.proof_markdown import proof_page
from harness.report.proof_terminal import show_proof
from harness.report.proof_write import PAGE_FILE, PROOF_FILE, proof_json
from harness.report.run_change import RunChange
from harness.report.run_change_markdown import change_page
from harness.report.run_change_terminal import show_change
from harness.report.run_json import JsonWriter
from harness.report.selection import closest
from harness.report.sessions_document import SessionsDocument
from harness.report.sessions_github import sessions_annotations
from harness.report.sessions_html import sessions_html
from harness.report.sessions_markdown import sessions_markdown
from harness.report.sessions_terminal import render_sessions
from harness.report.terminal import render
from harness.report.trace import TraceWriter

__all__ = [
    "TERMINAL",
    "Format",
    "bench_formats",
    "change_formats",
    "chosen",
    "proof_formats",
    "run_formats",
    "sessions_formats",
]

TERMINAL = "terminal"
_D = TypeVar("_D")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format(Generic[_D]):
    """A format: its name, its files' names, and how a document, and the root of the sources, become their texts.

    `filename` is empty if there are several files, whose names `render` then chooses.
    """

    name: str
    filename: str
    render: Callable[[_D, str], Mapping[str, str]]


def run_formats() -> Mapping[str, Format[RunDocument]]:
    """The formats of a run document by their names."""
    formats = [
        _run(TERMINAL, "report.txt", lambda document, _: render(document, width=120)),
        _run("html", HtmlWriter.filename, _html),
        _run("markdown", MarkdownWriter.filename, lambda document, _: MarkdownWriter().write(document)),
        _run("junit", JunitWriter.filename, lambda document, _: JunitWriter().write(document)),
        _run("json", JsonWriter.filename, lambda document, _: JsonWriter().write(document)),
        _run("sarif", "report.sarif", _sarif),
        _run("trace", TraceWriter.filename, lambda document, _: TraceWriter().write(document)),
        _run("github", "annotations.txt", lambda document, root: GithubWriter(root=root).write(document)),
    ]
    return {each.name: each for each in formats}


def bench_formats() -> Mapping[str, Format[BenchDocument]]:
    """The formats of a benchmark by their names."""
    formats: list[Format[BenchDocument]] = [
        Format(name=TERMINAL, filename="report.txt", render=_bench_terminal),
        Format(name="html", filename="report.html", render=lambda document, _: {"report.html": bench_html(document)}),
        Format(name="markdown", filename="summary.md", render=lambda document, _: {"summary.md": summary(document)}),
        Format(
            name="json",
            filename="bench.json",
            render=lambda document, _: {"bench.json": document.model_dump_json(indent=1) + "\n"},
        ),
        Format(name="charts", filename="", render=_charts),
    ]
    return {each.name: each for each in formats}


def proof_formats() -> Mapping[str, Format[ProofDocument]]:
    """The formats of a proof by their names."""
    formats: tuple[Format[ProofDocument], ...] = (
        Format(name=TERMINAL, filename="report.txt", render=_proof_terminal),
        Format(name="markdown", filename=PAGE_FILE, render=lambda proof, _: {PAGE_FILE: proof_page(proof)}),
        Format(name="json", filename=PROOF_FILE, render=lambda proof, _: {PROOF_FILE: proof_json(proof)}),
    )
    return {each.name: each for each in formats}


def change_formats() -> Mapping[str, Format[RunChange]]:
    """The formats of what changed between two runs by their names."""
    formats: tuple[Format[RunChange], ...] = (
        Format(
            name=TERMINAL,
            filename="changes.txt",
            render=lambda change, _: {"changes.txt": _printed(lambda console: show_change(change, console))},
        ),
        Format(name="markdown", filename="changes.md", render=lambda change, _: {"changes.md": change_page(change)}),
    )
    return {each.name: each for each in formats}


def sessions_formats() -> Mapping[str, Format[SessionsDocument]]:
    """The formats of a watched test suite by their names."""
    formats = (
        _sessions(TERMINAL, "report.txt", lambda document, _: render_sessions(document)),
        _sessions("html", "report.html", lambda document, _: sessions_html(document)),
        _sessions("markdown", "summary.md", lambda document, _: sessions_markdown(document)),
        _sessions("json", "run.json", lambda document, _: document.model_dump_json(indent=1) + "\n"),
        _sessions("sarif", "report.sarif", _sessions_sarif),
        _sessions("github", "annotations.txt", lambda document, root: sessions_annotations(document, root=root)),
    )
    return {each.name: each for each in formats}


def chosen(formats: Mapping[str, Format[_D]], names: tuple[str, ...], what: str) -> list[Format[_D]]:
    """The formats of these names, each once.

    Raises:
        UsageError: there is no such format for `what` is to be rendered.
    """
    for name in names:
        if name not in formats:
            close = closest(name, formats)
            meant = f" (did you mean {close!r}?)" if close is not None else ""
            raise UsageError(f"{what} has no format {name!r}{meant}; there are {', '.join(formats)}")
    return [formats[name] for name in dict.fromkeys(names)]


def _run(name: str, filename: str, write: Callable[[RunDocument, str], str]) -> Format[RunDocument]:
    return Format(name=name, filename=filename, render=lambda document, root: {filename: write(document, root)})


def _sessions(name: str, filename: str, write: Callable[[SessionsDocument, str], str]) -> Format[SessionsDocument]:
    return Format(name=name, filename=filename, render=lambda document, root: {filename: write(document, root)})


def _html(document: RunDocument, _: str) -> str:
    return html(document)


def _sarif(document: RunDocument, root: str) -> str:
    return str(_of_sarif("harness.report.sarif").SarifWriter(root=root).write(document))


def _sessions_sarif(document: SessionsDocument, root: str) -> str:
    return str(_of_sarif("harness.report.sessions_sarif").sessions_sarif(document, root=root))


def _of_sarif(module: str) -> ModuleType:
    """A module that needs a package which may not be installed."""
    if importlib.util.find_spec("sarif_pydantic") is None:
        raise EnvironmentMissing(
            "the format sarif needs sarif-pydantic, and it is not installed; install the extra: "
            "pip install 'sessionproof[sarif]'"
        )
    return importlib.import_module(module)


def _bench_terminal(document: BenchDocument, _: str) -> Mapping[str, str]:
    return {"report.txt": _printed(lambda console: show_bench(document, console))}


def _proof_terminal(proof: ProofDocument, _: str) -> Mapping[str, str]:
    return {"report.txt": _printed(lambda console: show_proof(proof, console))}


def _charts(document: BenchDocument, _: str) -> Mapping[str, str]:
    return {f"charts/{name}.svg": text for name, text in charts(document).items()}


def _printed(show: Callable[[Console], None]) -> str:
    """What is shown on a console, as text."""
    console = Console(file=io.StringIO(), width=120, color_system=None, force_terminal=False)
    with console.capture() as capture:
        show(console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"
