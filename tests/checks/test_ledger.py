"""The ledger check: invoice, client and rows next to each other."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import permutations
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.checks import Ledger
from harness.checks.prices import UNPRICED, price_of
from harness.evidence import Charge, Evidence, LedgerGrain, LedgerRow, ModelResponseSeen, Turn
from harness.verdict import CheckResult, FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build

MILLION = 1_000_000


def _kinds(result: CheckResult) -> list[str]:
    return [finding.kind.value for finding in result.findings]


def _charges(build: "Build") -> list[Charge]:
    return [build.charge(1, 1000, 100), build.charge(2, 2000, 50)]


def _billed(build: "Build", rows: Sequence[LedgerRow], *turns: Turn, grain: str = "turn") -> Evidence:
    """Turn `t1` was served two responses, and the client received both."""
    charges = _charges(build)
    return build.evidence(
        *turns,
        ledger_grain=LedgerGrain(grain),
        invoice=charges,
        responses=[build.seen(charge) for charge in charges],
        ledger=rows,
    )


def test_one_row_for_the_turn_passes(build: "Build") -> None:
    """With the sum of the turn's tokens, and their price."""
    assert Ledger()(_billed(build, [build.row(1, 3000, 150)])).verdict is Verdict.PASSED


def test_one_row_for_each_request_passes(build: "Build") -> None:
    """At grain `request`; the same rows are wrong at grain `turn`, and the other way round."""
    one, two = [build.row(1, 3000, 150)], [build.row(1), build.row(2, 2000, 50)]

    assert Ledger()(_billed(build, two, grain="request")).verdict is Verdict.PASSED
    assert _kinds(Ledger()(_billed(build, two))) == ["duplicate_row"]
    assert _kinds(Ledger()(_billed(build, one, grain="request"))) == ["missing_row"]


def test_a_lost_billing_shows_the_three_sides(build: "Build") -> None:
    """The bug as users meet it: an answer, two responses on the invoice, and no row."""
    result = Ledger()(_billed(build, [], build.turn(answer=build.answer(None))))

    missing, unbilled = result.findings
    served = "2: 3000+150 for 0.0090 (1000+100 for 0.0035, 2000+50 for 0.0055)"
    sides = f"invoice {served} | client {served} | ledger 0 (prompt+completion tokens, cost in USD)"
    assert missing.message == f"no row bills 3000+150 tokens; {sides}"
    assert missing.where == "turn 't1' of wyckoff/chat"
    assert missing.turn == "t1"
    assert unbilled.kind is FindingKind.UNBILLED_RESPONSE
    assert (
        unbilled.message
        == f"the answer's llm_request_id is None: by the backend's own account no row bills it; {sides}"
    )


def test_a_turn_that_failed_is_billed_like_any_other(build: "Build") -> None:
    """The provider served it; only an answer can name a row."""
    turn = build.turn(answer=None, error="broken")

    assert _kinds(Ledger()(_billed(build, [], turn))) == ["missing_row"]
    assert Ledger()(_billed(build, [build.row(1, 3000, 150)], turn)).verdict is Verdict.PASSED


def test_a_turn_that_failed_before_any_response_needs_no_row(build: "Build") -> None:
    """Nothing served, nothing to bill; a row for it would be wrong."""
    turn = build.turn(answer=None, error="broken")

    assert Ledger()(build.evidence(turn)).verdict is Verdict.PASSED
    assert _kinds(Ledger()(build.evidence(turn, ledger=[build.row()]))) == ["duplicate_row"]


def test_an_answer_without_any_response_leaves_it_open(build: "Build") -> None:
    """Somebody answered, and neither invoice nor client knows who."""
    result = Ledger()(build.evidence())

    assert result.verdict is Verdict.UNKNOWN
    assert "neither the invoice nor the client" in result.reason


