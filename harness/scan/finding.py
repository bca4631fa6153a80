"""What a scan found, as values."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.project.problem import Problem
from harness.scan.codes import CODES, Code, Severity
from harness.scan.values import Place, Step

__all__ = ["Finding", "Ignored", "Result", "User"]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A tool, a task or a function that uses the session: its name, where it is, and where it uses it."""

    name: str
    place: Place
    uses: Sequence[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One session that reaches where it must not.

    `variable` is how it gets there, as a reader would write it: `deps.repository.session`. `path` leads from where the
    session is made to where it is used, step by step.
    """

    code: Code
    place: Place
    message: str
    variable: str
    users: Sequence[User]
    path: Sequence[Step]
    repair: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return CODES[self.code].severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A finding that a comment accepts, with its reason."""

    finding: Finding
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of a scan: findings in the order of their places, what was ignored, and what could not be read."""

    findings: Sequence[Finding]
    ignored: Sequence[Ignored]
    problems: Sequence[Problem]
    files: int
    lines: int
