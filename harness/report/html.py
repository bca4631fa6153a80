"""`report.html`: a run, or a benchmark, as one page that a person opens: offline, in one file, without a framework.

Problem: whoever opens it after a red build has a minute; a run has some twenty megabytes of evidence; and text of
the backend is put into a browser.

Mechanism: what is seen first is written by Jinja2, with everything escaped: it is there without scripts, too. What is
drawn on demand, cells and the timelines of turns, is one compressed value (`harness.report.packed`), from which plain
scripts of ours make text nodes, never markup. Style and scripts are files in `assets`, put into the page as they are.

Guarantee: pure, and the same document gives the same bytes. A content security policy allows these very scripts and
styles, by their hashes, and nothing else: no request, no other script. Under 1 MB for the default matrix.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from harness.report import bench_digest, digest, overview
from harness.report import bench_words as wording
from harness.report.bench_document import BenchDocument, ChangeOutcome, ComparisonDocument
from harness.report.bench_page import sections
from harness.report.document import RunDocument
from harness.report.packed import LIMIT, pack
from harness.report.sources import Sources
from harness.report.svg import page_style
from harness.report.text import inline, printable
from harness.scenario import ModelTier

__all__ = ["HtmlWriter", "bench_html", "html"]

_STYLES = ("tokens.css", "page.css", "matrix.css", "cell.css", "timeline.css", "print.css")
_BENCH_STYLES = ("tokens.css", "page.css", "bench.css", "print.css")
_SCRIPTS = (
    "dom.js",
    "theme.js",
    "copy.js",
    "data.js",
    "matrix.js",
    "axis.js",
    "glyphs.js",
    "lanes.js",
    "timeline.js",
    "stack.js",
    "findings.js",
    "bill.js",
    "turns.js",
    "compare.js",
    "cell.js",
    "main.js",
)
_BENCH_SCRIPTS = ("dom.js", "theme.js", "copy.js", "bench.js")
_TEMPLATES = ("layout.html.jinja", "macros.html.jinja", "run.html.jinja", "bench.html.jinja")
_ITEMS = 300


class HtmlWriter:
    """Writes `report.html`; `sources` are lines of the application, by place, that were read before."""

    name = "html"
    filename = "report.html"

    def __init__(self, *, sources: Sources | None = None) -> None:
        self._sources = sources or {}

    def write(self, document: RunDocument) -> str:
        """The page."""
        return html(document, sources=self._sources)


def html(document: RunDocument, *, sources: Sources | None = None, limit: int = LIMIT) -> str:
    """The page about a run; what is drawn on demand takes at most `limit` characters, if there is a way."""
    lines = sources or {}
    packed = pack(document, lines, limit=limit)
    troubles, more_troubles = overview.troubles(document, lines)
    columns, rows, more_rows = overview.matrix(document)
    fault_modes, faults = overview.fault_rows(document)
    title, scope = overview.verdict(document)
    return _page(
        "run.html.jinja",
        _STYLES,
        _SCRIPTS,
        document=document,
        environment=document.environment,
        title=title,
        scope=scope,
        headline=[sentence.partition(": ")[::2] for sentence in digest.headline(document)],
        losses=[sentence.partition(": ")[::2] for sentence in digest.losses(document)],
        problems=[inline(problem, limit=600) for problem in digest.problems(document)[:_ITEMS]],
        gaps=_gaps(document),
        limits=digest.limits(document),
        server=inline(digest.server(document), limit=600),
        tiers=[tier.value for tier in ModelTier if tier in {cell.tier for cell in document.cells}],
        troubles=troubles,
        more_troubles=more_troubles,
        columns=columns,
        rows=rows,
        more_rows=more_rows,
        fault_modes=fault_modes,
        faults=faults,
        filters=_filters(document),
        symbols=overview.SYMBOLS,
        letters=overview.LETTERS,
        choices=[inline(said, limit=600) for said in digest.choices(document)][:_ITEMS],
        examples=overview.examples(document),
        packed=packed,
    )


def _gaps(document: RunDocument) -> list[tuple[str, list[str]]]:
    """What was not verified, by its reason."""
    found: dict[str, list[str]] = {}
    for gap in digest.gaps(document):
        what = f"{inline(gap.scenario, limit=100)} ({gap.session_mode or 'all modes'})"
        found.setdefault(inline(gap.reason, limit=600), []).append(what)
    return list(found.items())[:_ITEMS]


def _filters(document: RunDocument) -> dict[str, list[str]]:
    """What the matrix can be narrowed to, where there is a choice."""
    cells = document.cells
    found: dict[str, Iterable[str]] = {
        "mode": dict.fromkeys(cell.session_mode.value for cell in cells),
        "pool": dict.fromkeys(cell.pool_state.value for cell in cells),
        "tier": dict.fromkeys(cell.tier.value for cell in cells),
        "outcome": dict.fromkeys(digest.Outcome.of(cell).value for cell in cells),
    }
    return {name: sorted(values) for name, values in found.items() if len(list(values)) > 1}


def bench_html(document: BenchDocument, comparison: ComparisonDocument | None = None) -> str:
    """The page about a benchmark: its answer, what is wrong, the charts, and the tables that they are drawn from."""
    environment = document.environment
    return _page(
        "bench.html.jinja",
        _BENCH_STYLES,
        _BENCH_SCRIPTS,
        extra_style=page_style(),
        document=document,
        environment=environment,
        title=bench_digest.answer(document),
        unfinished=bench_digest.unfinished(document),
        sound=bench_digest.sound(document) and (comparison is None or comparison.outcome is ChangeOutcome.NOT_WORSE),
        groups=[(heading, list(remarks)[:_ITEMS]) for heading, remarks in bench_digest.groups(document)],
        warnings=[inline(warning, limit=600) for warning in document.warnings[:_ITEMS]],
        server=bench_digest.server(document),
        machine=bench_digest.machine(document),
        sections=list(sections(document, comparison)),
        parts={name: said for name, said in wording.PARTS.items() if name in _parts(document)},
        limits=list(bench_digest.limits(document)),
    )


def _parts(document: BenchDocument) -> set[str]:
    return {part for case in document.cases for part in wording.part_names(case)}


def _page(template: str, styles: Iterable[str], scripts: Iterable[str], *, extra_style: str = "", **values: Any) -> str:
    style = "\n".join([*(_asset(name) for name in styles), extra_style])
    script = "\n".join(['"use strict";', *(_asset(name) for name in scripts)])
    return (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),  # noqa: S704  # our own files
            script=Markup(script),  # noqa: S704  # our own files
            policy=_policy(style, script),
            **values,
        )
    )


def _policy(style: str, script: str) -> str:
    """What the page may do: run this script, use this style."""
    return (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode('utf-8')).digest()).decode('ascii')}"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    loader = DictLoader({name: _asset(name) for name in _TEMPLATES})
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["inline"] = _shown
    environment.filters["slug"] = _slug
    return environment


def _shown(text: object, limit: int = 300) -> str:
    return inline(str(text), limit=limit)


def _slug(text: object) -> str:
    return re.sub(r"[^a-z0-9]+", "-", printable(str(text)).lower())


@lru_cache(maxsize=64)
def _asset(name: str) -> str:
    return (files("harness.report") / "assets" / name).read_text(encoding="utf-8")
