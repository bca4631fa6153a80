"""A part of a run: some of its cells, or one turn of a cell, by the names that people use.

A cell is `SCENARIO/MODE-POOL-TIER`, such as `failing_tool/shared-cold-scripted`; a pattern (`failing_tool/*`) selects
several, and so does the scenario alone. A turn is its number in the cell, from 1, its identifier, or the beginning of
that.

Guarantee: what selects nothing is a `UsageError` that names the nearest that there is.
"""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from harness.errors import UsageError
from harness.evidence import AccessSeen, ErrorRecord, ErrorSource, Interval, SessionRace, Turn
from harness.report.document import CellDocument, EvidenceDocument, RecordDocument, RunDocument
from harness.report.text import inline

__all__ = ["cell_name", "closest", "nearest", "select_cells", "select_turn"]

_LONGEST_NUMBER = 6
_SHOWN = 5


def cell_name(cell: CellDocument) -> str:
    """The cell's name in its run: `failing_tool/shared-cold-scripted`."""
    return f"{cell.scenario}/{cell.id}"


def closest(name: str, names: Iterable[str]) -> str | None:
    """The name that is most like one that there is not, if any is."""
    return next(iter(get_close_matches(name, list(names), n=1, cutoff=0.5)), None)


def nearest(name: str, names: Iterable[str]) -> str:
    """A sentence about what there is instead of a name that there is not."""
    known = list(dict.fromkeys(names))
    if (close := closest(name, known)) is not None:
        return f"the nearest is {inline(close)!r}"
    shown = ", ".join(inline(each) for each in known[:_SHOWN])
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return f"there are {shown}{more}" if known else "there are none"


def select_cells(documents: Sequence[RunDocument], wanted: Sequence[str]) -> list[RunDocument]:
    """The runs with the cells of these names or patterns alone, and their verdicts on them; all if none is named.

    What was not verified is left out only if it is of a scenario that has cells, and none of them is selected: what
    nobody looked at may be a part of what was asked for. Costs and problems are the whole run's.

    Raises:
        UsageError: a name or pattern fits no cell of any of them, nor a scenario that was not verified.
    """
    if not wanted:
        return list(documents)
    cells = [cell for document in documents for cell in document.cells]
    gaps = {gap.scenario for document in documents for gap in document.not_verified}
    for name in wanted:
        if name not in gaps and not any(_fits(cell, name) for cell in cells):
            raise UsageError(
                f"there is no cell {name!r} in the run; {nearest(name, [*map(cell_name, cells), *sorted(gaps)])}"
            )
    return [_with_cells(document, wanted) for document in documents]


def _with_cells(document: RunDocument, wanted: Sequence[str]) -> RunDocument:
    """The run with some of its cells; all that is not said of a cell stays as it is."""
    cells = [cell for cell in document.cells if any(_fits(cell, name) for name in wanted)]
    judged = RunDocument.of(
        started_at=document.started_at,
        seconds=document.seconds,
        command=document.command,
        environment=document.environment,
        cells=cells,
        problems=document.problems,
    )
    others = {cell.scenario for cell in document.cells} - {cell.scenario for cell in cells}
    return document.model_copy(
        update={
            "verdict": judged.verdict,
            "turns": judged.turns,
            "cells": judged.cells,
            "not_verified": tuple(gap for gap in document.not_verified if gap.scenario not in others),
        }
    )


def _fits(cell: CellDocument, wanted: str) -> bool:
    name = cell_name(cell)
    return wanted in {name, cell.scenario} or fnmatchcase(name, wanted)


def select_turn(document: RunDocument, wanted: str) -> RunDocument:
    """The run with one turn of one cell, and what was seen of it.

    Raises:
        UsageError: there is no such turn, or it is a number and there are several cells.
    """
    found = [(cell, turn) for cell in document.cells for turn in _turns(cell, wanted)]
    exact = [(cell, turn) for cell, turn in found if turn.id == wanted]
    found = exact or found
    if not found:
        names = [turn.id for cell in document.cells for turn in cell.evidence.turns]
        raise UsageError(f"there is no turn {wanted!r} in the cells that were asked for; {nearest(wanted, names)}")
    if len(found) > 1:
        places = [f"{cell_name(cell)} ({turn.id})" for cell, turn in found]
        raise UsageError(
            f"turn {wanted!r} is not one turn but {len(found)}: name its cell by --cell; {nearest('', places)}"
        )
    (cell, turn), *_ = found
    return document.model_copy(update={"cells": (_narrowed(cell, turn),), "turns": 1})


def _turns(cell: CellDocument, wanted: str) -> Iterator[Turn]:
    turns = cell.evidence.turns
    if wanted.isdecimal() and len(wanted) <= _LONGEST_NUMBER:
        yield from turns[int(wanted) - 1 : int(wanted)] if int(wanted) else ()
    elif wanted:
        yield from (turn for turn in turns if turn.id.startswith(wanted))


def _narrowed(cell: CellDocument, turn: Turn) -> CellDocument:
    evidence = cell.evidence
    changed: dict[str, Any] = {"turns": (turn,)}
    for name in EvidenceDocument.model_fields:
        record = getattr(evidence, name)
        if isinstance(record, RecordDocument):
            kept = tuple(item for item in record.items if _belongs(item, turn))
            changed[name] = record.model_copy(update={"items": kept})
    findings = tuple(finding for finding in cell.findings if finding.turn in {None, turn.id})
    return cell.model_copy(update={"evidence": evidence.model_copy(update=changed), "findings": findings, "turns": 1})


def _belongs(item: object, turn: Turn) -> bool:
    """Whether something was seen of the turn: by its name, or if it has none, because it was then."""
    if isinstance(item, SessionRace):
        return turn.id in {item.first.turn, item.second.turn} or _unnamed(item.first, item.second, item.at, turn)
    named = getattr(item, "turn", None)
    if named is not None:
        return bool(named == turn.id)
    return _within(item, turn)


def _unnamed(first: AccessSeen, second: AccessSeen, at: float, turn: Turn) -> bool:
    return first.turn is None and second.turn is None and turn.interval.start <= at <= turn.interval.end


def _within(item: object, turn: Turn) -> bool:
    """Whether it was in the turn's time; what has no time of the process's own clock belongs to any turn."""
    interval = getattr(item, "interval", None)
    if isinstance(interval, Interval):
        return interval.start <= turn.interval.end and interval.end >= turn.interval.start
    at = getattr(item, "at", None)
    if isinstance(at, float) and not (isinstance(item, ErrorRecord) and item.source is ErrorSource.SERVER):
        return turn.interval.start <= at <= turn.interval.end
    return True
