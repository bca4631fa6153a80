"""`report.sarif`: findings that have a place in the code, in SARIF 2.1.0, for code scanning and editors.

Problem: the same defect is found in dozens of cells, and again in every run; a viewer wants it once, beside the line
that causes it, with what happened before it, and wants to know it again tomorrow.

Mechanism: findings of one kind that have the same places are one result, which counts its occurrences and names its
cells. A race has both accesses, where their tasks were created and where the session was made as related locations, and
both stacks as the two threads of a code flow; any other finding has its stack. The fingerprint is made of what does not
change from run to run or from machine to machine: kind, files, functions and operations, not lines, identifiers or
times. What is no finding with a place is a notification of the invocation: an empty list of results is no proof.

Levels: `error` for what must not be in its cell, `warning` for what was expected in a cell that is not as expected, and
`note` for what was expected, and seen.

Guarantee: text of the backend makes no links and no placeholders. Paths below the root of the sources are relative URIs
to `%SRCROOT%`. The models of `sarif-pydantic` lack a few properties of the standard, which are given by their names.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from sarif_pydantic.sarif import (
    ArtifactLocation,
    CodeFlow,
    Invocation,
    Level,
    Location,
    LogicalLocation,
    Message,
    Notification,
    PhysicalLocation,
    Region,
    ReportingConfiguration,
    ReportingDescriptor,
    Result,
    Run,
    RunAutomationDetails,
    Sarif,
    Stack,
    StackFrame,
    ThreadFlow,
    ThreadFlowLocation,
    Tool,
    ToolDriver,
    VersionControlDetails,
)

from harness.evidence import AccessSeen, PlaceSeen, SessionRace
from harness.explain import EXPLANATIONS
from harness.report.document import CellDocument, FindingDocument, RunDocument, exit_status
from harness.report.places import Roots, innermost, parse_frame, races_of_findings
from harness.report.text import block, inline
from harness.verdict import FindingKind

__all__ = ["SCHEMA", "SarifWriter"]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"
_TEXT_LIMIT = 4000
_CELLS_LIMIT = 50
_LINK = re.compile(r"\]\(")
_PLACEHOLDER = re.compile(r"\{(\d+)\}")
_SEVERITY = (Level.ERROR, Level.WARNING, Level.NOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SarifWriter:
    """Writes `report.sarif`; `root` is where the sources are, the folder in which the run was started by default."""

    root: str = ""
    name: str = "sarif"
    filename: str = "report.sarif"

    def write(self, document: RunDocument) -> str:
        """The log, indented."""
        roots = Roots(directory=document.environment.directory, root=self.root)
        log = Sarif(schema_uri=SCHEMA, runs=[_run(document, roots)])
        return f"{log.model_dump_json(by_alias=True, exclude_none=True, indent=1)}\n"


@dataclass(slots=True, kw_only=True)
class _Defect:
    """Findings that are one result: the first of them, and where all were."""

    finding: FindingDocument
    race: SessionRace | None
    place: PlaceSeen
    level: Level
    cells: dict[str, None] = field(default_factory=dict)
    count: int = 0


def _run(document: RunDocument, roots: Roots) -> Run:
    defects = _defects(document, roots)
    kinds = sorted({defect.finding.kind for defect in defects})
    source = document.environment.source
    provenance = source and VersionControlDetails(
        repository_uri=source.repository,
        revision_id=source.revision,
        branch=source.branch or None,
        mappedTo={"uriBaseId": _ROOT},
    )
    return Run(
        tool=Tool(
            driver=ToolDriver(
                name="sessionproof",
                version=document.environment.packages.get("sessionproof"),
                rules=[_rule(kind) for kind in kinds],
            )
        ),
        automation_details=RunAutomationDetails(id="sessionproof/"),
        invocations=[_invocation(document, defects)],
        version_control_provenance=[provenance] if provenance else None,
        original_uri_base_ids={_ROOT: ArtifactLocation(description=Message(text="The root of the sources."))},
        results=[_result(defect, kinds.index(defect.finding.kind), roots) for defect in defects],
        columnKind="unicodeCodePoints",
    )


def _defects(document: RunDocument, roots: Roots) -> list[_Defect]:
    """The worst first, then in the document's order."""
    found: dict[object, _Defect] = {}
    for cell in document.cells:
        races = races_of_findings(cell)
        for number, finding in enumerate(cell.findings):
            place = innermost(_frames(finding), roots)
            if place is None:
                continue
            race, level = races.get(number), _level(finding, cell)
            other = race and innermost(race.first.stack, roots)
            key = (level, finding.kind, place, other)
            defect = found.setdefault(key, _Defect(finding=finding, race=race, place=place, level=level))
            defect.cells[f"{cell.scenario}/{cell.id}"] = None
            defect.count += 1
    return sorted(found.values(), key=lambda defect: _SEVERITY.index(defect.level))


