"""What a model that decides by itself did, and how much its turns say.

Problem: tools that are not called together cannot collide. A run in which the model called one tool at a time finds
nothing wrong, and shows nothing.

Mechanism: a turn counts if tools that one response called came to the database together, before any of them had done
anything there. How often that is so, of all turns, has an interval (Wilson, "Probable Inference", *Journal of the
American Statistical Association* 22, 1927). If none of n such turns has a finding, the share of turns with one is, with
a confidence of 0.95, at most 1 - 0.05^(1/n): with more of them, that none of n has one would be less likely than 1 in
20 (Louis, "Confidence Intervals for a Binomial Parameter after Observing No Successes", *The American Statistician* 35,
1981).

Guarantee: too few of these turns make the check unknown, and never passed. Nothing is said of the model's words.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

from harness.checks.conclusion import Conclusion, turns_of
from harness.checks.model_outcomes import outcome_of
from harness.evidence import Evidence, Turn
from harness.verdict import CheckResult, ModelChoices, Share

__all__ = ["CONFIDENCE", "LEAST_TOGETHER", "Choice", "at_most", "choices_of", "share_of"]

CONFIDENCE = 0.95
LEAST_TOGETHER = 10
"""In how many turns tools must have come to the database together: with none wrong, at most 26 % of such turns are."""

UNEXPLAINED = "failed"
"""The outcome of a turn without an answer that is not the model's doing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """No findings; unknown unless tools came to the database together in at least `least` turns."""

    name: str = "choice"
    least: int = LEAST_TOGETHER

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A doubt if the model did not call tools together often enough."""
        conclusion = Conclusion(self.name)
        turns = turns_of(evidence)
        together = _together(evidence)
        if len(together) < self.least:
            conclusion.doubts.append(
                f"tools came to the database together in {len(together)} of {len(turns)} turns, and that says too "
                f"little: {self.least} are needed (more turns, or questions that need several tools)"
            )
        return conclusion.result


def choices_of(evidence: Evidence, results: Iterable[CheckResult]) -> ModelChoices:
    """What the model did in all turns, and in how many of those that count something was found.

    Raises:
        MissingEvidence: no turn was sent, or the model's requests, the errors, or who came when, were not recorded.
    """
    turns = turns_of(evidence)
    together = _together(evidence)
    found = {finding.turn for result in results for finding in result.findings}
    outcomes = Counter(outcome.value if (outcome := outcome_of(turn, evidence)) else UNEXPLAINED for turn in turns)
    wrong = len(together & found)
    return ModelChoices(
        turns=len(turns),
        outcomes=dict(outcomes),
        calls=dict(Counter(call.tool for turn in turns for call in turn.planned)),
        refused=sum(len(turn.refused) for turn in turns),
        called_together=sum(_widest(turn) > 1 for turn in turns),
        together=len(together),
        share=share_of(len(together), len(turns)),
        wrong=wrong,
        at_most=at_most(len(together)) if together and not wrong else None,
    )


def share_of(count: int, of: int) -> Share:
    """The share, with its interval, both from 0 to 1."""
    z = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2)
    share = count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return Share(value=share, low=max(0.0, middle - half), high=min(1.0, middle + half))


def at_most(turns: int) -> float:
    """Which share (0…1) of turns can at most be wrong if none of so many is."""
    return 1.0 - float((1 - CONFIDENCE) ** (1 / turns))


def _together(evidence: Evidence) -> set[str]:
    """The turns in which two tools of one response were held until both had come to the database."""
    came: Mapping[str | None, set[str]] = defaultdict(set)
    for arrival in evidence.arrivals:
        if arrival.released == "together":
            came[arrival.turn].add(arrival.tool_call_id)
    met = set()
    for turn in evidence.turns:
        rounds = Counter(call.round for call in turn.planned if call.tool_call_id in came[turn.id])
        if any(tools > 1 for tools in rounds.values()):
            met.add(turn.id)
    return met


def _widest(turn: Turn) -> int:
    return max(Counter(call.round for call in turn.planned).values(), default=0)
