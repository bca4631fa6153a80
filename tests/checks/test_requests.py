"""The requests check: whether the application kept to the model that it was given."""

from typing import TYPE_CHECKING

from harness.checks import Requests
from harness.verdict import FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build


def test_no_refusal_is_silent(build: "Build") -> None:
    """Nothing was refused, so nothing is found."""
    assert Requests()(build.evidence()).verdict is Verdict.PASSED


def test_each_refused_host_is_found_once(build: "Build") -> None:
    """A client that tries again makes no second finding of the same; another host does."""
    refused = ["a request to 'a.example' was refused", "a request to 'a.example' was refused", "to 'b.example'"]

    findings = Requests()(build.evidence(refusals=refused)).findings

    assert [finding.kind for finding in findings] == [FindingKind.FOREIGN_REQUEST] * 2
    assert [finding.message for finding in findings] == [refused[0], refused[2]]
