"""A cell and a turn as plain values, for a page that draws them: rows of numbers, with texts by their number.

The page's scripts read the same rows; `assets/data.js` says which place is what.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite
from typing import Any

from harness import evidence as ev
from harness.report import digest
from harness.report.cuts import first
from harness.report.document import CellDocument, EvidenceDocument, FindingDocument
from harness.report.packed_texts import Texts
from harness.report.places import race_of
from harness.report.sides import Bill, Line, bills, sides
from harness.report.sides_texts import money, source_text
from harness.report.timeline import LaneKind, Mark, MarkKind, timeline
from harness.report.turn_events import TurnEvents, evidence_gaps, homeless, turn_ending
from harness.verdict import Damage, ModelChoices

__all__ = ["describe_cell", "describe_turn", "kept_findings"]

_LANES = {kind: number for number, kind in enumerate(LaneKind)}
_MARKS = {kind: number for number, kind in enumerate(MarkKind)}
_FAILED, _UNENDED = 1, 2
_ROWS = 200
_LINES = 400
_SHOWN = 20
_CHECKS = 100
_LEDGER_CHECK = "ledger"


def kept_findings(cell: CellDocument, most: int) -> list[int]:
    """The numbers of the findings that stand in the cell itself: unexpected ones first, if there are more."""
    shown = sorted(range(len(cell.findings)), key=lambda number: (not cell.findings[number].unexpected, number))
    return sorted(shown[:most])


def describe_cell(
    cell: CellDocument, seen: Sequence[TurnEvents], texts: Texts, *, findings: int, turns: int
) -> dict[str, Any]:
    """The cell without the details of its turns, with so many of its findings, and a line for so many of its turns."""
    places = {each.turn.id: number for number, each in enumerate(seen[:turns])}
    rows, races = _told(kept_findings(cell, findings), cell, cell.evidence.races.items, places, texts)
    _, others = bills(cell)
    return {
        "scenario": texts(cell.scenario),
        "question": texts(cell.question),
        "mode": cell.session_mode.value,
        "pool": cell.pool_state.value,
        "tier": cell.tier.value,
        "outcome": digest.Outcome.of(cell).value,
        "expected": cell.expected,
        "seconds": round(_finite(cell.seconds), 3),
        "clone": round(_finite(cell.clone_seconds), 3),
        "fault": texts(cell.fault),
        "damage": texts(_damage(cell.damage)),
        "choices": _choices(cell.choices, texts),
        "objections": _texts(digest.objections(cell), texts),
        "checks": [
            [texts(check.check), check.verdict.value, texts(check.reason), _texts(check.notes, texts)]
            for check in cell.checks[:_CHECKS]
        ],
        "unchecked": max(0, len(cell.checks) - _CHECKS),
        "counts": dict(Counter(finding.kind.value for finding in cell.findings)),
        "findings": rows,
        "races": races,
        "command": texts(cell.reproduce),
        "gaps": [[name, texts(reason)] for name, reason in evidence_gaps(cell.evidence)],
        "notes": _texts(cell.evidence.notes, texts),
        "also": [[texts(name), texts(said)] for name, said in _also(cell, seen)],
        "grain": cell.evidence.ledger_grain.value,
        "others": [[texts(said) for said in _strayed(row)] for row in others[:_ROWS]],
        "strayed": len(others),
        "total": len(seen),
        "turns": [_summary(each, cell.evidence, texts) for each in seen[:turns]],
        "details": {},
    }


def _texts(said: Sequence[str], texts: Texts) -> list[int]:
    return [texts(each) for each in first(said, _SHOWN)]


def _told(
    numbers: Iterable[int],
    cell: CellDocument,
    races: Iterable[ev.SessionRace],
    turns: dict[str, int],
    texts: Texts,
) -> tuple[list[list[Any]], list[dict[str, Any]]]:
    """The findings of these numbers, and the races of which they tell, each with the place of its own."""
    left = list(races)
    rows: list[list[Any]] = []
    told: list[dict[str, Any]] = []
    for number in numbers:
        finding = cell.findings[number]
        race = race_of(finding, left)
        if race is not None:
            left.remove(race)
            told.append(_race(race, texts))
        place = len(told) - 1 if race is not None else -1
        rows.append([number, *_finding(finding, cell, turns, texts), place])
    return rows, told


def _finding(
    finding: FindingDocument, cell: CellDocument, turns: dict[str, int], texts: Texts
) -> list[int | str | bool]:
    return [
        finding.kind.value,
        texts(finding.message),
        texts(finding.where),
        -1 if finding.turn is None else turns.get(finding.turn, -1),
        texts.stack(finding.stack),
        finding.unexpected,
        0 if finding.reproduce == cell.reproduce else texts(finding.reproduce),
    ]


def _race(race: ev.SessionRace, texts: Texts) -> dict[str, Any]:
    return {
        "kind": race.kind.value,
        "subject": texts(race.subject),
        "count": race.count,
        "created": texts.stack(race.subject_created),
        "accesses": [_access(race.first, texts), _access(race.second, texts)],
    }


def _access(access: ev.AccessSeen, texts: Texts) -> list[int]:
    who = access.tool or access.task
    return [
        texts(access.operation),
        texts(who),
        texts.stack(access.stack),
        texts.stack(access.task_created),
    ]


def _summary(seen: TurnEvents, evidence: EvidenceDocument, texts: Texts) -> list[Any]:
    """A turn's line; what would be counted from a record that is missing is nothing, and not 0."""
    turn = seen.turn
    failed = sum(run.outcome is not ev.ToolOutcome.RETURNED for run in seen.tools)
    tools_known, statements_known = evidence.tools.missing is None, evidence.statements.missing is None
    return [
        texts(turn.id),
        texts(f"{turn.tenant}/{turn.agent}"),
        _micro(turn.interval.seconds),
        turn_ending(turn),
        len(seen.tools) if tools_known else None,
        failed if tools_known else None,
        len(seen.statements) if statements_known else None,
        len(seen.findings),
        turn.parallel,
    ]


