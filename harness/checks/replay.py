"""Was a recorded model asked what it was asked when it was recorded?

Problem: an application that asks something else gets no answer from a recording, and its turn ends as if the model had
failed. One that asks less leaves out what the recording was made for.

Mechanism: whoever plays the recording tells of both.

Guarantee: a request that was not recorded is a finding, and one that was not sent leaves the check undecided. Neither
passes, and neither counts as a turn with a defect (`harness.checks.choice`): it is the recording that does not fit.
"""

from dataclasses import dataclass

from harness.checks.conclusion import Conclusion, turns_of
from harness.evidence import Evidence
from harness.verdict import CheckResult, FindingKind

__all__ = ["Replayed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """`UNRECORDED_REQUEST`; unknown if recorded requests were not sent, nothing was played, or no turn was sent."""

    name: str = "replay"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A finding for each request that was not recorded, and a doubt for all that were not sent."""
        turns_of(evidence)
        conclusion = Conclusion(self.name)
        unsent = []
        for difference in evidence.replay:
            if difference.sent:
                where = "" if difference.turn is None else f"turn {difference.turn!r}"
                conclusion.find(FindingKind.UNRECORDED_REQUEST, difference.message, where=where)
            else:
                unsent.append(difference.message)
        if unsent:
            conclusion.doubts.append(f"{len(unsent)} recorded requests were not sent; the first: {unsent[0]}")
        return conclusion.result
