"""`junit.xml`: the run for tools that know only tests. A suite is a scenario, a case is a cell.

Problem: CI systems show pass, fail, error and skip, and a shared session that fails as expected is none of
the last three.

Mechanism: as expected is a pass, with what was reproduced in its output; not as expected is a failure; what
could not be decided is an error; what was not verified is skipped, with the sentence that says why. A problem
of the run itself is an error in a suite of its own, so that no such run looks green.

Guarantee: well-formed XML 1.0, whatever the backend said.
"""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from harness.plurals import number_of
from harness.report import digest
from harness.report.document import CellDocument, FindingDocument, NotVerifiedDocument, RunDocument
from harness.report.text import block, inline
from harness.verdict import Verdict

__all__ = ["JunitWriter"]

_TEXT_LIMIT = 20_000
_FINDINGS_LIMIT = 20


class JunitWriter:
    """Writes `junit.xml`."""

    name = "junit"
    filename = "junit.xml"

    def write(self, document: RunDocument) -> str:
        """The XML document, indented."""
        root = ET.Element("testsuites", name="sessionproof", time=f"{document.seconds:.3f}")
        suites = [_suite(document, name) for name, _ in digest.matrix(document)]
        if document.problems or not suites:
            suites.append(_problems(document))
        root.extend(suites)
        for suite in [*suites, root]:
            _count(suite)
        ET.indent(root)
        return ET.tostring(root, encoding="unicode", xml_declaration=False).join(
            ['<?xml version="1.0" encoding="UTF-8"?>\n', "\n"]
        )


def _suite(document: RunDocument, scenario: str) -> ET.Element:
    cells = [cell for cell in document.cells if cell.scenario == scenario]
    suite = ET.Element(
        "testsuite",
        name=inline(scenario),
        timestamp=document.started_at.isoformat(),
        time=f"{sum(cell.seconds for cell in cells):.3f}",
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in {"postgres": digest.server(document), "backend": document.environment.backend}.items():
        ET.SubElement(properties, "property", name=name, value=inline(value))
    suite.extend(map(_case, cells))
    suite.extend(_gap(gap) for gap in document.not_verified if gap.scenario == scenario)
    return suite


def _case(cell: CellDocument) -> ET.Element:
    case = ET.Element("testcase", classname=_class(cell.scenario), name=inline(cell.id), time=f"{cell.seconds:.3f}")
    if cell.as_expected:
        kinds = ", ".join(dict.fromkeys(finding.kind.value for finding in cell.findings))
        if kinds:
            ET.SubElement(case, "system-out").text = f"reproduced, as expected: {kinds}"
        return case
    unknown = cell.verdict is Verdict.UNKNOWN
    kinds = ", ".join(group.first.kind.value for group in digest.reasons(cell))
    message = inline("; ".join(cell.objections) or "not as expected", limit=1000)
    fault = ET.SubElement(
        case,
        "error" if unknown else "failure",
        message=message,
        type=kinds or ("unknown" if unknown else "expectation"),
    )
    fault.text = block("\n".join(_explanation(cell)), limit=_TEXT_LIMIT)
    return case


def _explanation(cell: CellDocument) -> Iterable[str]:
    yield from cell.objections
    for finding in cell.findings[:_FINDINGS_LIMIT]:
        yield from _finding(finding)
    if len(cell.findings) > _FINDINGS_LIMIT:
        yield f"... and {number_of(len(cell.findings) - _FINDINGS_LIMIT, 'more finding')}, in run.json"
    yield f"reproduce: {cell.reproduce}"


def _finding(finding: FindingDocument) -> Iterable[str]:
    where = f" ({inline(finding.where)})" if finding.where else ""
    yield f"{finding.kind}: {block(finding.message)}{where}"
    for frame in finding.stack:
        yield f"    {inline(frame)}"


def _gap(gap: NotVerifiedDocument) -> ET.Element:
    name = str(gap.session_mode) if gap.session_mode else "all modes"
    case = ET.Element("testcase", classname=_class(gap.scenario), name=name, time="0.000")
    ET.SubElement(case, "skipped", message=f"not verified: {inline(gap.reason, limit=1000)}")
    return case


def _problems(document: RunDocument) -> ET.Element:
    suite = ET.Element("testsuite", name="run", timestamp=document.started_at.isoformat(), time="0.000")
    for number, problem in enumerate(document.problems or ("nothing was verified",), start=1):
        case = ET.SubElement(suite, "testcase", classname="sessionproof", name=f"problem {number}", time="0.000")
        fault = ET.SubElement(case, "error", message=inline(problem, limit=1000), type="unknown")
        fault.text = block(problem, limit=_TEXT_LIMIT)
    return suite


def _class(scenario: str) -> str:
    return f"sessionproof.{inline(scenario)}"


def _count(suite: ET.Element) -> None:
    counts = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}
    for attribute, tag in counts.items():
        suite.set(attribute, str(sum(1 for _ in suite.iter(tag))))
