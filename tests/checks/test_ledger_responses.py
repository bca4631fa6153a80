"""The ledger check, invoice and client: what was served and what was received, also in turns under faults."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks import Ledger
from harness.evidence import Charge, Evidence, LedgerRow, ModelResponseSeen, Turn
from harness.verdict import CheckResult, FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build


def failed(build: "Build", **fields: Any) -> Turn:
    """A turn that came to nothing, so that no answer has to name a row."""
    return build.turn(answer=None, error="broken", **fields)


def exchanged(
    build: "Build", charges: Sequence[Charge], responses: Sequence[ModelResponseSeen], turn: Turn | None = None
) -> CheckResult:
    """What the check says, if the ledger has the row for these charges."""
    tokens = [
        sum(part) for part in zip(*[(each.prompt_tokens, each.completion_tokens) for each in charges], strict=True)
    ]
    rows = [build.row(1, *tokens)] if charges else []
    return Ledger()(build.evidence(turn or failed(build), invoice=charges, responses=responses, ledger=rows))


def told(result: CheckResult) -> list[str]:
    """The beginnings of the findings, which all have one kind."""
    assert {finding.kind for finding in result.findings} <= {FindingKind.UNSEEN_RESPONSE}
    return [finding.message.partition("; invoice ")[0] for finding in result.findings]


def test_what_was_not_delivered_need_not_be_received(build: "Build") -> None:
    """It may be, and it is billed like any other."""
    charges = [build.charge(1), build.charge(2, 2000, 50, delivered=False)]
    seen = [build.seen(charge) for charge in charges]

    assert exchanged(build, charges, seen).verdict is Verdict.PASSED
    assert exchanged(build, charges, seen[:1]).verdict is Verdict.PASSED
    assert told(exchanged(build, charges, seen[1:])) == ["the client did not receive 1: 1000+100"]
    unbilled = build.evidence(failed(build), invoice=charges, responses=seen, ledger=[build.row()])
    assert [finding.kind for finding in Ledger()(unbilled).findings] == [FindingKind.WRONG_TOKENS]


def test_a_turn_that_the_harness_interrupted_may_lack_anything(build: "Build") -> None:
    """But it cannot have more than was served."""
    charges = [build.charge(1), build.charge(2, 2000, 50)]
    seen = [build.seen(charge) for charge in charges]
    turn = failed(build, interrupted="the client left after 2 events")
    more = replace(seen[1], prompt_tokens=2001)

    assert exchanged(build, charges, [], turn).verdict is Verdict.PASSED
    assert exchanged(build, charges, [replace(seen[0], completion_tokens=3)], turn).verdict is Verdict.PASSED
    assert told(exchanged(build, charges, [more], turn)) == [
        "the client was told other tokens than the provider counted, 1: 2001+50 for 2000+50"
    ]
    assert told(exchanged(build, charges, [*seen, replace(seen[0], response_id="x")], turn)) == [
        "the provider did not serve 1: 1000+100 of response 'x'"
    ]


@pytest.mark.parametrize("interrupted", [None, "the client left after 1 events"])
def test_a_stream_of_which_nothing_had_come_was_not_received(build: "Build", interrupted: str | None) -> None:
    """Where the turn gave no answer; anything more than nothing must have been served."""
    turn = failed(build, interrupted=interrupted)
    nothing = ModelResponseSeen(turn="t1", response_id=None, model=None, prompt_tokens=0, completion_tokens=0)

    assert exchanged(build, [], [nothing], turn).verdict is Verdict.PASSED
    assert told(exchanged(build, [], [nothing], build.turn())) == ["the provider did not serve 1: 0+0 of response NULL"]
    assert exchanged(build, [], [replace(nothing, response_id="x")], turn).verdict is Verdict.PASSED
    assert told(exchanged(build, [], [replace(nothing, response_id="x")], build.turn())) == [
        "the provider did not serve 1: 0+0 of response 'x'"
    ]
    assert told(exchanged(build, [], [replace(nothing, completion_tokens=1)], turn)) == [
        "the provider did not serve 1: 0+1 of response NULL"
    ]


@pytest.mark.parametrize("status", ["complete", "failed", "interrupted", None])
def test_a_turn_without_an_answer_may_have_a_row_with_any_status(build: "Build", status: str | None) -> None:
    """Whether it failed or was interrupted."""
    charges = [build.charge()]
    row = build.row(completion_status=status)
    for turn in (failed(build), failed(build, interrupted="cancelled at await 3")):
        evidence = build.evidence(turn, invoice=charges, responses=[build.seen(charges[0])], ledger=[row])

        assert Ledger()(evidence).verdict is Verdict.PASSED


@pytest.mark.parametrize("delivered", [True, False])
def test_a_cut_answer_may_have_told_less(build: "Build", *, delivered: bool) -> None:
    """Where the provider knows that it did not arrive whole; otherwise the two differ."""
    charge = build.charge(delivered=delivered)

    def verdict(prompt: int, completion: int) -> Verdict:
        seen = build.seen(charge, prompt_tokens=prompt, completion_tokens=completion)
        return exchanged(build, [charge], [seen]).verdict

    assert verdict(1000, 100) is Verdict.PASSED
    assert verdict(1000, 99) is (Verdict.FAILED if delivered else Verdict.PASSED)
    assert verdict(999, 100) is (Verdict.FAILED if delivered else Verdict.PASSED)
    assert verdict(1000, 101) is Verdict.FAILED
    assert verdict(1001, 100) is Verdict.FAILED


def test_a_client_that_was_told_no_tokens_was_not_told_wrong_ones(build: "Build") -> None:
    """An answer without usage is whole; the row must have the tokens all the same."""
    charges = [build.charge(1), build.charge(2, 2000, 50), build.charge(3)]
    untold = [build.seen(charge, prompt_tokens=0, completion_tokens=0) for charge in charges]

    result = exchanged(build, charges, [*untold[:2], build.seen(charges[2])])

    assert result.verdict is Verdict.PASSED
    assert result.notes == ("the client was not told the tokens of 2 responses",)
    assert exchanged(build, charges, [build.seen(charge) for charge in charges]).notes == ()
    turns = [failed(build), failed(build, turn="t2")]
    more = [charges[0], build.charge(4, turn="t2")]
    rows = [build.row(), build.row(2, session_id="t2")]
    zero = [build.seen(charge, prompt_tokens=0, completion_tokens=0) for charge in more]
    several = Ledger()(build.evidence(*turns, invoice=more, responses=zero, ledger=rows))
    assert (several.check, several.notes) == ("ledger", result.notes)
    assert told(exchanged(build, charges[:1], [replace(untold[0], completion_tokens=1)])) == [
        "the client was told other tokens than the provider counted, 1: 0+1 for 1000+100"
    ]


def test_responses_are_found_by_their_identifiers(build: "Build") -> None:
    """Where both sides have one: another response with the same tokens is another response."""
    charges = [build.charge(1), build.charge(2, 2000, 50)]
    one, two = (build.seen(charge) for charge in charges)
    swapped = replace(one, response_id=two.response_id), replace(two, response_id=one.response_id)

    assert exchanged(build, charges, [two, one]).verdict is Verdict.PASSED
    assert told(exchanged(build, charges, [one, replace(two, response_id="x")])) == [
        "the client did not receive 1: 2000+50 and the provider did not serve 1: 2000+50 of response 'x'"
    ]
    assert told(exchanged(build, charges, swapped)) == [
        "the client was told other tokens than the provider counted, 2: 1000+100 for 2000+50, 2000+50 for 1000+100"
    ]
    assert told(exchanged(build, charges, [one, two, two])) == [
        "the provider did not serve 1: 2000+50 of response 'response-2'"
    ]


def test_responses_without_identifiers_are_found_by_their_tokens(build: "Build") -> None:
    """What was delivered comes first, and what came without tokens may be any of the rest."""
    charges = [build.charge(1, delivered=False), build.charge(2), build.charge(3, 7, 7)]
    seen = [build.seen(charge, response_id=None) for charge in charges]
    untold = build.seen(charges[0], response_id=None, prompt_tokens=0, completion_tokens=0)

    def check(*responses: ModelResponseSeen) -> CheckResult:
        return exchanged(build, charges, responses)

    assert check(*seen).verdict is Verdict.PASSED
    assert check(seen[2], seen[0]).verdict is Verdict.PASSED
    assert check(seen[0], untold).verdict is Verdict.PASSED
    assert check(untold, untold, untold).verdict is Verdict.PASSED
    assert told(check(seen[0])) == ["the client did not receive 1: 7+7"]
    assert told(check(untold)) == ["the client did not receive 1: 7+7"]
    assert told(check(seen[0], replace(seen[2], prompt_tokens=8))) == [
        "the client did not receive 1: 7+7 and the provider did not serve 1: 8+7 of response NULL"
    ]
    one_more = exchanged(build, charges, [*seen, untold], build.turn())
    assert told(one_more) == ["the provider did not serve 1: 0+0 of response NULL"]
    assert told(check(*seen, replace(seen[2], prompt_tokens=8))) == [
        "the provider did not serve 1: 8+7 of response NULL"
    ]


def test_a_response_that_was_seen_outside_its_turn_is_found_by_its_identifier(build: "Build") -> None:
    """Also if it says that it belongs to a turn that nobody sent; without one it is nobody's."""
    charge = build.charge()
    seen = build.seen(charge)

    assert exchanged(build, [charge], [replace(seen, turn=None)]).verdict is Verdict.PASSED
    assert exchanged(build, [charge], [replace(seen, turn="t9")]).verdict is Verdict.PASSED
    unknown = build.charge(2, turn="t8")
    other = build.evidence(
        failed(build), invoice=[charge, unknown], responses=[seen, build.seen(unknown)], ledger=[build.row()]
    )
    assert Ledger()(other).reason == "the invoice names turns that are not in the evidence, 1: t8"
    for response_id, shown in (("x", "'x'"), (None, "NULL")):
        stray = replace(seen, turn=None, response_id=response_id)
        expected = (
            f"the client received 1000+100 tokens in response {shown}, "
            "which belongs to no turn and is on no line of the invoice"
        )
        assert told(exchanged(build, [charge], [seen, stray])) == [expected]


