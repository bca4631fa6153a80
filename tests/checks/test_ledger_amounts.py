"""The ledger check, one row and its bill: tokens, costs and totals, each mistake told once, with the sums beside it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from harness.checks import Ledger
from harness.evidence import Charge, LedgerGrain, LedgerRow
from harness.verdict import CheckResult, FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build

D = Decimal
COSTS = ("prompt_cost", "completion_cost", "total_cost")
NAN, SIGNALLING = Decimal("NaN"), Decimal("sNaN")


def check(build: "Build", charges: Sequence[Charge], *rows: LedgerRow, grain: str = "turn", **turn: Any) -> CheckResult:
    """What it says, of a turn that failed, so that no answer has to name a row."""
    evidence = build.evidence(
        build.turn(**{"answer": None, "error": "broken"} | turn),
        ledger_grain=LedgerGrain(grain),
        invoice=charges,
        responses=[build.seen(charge) for charge in charges],
        ledger=rows,
    )
    return Ledger()(evidence)


def kinds(result: CheckResult) -> list[str]:
    return [finding.kind.value for finding in result.findings]


def costing(row: LedgerRow, prompt: Any, completion: Any, total: Any) -> LedgerRow:
    """The row with other costs; `None` is `NULL`."""
    parts = (None if part is None else Decimal(part) for part in (prompt, completion, total))
    return replace(row, **dict(zip(COSTS, parts, strict=True)))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ((None, None, None), []),
        ((0, 0, 0), []),
        (("0.0025", "0.001", "0.0035"), ["wrong_cost"]),
        ((None, None, 0), ["wrong_cost"]),
    ],
)
def test_a_model_that_is_listed_at_nothing_is_free_or_unpriced(
    build: "Build", costs: tuple[Any, Any, Any], expected: list[str]
) -> None:
    """The price list does not say which, so that zero and NULL are both right, and nothing else is."""
    listed: dict[str, Any] = {"provider": "x-ai", "model": "grok-voice-latest"}

    result = check(build, [build.charge(1, **listed)], costing(build.row(1, **listed), *costs))

    assert kinds(result) == expected


def test_a_bill_with_a_part_that_is_listed_at_nothing_may_be_unpriced_as_a_whole(build: "Build") -> None:
    """One with parts that all have a price may not; nor may one without tokens, which costs nothing."""
    free = build.charge(1, provider="x-ai", model="grok-voice-latest")
    priced, nothing = build.charge(2), build.charge(3, 0, 0)

    assert kinds(check(build, [free, priced], costing(build.row(1, 2000, 200), None, None, None))) == []
    assert kinds(check(build, [priced], costing(build.row(2), None, None, None))) == ["wrong_cost"]
    assert kinds(check(build, [nothing], costing(build.row(3, 0, 0), None, None, None))) == ["wrong_cost"]


# The price of 1000+100 tokens is 0.0025 + 0.0010 = 0.0035.
COST_MISTAKES: list[tuple[tuple[Any, Any, Any], list[str]]] = [
    (("0.0025", "0.001", "0.0035"), []),
    (("0.00250", "0.0010000", "0.00350"), []),
    (("0.0025", "0.001", "0.0036"), ["broken_total"]),
    (("0.0025", "0.001", None), ["broken_total"]),
    (("0.0026", "0.001", "0.0036"), ["wrong_cost"]),
    (("0.0025", "0.0011", "0.0036"), ["wrong_cost"]),
    (("0.0026", "0.001", "0.0035"), ["wrong_cost"]),
    (("0.0025", "0.0011", "0.0035"), ["wrong_cost"]),
    (("0.001", "0.0025", "0.0035"), ["wrong_cost"]),
    (("0.0026", "0.001", "0.0037"), ["wrong_cost", "broken_total"]),
    ((None, None, None), ["wrong_cost"]),
    ((None, "0.001", "0.0035"), ["wrong_cost"]),
    (("0.0025", None, "0.0035"), ["wrong_cost"]),
    ((None, None, "0.0035"), ["wrong_cost"]),
    ((None, None, "0.0036"), ["wrong_cost", "broken_total"]),
    (("-0.0025", "-0.001", "-0.0035"), ["wrong_cost"]),
    ((0, 0, 0), ["zero_cost"]),
    ((0, "0.001", "0.001"), ["zero_cost"]),
    ((0, "0.001", "0.0035"), ["zero_cost"]),
    (("0.0025", 0, "0.0025"), ["zero_cost"]),
    (("0.0025", 0, "0.0035"), ["zero_cost"]),
    (("0.0025", "0.001", 0), ["zero_cost"]),
    (("0.0025", "0.001", "-0.000"), ["zero_cost"]),
    ((0, 0, "0.0035"), ["zero_cost"]),
    (("0.0026", "0.001", 0), ["zero_cost", "wrong_cost"]),
    ((0, "0.002", "0.002"), ["zero_cost", "wrong_cost"]),
    ((0, "0.001", "0.002"), ["zero_cost", "broken_total"]),
    ((0, None, 0), ["zero_cost", "wrong_cost"]),
    ((NAN, "0.001", "0.0035"), ["wrong_cost"]),
    (("0.0025", NAN, "0.0035"), ["wrong_cost"]),
    (("0.0025", "0.001", NAN), ["wrong_cost"]),
    (("0.0025", "0.001", SIGNALLING), ["wrong_cost"]),
    ((NAN, NAN, NAN), ["wrong_cost"]),
    (("0.0025", "0.001", "Infinity"), ["wrong_cost"]),
]


@pytest.mark.parametrize(("costs", "expected"), COST_MISTAKES)
@pytest.mark.parametrize("grain", ["turn", "request"])
def test_costs_of_a_model_with_a_price(
    build: "Build", costs: tuple[Any, Any, Any], expected: list[str], grain: str
) -> None:
    """One mistake is one finding: a total that follows from a part, or a part that the total does not follow."""
    assert kinds(check(build, [build.charge()], costing(build.row(), *costs), grain=grain)) == expected


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ((None, None, None), []),
        ((0, 0, 0), ["null_priced_as_zero"]),
        ((0, None, None), ["null_priced_as_zero"]),
        ((None, 0, None), ["null_priced_as_zero"]),
        ((None, None, "-0.00"), ["null_priced_as_zero"]),
        (("0.1", "0.2", "0.3"), ["wrong_cost"]),
        ((0, "0.2", "0.2"), ["wrong_cost"]),
        ((None, None, "0.3"), ["wrong_cost"]),
        (("0.1", None, None), ["wrong_cost"]),
        (("0.1", "0.2", None), ["wrong_cost"]),
        (("0.1", "0.2", "0.4"), ["wrong_cost", "broken_total"]),
        ((NAN, NAN, NAN), ["wrong_cost"]),
    ],
)
def test_costs_of_a_model_without_a_price(build: "Build", costs: tuple[Any, Any, Any], expected: list[str]) -> None:
    """NULL in each part; a zero is a kind of its own."""
    charge = build.charge(model="in-house-1")

    assert kinds(check(build, [charge], costing(build.row(model="in-house-1"), *costs))) == expected


def test_a_turn_with_one_unpriced_response_has_no_price(build: "Build") -> None:
    """The price of a part would look like the whole."""
    charges = [build.charge(1), build.charge(2, 7, 7, model="in-house-1")]
    row = build.row(1, 1007, 107)

    assert kinds(check(build, charges, costing(row, "0.0025", "0.001", "0.0035"))) == ["wrong_cost"]
    assert kinds(check(build, charges, costing(row, None, None, None))) == []
    assert kinds(check(build, charges, costing(row, 0, 0, 0))) == ["null_priced_as_zero"]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ((1000, 100, 1100), []),
        ((1001, 100, 1101), ["wrong_tokens"]),
        ((1000, 99, 1099), ["wrong_tokens"]),
        ((1001, 100, 1100), ["wrong_tokens"]),
        ((1001, 100, 1102), ["wrong_tokens", "broken_total"]),
        ((1000, 100, 1101), ["broken_total"]),
        ((1000, 100, None), ["broken_total"]),
        ((-1000, 100, -900), ["wrong_tokens"]),
        ((1000, -100, 900), ["wrong_tokens"]),
        ((None, None, None), ["wrong_tokens"]),
        ((None, None, 1100), ["wrong_tokens"]),
        ((None, None, 7), ["wrong_tokens", "broken_total"]),
        ((None, 100, 100), ["wrong_tokens", "broken_total"]),
        ((1000, None, None), ["wrong_tokens", "broken_total"]),
        ((0, 0, 0), ["wrong_tokens"]),
    ],
)
def test_tokens(build: "Build", tokens: tuple[int | None, int | None, int | None], expected: list[str]) -> None:
    """As the provider counted them; a right total beside a wrong part is no second mistake."""
    prompt, completion, total = tokens
    row = replace(build.row(), prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)

    assert kinds(check(build, [build.charge()], row)) == expected


def test_the_price_of_wrong_tokens_is_not_told_again(build: "Build") -> None:
    """Of the row's own tokens, of one response of several, of all but one, by either model, or none at all."""
    charges = [
        build.charge(1, 1000, 100, cached_tokens=500),
        build.charge(2, 2000, 50),
        build.charge(3, 300, 30, provider="anthropic", model="claude-sonnet-4-5"),
    ]
    one, rest = build.row(1, 1000, 100), build.row(1, 2300, 80)

    def found(row: LedgerRow, *costs: Any) -> list[str]:
        return kinds(check(build, charges, costing(row, *costs)))

    assert found(one, "0.001875", "0.001", "0.002875") == ["wrong_tokens"]
    assert found(one, "0.001876", "0.001", "0.002876") == ["wrong_tokens", "wrong_cost"]
    assert found(rest, "0.0059", "0.00095", "0.00685") == ["wrong_tokens"]
    assert found(rest, "0.0059", "0.00095", "0.00686") == ["wrong_tokens", "broken_total"]
    assert found(build.row(1, 5000, 10), "0.0125", "0.0001", "0.0126") == ["wrong_tokens"]
    assert found(build.row(1, 5000, 10), "0.015", "0.00015", "0.01515") == ["wrong_tokens"]
    assert found(build.row(1, 5000, 10), None, None, None) == ["wrong_tokens"]
    assert found(build.row(1, 3300, 180), None, None, None) == ["wrong_cost"]


