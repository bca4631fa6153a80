"""What was recorded of each turn of a cell.

Guarantee: pure. What names its turn belongs to that; what names none is counted to the turn in whose time it was, if
there is only one that it can be.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from harness import evidence as ev
from harness.report.document import CellDocument, EvidenceDocument, FindingDocument

__all__ = ["TurnEvents", "events", "evidence_gaps", "homeless", "tool_names", "turn_ending"]


@dataclass(slots=True, kw_only=True)
class TurnEvents:
    """What was recorded of one turn; races belong to the turn of whoever came second, findings have their numbers."""

    turn: ev.Turn
    errors: list[ev.ErrorRecord] = field(default_factory=list)
    spans: list[ev.SpanRecord] = field(default_factory=list)
    tools: list[ev.ToolRun] = field(default_factory=list)
    statements: list[ev.Statement] = field(default_factory=list)
    operations: list[ev.SessionOperation] = field(default_factory=list)
    pool: list[ev.PoolEvent] = field(default_factory=list)
    waits: list[ev.PoolWait] = field(default_factory=list)
    stalls: list[ev.LoopStall] = field(default_factory=list)
    arrivals: list[ev.Arrival] = field(default_factory=list)
    requests: list[ev.ModelRequestSeen] = field(default_factory=list)
    races: list[ev.SessionRace] = field(default_factory=list)
    findings: list[tuple[int, FindingDocument]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many records it has."""
        return sum(len(getattr(self, name)) for name in _RECORDS)


_RECORDS = ("errors", "spans", "tools", "statements", "operations", "pool", "waits", "stalls", "arrivals", "requests")


def events(cell: CellDocument) -> list[TurnEvents]:
    """What was recorded of each turn of the cell."""
    found = [TurnEvents(turn=turn) for turn in cell.evidence.turns]
    by_id = {each.turn.id: each for each in found}
    when = _by_time(found)
    for name in _RECORDS:
        for item in getattr(cell.evidence, name).items:
            named = getattr(item, "turn", None)
            home = by_id.get(named) if named is not None else when(_moment(item))
            if home is not None:
                getattr(home, name).append(item)
    for race in cell.evidence.races.items:
        if race.second.turn is not None and (home := by_id.get(race.second.turn)) is not None:
            home.races.append(race)
    for number, finding in enumerate(cell.findings):
        if finding.turn is not None and (home := by_id.get(finding.turn)) is not None:
            home.findings.append((number, finding))
    return found


def homeless(cell: CellDocument, seen: Iterable[TurnEvents]) -> dict[str, int]:
    """How many records of each kind are in none of the cell's turns: they name none, and no one turn went on then."""
    at_home = Counter[str]()
    for each in seen:
        at_home.update({name: len(getattr(each, name)) for name in (*_RECORDS, "races")})
    totals = {name: len(getattr(cell.evidence, name).items) for name in (*_RECORDS, "races")}
    return {name: total - at_home[name] for name, total in totals.items() if total > at_home[name]}


def _by_time(found: Sequence[TurnEvents]) -> Callable[[float], TurnEvents | None]:
    """Which turn went on at a moment; of turns that were at work together nobody can say."""
    ordered = sorted(found, key=lambda each: each.turn.interval.start)
    if any(after.turn.interval.start < before.turn.interval.end for before, after in pairwise(ordered)):
        return lambda _: None
    starts = [each.turn.interval.start for each in ordered]

    def look(at: float) -> TurnEvents | None:
        place = bisect_right(starts, at) - 1
        return ordered[place] if place >= 0 and at <= ordered[place].turn.interval.end else None

    return look


def _moment(item: Any) -> float:
    if (interval := getattr(item, "interval", None)) is not None:
        return float(interval.start)
    return float(getattr(item, "at", None) or getattr(item, "start", None) or 0.0)


def turn_ending(turn: ev.Turn) -> str:
    """How the turn ended, in a word or two; of one with neither an answer nor an error nobody knows."""
    if turn.timed_out:
        return "timed out"
    if turn.interrupted is not None:
        return "interrupted"
    if turn.answer is not None:
        return "answered"
    return "failed" if turn.error_type or turn.error is not None else "not recorded"


def tool_names(turn: ev.Turn, runs: Iterable[ev.ToolRun]) -> dict[str, str]:
    """The name of each tool call of the turn, the same in every run of it: `search`, `search #2`.

    Calls of one tool are numbered in the order of the plan; those that were not planned follow, as they began. The tool
    is the one that ran, or else the one that was planned.
    """
    tools = {call.tool_call_id: call.tool for call in turn.planned}
    tools |= {run.tool_call_id: run.tool for run in sorted(runs, key=lambda run: run.interval.start)}
    counts: Counter[str] = Counter()
    names = {}
    for call, tool in tools.items():
        counts[tool] += 1
        names[call] = tool if counts[tool] == 1 else f"{tool} #{counts[tool]}"
    return names


def evidence_gaps(evidence: EvidenceDocument) -> Iterator[tuple[str, str]]:
    """The records that are not there, with the reason, of those that a timeline or a ledger is made of."""
    for name in (*_RECORDS, "races", "invoice", "responses", "ledger"):
        if (reason := getattr(evidence, name).missing) is not None:
            yield name, reason