def test_the_responses_of_several_agents_belong_to_one_turn(build: "Build") -> None:
    """Conversations of their own, at the same time, in any order."""
    charges = [build.charge(1), build.charge(2, 30, 3), build.charge(3, 40, 4), build.charge(4)]
    seen = [build.seen(charge) for charge in charges]

    assert exchanged(build, charges, [seen[2], seen[0], seen[3], seen[1]]).verdict is Verdict.PASSED


def test_a_turn_without_charges_and_answer_needs_no_row(build: "Build") -> None:
    """Nor does it need anything else."""
    for turn in (failed(build), failed(build, interrupted="cancelled at await 1")):
        assert exchanged(build, [], [], turn).verdict is Verdict.PASSED


def test_answered_turns_that_nobody_served_are_listed(build: "Build") -> None:
    """The first of them, and how many there are."""
    turns = [build.turn(f"t{number}") for number in range(6)]

    result = Ledger()(build.evidence(*turns))
    four = Ledger()(build.evidence(*turns[:4]))

    assert four.reason.endswith("of it, 4: " + ", ".join(f"turn 't{number}' of wyckoff/chat" for number in range(4)))

    assert result.verdict is Verdict.UNKNOWN
    assert result.reason == (
        "a turn was answered, but neither the invoice nor the client has a response of it, 6: "
        "turn 't0' of wyckoff/chat, turn 't1' of wyckoff/chat, turn 't2' of wyckoff/chat, turn 't3' of wyckoff/chat, "
        "and 2 more"
    )