def test_the_price_of_wrong_tokens_is_that_of_the_time(build: "Build") -> None:
    """Also where only one side has a price, because the other is nothing; and also for what the client was told."""
    before = build.charge(model="o3", served_at=datetime(2025, 5, 1, tzinfo=UTC))
    row = build.row(1, 500, 0, model="o3")

    assert kinds(check(build, [before], costing(row, "0.005", 0, "0.005"))) == ["wrong_tokens"]
    assert kinds(check(build, [before], costing(row, "0.001", 0, "0.001"))) == [
        "wrong_tokens",
        "zero_cost",
        "wrong_cost",
    ]
    seen = build.seen(before, completion_tokens=1)
    evidence = build.evidence(build.turn(), invoice=[before], responses=[seen], ledger=[])
    assert "| client 1: 1000+1 for 0.01004 |" in Ledger()(evidence).findings[0].message


def test_a_negative_count_has_no_price(build: "Build") -> None:
    """Not even its own: the cost is compared with the bill's."""
    row = replace(build.row(), prompt_tokens=-1000, total_tokens=-900)

    assert kinds(check(build, [build.charge()], costing(row, "-0.0025", "0.001", "-0.0015"))) == [
        "wrong_tokens",
        "wrong_cost",
    ]


def test_a_fee_for_each_request_stands_in_the_total_or_with_the_prompt(build: "Build") -> None:
    """As `genai-prices` gives it, or so that the parts add up; it is not left out."""
    fee: dict[str, Any] = {"provider": "perplexity", "model": "sonar"}
    charge, row = build.charge(**fee), build.row(**fee)

    assert kinds(check(build, [charge], costing(row, "0.001", "0.0001", "0.0131"))) == []
    assert kinds(check(build, [charge], costing(row, "0.013", "0.0001", "0.0131"))) == []
    assert kinds(check(build, [charge], costing(row, "0.001", "0.0001", "0.0011"))) == ["wrong_cost"]
    assert kinds(check(build, [charge], costing(row, "0.001", "0.0001", "0.0132"))) == ["broken_total"]
    assert kinds(check(build, [charge], costing(row, "0.013", "0.0001", "0.0132"))) == ["broken_total"]


