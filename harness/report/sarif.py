"""`report.sarif`: findings that have a place in the code, in SARIF 2.1.0, for code scanning and editors.

Problem: the same defect is found in dozens of cells, and again in every run; a viewer wants it once, beside the line
that causes it, with what happened before it, and wants to know it again tomorrow.

Mechanism: findings with the same fingerprint are one result, which counts its occurrences, names its cells, and has
the other lines at which it was seen as related locations. A race has both accesses, where their tasks were created and
where the session was made as related locations, too, and both stacks as the two threads of a code flow; any other
finding has its stack. `harness.report.sarif_defects` makes the fingerprints, as the standard advises (3.27.17, and
appendix B). What is no finding with a place is a notification of the invocation: an empty list of results is no proof.
One of level `error` says that the results are not complete.

Levels: `error` for what must not be in its cell, `warning` for what was expected in a cell that is not as expected, and
`note` for what was expected, and seen; of a result in several cells, the worst.

Guarantee: text of the backend makes no links and no placeholders. Paths below the root of the sources are relative URIs
to `%SRCROOT%`. The models of `sarif-pydantic` lack a few properties of the standard, which are given by their names.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sarif_pydantic.sarif import (
    Invocation,
    Level,
    Location,
    Message,
    Notification,
    ReportingConfiguration,
    ReportingDescriptor,
    Result,
    Run,
    Sarif,
    Stack,
    StackFrame,
)

from harness.explain import EXPLANATIONS
from harness.report.digest import Outcome
from harness.report.document import FindingDocument, RunDocument, exit_status
from harness.report.places import Roots, innermost, places_of
from harness.report.sarif_defects import Defect, defects
from harness.report.sarif_parts import SCHEMA, flows_of, location_of, message_of, places_of_race, run_of
from harness.report.selection import cell_name
from harness.report.text import block, inline
from harness.verdict import FindingKind

__all__ = ["SCHEMA", "SarifWriter"]

_TEXT_LIMIT = 4000
_CELLS_LIMIT = 50
_LINES_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SarifWriter:
    """Writes `report.sarif`; `root` is where the sources are, the folder in which the run was started by default."""

    root: str = ""
    name: str = "sarif"
    filename: str = "report.sarif"

    def write(self, document: RunDocument) -> str:
        """The log, indented."""
        roots = Roots.of(document.environment, root=self.root)
        log = Sarif(schema_uri=SCHEMA, runs=[_run(document, roots)])
        return f"{log.model_dump_json(by_alias=True, exclude_none=True, indent=1)}\n"


def _run(document: RunDocument, roots: Roots) -> Run:
    found = defects(document, roots)
    kinds = sorted({defect.worst.finding.kind for defect in found})
    return run_of(
        "sessionproof/",
        version=document.environment.packages.get("sessionproof"),
        source=document.environment.source,
        rules=[_rule(kind) for kind in kinds],
        invocation=_invocation(document, found),
        results=[_result(defect, kinds.index(defect.worst.finding.kind), roots) for defect in found],
    )


def _rule(kind: FindingKind) -> ReportingDescriptor:
    explained = EXPLANATIONS[kind]
    words = kind.value.split("_")
    return ReportingDescriptor(
        id=kind.value,
        name="".join(word.capitalize() for word in words),
        short_description=Message(text=" ".join(words).capitalize()),
        full_description=Message(text=explained.cause),
        help=Message(
            text=f"Usual cause: {explained.cause}\n\nRepair: {explained.repair}",
            markdown=f"**Usual cause.** {explained.cause}\n\n**Repair.** {explained.repair}",
        ),
        default_configuration=ReportingConfiguration(level=Level.ERROR.value),
    )


def _result(defect: Defect, rule: int, roots: Roots) -> Result:
    worst, cells = defect.worst, defect.cells
    finding, race = worst.finding, worst.race
    names = list(cells)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    said = f"{block(finding.message, limit=_TEXT_LIMIT)}\nSeen in {inline(names[0])}{more}. To see it again: "
    located: dict[str, Any] = (
        {"stacks": [_stack(finding, roots)]} if race is None else {"code_flows": flows_of(race, roots)}
    )
    return Result(
        rule_id=finding.kind.value,
        rule_index=rule,
        level=worst.level,
        message=message_of(f"{said}{inline(finding.reproduce, limit=1000)}"),
        locations=[location_of(worst.place, roots)],
        related_locations=_related(defect, roots) or None,
        partial_fingerprints={"sessionproof/v1": defect.fingerprint},
        occurrenceCount=len(defect.seen),
        properties={
            "check": inline(finding.check),
            "expected": not finding.unexpected,
            "reproduce": inline(finding.reproduce, limit=1000),
            "cells": [inline(name) for name in names[:_CELLS_LIMIT]],
            "cellCount": len(names),
            "cellsByLevel": {level.value: count for level, count in Counter(cells.values()).items()},
        },
        **located,
    )


def _stack(finding: FindingDocument, roots: Roots) -> Stack:
    """The finding's stack, innermost first, as the standard has it."""
    frames = [StackFrame(location=location_of(place, roots)) for place in reversed(places_of(finding.stack))]
    return Stack(message=Message(text="The application's frames."), frames=frames)