def describe_turn(
    cell: CellDocument, number: int, seen: TurnEvents, bill: Bill, texts: Texts, *, findings: int
) -> dict[str, Any]:
    """What is drawn of one turn, and those of its findings that do not stand in the cell."""
    drawn, turn = timeline(seen), seen.turn
    made = sides(bill, cell.evidence)
    in_cell = set(kept_findings(cell, findings))
    found = [each for each, _ in seen.findings if each not in in_cell]
    told, races = _told(found, cell, seen.races, {turn.id: number}, texts)
    rows, last = [], 0
    for mark in drawn.marks:
        start = _micro(mark.start)
        rows.append(_mark(mark, start - last, start, texts))
        last = start
    answer = turn.answer
    return {
        "start": _micro(drawn.start),
        "end": _micro(drawn.end),
        "lanes": [[_LANES[lane.kind], texts(lane.label)] for lane in drawn.lanes],
        "marks": rows,
        "signs": [
            [
                sign.finding,
                sign.second.lane,
                _micro(sign.second.at),
                -1 if sign.first is None else sign.first.lane,
                0 if sign.first is None else _micro(sign.first.at),
                sign.exact,
            ]
            for sign in drawn.signs
        ],
        "findings": told,
        "races": races,
        "message": texts(turn.message),
        "answer": texts("" if answer is None else answer.text),
        "error": texts(_error(turn)),
        "billed": "" if answer is None else "NULL" if answer.llm_request_id is None else str(answer.llm_request_id),
        "stuck": [[texts(task.name), texts.stack(task.stack)] for task in turn.stuck],
        "bill": {
            "lines": [_line(line, texts) for line in made.lines[:_LINES]],
            "left": max(0, len(made.lines) - _LINES),
            "sums": _line(made.sums, texts),
            "missing": [[side, texts(reason)] for side, reason in made.missing],
            "whole": made.whole,
            "gaps": made.gaps,
            "check": _ledger_verdict(cell),
            "found": [found for found, finding in seen.findings if finding.check == _LEDGER_CHECK],
        },
    }


def _ledger_verdict(cell: CellDocument) -> str:
    """What became of the check that knows the prices; empty if it was not among those of the run."""
    return next((check.verdict.value for check in cell.checks if check.check == _LEDGER_CHECK), "")


