"""What the seconds of a turn were spent on, so that they add up, and what kept its tools from working side by side.

Problem: a ratio that became worse does not say why, and what happens at the same time must not be counted twice.

Mechanism: the turn's time is cut where something begins or ends, and each piece goes to the first of these that was
going on in it: the tools' planned work; a wait for a connection of the pool; the transaction that writes the ledger; a
model's request; a tool, whatever it did beside its planned work, or any other statement, put off by a tool until it had
ended or the application's own; else the application. A piece without planned work in which one frame held the event
loop is the loop's.

A call's planned work lies in what carried it out, a statement or a request, and is shorter: it came last in it, unless
the loop was held at its end, so that the answer was taken note of late. A connection does one such work at a time. All
planned work of a round at the same time takes as long as the longest of it. What was spent beyond that is laid to what
the calls were doing that had not begun theirs while others were at it: held up with the event loop, or behind another
one, whose connection or end they waited for. A call that was only late, and then worked beside the others, was at its
own sessions, though it may have waited for a connection to be opened: nothing kept it from that. So it is with a held
loop in a tool when no planned work of its round is left.

Guarantee: the parts are never negative, and their sum is the turn's length. Nothing that was lost is laid to a call
that was at work.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, pairwise

from harness.checks.timing import is_held
from harness.evidence import Evidence, Interval, PlannedCall, PoolEventKind, SpanRecord, ToolRun, Turn
from harness.sql import writes_rows

__all__ = ["Part", "Spent", "longest_work", "spent_on"]

LATE_SECONDS = 0.03
"""How long after a held loop an answer that waited for it may be taken note of: other callbacks come first."""


class Part(StrEnum):
    """On what a piece of a turn's time was spent."""

    WORK = "work"
    """The longest tool of each round, at its planned work."""
    SERIAL = "serial"
    """Planned work that another tool had to wait for."""
    LOOP = "loop"
    """Something held the event loop."""
    POOL = "pool"
    """Waiting for a connection."""
    SESSIONS = "sessions"
    """What a tool did beside its planned work: sessions, transactions, statements of its own, also put off ones.

    Outside of tools, the statements that are in no bill's transaction.
    """
    MODEL = "model"
    """Requests to the model."""
    LEDGER = "ledger"
    """The transaction that writes the bill."""
    APPLICATION = "application"
    """Everything else: the agent, HTTP."""