def _frames(finding: FindingDocument) -> list[PlaceSeen]:
    return [place for frame in finding.stack if (place := parse_frame(frame)) is not None]


def _level(finding: FindingDocument, cell: CellDocument) -> Level:
    if finding.unexpected:
        return Level.ERROR
    return Level.NOTE if cell.as_expected else Level.WARNING


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


def _result(defect: _Defect, rule: int, roots: Roots) -> Result:
    finding, race = defect.finding, defect.race
    cells = list(defect.cells)
    more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
    said = f"{block(finding.message, limit=_TEXT_LIMIT)}\nSeen in {inline(cells[0])}{more}. To see it again: "
    located: dict[str, Any] = {"stacks": [_stack(finding, roots)]} if race is None else _both(race, roots)
    return Result(
        rule_id=finding.kind.value,
        rule_index=rule,
        level=defect.level,
        message=_message(f"{said}{inline(finding.reproduce, limit=1000)}"),
        locations=[_location(defect.place, roots)],
        partial_fingerprints={"sessionproof/v1": _fingerprint(defect, roots)},
        occurrenceCount=defect.count,
        properties={
            "check": inline(finding.check),
            "expected": not finding.unexpected,
            "reproduce": inline(finding.reproduce, limit=1000),
            "cells": [inline(cell) for cell in cells[:_CELLS_LIMIT]],
            "cellCount": len(cells),
        },
        **located,
    )


def _message(text: str) -> Message:
    """The text, in which nothing is a link to somewhere or a placeholder for something."""
    return Message(text=_PLACEHOLDER.sub(r"{{\1}}", _LINK.sub("] (", text)) or "-")


def _fingerprint(defect: _Defect, roots: Roots) -> str:
    parts = [defect.finding.kind.value]
    race = defect.race
    if race is None:
        parts += _names([defect.place], roots)
    else:
        for access in (race.first, race.second):
            place = innermost(access.stack, roots)
            parts += [access.operation, *_names([place] if place else [], roots)]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _names(places: Iterable[PlaceSeen], roots: Roots) -> list[str]:
    return [f"{roots.stable(place.file)} {place.function}" for place in places]


def _location(place: PlaceSeen, roots: Roots, *, number: int | None = None, message: str | None = None) -> Location:
    function = inline(place.function)
    return Location(
        id=number,
        physical_location=PhysicalLocation(
            artifact_location=_artifact(place.file, roots), region=Region(start_line=place.line)
        ),
        logical_locations=[
            LogicalLocation(name=function.rpartition(".")[2], fully_qualified_name=function, kind="function")
        ],
        message=_message(message) if message is not None else None,
    )


def _artifact(file: str, roots: Roots) -> ArtifactLocation:
    relative = roots.relative(file)
    if relative is not None:
        return ArtifactLocation(uri=_quoted(relative), uri_base_id=_ROOT)
    whole = roots.absolute(file)
    return ArtifactLocation(uri=f"file:///{_quoted(whole.lstrip('/'))}")