def _mark(mark: Mark, since: int, start: int, texts: Texts) -> list[int]:
    """Kind, lane, task's lane, microseconds since the mark before, duration, text, stack, flags."""
    return [
        _MARKS[mark.kind],
        mark.lane,
        -1 if mark.task is None else mark.task,
        since,
        -1 if mark.end is None else max(0, _micro(mark.end) - start),
        texts(mark.text),
        texts.stack(mark.stack),
        _FAILED * mark.failed + _UNENDED * mark.unended,
    ]


def _line(line: Line, texts: Texts) -> list[Any]:
    sides_of = [[texts(said) for said in side] for side in (line.invoice, line.client, line.ledger)]
    return [*sides_of, list(line.differs), texts(line.remark)]


def _error(turn: ev.Turn) -> str:
    said = [
        "" if turn.interrupted is None else f"interrupted: {turn.interrupted}",
        "" if turn.error is None else f"{turn.error_type or 'error'}: {turn.error}",
        "it gave no answer in the time allowed" if turn.timed_out else "",
    ]
    return "; ".join(filter(None, said))


def _strayed(row: ev.LedgerRow) -> list[str]:
    return [
        str(row.id),
        row.session_id or "NULL",
        f"{row.account_slug or 'NULL'}/{row.agent_instance_slug or 'NULL'}",
        source_text(row),
        "NULL" if row.total_tokens is None else str(row.total_tokens),
        "NULL" if row.total_cost is None else money(row.total_cost),
    ]


def _damage(damage: Damage | None) -> str:
    if damage is None:
        return ""
    missing, twice, wrong = digest.rows_text(damage).split("/")
    return (
        f"ledger rows missing {missing}, twice {twice}, wrong {wrong}; tools that failed {digest.tools_text(damage)}; "
        f"turns that failed {damage.failed_turns} of {damage.turns}"
    )


def _also(cell: CellDocument, seen: Sequence[TurnEvents]) -> Iterator[tuple[str, str]]:
    """What was recorded of the cell, and stands in no turn; of a record that is missing, why."""
    evidence = cell.evidence
    outside = ", ".join(f"{count:,} of {name}" for name, count in homeless(cell, seen).items())
    yield "records that no turn has: between turns, or while several went on", outside
    struck = Counter(fault.label for fault in evidence.faults.items)
    pairs = [f"{_finite(pair.speedup):.2f}" if pair.parallel else "?" for pair in evidence.pairs.items]
    idle = [f"{each.state}: pid {each.backend_pid}, {each.query}" for each in evidence.idle_transactions.items]
    refusals = evidence.refusals
    told = "\n".join(first([each.message for each in evidence.replay.items], _SHOWN))
    yield "faults that struck", _known(evidence.faults.missing, _counted(struck) if struck else "")
    yield (
        "one by one / together, of each pair of turns",
        _known(evidence.pairs.missing, ", ".join(first(pairs, _SHOWN))),
    )
    yield (
        "transactions that were left open",
        _known(evidence.idle_transactions.missing, "\n".join(first(idle, _SHOWN))),
    )
    yield "requests that were not let through", _known(refusals.missing, "\n".join(first(refusals.items, _SHOWN)))
    # without a recording there is nothing to differ from: the record of differences is missing wherever nothing is
    # replayed
    yield "differences from the recording", told


def _known(missing: str | None, said: str) -> str:
    return said if missing is None else f"not recorded: {missing}"


def _choices(made: ModelChoices | None, texts: Texts) -> list[list[int]]:
    """What a model did that decides by itself, as names and values."""
    if made is None:
        return []
    share = made.share
    pairs = {
        "turns": str(made.turns),
        "how they ended": _counted(made.outcomes),
        "tool calls that ran": _counted(made.calls),
        "tool calls that were refused": str(made.refused),
        "turns in which it called several tools at once": str(made.called_together),
        "turns in which these came to the database together": f"{made.together} ({share.value:.1%} of all turns, "
        f"95 % interval {share.low:.1%} to {share.high:.1%})",
        "of those, turns in which something was found": str(made.wrong),
    }
    if made.at_most is not None:
        pairs["so that of such turns, with 95 % confidence, at most"] = f"{made.at_most:.1%} are wrong"
    return [[texts(name), texts(value)] for name, value in pairs.items()]


def _counted(counts: Any) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _micro(seconds: float) -> int:
    return round(_finite(seconds) * 1e6)


def _finite(value: float) -> float:
    """What is no number is none on any axis either."""
    return value if isfinite(value) else 0.0