def test_an_invoice_for_turns_that_are_not_there_is_left_open(build: "Build") -> None:
    """They are named."""
    charges = [build.charge(1), build.charge(2, turn="t9"), build.charge(3, turn="t8")]
    row: LedgerRow = build.row()
    evidence: Evidence = build.evidence(
        failed(build), invoice=charges, responses=[build.seen(charges[0])], ledger=[row]
    )

    assert Ledger()(evidence).reason == "the invoice names turns that are not in the evidence, 2: t8, t9"


@pytest.mark.parametrize("rows", [[], [(1000, 100)], [(7, 7), (8, 8)]], ids=["none", "one", "two"])
def test_a_turn_of_which_it_is_not_told_what_was_served(build: "Build", rows: list[tuple[int, int]]) -> None:
    """Nothing is said of it, whatever the ledger has for it, and the check does not pass; other turns are judged."""
    unknown = build.charge(1, 0, 0, untold="it broke off")
    told = build.charge(2, 2000, 50, turn="t2")
    turns = [build.turn(), failed(build, turn="t2")]
    ledger = [build.row(number, *tokens) for number, tokens in enumerate(rows, 1)]
    right = build.row(9, 2000, 50, session_id="t2")
    sides = {"invoice": [unknown, told], "responses": [build.seen(told)]}

    result = Ledger()(build.evidence(*turns, **sides, ledger=[*ledger, right]))
    lost = Ledger()(build.evidence(*turns, **sides, ledger=ledger))

    assert (result.verdict, result.findings) == (Verdict.UNKNOWN, ())
    assert "turn 't1' of wyckoff/chat is not known, because of 1 of 1 answers: it broke off" in result.reason
    assert [(finding.kind, finding.turn) for finding in lost.findings] == [(FindingKind.MISSING_ROW, "t2")]
    assert lost.verdict is Verdict.FAILED


def test_a_row_that_bills_what_was_not_told_is_not_taken_for_another_turn_s(build: "Build") -> None:
    """However alike their tokens are."""
    unknown, told = build.charge(1, 0, 0, untold="it broke off"), build.charge(2, turn="t2")
    turns = [failed(build), failed(build, turn="t2")]
    sides = {"invoice": [unknown, told], "responses": [build.seen(told)]}

    result = Ledger()(build.evidence(*turns, **sides, ledger=[build.row()]))

    assert [(finding.kind, finding.turn) for finding in result.findings] == [(FindingKind.MISSING_ROW, "t2")]
