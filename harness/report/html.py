"""`report.html`: a run, or a benchmark, as one page that a person opens: offline, in one file, without a framework.

Problem: whoever opens it after a red build has a minute; a run has some twenty megabytes of evidence; and text of
the backend is put into a browser.

Mechanism: what is seen first is written by Jinja2, with everything escaped: it is there without scripts, too. What is
drawn on demand, cells and the timelines of turns, is one compressed value (`harness.report.packed`), from which plain
scripts of ours make text nodes, never markup. Style and scripts are files in `assets`, put into the page as they are.

Guarantee: pure, and the same document gives the same bytes. A content security policy allows these very scripts and
styles, by their hashes, and nothing else: no request, no other script. Under 1 MB, whatever the document is: what has
no room is counted, and said.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from harness.report import bench_digest, digest, overview
from harness.report import bench_words as wording
from harness.report.bench_document import BenchDocument, ChangeOutcome, ComparisonDocument
from harness.report.bench_page import sections
from harness.report.document import RunDocument
from harness.report.packed import LIMIT, pack
from harness.report.screen import Screen, Shown
from harness.report.sources import Sources, sources_of
from harness.report.svg import page_style
from harness.report.text import inline, printable
from harness.scenario import ModelTier

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["BENCH_SCRIPTS", "BENCH_STYLES", "HtmlWriter", "bench_html", "html", "macros", "page"]

_STYLES = ("tokens.css", "page.css", "matrix.css", "cell.css", "timeline.css", "print.css")
BENCH_STYLES = ("tokens.css", "page.css", "bench.css", "print.css")
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
BENCH_SCRIPTS = ("dom.js", "theme.js", "copy.js", "bench.js")
_TEMPLATES = ("layout.html.jinja", "macros.html.jinja", "run.html.jinja", "bench.html.jinja", "sessions.html.jinja")
_PAGE = 990_000
"""How long a page is at most, in bytes."""
_SCREEN = 250_000
"""How much of that the lists of the first screen of a run's page may have."""
_BRIEFS = 12_000
"""How much of that is for cells that are not as expected, and have no room for more than a line."""
_AROUND = 150_000
"""How much of a benchmark's page is for everything but its lists."""
_REMARKS = 30_000
_HOLE = "\x00"
"""Where what is drawn on demand will be: nothing that the page says has this character."""


class HtmlWriter:
    """Writes `report.html`."""

    name = "html"
    filename = "report.html"

    def write(self, document: RunDocument) -> str:
        """The page."""
        return html(document)


def html(document: RunDocument, *, limit: int = LIMIT) -> str:
    """The page about a run; what is drawn on demand takes at most `limit` characters, and never more than fits."""
    lines = sources_of(document)
    head, tail = _run_page(document, lines).split(_HOLE)
    room = _PAGE - len(head.encode("utf-8")) - len(tail.encode("utf-8"))
    return f"{head}{pack(document, lines, limit=min(limit, room)).text}{tail}"


def _run_page(document: RunDocument, lines: Sources) -> str:
    """The page but for what is drawn on demand, in whose place there is a hole."""
    columns, rows = overview.matrix(document)
    fault_modes, faults = overview.fault_rows(document)
    title, scope = overview.verdict(document)
    packages, more_packages = overview.versions(document.environment.packages)
    return page(
        "run.html.jinja",
        _STYLES,
        _SCRIPTS,
        lists=_first_screen(document, lines, rows, faults),
        document=document,
        environment=document.environment,
        packages=packages,
        more_packages=more_packages,
        title=title,
        scope=scope,
        headline=[sentence.partition(": ")[::2] for sentence in digest.headline(document)],
        losses=[sentence.partition(": ")[::2] for sentence in digest.losses(document)],
        looked_at=overview.looked_at(document),
        limits=digest.limits(document),
        server=inline(digest.server(document), limit=600),
        tiers=[tier.value for tier in ModelTier if tier in {cell.tier for cell in document.cells}],
        columns=columns,
        fault_modes=fault_modes,
        filters=_filters(document),
        symbols=overview.SYMBOLS,
        letters=overview.LETTERS,
        hole=_HOLE,
    )