def test_costs_are_added_without_rounding(build: "Build") -> None:
    """However many digits a NUMERIC column has: more than a default context of Decimal keeps."""
    digits = Decimal((0, (2, 5, *[0] * 40, 1), -45))
    row = replace(build.row(), prompt_cost=digits, total_cost=Decimal((0, (3, 5, *[0] * 40, 1), -45)))
    off = replace(row, total_cost=Decimal("0.0035"))

    assert kinds(check(build, [build.charge()], row)) == ["wrong_cost"]
    assert kinds(check(build, [build.charge()], off)) == ["wrong_cost"]
    assert kinds(check(build, [build.charge(model="in-house-1")], replace(row, model="in-house-1"))) == ["wrong_cost"]


def test_the_totals_of_a_surplus_row_are_looked_at_too(build: "Build") -> None:
    """But not whether they are the bill's; the exact price of a bill is no broken total."""
    fee: dict[str, Any] = {"provider": "perplexity", "model": "sonar"}
    charge = build.charge(**fee)
    right = costing(build.row(1, **fee), "0.001", "0.0001", "0.0131")

    def found(**changes: Any) -> list[str]:
        return kinds(check(build, [charge], right, replace(right, id=build.row(2).id, **changes)))

    assert found() == ["duplicate_row"]
    assert found(prompt_cost=D("0.0130")) == ["duplicate_row"]
    assert found(total_cost=D("0.0132")) == ["duplicate_row", "broken_total"]
    assert found(total_cost=NAN) == ["duplicate_row"]
    assert found(total_tokens=1) == ["duplicate_row", "broken_total"]
    assert found(prompt_cost=None, completion_cost=None, total_cost=None) == ["duplicate_row"]
    assert found(prompt_cost=None, completion_cost=None) == ["duplicate_row", "broken_total"]


