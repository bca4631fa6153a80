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
from harness.checks.model_outcomes import ModelOutcome, outcome_of
from harness.evidence import Evidence, Turn
from harness.verdict import CheckResult, FindingKind, ModelChoices, Share, Verdict

__all__ = ["CONFIDENCE", "LEAST_TOGETHER", "OF_THE_RECORDING", "Choice", "at_most", "choices_of", "share_of"]

CONFIDENCE = 0.95
LEAST_TOGETHER = 10
"""In how many turns tools must have come to the database together: with none wrong, at most 26 % of such turns are."""

OF_THE_RECORDING = frozenset({FindingKind.UNRECORDED_REQUEST})
"""Kinds of findings that say nothing of the application's sessions."""

UNEXPLAINED = "failed"
"""The outcome of a turn without an answer that is not the model's doing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """No findings; unknown unless tools came to the database together in at least `least` turns."""

    name: str = "choice"
    least: int = LEAST_TOGETHER

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A doubt if the model did not call tools together often enough, with the outcomes if turns have no answer."""
        conclusion = Conclusion(self.name)
        turns = turns_of(evidence)
        together = _together(evidence)
        if len(together) < self.least:
            outcomes = _outcomes(evidence)
            answered = set(outcomes) == {ModelOutcome.ANSWERED}
            told = "" if answered else f" ({', '.join(f'{count} {outcome}' for outcome, count in outcomes.items())})"
            advice = " (more turns, or questions that need several tools)" if answered else ""
            conclusion.doubts.append(
                f"tools came to the database together in {len(together)} of {len(turns)} turns{told}, and that says "
                f"too little: {self.least} are needed{advice}"
            )
        return conclusion.result


def choices_of(evidence: Evidence, results: Iterable[CheckResult]) -> ModelChoices:
    """What the model did in all turns, and in how many of those that count something was found.

    `at_most` is only said if nothing was found anywhere, and everything but the number of turns could be decided:
    what belongs to no turn may belong to any.

    Raises:
        MissingEvidence: no turn was sent, or the model's requests, the errors, or who came when, were not recorded.
    """
    turns = turns_of(evidence)
    together = _together(evidence)
    results = tuple(results)
    findings = [finding for result in results for finding in result.findings if finding.kind not in OF_THE_RECORDING]
    wrong = len(together & {finding.turn for finding in findings})
    decided = not any(result.verdict is Verdict.UNKNOWN for result in results if result.check != Choice().name)
    return ModelChoices(
        turns=len(turns),
        outcomes=_outcomes(evidence),
        calls=dict(Counter(call.tool for turn in turns for call in turn.planned)),
        refused=sum(len(turn.refused) for turn in turns),
        called_together=sum(_widest(turn) > 1 for turn in turns),
        together=len(together),
        share=share_of(len(together), len(turns)),
        wrong=wrong,
        at_most=at_most(len(together)) if together and decided and not findings else None,
    )


def _outcomes(evidence: Evidence) -> dict[str, int]:
    """How many turns ended how."""
    outcomes = (outcome_of(turn, evidence) for turn in evidence.turns)
    return dict(Counter(UNEXPLAINED if outcome is None else outcome.value for outcome in outcomes))


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
