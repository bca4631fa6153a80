"""Runs that are compared, and what became of them."""

from collections.abc import Mapping
from typing import Any

from harness.bench.change import Comparison, Gate
from harness.bench.estimate import Grown
from harness.report.bench_document import (
    ArmDocument,
    BenchDocument,
    CaseDocument,
)
from harness.scenario import SessionMode
from tests.report.bench_documents import arm, benchmark, case, estimate

__all__ = [
    "FAILED",
    "GATE",
    "apart",
    "grown",
    "measured_run",
    "outcomes",
    "reference",
    "roughly",
    "run",
    "shared",
    "yardstick",
]

GATE = Gate(threshold=1.10)


def apart(taken: float) -> dict[str, float]:
    """The parts of a turn whose tools waited for nobody."""
    return {"work": 0.24, "sessions": taken - 0.24}


def reference(taken: float = 0.25, **others: Any) -> ArmDocument:
    return arm("per_operation", taken, **{"parts": apart(taken), **others})


def shared(taken: float = 0.5, **others: Any) -> ArmDocument:
    return arm("shared", taken, session_mode=SessionMode.SHARED, **{"overlapped": 0, **others})


def yardstick(taken: float = 0.27, **others: Any) -> ArmDocument:
    return arm("yardstick", taken, **{"parts": apart(taken), **others})


def run(*arms: ArmDocument) -> BenchDocument:
    return benchmark(case(*arms))


def measured_run(*arms: ArmDocument, machine: float = 1.0) -> BenchDocument:
    """With the yardstick beside the arms, on a machine that takes so many times as long for what it computes."""
    return benchmark(case(*arms, yardstick(0.24 + 0.03 * machine), yardstick="yardstick"))


def outcomes(compared: Comparison) -> dict[tuple[str, str], str]:
    return {(change.arm, change.what): change.outcome.value for change in compared.changes}


def roughly(ratio: float, *, spread: float = 0.1) -> CaseDocument:
    """A case that is measured less closely than the gate."""
    return case(reference(), shared(ratio=estimate(ratio, spread=spread)), name="c, 8 tools", half_width=0.1)


def grown(parts: Mapping[str, Grown]) -> dict[str, float]:
    return {part: round(each.seconds, 9) + 0.0 for part, each in parts.items()}


FAILED: dict[str, Any] = {"samples": (), "seconds": None, "ratio": None, "stretch": None, "overlapped": None}
