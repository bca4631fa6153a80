"""`proof.md`: a proof on one page, for the description of a pull request.

Guarantee: no HTML, link or image out of text that is not ours, as in `harness.report.markdown`; and never longer than
GitHub takes for a description, 65,536 characters: of each list the first entries are there, and how many are not.
"""

from collections.abc import Iterable, Iterator, Sequence

from harness.plurals import number_of
from harness.report.markdown import code, escape, fence
from harness.report.proof_document import ProofDocument, TraceDocument
from harness.report.proof_words import conclusion, not_looked_at, rows, side_in_words
from harness.report.text import inline
from harness.verdict import Verdict

__all__ = ["proof_page"]

_FILE = "proof.json"
_REASON_LIMIT = 500
_ROWS = 60
_TRACES = 15
_GAPS = 15


def proof_page(proof: ProofDocument) -> str:
    """The page."""
    sections: tuple[Iterable[str], ...] = (
        _answer(proof),
        _revisions(proof),
        _table(proof),
        _traces("Found before, and not after", proof.vanished),
        _traces("Found after, and not before", proof.appeared),
        _traces("Found before and after", proof.remaining),
        _not_verified(proof),
        _limits(proof),
        _again(proof),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _answer(proof: ProofDocument) -> Iterator[str]:
    if proof.verdict is Verdict.PASSED:
        yield f"## sessionproof: {escape(inline(conclusion(proof), limit=_REASON_LIMIT))}"
        return
    word, _, _ = conclusion(proof).partition(":")
    yield f"## sessionproof: {word}"
    yield ""
    yield from (f"- {escape(inline(reason, limit=_REASON_LIMIT))}" for reason in proof.reasons)


def _revisions(proof: ProofDocument) -> Iterator[str]:
    yield "| | revision | message | shared sessions |"
    yield "| --- | --- | --- | --- |"
    for name, side in (("before", proof.before), ("after", proof.after)):
        subject = _cell(inline(side.revision.subject, limit=120))
        yield f"| {name} | {_cell(side.revision.short)} | {subject} | {escape(side_in_words(side))} |"


def _cell(text: str) -> str:
    """A code span in a table, where a bar would end the column also inside of one."""
    return code(text).replace("|", r"\|")


def _table(proof: ProofDocument) -> Iterator[str]:
    shown = list(rows(proof))
    if shown:
        yield "| scenario | before | after |"
        yield "| --- | --- | --- |"
        yield from (f"| {escape(inline(name, limit=100))} | {old} | {new} |" for name, old, new in shown[:_ROWS])
        if len(shown) > _ROWS:
            yield ""
            yield _more(len(shown) - _ROWS)


def _more(count: int) -> str:
    return f"... and {count} more, in `{_FILE}`"


def _traces(title: str, traces: Sequence[TraceDocument]) -> Iterator[str]:
    if traces:
        yield f"### {title}"
        yield ""
        yield from map(_trace, traces[:_TRACES])
        if len(traces) > _TRACES:
            yield f"- {_more(len(traces) - _TRACES)}"


def _trace(trace: TraceDocument) -> str:
    place = f" at {code(trace.place)}" if trace.place else ""
    cells = number_of(trace.cells, "cell")
    return f"- **{escape(trace.kind)}**{place}, in {cells}: {code(trace.message)}"


def _not_verified(proof: ProofDocument) -> Iterator[str]:
    if told := not_looked_at(proof):
        yield "### Not looked at"
        yield ""
        yield from (f"- {when}: {code(what)}" for when, what in told[:_GAPS])
        if len(told) > _GAPS:
            yield f"- {_more(len(told) - _GAPS)}"


def _limits(proof: ProofDocument) -> Iterator[str]:
    yield "### What this does not prove"
    yield ""
    yield from (f"- {escape(inline(limit))}" for limit in proof.limits)


def _again(proof: ProofDocument) -> Iterator[str]:
    yield "### Run it again"
    yield ""
    yield fence(proof.command, language="sh")
    yield ""
    yield f"Backend {code(proof.backend)}; {escape(inline(proof.adapter, limit=_REASON_LIMIT))}."
