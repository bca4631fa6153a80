"""Pieces of a SARIF log that all logs of ours have in common: messages, locations, and the two threads of a race.

Guarantee: text of the program makes no links and no placeholders. Paths below the root of the sources are relative URIs
to `%SRCROOT%`. The models of `sarif-pydantic` lack a few properties of the standard, which are given by their names.
"""

import re
from collections.abc import Iterator, Sequence

from sarif_pydantic.sarif import (
    ArtifactLocation,
    CodeFlow,
    Invocation,
    Location,
    LogicalLocation,
    Message,
    PhysicalLocation,
    Region,
    ReportingDescriptor,
    Result,
    Run,
    RunAutomationDetails,
    ThreadFlow,
    ThreadFlowLocation,
    Tool,
    ToolDriver,
    VersionControlDetails,
)

from harness.evidence import AccessSeen, PlaceSeen, SessionRace
from harness.report.document import SourceDocument
from harness.report.places import Roots, is_pseudo, quoted
from harness.report.text import inline

__all__ = ["ROOT", "SCHEMA", "flows_of", "location_of", "message_of", "places_of_race", "run_of"]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
_LINK = re.compile(r"\]\(")
_PLACEHOLDER = re.compile(r"\{(\d+)\}")


def run_of(
    automation: str,
    *,
    version: str | None,
    source: SourceDocument | None,
    rules: Sequence[ReportingDescriptor],
    invocation: Invocation,
    results: Sequence[Result],
) -> Run:
    """A run of this tool: `automation` names the series that it is of, `source` the sources, if they are known."""
    provenance = source and VersionControlDetails(
        repository_uri=source.repository,
        revision_id=source.revision,
        branch=source.branch or None,
        mappedTo={"uriBaseId": ROOT},
    )
    return Run(
        tool=Tool(driver=ToolDriver(name="sessionproof", version=version, rules=list(rules))),
        automation_details=RunAutomationDetails(id=automation),
        invocations=[invocation],
        version_control_provenance=[provenance] if provenance else None,
        original_uri_base_ids={ROOT: ArtifactLocation(description=Message(text="The root of the sources."))},
        results=list(results),
        columnKind="unicodeCodePoints",
    )


def message_of(text: str) -> Message:
    """The text, in which nothing is a link to somewhere or a placeholder for something."""
    return Message(text=_PLACEHOLDER.sub(r"{{\1}}", _LINK.sub("] (", text)) or "-")


def location_of(place: PlaceSeen, roots: Roots, *, number: int | None = None, message: str | None = None) -> Location:
    """A line and its function."""
    function = inline(place.function)
    return Location(
        id=number,
        physical_location=None if is_pseudo(place.file) else _physical(place, roots),
        logical_locations=[
            LogicalLocation(name=function.rpartition(".")[2], fully_qualified_name=function, kind="function")
        ],
        message=message_of(message) if message is not None else None,
    )


def _physical(place: PlaceSeen, roots: Roots) -> PhysicalLocation:
    relative = roots.relative(place.file)
    artifact = (
        ArtifactLocation(uri=roots.uri(place.file))
        if relative is None
        else ArtifactLocation(uri=quoted(relative), uri_base_id=ROOT)
    )
    return PhysicalLocation(artifact_location=artifact, region=Region(start_line=place.line))


def flows_of(race: SessionRace, roots: Roots) -> list[CodeFlow] | None:
    """How both tasks came to their accesses, as the threads of a code flow."""
    threads = [
        ThreadFlow(id=str(order), message=message_of(f"The {word} access: {_who(access)}."), locations=steps)
        for order, (word, access) in enumerate((("first", race.first), ("second", race.second)), 1)
        if (steps := list(_steps(access, order, roots)))
    ]
    message = message_of(f"How both came to {inline(race.subject)}.")
    return [CodeFlow(message=message, thread_flows=threads)] if threads else None


def places_of_race(race: SessionRace) -> list[tuple[str, Sequence[PlaceSeen]]]:
    """The stacks that belong to a race, each with a sentence about what was done there."""
    return [
        (f"The first access: {_who(race.first)}.", race.first.stack),
        (f"The second access: {_who(race.second)}.", race.second.stack),
        (f"{inline(race.subject)} was made here.", race.subject_created),
        ("The task of the first access was created here.", race.first.task_created),
        ("The task of the second access was created here.", race.second.task_created),
    ]


def _who(access: AccessSeen) -> str:
    who = f"tool {access.tool}" if access.tool else f"task {access.task}"
    return inline(f"{access.operation} of {who}")


def _steps(access: AccessSeen, order: int, roots: Roots) -> Iterator[ThreadFlowLocation]:
    places = [place for place in access.stack if place.line >= 1]
    for depth, place in enumerate(places):
        last = depth == len(places) - 1
        yield ThreadFlowLocation(
            location=location_of(place, roots, message=_who(access) if last else None),
            nesting_level=depth,
            execution_order=order if last else None,
            importance="essential" if last else "important",
        )