def _quoted(path: str) -> str:
    return quote(path, safe="/", errors="backslashreplace")


def _stack(finding: FindingDocument, roots: Roots) -> Stack:
    """The finding's stack, innermost first, as the standard has it."""
    frames = [StackFrame(location=_location(place, roots)) for place in reversed(_frames(finding))]
    return Stack(message=Message(text="The application's frames."), frames=frames)


def _both(race: SessionRace, roots: Roots) -> dict[str, Any]:
    """What a result has of a race: its places, and both tasks as the threads of a code flow."""
    threads = [
        ThreadFlow(id=str(order), message=_message(f"The {word} access: {_who(access)}."), locations=steps)
        for order, (word, access) in enumerate((("first", race.first), ("second", race.second)), 1)
        if (steps := list(_steps(access, order, roots)))
    ]
    flow = CodeFlow(message=_message(f"How both came to {inline(race.subject)}."), thread_flows=threads)
    return {"related_locations": _related(race, roots) or None, "code_flows": [flow] if threads else None}


def _related(race: SessionRace, roots: Roots) -> list[Location]:
    subject = inline(race.subject)
    said: Sequence[tuple[str, Sequence[PlaceSeen]]] = (
        (f"The first access: {_who(race.first)}.", race.first.stack),
        (f"The second access: {_who(race.second)}.", race.second.stack),
        (f"{subject} was made here.", race.subject_created),
        ("The task of the first access was created here.", race.first.task_created),
        ("The task of the second access was created here.", race.second.task_created),
    )
    found = [(message, place) for message, stack in said if (place := innermost(stack, roots)) is not None]
    return [_location(place, roots, number=number, message=message) for number, (message, place) in enumerate(found, 1)]


def _who(access: AccessSeen) -> str:
    who = f"tool {access.tool}" if access.tool else f"task {access.task}"
    return inline(f"{access.operation} of {who}")


def _steps(access: AccessSeen, order: int, roots: Roots) -> Iterator[ThreadFlowLocation]:
    places = [place for place in access.stack if place.line >= 1]
    for depth, place in enumerate(places):
        last = depth == len(places) - 1
        yield ThreadFlowLocation(
            location=_location(place, roots, message=_who(access) if last else None),
            nesting_level=depth,
            execution_order=order if last else None,
            importance="essential" if last else "important",
        )


def _invocation(document: RunDocument, defects: Sequence[_Defect]) -> Invocation:
    return Invocation(
        command_line=inline(document.command, limit=_TEXT_LIMIT),
        start_time_utc=document.started_at,
        end_time_utc=document.started_at + timedelta(seconds=document.seconds),
        execution_successful=bool(document.cells) and not document.problems,
        exitCode=exit_status(document),
        toolExecutionNotifications=[*_notifications(document, defects)],
    )


def _notifications(document: RunDocument, defects: Sequence[_Defect]) -> Iterator[Notification]:
    for problem in document.problems:
        yield Notification(level=Level.ERROR, message=_message(block(problem, limit=_TEXT_LIMIT)))
    if not document.cells:
        yield Notification(level=Level.ERROR, message=Message(text="Nothing was verified."))
    for cell in document.cells:
        if not cell.as_expected:
            said = "; ".join(cell.objections) or "not as expected"
            text = inline(f"{cell.scenario}/{cell.id}: {said}", limit=_TEXT_LIMIT)
            yield Notification(level=Level.WARNING, message=_message(text))
    for gap in document.not_verified:
        text = inline(f"not verified: {gap.scenario}, {gap.session_mode or 'all modes'}: {gap.reason}")
        yield Notification(level=Level.NOTE, message=_message(text))
    placeless = sum(len(cell.findings) for cell in document.cells) - sum(defect.count for defect in defects)
    if placeless:
        yield Notification(
            level=Level.NOTE,
            message=Message(text=f"{placeless} findings have no place in the code, and are in run.json alone."),
        )
