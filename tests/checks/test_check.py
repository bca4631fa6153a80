"""What holds for all checks: unknown without evidence, and no crash decides."""

from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

import pytest

from harness import checks
from harness.checks import Check, default_checks, run_checks
from harness.checks.conclusion import Conclusion, Plan, sentence
from harness.evidence import Evidence
from harness.verdict import CheckResult, FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build

NEEDS = [
    ("exercise", "tools"),
    ("exercise", "statements"),
    ("exercise", "operations"),
    ("exercise", "errors"),
    ("errors", "errors"),
    ("sessions", "operations"),
    ("sessions", "tools"),
    ("ledger", "invoice"),
    ("ledger", "responses"),
    ("ledger", "ledger"),
    ("timing", "statements"),
    ("timing", "tools"),
    ("timing", "arrivals"),
    ("timing", "stalls"),
    ("timing", "pairs"),
    ("pool", "pool"),
    ("pool", "idle_transactions"),
]


def _clean(build: "Build") -> Evidence:
    """A turn in which everything is in order."""
    charge = build.charge()
    return build.evidence(
        tools=[build.run("a"), build.run("b")],
        statements=[build.statement("a"), build.statement("b", backend_pid=4712)],
        invoice=[charge],
        responses=[build.seen(charge)],
        ledger=[build.row()],
    )


def test_every_check_passes_on_a_clean_turn(build: "Build") -> None:
    """The names are those of the report."""
    results = run_checks(_clean(build), default_checks())

    assert {result.check: result.verdict for result in results} == dict.fromkeys(
        ["turns", "exercise", "errors", "requests", "sessions", "ledger", "timing", "pool"], Verdict.PASSED
    )


@pytest.mark.parametrize(("check", "record"), NEEDS)
def test_a_check_without_its_evidence_is_unknown(build: "Build", check: str, record: str) -> None:
    """With the recorder's reason, and all other checks that do not need it still decide."""
    evidence = build.without(_clean(build), record)

    results = {result.check: result for result in run_checks(evidence, default_checks())}

    assert results[check].verdict is Verdict.UNKNOWN
    assert results[check].reason == f"recorder {record!r}: the disk was full"
    unknown = {name for name, result in results.items() if result.verdict is Verdict.UNKNOWN}
    assert unknown == {name for name, needed in NEEDS if needed == record}


def test_no_check_passes_without_a_turn(build: "Build") -> None:
    """Nothing was exercised, so nothing is proved."""
    results = run_checks(replace(_clean(build), turns=()), default_checks())

    assert {result.verdict for result in results} == {Verdict.UNKNOWN}


def test_no_check_passes_on_no_evidence_at_all() -> None:
    """The default of every record is absence."""
    results = run_checks(Evidence(), default_checks())

    assert {result.verdict for result in results} == {Verdict.UNKNOWN}


def test_a_backend_without_a_ledger_is_not_asked_for_it() -> None:
    """All other checks stay."""
    names = [check.name for check in default_checks(ledger=False)]

    assert names == ["turns", "exercise", "errors", "requests", "sessions", "timing", "pool"]


def test_tolerances_reach_the_check(build: "Build") -> None:
    """A share of overlap that nobody can reach fails the clean turn."""
    results = run_checks(_clean(build), default_checks(overlap_share=1.5))

    assert [result.check for result in results if result.verdict is Verdict.FAILED] == ["timing"]


@dataclass(frozen=True)
class _Crashing:
    name: str = "crashing"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """Divides by the number of turns in a way that goes wrong."""
        return CheckResult.of(self.name, [], notes=[str(1 / (len(evidence.turns) - 1))])


def test_a_check_that_crashes_is_unknown_with_its_trace(build: "Build") -> None:
    """And the next check is still asked."""
    crashing: Check = _Crashing()

    first, second = run_checks(build.evidence(), [crashing, default_checks()[0]])

    assert first.verdict is Verdict.UNKNOWN
    assert first.reason.startswith("the check crashed: ZeroDivisionError: ")
    assert "test_check.py:" in first.reason
    assert "in __call__" in first.reason
    assert second.verdict is Verdict.PASSED


@dataclass(frozen=True)
class _CrashingInALibrary:
    name: str = "crashing"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """Lets the standard library fail, below a frame of its own."""
        return CheckResult.of(self.name, [], notes=[str(median(()))])


def test_a_trace_names_the_innermost_frame_of_the_application() -> None:
    """A library's own frames below it say nothing about the check."""
    (result,) = run_checks(Evidence(), [_CrashingInALibrary()])

    assert "StatisticsError: no median for empty data" in result.reason
    assert "test_check.py:" in result.reason


def test_a_doubt_never_outweighs_a_finding_and_is_never_lost() -> None:
    """Failed beats unknown beats passed, with the reason in either case."""
    conclusion = Conclusion("check")
    passed = conclusion.result
    conclusion.doubts += ["first", "second"]
    unknown = conclusion.result
    conclusion.find(FindingKind.BLEED, "it bled")
    failed = conclusion.result

    assert [result.verdict for result in (passed, unknown, failed)] == [
        Verdict.PASSED,
        Verdict.UNKNOWN,
        Verdict.FAILED,
    ]
    assert unknown.reason == failed.reason == "first; second"


def test_a_call_is_found_without_its_turn_if_its_id_is_enough(build: "Build") -> None:
    """Ids that two turns share need the turn."""
    one = Plan((build.turn(),))
    two = Plan((build.turn(), build.turn("t2")))

    assert one.name(None, "a") == "search_directory"
    assert two.name(None, "a") == "call 'a'"
    assert two.name("t2", "a") == "search_directory"
    assert one.place("t9", "a") == "turn 't9', (call 'a')"


def test_a_long_text_is_cut() -> None:
    """A message is one line that fits."""
    assert sentence("\n  first \nsecond") == "first"
    assert sentence("x" * 500) == "x" * 299 + "…"
    assert sentence("") == ""


def test_the_public_names_are_those_that_are_listed() -> None:
    """Sorted, and each of them exists."""
    assert checks.__all__ == sorted(checks.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(checks, name) for name in checks.__all__)
