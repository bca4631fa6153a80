"""The seam for checks: a question that is asked of the evidence of one cell.

A check is a pure function of frozen evidence: no I/O, no clock, the same answer every time. `run_checks` asks
several, and guarantees that each gives a result: one that asks for a record that nobody could make is
`unknown` with the recorder's reason, and one that crashes is `unknown` with its trace. Neither is ever
`passed`.
"""

import sysconfig
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from harness.errors import MissingEvidence
from harness.evidence import Evidence
from harness.verdict import CheckResult

__all__ = ["Check", "run_checks"]

_LIBRARIES = tuple(
    {Path(path).resolve() for key, path in sysconfig.get_paths().items() if key in {"stdlib", "purelib", "platlib"}}
)


class Check(Protocol):
    """One question; `name` is unique among the checks that run together.

    Calling it returns findings, or raises `MissingEvidence` (by reading a record that was not made) to say
    that it cannot decide. It must not return `passed` for evidence in which there was nothing to look at.
    """

    @property
    def name(self) -> str:
        """What the report calls it."""
        ...

    def __call__(self, evidence: Evidence) -> CheckResult:
        """What the evidence says to this question."""
        ...


def run_checks(evidence: Evidence, checks: Iterable[Check]) -> tuple[CheckResult, ...]:
    """One result per check, in order; never raises for what a check does."""
    return tuple(_run(check, evidence) for check in checks)


def _run(check: Check, evidence: Evidence) -> CheckResult:
    try:
        return check(evidence)
    except MissingEvidence as error:
        return CheckResult.unknown(check.name, str(error))
    except Exception as error:  # noqa: BLE001  # a crash of a check must not decide about the backend
        return CheckResult.unknown(check.name, f"the check crashed: {_trace(error)}")


def _trace(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _in_library(frame.filename)] or list(frames)
    frame = own[-1]
    place = f"{frame.filename}:{frame.lineno} in {frame.name}"
    return f"{type(error).__name__}: {error} ({place})"


def _in_library(filename: str) -> bool:
    path = Path(filename).resolve()
    return any(path.is_relative_to(library) for library in _LIBRARIES)