WRONG: dict[str, tuple[Callable[[LedgerRow], LedgerRow], list[str]]] = {
    "another account": (lambda row: replace(row, account_slug="agrofresh"), ["foreign_row"]),
    "another agent": (lambda row: replace(row, agent_instance_slug="other"), ["foreign_row"]),
    "no account": (lambda row: replace(row, account_slug=None), ["foreign_row"]),
    "nobody's session": (lambda row: replace(row, session_id="t0"), ["foreign_row"]),
    "no session": (lambda row: replace(row, session_id=None), ["foreign_row"]),
    "total tokens": (lambda row: replace(row, total_tokens=3151), ["broken_total"]),
    "no total tokens": (lambda row: replace(row, total_tokens=None), ["broken_total"]),
    "the last digit": (
        lambda row: replace(row, prompt_cost=Decimal("0.00750001"), total_cost=Decimal("0.00900001")),
        ["wrong_cost"],
    ),
    "total cost": (lambda row: replace(row, total_cost=Decimal("0.0091")), ["broken_total"]),
    "zero": (
        lambda row: replace(row, prompt_cost=Decimal(0), completion_cost=Decimal(0), total_cost=Decimal(0)),
        ["zero_cost"],
    ),
    "unpriced": (
        lambda row: replace(row, prompt_cost=None, completion_cost=None, total_cost=None),
        ["wrong_cost"],
    ),
    "another provider": (lambda row: replace(row, provider="azure"), ["wrong_model"]),
    "another model": (lambda row: replace(row, model="gpt-4o-mini"), ["wrong_model"]),
    "another status": (lambda row: replace(row, completion_status="failed"), ["wrong_model"]),
    "no tokens": (
        lambda row: replace(row, prompt_tokens=None, completion_tokens=None, total_tokens=None),
        ["wrong_tokens"],
    ),
}


@pytest.mark.parametrize(("change", "kinds"), WRONG.values(), ids=WRONG)
def test_each_wrong_column_is_found(build: "Build", change: Callable[[LedgerRow], LedgerRow], kinds: list[str]) -> None:
    """One column at a time, and nothing else is said."""
    assert _kinds(Ledger()(_billed(build, [change(build.row(1, 3000, 150))]))) == kinds


@pytest.mark.parametrize(
    ("served", "named"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o", "openai:gpt-4o"),
        ("gpt-4o", "openai/gpt-4o-2024-08-06"),
        ("gpt-4o", None),
    ],
)
def test_a_snapshot_is_no_other_model(build: "Build", served: str, named: str | None) -> None:
    """Nor is a name with its provider before it, and a backend need not have the columns at all."""
    charge = build.charge(model=served)
    provider = "OpenAI" if named else None
    row = build.row(model=named, provider=provider, completion_status="complete" if named else None)

    result = Ledger()(build.evidence(invoice=[charge], responses=[build.seen(charge)], ledger=[row]))

    assert result.verdict is Verdict.PASSED


def test_a_row_of_several_models_names_one_of_them(build: "Build") -> None:
    """And of a model and a provider that belong together."""
    charges = [build.charge(1), build.charge(2, provider="anthropic", model="claude-sonnet-4-5")]
    seen = [build.seen(charge) for charge in charges]

    def kinds(**names: str) -> list[str]:
        row = build.row(1, 2000, 200, **names)
        return _kinds(Ledger()(build.evidence(invoice=charges, responses=seen, ledger=[row])))

    assert "wrong_model" not in kinds(provider="anthropic", model="claude-sonnet-4-5")
    assert "wrong_model" not in kinds()
    assert "wrong_model" in kinds(provider="anthropic", model="gpt-4o")


def test_a_wrong_model_shows_both_names(build: "Build") -> None:
    """What the row says, and what was served."""
    (finding,) = Ledger()(_billed(build, [build.row(1, 3000, 150, model="gpt-4")])).findings

    assert finding.message.startswith(f"row {UUID(int=1)} names openai/gpt-4, and served was openai/gpt-4o; ")


def test_a_turn_that_failed_need_not_be_complete(build: "Build") -> None:
    """Its row may say so."""
    turn = build.turn(answer=None, error="broken")
    row = build.row(1, 3000, 150, completion_status="failed")

    assert Ledger()(_billed(build, [row], turn)).verdict is Verdict.PASSED