def _related(defect: Defect, roots: Roots) -> list[Location]:
    """Both accesses of a race, where what they used was made, and the other lines at which the same was seen."""
    race = defect.worst.race
    said = [] if race is None else places_of_race(race)
    found = [(message, place) for message, stack in said if (place := innermost(stack, roots)) is not None]
    found += [("The same was seen here.", place) for place in defect.others[:_LINES_LIMIT]]
    return [
        location_of(place, roots, number=number, message=message) for number, (message, place) in enumerate(found, 1)
    ]


def _invocation(document: RunDocument, defects: Sequence[Defect]) -> Invocation:
    told = [*_notifications(document, defects)]
    return Invocation(
        command_line=inline(document.command, limit=_TEXT_LIMIT),
        start_time_utc=document.started_at,
        end_time_utc=_ended(document),
        execution_successful=not any(each.level is Level.ERROR for each in told),
        exitCode=exit_status(document),
        toolExecutionNotifications=told,
    )


def _ended(document: RunDocument) -> datetime | None:
    """When the run was over; `None` if what the document says of that is no time."""
    try:
        return document.started_at + timedelta(seconds=document.seconds) if document.seconds >= 0 else None
    except (OverflowError, ValueError):
        return None


def _notifications(document: RunDocument, defects: Sequence[Defect]) -> Iterator[Notification]:
    """What an empty list of results would hide; errors are what keeps the results from being complete."""
    for problem in document.problems:
        yield Notification(level=Level.ERROR, message=message_of(block(problem, limit=_TEXT_LIMIT)))
    if not document.cells:
        yield Notification(level=Level.ERROR, message=Message(text="Nothing was verified."))
    for cell in document.cells:
        if not cell.as_expected:
            said = "; ".join(cell.objections) or "not as expected"
            text = inline(f"{cell_name(cell)}: {said}", limit=_TEXT_LIMIT)
            level = Level.ERROR if Outcome.of(cell) is Outcome.UNKNOWN else Level.WARNING
            yield Notification(level=level, message=message_of(text))
    for gap in document.not_verified:
        text = inline(f"not verified: {gap.scenario}, {gap.session_mode or 'all modes'}: {gap.reason}")
        yield Notification(level=Level.NOTE, message=message_of(text))
    placeless = sum(len(cell.findings) for cell in document.cells) - sum(len(defect.seen) for defect in defects)
    if placeless:
        have = "1 finding has" if placeless == 1 else f"{placeless} findings have"
        text = f"{have} no place in the code, and {'is' if placeless == 1 else 'are'} in run.json alone."
        yield Notification(level=Level.NOTE, message=Message(text=text))
