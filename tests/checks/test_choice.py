"""What a model that decides by itself did, and how much that says."""

from typing import TYPE_CHECKING, Any

import pytest
from scipy import stats

from harness.checks import Choice, choices_of
from harness.checks.choice import at_most, share_of
from harness.errors import MissingEvidence
from harness.evidence import Evidence, ModelRequestSeen
from harness.verdict import CheckResult, Finding, FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build


def turns(build: "Build", *, together: int, of: int, released: str = "together", **fields: Any) -> Evidence:
    """So many turns in which two tools came to the database together, of so many with one tool each."""
    made, arrivals = [], []
    for number in range(of):
        tools = ("a", "b") if number < together else ("a",)
        turn = f"t{number}"
        made.append(build.turn(turn, planned=tuple(build.call(tool) for tool in tools), chosen=True, **fields))
        arrivals += [build.arrival(tool, released, turn=turn) for tool in tools]
    return build.evidence(*made, arrivals=arrivals, requests=[], errors=[])


def test_enough_turns_in_which_tools_met_pass(build: "Build") -> None:
    """What is enough is a number that the report explains."""
    assert Choice(least=3)(turns(build, together=3, of=5)).verdict is Verdict.PASSED


@pytest.mark.parametrize("released", ["together", "timeout"])
def test_too_few_leave_open_how_sessions_are_shared(released: str, build: "Build") -> None:
    """Tools that nobody waited for any longer have not met; and a tool alone meets nobody."""
    together = 2 if released == "together" else 5
    result = Choice(least=3)(turns(build, together=together, of=5, released=released))

    seen = 2 if released == "together" else 0
    assert result.verdict is Verdict.UNKNOWN
    assert result.reason == (
        f"tools came to the database together in {seen} of 5 turns, and that says too little: 3 are needed (more "
        "turns, or questions that need several tools)"
    )


def test_tools_of_two_responses_have_not_met(build: "Build") -> None:
    """One came after the other's answer had been read."""
    planned = (build.call("a", round=0), build.call("b", round=1))
    evidence = build.evidence(
        build.turn(planned=planned, chosen=True), arrivals=[build.arrival("a"), build.arrival("b")]
    )

    assert Choice(least=1)(evidence).verdict is Verdict.UNKNOWN


def test_without_a_record_of_who_came_when_nothing_is_said(build: "Build") -> None:
    """It is no run in which nobody came."""
    evidence = build.without(turns(build, together=2, of=2), "arrivals")

    with pytest.raises(MissingEvidence):
        Choice(least=1)(evidence)
    with pytest.raises(MissingEvidence):
        choices_of(evidence, ())


def test_what_a_model_did_is_counted(build: "Build") -> None:
    """By tool, by how the turns ended, and by what was found in those that count."""
    evidence = turns(build, together=2, of=4, refused=("x",))
    found = Finding(kind=FindingKind.SERIALISED, message="m", check="timing", turn="t0")
    alone = Finding(kind=FindingKind.SERIALISED, message="m", check="timing", turn="t3")

    made = choices_of(evidence, [CheckResult.of("timing", [found, alone])])

    assert made.turns == 4
    assert made.outcomes == {"answered": 4}
    assert made.calls == {"search_directory": 6}
    assert (made.refused, made.called_together, made.together, made.wrong) == (4, 2, 2, 1)
    assert made.at_most is None
    assert (made.share.value, made.share.low < 0.5 < made.share.high) == (0.5, True)


def test_where_nothing_was_found_it_is_said_how_many_turns_can_be_wrong(build: "Build") -> None:
    """That of none of which nothing was found is not known."""
    assert choices_of(turns(build, together=59, of=60), ()).at_most == pytest.approx(0.0495, abs=1e-4)
    assert choices_of(turns(build, together=0, of=3), ()).at_most is None


def test_what_was_found_outside_of_these_turns_or_is_not_known_leaves_it_open(build: "Build") -> None:
    """A finding without a turn may be of any; that a recording does not fit says nothing of sessions."""
    evidence = turns(build, together=20, of=20)

    def said(kind: FindingKind) -> float | None:
        return choices_of(evidence, [CheckResult.of("c", [Finding(kind=kind, message="m", check="c")])]).at_most

    assert said(FindingKind.SERIALISED) is None
    assert said(FindingKind.UNRECORDED_REQUEST) is not None
    assert choices_of(evidence, [CheckResult.unknown("ledger", "no")]).at_most is None
    assert choices_of(evidence, [CheckResult.unknown("choice", "few")]).at_most is not None


def test_turns_without_an_answer_are_told_instead_of_an_advice(build: "Build") -> None:
    """More questions do not help against a wrong key."""
    refused = ModelRequestSeen(turn="t0", start=0.0, end=1.0, error_type="x.ModelHTTPError", status=401)
    turn = build.turn("t0", chosen=True, answer=None, error="no", planned=())

    assert Choice()(build.evidence(turn, requests=[refused])).reason == (
        "tools came to the database together in 0 of 1 turns (1 wrong key), and that says too little: 10 are needed"
    )


@pytest.mark.parametrize("n", [1, 10, 59, 1000])
def test_so_many_wrong_ones_would_have_been_seen(n: int) -> None:
    """If a share of so much were wrong, none of n would be with a probability of 0.05."""
    assert stats.binom.pmf(0, n, at_most(n)) == pytest.approx(0.05)


@pytest.mark.parametrize(("count", "of"), [(0, 30), (7, 30), (30, 30), (500, 1000)])
def test_the_interval_of_a_share_is_wilson_s(count: int, of: int) -> None:
    """As another implementation has it."""
    expected = stats.binomtest(count, of).proportion_ci(confidence_level=0.95, method="wilson")
    share = share_of(count, of)

    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert share.low <= share.value <= share.high


def test_requests_are_evidence(build: "Build") -> None:
    """Without them nobody knows why a turn has no answer."""
    failed = build.turn(chosen=True, answer=None, error="no", planned=())
    evidence = build.evidence(
        failed,
        arrivals=[],
        errors=[],
        requests=[ModelRequestSeen(turn="t1", start=0.0, end=1.0, error_type="x.ModelHTTPError", status=429)],
    )

    assert choices_of(evidence, ()).outcomes == {"rate limited": 1}
    with pytest.raises(MissingEvidence):
        choices_of(build.without(evidence, "requests"), ())
