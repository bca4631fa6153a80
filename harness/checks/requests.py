"""Did the application keep to the model that it was given?

A backend that builds a model of its own, by habit or by an environment variable, would spend real money on a
verification run. Such requests are refused where they leave; an application may swallow the refusal and answer all the
same, so every refusal is a finding of its own.
"""

from dataclasses import dataclass

from harness.checks.conclusion import Conclusion, sentence, turns_of
from harness.evidence import Evidence
from harness.verdict import CheckResult, FindingKind

__all__ = ["Requests"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """`FOREIGN_REQUEST`; unknown if refusals were not recorded, or no turn was sent."""

    name: str = "requests"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A finding for each different refusal."""
        turns_of(evidence)
        conclusion = Conclusion(self.name)
        for message in dict.fromkeys(evidence.refusals):
            conclusion.find(FindingKind.FOREIGN_REQUEST, sentence(message))
        return conclusion.result
