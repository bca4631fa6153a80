"""What changed between two runs, as a page for a pull request.

Guarantee: that of `harness.report.markdown`: no HTML, link or image out of the backend's text, and a bounded page.
"""

from collections.abc import Iterable, Iterator

from harness.plurals import number_of
from harness.report.cell_change import Became, CellChange, Sighting
from harness.report.digest import Outcome, in_one_line
from harness.report.document import CellDocument
from harness.report.markdown import bounded, code, escape, fence
from harness.report.run_change import OneSided, RunChange, conclusion, rest_in_words
from harness.report.run_change_terminal import stated, step_lines, where
from harness.report.selection import cell_name
from harness.report.steps import Difference
from harness.report.text import inline

__all__ = ["change_page"]

_SHOWN = 20
_TITLES = {
    Became.WORSE: "worse",
    Became.UNDECIDED: "undecided",
    Became.OTHER: "other findings",
    Became.BETTER: "better",
}


def change_page(change: RunChange) -> str:
    """The page."""
    sections: tuple[Iterable[str], ...] = (
        _answer(change),
        bounded(_cell(cell) for cell in change.changed),
        *_only("first", change.only_before),
        *_only("second", change.only_after),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _answer(change: RunChange) -> Iterator[str]:
    yield f"# {escape(conclusion(change))}"
    yield ""
    yield f"- first run: {code(stated(change.before))}"
    yield f"- second run: {code(stated(change.after))}"
    yield f"- {rest_in_words(change)}"


def _cell(change: CellChange) -> Iterator[str]:
    was, now = change.outcomes
    yield f"### {_TITLES[change.became]}: {escape(inline(change.name, limit=120))}"
    yield ""
    yield f"Was {_said(was)}, is {_said(now)}."
    yield ""
    told, reasons = list(change.told), change.reasons
    yield from (_sighting(word, seen) for word, seen in told[:_SHOWN])
    if len(told) > _SHOWN:
        yield f"- and {number_of(len(told) - _SHOWN, 'more finding')} that only one run has"
    yield from (f"- {code(reason)}" for reason in reasons[:_SHOWN])
    if len(reasons) > _SHOWN:
        yield f"- and {number_of(len(reasons) - _SHOWN, 'more reason')}"
    yield from _difference(change.difference)
    yield ""
    yield fence(change.after.reproduce, language="sh")
    yield ""


def _said(outcome: Outcome) -> str:
    return str(outcome) if outcome.good else f"**{outcome}**"


def _sighting(word: str, seen: Sighting) -> str:
    place = f", at {code(seen.place)}" if seen.place else ""
    times = f" ({seen.count} times)" if seen.count > 1 else ""
    return f"- {word}: **{escape(seen.finding.kind)}**{place}{times}: {code(seen.finding.message)}"


def _difference(difference: Difference) -> Iterator[str]:
    yield f"- first difference: {escape(where(difference))}"
    if difference.before is None and difference.after is None:
        return
    for side, step in (("first run", difference.before), ("second run", difference.after)):
        lines = step_lines(step, with_actor=bool(difference.reason))
        yield f"  - {side}: {'; '.join(code(line) for line in lines)}"


def _only(side: str, only: OneSided) -> tuple[Iterable[str], ...]:
    gaps = [f"{gap.scenario}, {gap.session_mode or 'all modes'}: {gap.reason}" for gap in only.gaps]
    return (
        _listed(f"Only in the {side} run", [_with_outcome(cell) for cell in only.cells]),
        _listed(f"Problems of the {side} run alone", [code(in_one_line(problem)) for problem in only.problems]),
        _listed(f"Not verified in the {side} run alone", map(code, gaps)),
    )


def _with_outcome(cell: CellDocument) -> str:
    return f"{code(cell_name(cell))}: {_said(Outcome.of(cell))}"


def _listed(title: str, lines: Iterable[str]) -> Iterator[str]:
    if shown := list(lines):
        yield f"## {title}: {len(shown)}"
        yield ""
        yield from bounded([f"- {line}"] for line in shown)
