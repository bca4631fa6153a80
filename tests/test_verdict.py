"""Verdicts: what beats what, and whether a cell is as expected."""

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.verdict import CheckResult, Expectation, Finding, FindingKind, Verdict, judge, merge

BLEED, LOST, BUSY = FindingKind.BLEED, FindingKind.LOST_WRITE, FindingKind.DRIVER_BUSY


def _result(*kinds: FindingKind) -> CheckResult:
    return CheckResult.of("check", [Finding(kind=kind, message="…", check="check") for kind in kinds])


def test_failed_beats_unknown_beats_passed() -> None:
    """In any order."""
    for order in permutations([Verdict.PASSED, Verdict.UNKNOWN, Verdict.FAILED]):
        assert merge(order) is Verdict.FAILED
    assert merge([Verdict.PASSED, Verdict.UNKNOWN]) is Verdict.UNKNOWN
    assert merge([Verdict.PASSED, Verdict.PASSED]) is Verdict.PASSED


def test_nothing_at_all_is_unknown() -> None:
    """No check has run, so nothing has passed."""
    assert merge([]) is Verdict.UNKNOWN


@given(st.lists(st.sampled_from(Verdict)), st.lists(st.sampled_from(Verdict), min_size=1))
def test_merging_can_be_done_in_parts(some: list[Verdict], others: list[Verdict]) -> None:
    """The verdict of a run is that of its cells' verdicts."""
    parts = [merge(part) for part in (some, others) if part]

    assert merge(parts) is merge([*some, *others])


def test_a_result_with_evidence_has_passed_exactly_if_nothing_was_found() -> None:
    """And one that could not look is unknown, with its reason."""
    unknown = CheckResult.unknown("check", "no disk")

    assert _result().verdict is Verdict.PASSED
    assert _result(BLEED).verdict is Verdict.FAILED
    assert (unknown.verdict, unknown.reason, unknown.findings) == (Verdict.UNKNOWN, "no disk", ())


@pytest.mark.parametrize(
    ("expectation", "label"),
    [
        (Expectation(), "clean"),
        (Expectation(required=frozenset({BLEED})), "reproduced"),
        (Expectation(one_of=frozenset({BLEED})), "reproduced"),
    ],
)
def test_an_expectation_has_a_label(expectation: Expectation, label: str) -> None:
    """Whether something must be seen, or nothing may be."""
    assert expectation.label == label
    assert expectation.clean is (label == "clean")


CLEAN = Expectation()
REQUIRED = Expectation(required=frozenset({BLEED}), allowed=frozenset({LOST}))
ONE_OF = Expectation(one_of=frozenset({BLEED, BUSY}))
OPTIONAL = replace(REQUIRED, optional=True)


@pytest.mark.parametrize(
    ("expectation", "kinds", "objections"),
    [
        (CLEAN, [], ()),
        (CLEAN, [BLEED], ("unexpected finding 'bleed'",)),
        (REQUIRED, [BLEED], ()),
        (REQUIRED, [BLEED, LOST], ()),
        (REQUIRED, [], ("expected finding 'bleed' did not appear",)),
        (REQUIRED, [LOST], ("expected finding 'bleed' did not appear",)),
        (REQUIRED, [BLEED, BUSY], ("unexpected finding 'driver_busy'",)),
        (ONE_OF, [BUSY], ()),
        (ONE_OF, [BLEED, BUSY], ()),
        (ONE_OF, [], ("none of the expected findings 'bleed', 'driver_busy' appeared",)),
        (OPTIONAL, [], ()),
        (OPTIONAL, [BLEED, LOST], ()),
        (OPTIONAL, [LOST], ()),
        (OPTIONAL, [BUSY], ("unexpected finding 'driver_busy'",)),
        (replace(ONE_OF, optional=True), [], ()),
        (
            ONE_OF,
            [LOST],
            (
                "none of the expected findings 'bleed', 'driver_busy' appeared",
                "unexpected finding 'lost_write'",
            ),
        ),
    ],
)
def test_a_cell_is_as_expected_or_says_why_not(
    expectation: Expectation, kinds: list[FindingKind], objections: tuple[str, ...]
) -> None:
    """Seeing less than expected is an objection, and seeing more is one."""
    judgement = judge([_result(), _result(*kinds)], expectation)

    assert judgement.objections == objections
    assert judgement.as_expected is (not objections)
    assert judgement.verdict is (Verdict.FAILED if kinds else Verdict.PASSED)


def test_a_check_that_could_not_decide_is_an_objection_to_a_clean_cell() -> None:
    """Nothing passes because something was not looked at."""
    judgement = judge([_result(), CheckResult.unknown("pool", "no disk")], CLEAN)

    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.objections == ("check 'pool' could not decide: no disk",)


def test_what_is_optional_and_not_there_leaves_a_clean_cell() -> None:
    """Then every check has to decide; where it is there, the cell reproduces, as it would have to without that word."""
    unknown = CheckResult.unknown("pool", "no disk")
    tolerant = replace(OPTIONAL, undecided=frozenset({"pool"}))

    assert judge([_result(), unknown], tolerant).objections == ("check 'pool' could not decide: no disk",)
    assert judge([_result(BLEED), unknown], tolerant).as_expected
    assert (OPTIONAL.beside({BLEED}), OPTIONAL.beside(set()).clean) == (OPTIONAL, True)
    assert REQUIRED.beside(set()) == REQUIRED


def test_a_check_that_could_not_decide_does_not_take_away_what_was_shown() -> None:
    """Tools that fail cannot be compared: the expectation names the checks that may say so, and no others."""
    unknown = CheckResult.unknown("pool", "no disk")
    tolerant = replace(REQUIRED, undecided=frozenset({"pool"}))

    shown = judge([_result(BLEED), unknown], tolerant)
    strict = judge([_result(BLEED), unknown], REQUIRED)
    clean = judge([_result(), unknown], replace(CLEAN, undecided=frozenset({"pool"})))

    assert (shown.verdict, shown.as_expected) == (Verdict.FAILED, True)
    assert strict.objections == clean.objections == ("check 'pool' could not decide: no disk",)


def test_a_cell_without_checks_is_not_as_expected() -> None:
    """Nothing was looked at."""
    judgement = judge([], CLEAN)

    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.objections == ("no check ran",)
