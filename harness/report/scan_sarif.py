"""A scan as SARIF 2.1.0: a result for each finding, with the way of the session as a code flow.

Guarantee: a file that was not scanned is a notification of level `error`, so that an empty list of results is no proof.
Fingerprints hold while lines move: they are made of the code, the file's name, the variable and the users' names.
"""

import hashlib

from sarif_pydantic.sarif import (
    ArtifactLocation,
    CodeFlow,
    Invocation,
    Level,
    Location,
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
    ThreadFlow,
    ThreadFlowLocation,
    Tool,
    ToolDriver,
)

from harness.report.places import Roots
from harness.report.sarif import SCHEMA
from harness.report.scan_document import FindingOfScan, PlaceOfScan, ProblemOfScan, ScanDocument, StepOfScan
from harness.scan.codes import CODES, Code, Severity

__all__ = ["scan_sarif"]

_ROOT = "%SRCROOT%"
_LEVELS = {Severity.ERROR: Level.ERROR, Severity.WARNING: Level.WARNING, Severity.NOTE: Level.NOTE}


def scan_sarif(document: ScanDocument) -> str:
    """The log, indented."""
    log = Sarif(schema_uri=SCHEMA, runs=[_run(document)])
    return f"{log.model_dump_json(by_alias=True, exclude_none=True, indent=1)}\n"


def _run(document: ScanDocument) -> Run:
    codes = sorted({finding.code for finding in document.findings})
    return Run(
        tool=Tool(
            driver=ToolDriver(
                name="sessionproof", version=document.version, rules=[_rule(Code(code)) for code in codes]
            )
        ),
        automation_details=RunAutomationDetails(id="sessionproof-scan/"),
        invocations=[
            Invocation(
                execution_successful=not document.problems,
                exitCode=document.status,
                toolExecutionNotifications=[_notification(each) for each in document.problems],
            )
        ],
        original_uri_base_ids={_ROOT: ArtifactLocation(description=Message(text="The root of the sources."))},
        results=[_result(finding, codes.index(finding.code)) for finding in document.findings],
        columnKind="unicodeCodePoints",
    )


def _rule(code: Code) -> ReportingDescriptor:
    meaning = CODES[code]
    return ReportingDescriptor(
        id=str(code),
        name="".join(word.capitalize() for word in code.name.split("_")),
        short_description=Message(text=meaning.sentence),
        help=Message(text=f"Repair: {meaning.repair}"),
        default_configuration=ReportingConfiguration(level=_LEVELS[meaning.severity].value),
    )


def _result(finding: FindingOfScan, rule: int) -> Result:
    said = f"{finding.message}\nRepair: {finding.repair}"
    flow = [ThreadFlowLocation(location=_step(step)) for step in finding.path]
    return Result(
        rule_id=finding.code,
        rule_index=rule,
        level=_LEVELS[finding.severity],
        message=_message(said),
        locations=[_location(finding.place)],
        related_locations=[
            Location(
                id=number, physical_location=_physical(user.place), message=_message(f"`{user.name}` uses the session.")
            )
            for number, user in enumerate(finding.users, 1)
        ]
        or None,
        code_flows=[CodeFlow(thread_flows=[ThreadFlow(locations=flow)])] if flow else None,
        partial_fingerprints={"sessionproofScan/v1": _fingerprint(finding)},
    )


def _fingerprint(finding: FindingOfScan) -> str:
    parts = [finding.code, finding.place.file, finding.variable, *sorted(user.name for user in finding.users)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _message(text: str) -> Message:
    """The text, in which nothing is a link or a placeholder."""
    return Message(text=text.replace("](", "] (").replace("{", "{{").replace("}", "}}"))


def _step(step: StepOfScan) -> Location:
    return Location(physical_location=_physical(step.place), message=_message(step.words))


def _location(place: PlaceOfScan) -> Location:
    return Location(physical_location=_physical(place))


def _physical(place: PlaceOfScan) -> PhysicalLocation:
    uri = Roots().uri(place.file)
    absolute = uri.startswith("file:")
    artifact = ArtifactLocation(uri=uri) if absolute else ArtifactLocation(uri=uri, uri_base_id=_ROOT)
    return PhysicalLocation(artifact_location=artifact, region=Region(start_line=place.line, start_column=place.column))


def _notification(problem: ProblemOfScan) -> Notification:
    place = PlaceOfScan(file=problem.file, line=problem.line, column=1)
    return Notification(
        level=Level.ERROR, message=_message(f"not scanned: {problem.message}"), locations=[_location(place)]
    )