def messages(result: CheckResult) -> list[str]:
    return [
        finding.message.partition("; invoice ")[0].partition(" ")[2].partition(" ")[2] for finding in result.findings
    ]


def test_each_mistake_shows_what_is_and_what_should_be(build: "Build") -> None:
    """With all parts of a cost, and the models."""
    charges = [build.charge(1), build.charge(2, 7, 7, provider="anthropic", model="claude-sonnet-4-5")]
    row = costing(build.row(1, 1007, 107), "0.002521", "0.001105", "0.003626")
    due = "1007+107 tokens of anthropic/claude-sonnet-4-5, openai/gpt-4o cost 0.002521 + 0.001105 = 0.003626 USD"

    def found(**changes: Any) -> list[str]:
        return messages(check(build, charges, replace(row, **changes)))

    assert found() == []
    assert found(total_cost=D(0)) == [f"has 0.002521 + 0.001105 = 0 USD: {due}"]
    assert found(prompt_cost=D(1)) == [f"has 1 + 0.001105 = 0.003626 USD: {due}"]
    assert found(prompt_cost=NAN) == [f"has NaN + 0.001105 = 0.003626 USD, which is no amount: {due}"]
    assert found(total_cost=None) == ["has costs that do not add up: 0.002521 + 0.001105 = NULL USD"]
    assert found(total_tokens=9) == ["has 9 tokens in all, and 1007+107 in its parts"]
    assert found(total_tokens=None) == ["has NULL tokens in all, and 1007+107 in its parts"]
    assert found(prompt_tokens=None, total_tokens=None) == [
        "has NULL+107 tokens, and the provider counted 1007+107",
        "has NULL tokens in all, and NULL+107 in its parts",
    ]


def test_an_unpriced_model_is_told_as_such(build: "Build") -> None:
    """With what must be there."""
    charge, row = build.charge(model="in-house-1"), build.row(model="in-house-1")

    assert messages(check(build, [charge], costing(row, 0, 0, 0))) == [
        "has 0 + 0 = 0 USD: 1000+100 tokens of openai/in-house-1 have no known price, so that every cost must be NULL"
    ]


def sides(result: CheckResult) -> str:
    """The end of the first finding's message."""
    return "invoice " + result.findings[0].message.partition("; invoice ")[2]


def test_the_three_sides_have_tokens_and_costs(build: "Build") -> None:
    """In all, and one by one where there are several; what is not known is NULL."""
    charges = [build.charge(1), build.charge(2, 7, 7, model="in-house-1")]
    rows = [build.row(1), costing(build.row(2, 8, 8), None, None, None), build.row(3)]

    assert sides(check(build, charges, *rows, grain="request")) == (
        "invoice 2: 1007+107 for NULL (1000+100 for 0.0035, 7+7 for NULL) | "
        "client 2: 1007+107 for NULL (1000+100 for 0.0035, 7+7 for NULL) | "
        "ledger 3: 2008+208 for NULL (1000+100 for 0.0035000, 8+8 for NULL, 1000+100 for 0.0035000) "
        "(prompt+completion tokens, cost in USD)"
    )
    assert sides(check(build, charges[:1], replace(build.row(), prompt_tokens=None))) == (
        "invoice 1: 1000+100 for 0.0035 | client 1: 1000+100 for 0.0035 | ledger 1: NULL+100 for 0.0035000 "
        "(prompt+completion tokens, cost in USD)"
    )
    four = [build.charge(number) for number in range(4)]
    assert sides(check(build, four)).startswith(
        f"invoice 4: 4000+400 for 0.0140 ({', '.join(['1000+100 for 0.0035'] * 4)}) | "
    )
    assert sides(check(build, [], build.row())) == (
        "invoice 0 | client 0 | ledger 1: 1000+100 for 0.0035000 (prompt+completion tokens, cost in USD)"
    )


