"""Pages of each kind, and what is in them: elements, text, and what is drawn on demand."""

from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from typing import Any

from harness.report.bench_document import BenchDocument
from harness.report.document import CellDocument, RecordDocument, RunDocument
from harness.report.html import bench_html, html
from harness.report.packed import unpack
from harness.report.sessions_document import SessionsDocument
from harness.report.sessions_html import sessions_html
from tests.report import bench_documents, documents, racing, session_documents

__all__ = ["PAGES", "Page", "data", "lost", "made_once"]

RUNS: dict[str, Callable[[], RunDocument]] = {
    "as expected": documents.as_expected,
    "faults": documents.with_faults,
    "troubled": documents.troubled,
    "hostile": documents.hostile,
    "empty": documents.empty,
    "racing": racing.run,
}
BENCHES: dict[str, Callable[[], BenchDocument]] = {
    "everything": bench_documents.everything,
    "hostile": lambda: bench_documents.hostile(" ".join(documents.HOSTILE)),
}
SUITES: dict[str, Callable[[], SessionsDocument]] = session_documents.SUITES
PAGES: dict[str, Callable[[], str]] = {
    **{f"run, {name}": lambda make=make: html(make()) for name, make in RUNS.items()},  # type: ignore[misc]
    **{f"bench, {name}": lambda make=make: bench_html(make()) for name, make in BENCHES.items()},  # type: ignore[misc]
    **{f"sessions, {name}": lambda make=make: sessions_html(make()) for name, make in SUITES.items()},  # type: ignore[misc]
    "comparison": lambda: bench_html(bench_documents.everything(), bench_documents.comparison()),
}
EMPTY = {"br", "input", "meta"}


class Page(HTMLParser):
    """What a browser would make of it: elements with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.scripts: dict[str, str] = {}
        self.styles: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[self.elements[-1][1].get("id", "code")] = data
        elif self.open and self.open[-1] == "style":
            self.styles.append(data)
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """Everything that is shown, with single spaces."""
        return " ".join(" ".join(self.texts).split())

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def data(page: str) -> Any:
    """What the page draws on demand."""
    return unpack(Page(page).scripts["data"])


@cache
def made_once(name: str) -> str:
    """A page of that kind."""
    return PAGES[name]()


def lost(*names: str) -> CellDocument:
    """The racing cell without these records."""
    cell = racing.racing()
    records = {name: RecordDocument[Any](missing=f"no {name}") for name in names}
    return cell.model_copy(update={"evidence": cell.evidence.model_copy(update=records)})