Span = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a turn's seconds were spent on: `parts` sum up to its length.

    `lost` is what of them kept its tools from working side by side, by part, and `gained` which part (0…1) of what
    that can gain at most was not lost in this way; `None` where no two tools are called together. `fixed` is how long
    planned work was going on, whoever waited for it meanwhile and for what: no machine makes that longer or shorter.
    What a call was late by at its own sessions is the machine's, and does not count.
    """

    parts: Mapping[Part, float]
    lost: Mapping[Part, float]
    gained: float | None
    fixed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """The planned work of one call, where it was seen, and when the call waited for a connection."""

    round: int
    span: Span
    waits: Sequence[Span]


def spent_on(turn: Turn, evidence: Evidence, *, ledger_table: str | None) -> Spent:
    """What a turn's seconds were spent on.

    Raises:
        MissingEvidence: a record that this needs could not be made.
    """
    stalls = [_span(stall.interval) for stall in evidence.stalls if is_held(stall)]
    works = list(_works(turn, evidence, stalls))
    runs = [run for run in evidence.tools if run.turn == turn.id]
    tools = [_span(run.interval) for run in runs]
    layers: Sequence[tuple[Part, list[Span]]] = (
        (Part.WORK, [work.span for work in works]),
        (Part.POOL, [_span(wait.interval) for wait in evidence.waits if wait.turn == turn.id]),
        (Part.LEDGER, _ledger_spans(turn, evidence, ledger_table)),
        (Part.MODEL, _model_spans(turn, evidence)),
        (Part.SESSIONS, [*tools, *_statements(turn, evidence)]),
    )
    parts: defaultdict[Part, float] = defaultdict(float)
    blamed: defaultdict[Part, float] = defaultdict(float)
    held = 0.0
    for start, end in _pieces(turn.interval, [*stalls, *(span for _, spans in layers for span in spans)]):
        part = next((part for part, spans in layers if _covers(spans, start, end)), Part.APPLICATION)
        stalled = _covers(stalls, start, end)
        if part is Part.WORK:
            if (reason := _reason(works, start, end, stalled=stalled)) is not None:
                blamed[reason] += end - start
        elif stalled:
            part = Part.LOOP
            held += (end - start) * _keeps_somebody(turn, works, runs, start, end)
        parts[part] += end - start
    excess = _shared_out(max(0.0, parts[Part.WORK] - longest_work(turn)), blamed)
    fixed = parts[Part.WORK] - excess.get(Part.SESSIONS, 0.0)
    parts[Part.WORK] -= sum(excess.values())
    for part, seconds in excess.items():
        parts[part] += seconds
    lost = {part: seconds for part, seconds in excess.items() if part is not Part.SESSIONS}
    lost[Part.LOOP] = lost.get(Part.LOOP, 0.0) + held
    possible = sum(map(_planned, turn.planned)) - longest_work(turn)
    gained = 1.0 - sum(lost.values()) / possible if possible > 0 else None
    return Spent(
        parts={part: parts[part] for part in Part},
        lost={part: seconds for part, seconds in lost.items() if seconds > 0},
        gained=None if gained is None else max(0.0, gained),
        fixed=fixed,
    )


def longest_work(turn: Turn) -> float:
    """The planned work of the longest tool of each round, in seconds: what the turn takes at least."""
    ordered = sorted(turn.planned, key=lambda call: call.round)
    rounds = groupby(ordered, key=lambda call: call.round)
    return sum(max(map(_planned, calls)) for _, calls in rounds)


def _planned(call: PlannedCall) -> float:
    return call.database_seconds + call.provider_seconds


def _works(turn: Turn, evidence: Evidence, stalls: Sequence[Span]) -> Iterator[_Work]:
    carried_out = defaultdict(list)
    ends: defaultdict[int, list[float]] = defaultdict(list)
    injected = [statement for statement in evidence.statements if statement.injected]
    for statement in sorted(injected, key=lambda statement: statement.interval.end):
        start, end = _span(statement.interval)
        before = ends[statement.connection]  # of any turn
        if statement.turn == turn.id:
            carried_out[statement.tool_call_id].append((max([start, *before]), end))
        before.append(end)
    asking = {call.tool_call_id for call in turn.planned if call.provider_seconds > 0}
    for request in evidence.spans if asking else ():
        if request.turn == turn.id and request.tool_call_id in asking and _is_request(request):
            carried_out[request.tool_call_id].append(_span(request.interval))
    waits = defaultdict(list)
    for wait in evidence.waits:
        if wait.turn == turn.id:
            waits[wait.tool_call_id].append(_span(wait.interval))
    for call in turn.planned:
        for span in carried_out[call.tool_call_id]:
            yield _Work(
                round=call.round,
                span=_work_in(span, _planned(call), stalls),
                waits=waits[call.tool_call_id],
            )


def _work_in(whole: Span, planned: float, stalls: Iterable[Span]) -> Span:
    """Where in what carried it out the planned work lies: at its end, or as early as a held loop allows."""
    start, end = whole
    slack = max(0.0, end - start - planned)
    late = max((end - begun for begun, over in stalls if begun < end <= over + LATE_SECONDS), default=0.0)
    end -= min(slack, late)
    return max(start, end - planned), end


def _reason(works: Sequence[_Work], start: float, end: float, *, stalled: bool) -> Part | None:
    """What kept a call from its work in a piece in which others of its round worked; `None` if nobody was kept."""
    at_work = [work for work in works if _covers([work.span], start, end)]
    waiting = [work for work in works if work.span[0] >= end and any(other.round == work.round for other in at_work)]
    if not waiting:
        return None
    if stalled:
        return Part.LOOP
    behind = [work for work in waiting if any(_follows(work, other) for other in at_work)]
    if not behind:
        return Part.SESSIONS
    return Part.POOL if any(_covers(work.waits, start, end) for work in behind) else Part.SERIAL


def _follows(work: _Work, other: _Work) -> bool:
    """Whether it began when the other one of its round had ended."""
    return other.round == work.round and other.span[1] <= work.span[0]


def _keeps_somebody(turn: Turn, works: Sequence[_Work], runs: Iterable[ToolRun], start: float, end: float) -> bool:
    """Whether a held loop in a piece without planned work keeps a call from its own: a round that is not done has some.

    Work that was never seen is left out: it is not known when it would have begun.
    """
    running = {run.tool_call_id for run in runs if _covers([_span(run.interval)], start, end)}
    rounds = {call.round for call in turn.planned if call.tool_call_id in running}
    return any(work.round in rounds and work.span[1] >= end for work in works)


def _shared_out(excess: float, blamed: Mapping[Part, float]) -> dict[Part, float]:
    """The excess by reason, each in proportion to how long it was one.

    Together they were reasons for at least as long: once the last call of a round is at work, what is left takes no
    longer than the longest. Work that was cut off can be an exception; it waits for nobody.
    """
    total = sum(blamed.values())
    if total <= 0:
        return {Part.SERIAL: excess}
    return {part: excess * seconds / total for part, seconds in blamed.items()}


def _span(interval: Interval) -> Span:
    return interval.start, interval.end


def _pieces(whole: Interval, spans: Iterable[Span]) -> Iterable[Span]:
    """The whole, cut wherever a span begins or ends in it."""
    inside = {moment for span in spans for moment in span if whole.start < moment < whole.end}
    return pairwise(sorted({whole.start, whole.end} | inside))


def _covers(spans: Iterable[Span], start: float, end: float) -> bool:
    return any(first <= start and end <= last for first, last in spans)


def _model_spans(turn: Turn, evidence: Evidence) -> list[Span]:
    return [_span(span.interval) for span in evidence.spans if span.turn == turn.id and _is_request(span)]


def _statements(turn: Turn, evidence: Evidence) -> list[Span]:
    """What the turn itself asked the database, planned work apart."""
    mine = (statement for statement in evidence.statements if statement.turn == turn.id)
    return [_span(statement.interval) for statement in mine if not statement.injected]


def _put_off(turn: Turn, evidence: Evidence, tools: Sequence[Span]) -> list[Span]:
    """The tools' own statements that run when no tool does: put off until the turn ends, they are still theirs."""
    spans = (
        _span(statement.interval)
        for statement in evidence.statements
        if statement.turn == turn.id and statement.tool_call_id is not None and not statement.injected
    )
    return [span for span in spans if not _covers(tools, *span)]