def _first_screen(
    document: RunDocument, lines: Sources, rows: Sequence[overview.Row], faults: Sequence[overview.FaultRow]
) -> dict[str, Shown]:
    """The lists, each as long as there is room for it; what is not as expected gets the room that others leave."""
    screen, made = Screen(_SCREEN), macros()
    numbers = {id(cell): number for number, cell in enumerate(document.cells)}
    surprises = digest.surprises(document)

    def told(surprise: digest.Surprise) -> overview.Trouble:
        return overview.trouble(surprise, numbers[id(surprise.cell)], lines)

    shown = {
        "rows": screen.fit(rows, made.row, most=75_000, later=lambda row: row.good),
        "faults": screen.fit(faults, made.fault_row, most=85_000, later=lambda row: row.good),
        "problems": screen.fit(_problems(document), made.problem, most=8_000),
        "gaps": screen.fit(overview.gaps(document), made.gap, most=12_000),
        "examples": screen.fit(overview.examples(document), made.example, most=18_000),
        "choices": screen.fit(_choices(document), made.choice, most=6_000),
    }
    troubles = screen.fit(surprises, lambda each: str(made.trouble(told(each))), most=screen.room - _BRIEFS)
    others = [surprises[number] for number in troubles.without]
    briefs = screen.fit(others, lambda each: str(made.brief(told(each))))
    return {**shown, "troubles": troubles, "briefs": briefs}


def _problems(document: RunDocument) -> list[str]:
    return [inline(problem, limit=600) for problem in digest.problems(document)]


def _choices(document: RunDocument) -> list[str]:
    return [inline(said, limit=600) for said in digest.choices(document)]


def _filters(document: RunDocument) -> dict[str, list[str]]:
    """What the matrix can be narrowed to, where there is a choice."""
    cells = document.cells
    outcomes = {digest.Outcome.of(cell) for cell in cells}
    if document.not_verified:
        outcomes.add(digest.Outcome.NOT_VERIFIED)
    found: dict[str, set[str]] = {
        "mode": {*digest.modes(document), *digest.faulty_modes(document)},
        "pool": {cell.pool_state for cell in cells},
        "tier": {cell.tier for cell in cells},
        "outcome": {*outcomes},
    }
    return {name: sorted(map(str, values)) for name, values in found.items() if len(values) > 1}


def bench_html(document: BenchDocument, comparison: ComparisonDocument | None = None) -> str:
    """The page about a benchmark: its answer, what is wrong, the charts, and the tables that they are drawn from."""
    environment = document.environment
    packages, more_packages = overview.versions(environment.packages, file="bench.json")
    screen, made = Screen(_PAGE - _AROUND), macros()
    warnings = [inline(warning, limit=600) for warning in document.warnings]
    return page(
        "bench.html.jinja",
        BENCH_STYLES,
        BENCH_SCRIPTS,
        extra_style=page_style(),
        document=document,
        environment=environment,
        packages=packages,
        more_packages=more_packages,
        title=bench_digest.answer(document),
        unfinished=bench_digest.unfinished(document),
        sound=bench_digest.sound(document) and (comparison is None or comparison.outcome is ChangeOutcome.NOT_WORSE),
        groups=[
            (heading, screen.fit(list(remarks), made.remark, most=_REMARKS))
            for heading, remarks in bench_digest.groups(document)
        ],
        warnings=screen.fit(warnings, made.problem, most=_REMARKS),
        server=bench_digest.server(document),
        machine=bench_digest.machine(document),
        sections=screen.fit(
            list(enumerate(sections(document, comparison), 1)), lambda each: str(made.measurement(*each))
        ),
        parts={name: said for name, said in wording.PARTS.items() if name in _parts(document)},
        limits=list(bench_digest.limits(document)),
    )


def _parts(document: BenchDocument) -> set[str]:
    return {part for case in document.cases for part in wording.part_names(case)}


def page(template: str, styles: Iterable[str], scripts: Iterable[str], *, extra_style: str = "", **values: Any) -> str:
    """A page of ours: the template with these values, and with these assets in it, which nothing else may be."""
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
def _environment() -> "Environment":
    from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415  # slow, and only where a page is made

    loader = DictLoader({name: _asset(name) for name in _TEMPLATES})
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["inline"] = _shown
    environment.filters["slug"] = _slug
    return environment


def macros() -> Any:
    """The pieces that pages are made of, as functions."""
    return _environment().get_template("macros.html.jinja").module


def _shown(text: object, limit: int = 300) -> str:
    return inline(str(text), limit=limit)


def _slug(text: object) -> str:
    return re.sub(r"[^a-z0-9]+", "-", printable(str(text)).lower())


@lru_cache(maxsize=64)
def _asset(name: str) -> str:
    return (files("harness.report") / "assets" / name).read_text(encoding="utf-8")