def test_wrong_tokens_at_their_own_price_are_one_finding(build: "Build") -> None:
    """The cost follows from the tokens; it is not told a second time."""
    assert _kinds(Ledger()(_billed(build, [build.row(1, 3000, 151)]))) == ["wrong_tokens"]


def test_trailing_zeros_are_no_other_cost(build: "Build") -> None:
    """A `NUMERIC` column of fixed scale fills up with zeros."""
    row = replace(build.row(1, 3000, 150), total_cost=Decimal("0.0090000000"))

    assert Ledger()(_billed(build, [row])).verdict is Verdict.PASSED


def test_a_row_twice_is_a_duplicate(build: "Build") -> None:
    """Only the second is."""
    (finding,) = Ledger()(_billed(build, [build.row(1, 3000, 150), build.row(2, 3000, 150)])).findings

    assert finding.kind is FindingKind.DUPLICATE_ROW
    assert finding.where == f"turn 't1' of wyckoff/chat, row {UUID(int=2)}"


def test_rows_swapped_between_tenants_are_foreign(build: "Build") -> None:
    """Each turn has a row with the right tokens, in the other one's name."""
    turns = build.turn(), build.turn("t2", tenant="agrofresh", answer=build.answer(2))
    charges = [build.charge(1), build.charge(2, turn="t2")]
    rows = [build.row(1, account_slug="agrofresh"), build.row(2, session_id="t2")]
    evidence = build.evidence(
        *turns, invoice=charges, responses=[build.seen(charge) for charge in charges], ledger=rows
    )

    assert _kinds(Ledger()(evidence)) == ["foreign_row", "foreign_row"]


def test_a_session_that_the_answer_names_is_the_turns(build: "Build") -> None:
    """A backend may answer with a session id of its own."""
    turn = build.turn(answer=build.answer(session_id="own-session"))

    assert Ledger()(_billed(build, [build.row(1, 3000, 150, session_id="own-session")], turn)).verdict is Verdict.PASSED
    assert Ledger()(_billed(build, [build.row(1, 3000, 150)], turn)).verdict is Verdict.PASSED


def test_an_answer_with_another_turns_session_does_not_take_its_rows(build: "Build") -> None:
    """The id that the turn was sent with decides."""
    turn = build.turn("t2", answer=build.answer(2, session_id="t1"))
    rows = [build.row(1, 3000, 150)]

    result = Ledger()(_billed(build, rows, build.turn(), turn))

    assert _kinds(result) == []
    assert result.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(("named", "said"), [(9, "is not in the ledger"), (2, "bills turn 't2'")])
def test_an_answer_that_names_a_row_that_is_not_its_own_is_unbilled(build: "Build", named: int, said: str) -> None:
    """A row that does not exist, or one that bills another turn."""
    turns = build.turn(answer=build.answer(named)), build.turn("t2", answer=build.answer(2))
    charges = [*_charges(build), build.charge(3, turn="t2")]
    evidence = build.evidence(
        *turns,
        invoice=charges,
        responses=[build.seen(charge) for charge in charges],
        ledger=[build.row(1, 3000, 150), build.row(2, session_id="t2")],
    )

    (finding,) = Ledger()(evidence).findings

    assert finding.kind is FindingKind.UNBILLED_RESPONSE
    assert said in finding.message


def test_invoice_and_client_must_agree(build: "Build") -> None:
    """In number and in tokens; a response without a turn is found by its id."""
    evidence = _billed(build, [build.row(1, 3000, 150)])
    first, second = evidence.responses.items

    def check(*responses: ModelResponseSeen) -> CheckResult:
        return Ledger()(replace(evidence, responses=replace(evidence.responses, entries=responses)))

    assert check(second, replace(first, turn=None)).verdict is Verdict.PASSED
    assert _kinds(check(first)) == ["unseen_response"]
    assert _kinds(check(first, second, second)) == ["unseen_response"]
    assert _kinds(check(first, replace(second, completion_tokens=51))) == ["unseen_response"]
    assert _kinds(check(first, second, replace(first, turn=None, response_id="x"))) == ["unseen_response"]


