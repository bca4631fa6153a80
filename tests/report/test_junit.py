"""The run for tools that know only tests."""

from xml.etree import ElementTree as ET

import pytest
from inline_snapshot import snapshot

from harness.report.document import RunDocument
from harness.report.junit import JunitWriter
from harness.report.redact import redact
from tests.report import documents


def test_every_outcome_has_its_element() -> None:
    """As expected passes, not as expected fails, unknown is an error, not verified is skipped."""
    assert JunitWriter().write(documents.troubled()) == snapshot("""\
<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="sessionproof" time="42.125" tests="8" failures="2" errors="2" skipped="2">
  <testsuite name="single_tool" timestamp="2030-01-02T03:04:05+00:00" time="0.250" tests="2" failures="0" errors="1" skipped="1">
    <properties>
      <property name="postgres" value="PostgreSQL 18.1, embedded: no Docker engine answers" />
      <property name="backend" value="fixtures.backend.adapter:backend" />
    </properties>
    <testcase classname="sessionproof.single_tool" name="per_operation-warm-scripted" time="0.250">
      <error message="check 'ledger' could not decide: the ledger could not be read: no such table" type="unknown">check 'ledger' could not decide: the ledger could not be read: no such table
reproduce: sessionproof verify --scenario single_tool --mode per_operation --pool-state warm --tier scripted</error>
    </testcase>
    <testcase classname="sessionproof.single_tool" name="locked" time="0.000">
      <skipped message="not verified: the backend has no mode 'locked'" />
    </testcase>
  </testsuite>
  <testsuite name="streaming" timestamp="2030-01-02T03:04:05+00:00" time="0.000" tests="1" failures="0" errors="0" skipped="1">
    <properties>
      <property name="postgres" value="PostgreSQL 18.1, embedded: no Docker engine answers" />
      <property name="backend" value="fixtures.backend.adapter:backend" />
    </properties>
    <testcase classname="sessionproof.streaming" name="all modes" time="0.000">
      <skipped message="not verified: the backend cannot stream" />
    </testcase>
  </testsuite>
  <testsuite name="two_parallel_tools" timestamp="2030-01-02T03:04:05+00:00" time="1.000" tests="4" failures="2" errors="0" skipped="0">
    <properties>
      <property name="postgres" value="PostgreSQL 18.1, embedded: no Docker engine answers" />
      <property name="backend" value="fixtures.backend.adapter:backend" />
    </properties>
    <testcase classname="sessionproof.two_parallel_tools" name="shared-cold-scripted" time="0.250">
      <system-out>reproduced, as expected: concurrent_operation</system-out>
    </testcase>
    <testcase classname="sessionproof.two_parallel_tools" name="shared-warm-scripted" time="0.250">
      <failure message="expected finding 'concurrent_operation' did not appear" type="expectation">expected finding 'concurrent_operation' did not appear
reproduce: sessionproof verify --scenario two_parallel_tools --mode shared --pool-state warm --tier scripted</failure>
    </testcase>
    <testcase classname="sessionproof.two_parallel_tools" name="per_operation-cold-scripted" time="0.250" />
    <testcase classname="sessionproof.two_parallel_tools" name="per_operation-warm-scripted" time="0.250">
      <failure message="unexpected finding 'missing_row'" type="missing_row">unexpected finding 'missing_row'
missing_row: The provider served 1 request, and no row bills it. (turn 1)
    app/services/llm_request_tracker.py:88 in track_request
missing_row: The provider served 1 request, and no row bills it. (turn 1)
    app/services/llm_request_tracker.py:88 in track_request
reproduce: sessionproof verify --scenario two_parallel_tools --mode per_operation --pool-state warm --tier scripted</failure>
    </testcase>
  </testsuite>
  <testsuite name="run" timestamp="2030-01-02T03:04:05+00:00" time="0.000" tests="1" failures="0" errors="1" skipped="0">
    <testcase classname="sessionproof" name="problem 1" time="0.000">
      <error message="worker 'gw1' crashed" type="unknown">worker 'gw1' crashed</error>
    </testcase>
  </testsuite>
</testsuites>
""")  # noqa: E501  # golden text


@pytest.mark.parametrize("made", [documents.as_expected(), documents.troubled(), documents.empty()])
def test_the_counts_add_up(made: RunDocument) -> None:
    """One case for each cell, gap and problem, counted in each suite and in all."""
    root = ET.fromstring(JunitWriter().write(made))

    cases = root.findall("testsuite/testcase")

    assert len(cases) == len(made.cells) + len(made.not_verified) + len(made.problems)
    assert root.get("tests") == str(len(cases))
    assert sum(int(suite.get("tests", "0")) for suite in root) == len(cases)
    assert root.get("failures") == str(len(root.findall(".//failure")))


def test_a_run_in_which_nothing_was_verified_is_an_error() -> None:
    """No run without cells looks green, even if it names no problem."""
    root = ET.fromstring(JunitWriter().write(documents.document([])))

    assert root.get("errors") == "1"
    assert root.find(".//error") is not None


def test_hostile_text_is_well_formed_xml() -> None:
    """NUL, half surrogate pairs and `]]>` do not break the file, and a megabyte is cut."""
    text = JunitWriter().write(redact(documents.hostile()))

    root = ET.fromstring(text.encode())

    assert "<script>alert(1)</script>" in {suite.get("name") for suite in root}
    assert len(text) < 200_000
