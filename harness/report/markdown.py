"""`summary.md`: the run on one page, for a CI job summary or a pull request.

Problem: whoever opens the page wants the verdict in words, then what is wrong and how to see it again; CI
cuts pages above 1 MB; and the page holds text of the backend, which could be HTML or a picture to load.

Mechanism: untrusted text stands in code spans and fences that are longer than any run of backticks in it,
everything else is escaped. Details are written while there is room for them; what did not fit is counted, and
is in `run.json`.

Guarantee: under 60 KB for the full matrix as expected and under 200 KB always; no HTML, link or image out of
the backend's text.
"""

import re
from collections.abc import Iterable, Iterator

from harness.explain import EXPLANATIONS
from harness.plurals import number_of, part_of
from harness.report import digest
from harness.report.document import CellDocument, NotVerifiedDocument, RunDocument
from harness.report.text import block, inline
from harness.verdict import Verdict

__all__ = ["MarkdownWriter", "bounded", "code", "escape", "fence"]

_SECTION_LIMIT = 40_000
_LINE_LIMIT = 500
_ROWS_LIMIT = 200
_BARE_LINK = re.compile(r"(www)\.", re.IGNORECASE)
_SPECIAL = re.compile(r"([\\`*\[\]|~$]|(?<!\w)_|_(?!\w))")
_TITLES = {
    Verdict.PASSED: "as expected",
    Verdict.FAILED: "not as expected",
    Verdict.UNKNOWN: "unknown, evidence is missing",
}


class MarkdownWriter:
    """Writes `summary.md`."""

    name = "markdown"
    filename = "summary.md"

    def write(self, document: RunDocument) -> str:
        """The page."""
        sections = (_verdict, _problems, _table, _choices, _faults, _surprises, _gaps, _examples, _limits, _environment)
        return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section(document)))) + "\n"


def _verdict(document: RunDocument) -> Iterator[str]:
    yield f"# sessionproof: {_TITLES[document.verdict]}"
    yield ""
    yield from (f"- **{escape(mode)}**:{escape(rest)}" for mode, _, rest in _headlines(document))
    if not document.cells:
        yield "- Nothing was verified."
    yield f"- {digest.scope(document)}"
    yield from (f"- {sentence}" for sentence in digest.costs(document))
    yield f"- {escape(inline(digest.server(document)))}"
    yield f"- backend {code(document.environment.backend)}"


def _headlines(document: RunDocument) -> Iterator[tuple[str, str, str]]:
    return (sentence.partition(":") for sentence in digest.headline(document))


def _problems(document: RunDocument) -> Iterator[str]:
    if document.problems:
        yield "## Problems of the run"
        yield ""
        yield from bounded([fence(problem)] for problem in document.problems)


def _table(document: RunDocument) -> Iterator[str]:
    rows = list(digest.matrix(document))
    columns = [escape(mode) for mode in digest.modes(document)]
    if not rows or not columns:
        return
    yield _row("scenario", columns)
    yield _row("---", ["---"] * len(columns))
    for name, squares in rows[:_ROWS_LIMIT]:
        yield _row(
            escape(inline(name, limit=100)),
            ["<br>".join(_label(label) for label in square) for square in squares],
        )
    if len(rows) > _ROWS_LIMIT:
        yield ""
        yield f"and {number_of(len(rows) - _ROWS_LIMIT, 'more scenario')}, in `run.json`"


def _row(first: str, rest: Iterable[str]) -> str:
    return f"| {' | '.join([first, *rest])} |"


def _label(label: digest.Label) -> str:
    return str(label) if label.outcome.good or not label.of else f"**{label}**"


def _faults(document: RunDocument) -> Iterator[str]:
    rows = list(digest.faults(document))
    if not rows:
        return
    yield "## What faults do to the ledger"
    yield ""
    yield "Ledger rows missing / twice there / wrong when all is over, and how many tools and turns failed."
    yield ""
    yield from (
        f"- **{escape(mode)}**:{escape(rest)}" for mode, _, rest in (s.partition(":") for s in digest.losses(document))
    )
    yield ""
    yield _row("fault", [escape(mode) for mode in digest.faulty_modes(document)])
    yield _row("---", ["---"] * len(digest.faulty_modes(document)))
    for name, cells in rows[:_ROWS_LIMIT]:
        yield _row(escape(inline(name, limit=100)), map(_damage, cells))


def _choices(document: RunDocument) -> Iterator[str]:
    sentences = list(digest.choices(document))
    if sentences:
        yield "## What real models did"
        yield ""
        yield from bounded([f"- {escape(inline(sentence))}"] for sentence in sentences)