def _is_request(span: SpanRecord) -> bool:
    return span.attributes.get("gen_ai.operation.name") == "chat"


def _ledger_spans(turn: Turn, evidence: Evidence, table: str | None) -> list[Span]:
    """From when a connection was had to when it was given back, for those that wrote to the ledger outside of tools.

    A connection that served the whole turn is the ledger's only between the tools and requests around the row.
    """
    if table is None:
        return []
    tools = [_span(run.interval) for run in evidence.tools if run.turn == turn.id]
    others = [*_model_spans(turn, evidence), *tools, *_put_off(turn, evidence, tools)]
    written = [
        (statement.connection, statement.interval)
        for statement in evidence.statements
        if statement.turn == turn.id
        and statement.tool_call_id is None
        and table in statement.sql
        and writes_rows(statement.sql)
    ]
    held = _held(evidence)
    return [_between(others, _around(held[connection], interval), _span(interval)) for connection, interval in written]


def _held(evidence: Evidence) -> Mapping[int, list[Span]]:
    """For each connection, when it was out of the pool."""
    out: dict[int, float] = {}
    held: defaultdict[int, list[Span]] = defaultdict(list)
    for event in evidence.pool:
        if event.kind is PoolEventKind.CHECKOUT:
            out[event.connection] = event.at
        elif event.connection in out:
            held[event.connection].append((out.pop(event.connection), event.at))
    return held


def _between(others: Iterable[Span], whole: Span, middle: Span) -> Span:
    """The piece of the whole around its middle that none of the others reaches into."""
    before = [end for _, end in others if end <= middle[0]]
    after = [start for start, _ in others if start >= middle[1]]
    return max([whole[0], *before]), min([whole[1], *after])


def _around(spans: Iterable[Span], interval: Interval) -> Span:
    around = (span for span in spans if span[0] <= interval.start and interval.end <= span[1])
    return next(around, _span(interval))