def test_an_invoice_for_unknown_turns_leaves_it_open(build: "Build") -> None:
    """Somebody was served, and nobody says who."""
    evidence = _billed(build, [build.row(1, 3000, 150)])
    stray = (*evidence.invoice.items, build.charge(3, turn="t9"))

    result = Ledger()(replace(evidence, invoice=replace(evidence.invoice, entries=stray)))

    assert result.verdict is Verdict.UNKNOWN
    assert "t9" in result.reason


def test_turns_answered_with_one_session_cannot_be_told_apart(build: "Build") -> None:
    """The check says so instead of guessing."""
    turns = [build.turn(turn, answer=build.answer(session_id="same")) for turn in ("t1", "t2")]

    with pytest.raises(Exception, match="cannot be told apart"):
        Ledger()(_billed(build, [], *turns))


def test_an_unpriced_model_costs_null_and_never_zero(build: "Build") -> None:
    """Also if the provider is known and the model is not."""
    free: dict[str, Any] = {"prompt_cost": None, "completion_cost": None, "total_cost": None}
    zero: dict[str, Any] = dict.fromkeys(free, Decimal(0))
    for provider, model in [("openai", "made-up"), ("local", "smollm2")]:
        charge = build.charge(provider=provider, model=model)
        for costs, kinds in [(free, []), (zero, ["null_priced_as_zero"])]:
            row = build.row(1, provider=provider, model=model, **costs)
            evidence = build.evidence(invoice=[charge], responses=[build.seen(charge)], ledger=[row])

            assert _kinds(Ledger()(evidence)) == kinds


def test_prices_are_those_of_the_price_list(build: "Build") -> None:
    """By provider, or by the model's name where the provider is none that has prices."""
    known, scripted = price_of([build.charge()]), price_of([build.charge(provider="function")])

    assert known == scripted
    assert (known.prompt, known.completion, known.total) == (
        Decimal("0.0025"),
        Decimal("0.001"),
        Decimal("0.0035"),
    )
    assert price_of([build.charge(), build.charge(model="made-up")]) == UNPRICED
    assert price_of([]) == UNPRICED


def test_a_turns_price_is_the_sum_of_its_responses_also_for_tiers(build: "Build") -> None:
    """Two requests below a tier's threshold stay below it, whatever their sum."""
    charge = build.charge(prompt=150_000, completion=0, provider="google", model="gemini-2.5-pro")

    together = price_of([replace(charge, prompt_tokens=300_000)])

    assert price_of([charge, charge]).total == Decimal("0.375")
    assert together.total == Decimal("0.75")


tokens = st.tuples(st.integers(0, MILLION), st.integers(0, MILLION))


@given(usages=st.lists(tokens, min_size=1, max_size=4), data=st.data())
def test_the_order_of_rows_does_not_matter_and_each_is_needed(
    build: "Build", usages: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Any permutation passes; without one row exactly that one is missing; one twice is double."""
    charges = [build.charge(number, *usage) for number, usage in enumerate(usages, start=1)]
    rows = [build.row(number, *usage) for number, usage in enumerate(usages, start=1)]

    def check(ledger: Sequence[LedgerRow]) -> list[str]:
        evidence = build.evidence(
            build.turn(answer=None, error="broken"),
            ledger_grain=LedgerGrain.REQUEST,
            invoice=charges,
            responses=[build.seen(charge) for charge in charges],
            ledger=ledger,
        )
        return _kinds(Ledger()(evidence))

    shuffled = data.draw(st.permutations(rows))
    victim = data.draw(st.sampled_from(rows))

    assert check(shuffled) == []
    assert check([row for row in shuffled if row != victim]) == ["missing_row"]
    assert check([*shuffled, replace(victim, id=UUID(int=99))]) == ["duplicate_row"]


def test_findings_do_not_depend_on_the_order_of_rows(build: "Build") -> None:
    """Also where rows are wrong, so that somebody has to be chosen."""
    rows = [build.row(1, 999, 100), build.row(2, 2000, 51), build.row(3, 7, 7)]
    results = {Ledger()(_billed(build, order, grain="request")).findings for order in permutations(rows)}

    assert len(results) == 1