def test_the_clients_cost_is_that_of_what_it_was_told(build: "Build") -> None:
    """At the price of the charge that a response is for, by identifier or by tokens; NULL if it is for none."""
    charges = [build.charge(1), build.charge(2, 2000, 50)]
    seen = [
        build.seen(charges[0], prompt_tokens=2000, completion_tokens=0),
        build.seen(charges[1], response_id=None),
        build.seen(charges[1], response_id="x", prompt_tokens=9),
    ]
    evidence = build.evidence(build.turn(), invoice=charges, responses=seen, ledger=[])

    assert "| client 3: 4009+100 for NULL (2000+0 for 0.005, 2000+50 for 0.0055, 9+50 for NULL) |" in sides(
        Ledger()(evidence)
    )


def test_a_large_turn_has_a_short_message(build: "Build") -> None:
    """The first four of each side, and how many more there are."""
    charges = [build.charge(number, number, 1) for number in range(1, 1001)]
    seen = [build.seen(charge) for charge in charges]
    evidence = build.evidence(
        build.turn(answer=None, error="broken"),
        ledger_grain=LedgerGrain.REQUEST,
        invoice=charges,
        responses=seen[:500],
        ledger=[build.row(number, number, 1) for number in range(1, 1000)],
    )

    unseen, missing = Ledger()(evidence).findings

    assert unseen.message.startswith("the client did not receive 500: 501+1, 502+1, 503+1, 504+1, and 496 more; ")
    served = "1+1 for 0.0000125, 2+1 for 0.000015, 3+1 for 0.0000175, 4+1 for 0.00002"
    assert f"invoice 1000: 500500+1000 for 1.2612500 ({served}, and 996 more) | client 500: " in missing.message
    assert max(len(unseen.message), len(missing.message)) < 700


def test_long_numbers_and_names_are_cut(build: "Build") -> None:
    """A NUMERIC column can hold a hundred thousand digits, and a text column anything."""
    row = build.row(account_slug="x" * 500, model="y" * 500, completion_status="z" * 500)
    sixty = Decimal("0." + "1" * 58)
    for cost, shown in [
        (Decimal("1E+90000"), "1E+90000"),
        (Decimal("1E-90000"), "1E-90000"),
        (Decimal("1E+59"), "1" + "0" * 59),
        (Decimal("1E+60"), "1E+60"),
        (sixty, str(sixty)),
        (Decimal("0." + "1" * 59), "1.1111111111e-1"),
        (Decimal("-0." + "1" * 90), "-1.1111111111e-1"),
    ]:
        result = check(build, [build.charge()], replace(row, prompt_cost=cost), answer=build.answer(), error=None)
        found = {finding.kind: finding.message for finding in result.findings}

        assert f"has {shown} + 0.00100 = 0.0035000 USD" in found[FindingKind.WRONG_COST]
        assert f"bills '{'x' * 79}…'/'chat', and" in found[FindingKind.FOREIGN_ROW]
        assert f"names openai/{'y' * 79}…, and" in " ".join(finding.message for finding in result.findings)
        assert f"has the status '{'z' * 79}…', and" in found[FindingKind.WRONG_MODEL]


def test_a_name_of_eighty_characters_is_whole(build: "Build") -> None:
    """Only what is longer is cut."""
    (finding,) = check(build, [build.charge()], build.row(account_slug="x" * 80)).findings

    assert f"bills '{'x' * 80}'/'chat', and" in finding.message


def test_models_are_listed_by_name(build: "Build") -> None:
    """Each once, whatever the order in which they served."""
    names = ["gpt-4o-mini", "o3", "gpt-4o", "gpt-4.1", "gpt-4o", "o1", "gpt-5"]
    charges = [build.charge(number, model=model) for number, model in enumerate(names)]
    (finding,) = check(build, charges, build.row(1, 7000, 700, model="x", total_cost=D(0))).findings[1:2]

    listed = "openai/gpt-4.1, openai/gpt-4o, openai/gpt-4o-mini, openai/gpt-5, openai/o1, openai/o3"
    assert f"7000+700 tokens of {listed} cost " in finding.message


def test_a_right_row_of_a_mixed_turn_passes(build: "Build") -> None:
    """The price of a turn is the sum of what each model charges."""
    charges = [build.charge(1), build.charge(2, 7, 7, provider="anthropic", model="claude-sonnet-4-5")]
    row = costing(build.row(1, 1007, 107), "0.002521", "0.001105", "0.003626")

    assert check(build, charges, row).verdict is Verdict.PASSED
    assert kinds(check(build, charges, replace(row, provider="anthropic"))) == ["wrong_model"]
