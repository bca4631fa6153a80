"""What the seconds of a turn were spent on, so that they add up.

Problem: a ratio that became worse does not say why, and what happens at the same time must not be counted twice.

Mechanism: the turn's time is cut where something begins or ends, and each piece goes to the first of these that was
going on in it: the tools' planned work in the database; a wait for a connection of the pool; the transaction that
writes the ledger; a model's request; a tool, whatever it did beside its planned work; else the application. Of the
planned work, what goes beyond the longest tool of each round was not done side by side: it is `LOOP` where one frame
held the event loop, and `SERIAL` otherwise. A held event loop is also told from what a tool does.

Guarantee: the parts are never negative, and their sum is the turn's length.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import groupby, pairwise

from harness.evidence import Evidence, Interval, PoolEventKind, Turn

__all__ = ["Part", "efficiency_of", "longest_work", "parts_of"]


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
    """What a tool did beside its planned work: sessions, transactions, statements of its own."""
    MODEL = "model"
    """Requests to the model."""
    LEDGER = "ledger"
    """The transaction that writes the bill."""
    APPLICATION = "application"
    """Everything else: the agent, the application's own statements, HTTP."""


Span = tuple[float, float]


def parts_of(turn: Turn, evidence: Evidence, *, ledger_table: str | None) -> Mapping[Part, float]:
    """Seconds of each part of a turn; their sum is the turn's length.

    Raises:
        MissingEvidence: a record that this needs could not be made.
    """
    own = [statement for statement in evidence.statements if statement.turn == turn.id]
    layers: Sequence[tuple[Part, list[Span]]] = (
        (Part.WORK, [_span(statement.interval) for statement in own if statement.injected]),
        (Part.POOL, [_span(wait.interval) for wait in evidence.waits if wait.turn == turn.id]),
        (Part.LEDGER, _ledger_spans(turn, evidence, ledger_table)),
        (Part.MODEL, _model_spans(turn, evidence)),
        (Part.SESSIONS, [_span(run.interval) for run in evidence.tools if run.turn == turn.id]),
    )
    stalls = [_span(stall.interval) for stall in evidence.stalls]
    seconds: defaultdict[Part, float] = defaultdict(float)
    stalled_work = 0.0
    for start, end in _pieces(turn.interval, [*stalls, *(span for _, spans in layers for span in spans)]):
        part = next((part for part, spans in layers if _covers(spans, start, end)), Part.APPLICATION)
        stalled = _covers(stalls, start, end)
        if part is Part.WORK:
            stalled_work += (end - start) * stalled
        elif stalled:
            part = Part.LOOP
        seconds[part] += end - start
    excess = max(0.0, seconds[Part.WORK] - longest_work(turn))
    held = min(excess, stalled_work)
    seconds[Part.WORK] -= excess
    seconds[Part.LOOP] += held
    seconds[Part.SERIAL] += excess - held
    return {part: seconds[part] for part in Part}


def longest_work(turn: Turn) -> float:
    """The planned work of the longest tool of each round, in seconds: what the turn takes at least."""
    ordered = sorted(turn.planned, key=lambda call: call.round)
    rounds = groupby(ordered, key=lambda call: call.round)
    return sum(max(call.database_seconds for call in calls) for _, calls in rounds)


def efficiency_of(turn: Turn) -> float:
    """The longest tool's planned work, as a part (0…1) of the turn: 1 if nothing else takes any time."""
    return longest_work(turn) / turn.interval.seconds


def _span(interval: Interval) -> Span:
    return interval.start, interval.end


def _pieces(whole: Interval, spans: Iterable[Span]) -> Iterable[Span]:
    """The whole, cut wherever a span begins or ends in it."""
    inside = {moment for span in spans for moment in span if whole.start < moment < whole.end}
    return pairwise(sorted({whole.start, whole.end} | inside))


def _covers(spans: Iterable[Span], start: float, end: float) -> bool:
    return any(first <= start and end <= last for first, last in spans)


def _model_spans(turn: Turn, evidence: Evidence) -> list[Span]:
    return [
        _span(span.interval)
        for span in evidence.spans
        if span.turn == turn.id and span.attributes.get("gen_ai.operation.name") == "chat"
    ]


def _ledger_spans(turn: Turn, evidence: Evidence, table: str | None) -> list[Span]:
    """From when a connection was had to when it was given back, for those that wrote to the ledger outside of tools.

    A connection that served the whole turn is the ledger's only between the tools and requests around the row.
    """
    if table is None:
        return []
    others = [*_model_spans(turn, evidence), *(_span(run.interval) for run in evidence.tools if run.turn == turn.id)]
    written = [
        (statement.connection, statement.interval)
        for statement in evidence.statements
        if statement.turn == turn.id and statement.tool_call_id is None and table in statement.sql
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