def _damage(cell: CellDocument | None) -> str:
    """`1/0/0, tools 2 of 2, turns 0 of 1`; in bold if it is not as expected."""
    if cell is None or cell.damage is None:
        return str(digest.Outcome.ABSENT)
    damage = cell.damage
    said = (
        f"{digest.rows_text(damage)}, tools {digest.tools_text(damage)}, turns {damage.failed_turns} of {damage.turns}"
    )
    return said if cell.as_expected else f"**{digest.Outcome.of(cell)}** {said}"


def _surprises(document: RunDocument) -> Iterator[str]:
    found = digest.surprises(document)
    if found:
        wrong = sum(1 + len(each.others) for each in found)
        yield f"## Not as expected: {part_of(wrong, len(document.cells), 'cell')}"
        yield ""
        yield from bounded(map(_surprise, found))


def _surprise(surprise: digest.Surprise) -> Iterator[str]:
    cell = surprise.cell
    yield f"### {digest.Outcome.of(cell)}: {escape(inline(cell.scenario, limit=100))}, {cell.id}"
    yield ""
    yield f"{escape(inline(cell.question))} Expected: {cell.expected}."
    if surprise.others:
        yield f"Alike in {surprise.also}."
    yield ""
    yield from (f"- {code(objection)}" for objection in digest.objections(cell)[:20])
    for group in digest.reasons(cell):
        where = f", at {code(group.first.where)}" if group.first.where else ""
        times = f" ({group.count} times, the first is shown)" if group.count > 1 else ""
        yield f"- **{escape(group.first.kind)}**{where}{times}"
        yield ""
        yield fence("\n".join([group.first.message, *(f"  {frame}" for frame in group.first.stack[-12:])]))
        yield ""
        yield f"Usual cause: {escape(EXPLANATIONS[group.first.kind].cause)}"
        yield f"Repair: {escape(EXPLANATIONS[group.first.kind].repair)}"
    yield ""
    yield "Reproduce it:"
    yield ""
    yield fence(cell.reproduce, language="sh")
    yield ""


def _gaps(document: RunDocument) -> Iterator[str]:
    found = digest.gaps(document)
    if not found:
        return
    yield f"## Not verified: {len(found)}"
    yield ""
    yield from bounded([_gap(gap)] for gap in found)


def _gap(gap: NotVerifiedDocument) -> str:
    scenario = escape(inline(gap.scenario, limit=100))
    return f"- {scenario}, {escape(gap.session_mode or 'all modes')}: {code(gap.reason)}"


def _examples(document: RunDocument) -> Iterator[str]:
    found = digest.examples(document)
    if not found:
        return
    yield "## What the bug looks like"
    yield ""
    yield "Each kind that was reproduced, in how many cells, the first of them, and the usual cause."
    yield ""
    yield from bounded(_example(example) for example in found)


def _example(example: digest.Example) -> Iterator[str]:
    cells = number_of(example.cells, "cell")
    yield f"- **{escape(example.kind)}** in {cells}: {code(example.finding.message)}"
    yield f"  {escape(EXPLANATIONS[example.kind].cause)}"
    yield f"  {code(example.finding.reproduce or example.cell.reproduce)}"


def _limits(document: RunDocument) -> Iterator[str]:
    yield "## What this does not prove"
    yield ""
    yield from (f"- {limit}" for limit in digest.limits(document))


def _environment(document: RunDocument) -> Iterator[str]:
    environment = document.environment
    packages = ", ".join(f"{name} {version}" for name, version in environment.packages.items())
    yield "## Where it ran"
    yield ""
    yield f"- {code(document.command)}"
    machine = f"Python {environment.python}, {environment.platform}, {environment.cpus} CPUs"
    yield f"- {escape(inline(machine))}"
    if packages:
        yield f"- {escape(inline(packages, limit=2000))}"


def bounded(entries: Iterable[Iterable[str]], *, file: str = "run.json") -> Iterator[str]:
    """Whole entries while there is room for them, and at least the first; then how many are in `file` alone."""
    room, left_out = _SECTION_LIMIT, 0
    for number, entry in enumerate(entries):
        text = "\n".join(entry)
        room -= len(text)
        if room > 0 or not number:
            yield text
        else:
            left_out += 1
    if left_out:
        yield ""
        yield f"... and {left_out} more, in `{file}`"


def escape(text: str) -> str:
    """The text as Markdown that shows it and does nothing else."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    shown = _SPECIAL.sub(r"\\\1", plain).replace("://", ":&#47;&#47;").replace("@", "&#64;")
    return _BARE_LINK.sub(r"\1&#46;", shown)


def code(text: str) -> str:
    """The text in a code span, on one line, also inside a table."""
    line = inline(text, limit=_LINE_LIMIT) or " "
    ticks = "`" * (_longest_run(line) + 1)
    padding = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{padding}{line}{padding}{ticks}"


def fence(text: str, *, language: str = "text") -> str:
    """The text in a fenced block."""
    lines = block(text)
    ticks = "`" * max(3, _longest_run(lines) + 1)
    return f"{ticks}{language}\n{lines}\n{ticks}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
