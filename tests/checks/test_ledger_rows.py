"""The ledger check, rows and whom they are for: which row carries which bill, grains, places and identifiers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, timezone
from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest

from harness.checks import Ledger
from harness.errors import MissingEvidence
from harness.evidence import Charge, LedgerGrain, LedgerRow, Turn
from harness.verdict import Finding
from tests.checks.conftest import SERVED_AT, Build

NIL = UUID(int=0)
_IDENTIFIER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Case:
    """Turns that were served, and what the check says of rows for them, in whatever order these are."""

    build: Build
    charges: Sequence[Charge]
    turns: Sequence[Turn]
    grain: str = "turn"

    def findings(self, *rows: LedgerRow) -> tuple[Finding, ...]:
        """The same for every order of the rows."""
        results = {self._findings(order) for order in permutations(rows)}

        assert len(results) == 1
        return results.pop()

    def _findings(self, rows: Sequence[LedgerRow]) -> tuple[Finding, ...]:
        seen = [self.build.seen(charge) for charge in self.charges]
        evidence = self.build.evidence(
            *self.turns, ledger_grain=LedgerGrain(self.grain), invoice=self.charges, responses=seen, ledger=rows
        )
        return Ledger()(evidence).findings

    def kinds(self, *rows: LedgerRow) -> list[str]:
        """Kind, turn and row of each finding: `wrong_cost t1 2`."""
        return [" ".join([each.kind.value, each.turn or "-", *_numbers(each.where)]) for each in self.findings(*rows)]

    def messages(self, *rows: LedgerRow) -> list[str]:
        """What each finding says, with the numbers of rows for their identifiers, and without the sums."""
        heads = [finding.message.partition("; invoice ")[0] for finding in self.findings(*rows)]
        return [_IDENTIFIER.sub(lambda match: str(UUID(match[0]).int), head) for head in heads]


def _numbers(where: str) -> list[str]:
    return [str(UUID(identifier).int) for identifier in _IDENTIFIER.findall(where)]


def failed(build: Build, turn: str = "t1", **fields: Any) -> Turn:
    return build.turn(turn, **{"answer": None, "error": "broken"} | fields)


@pytest.fixture
def one(build: Build) -> Case:
    """One turn that failed after two responses."""
    return Case(build, [build.charge(1), build.charge(2, 2000, 50)], [failed(build)])


@pytest.fixture
def two(build: Build) -> Case:
    """Two answered turns of two tenants, with a row each: 1 for 1000+100 tokens, 2 for 70+7."""
    turns = [build.turn("t1"), build.turn("t2", tenant="agrofresh", answer=build.answer(2))]
    return Case(build, [build.charge(1), build.charge(2, 70, 7, turn="t2")], turns)


def rows_of_two(build: Build) -> tuple[LedgerRow, LedgerRow]:
    return build.row(1), build.row(2, 70, 7, session_id="t2", account_slug="agrofresh")


def per_request(case: Case) -> Case:
    return replace(case, grain="request")


def test_rows_of_another_grain_are_told_as_that(one: Case, build: Build) -> None:
    """Once a turn, and not as so many duplicates; what else is wrong with them is told too."""
    rows, whole = [build.row(1), build.row(2, 2000, 50)], build.row(3, 3000, 150)

    assert one.kinds(*rows) == ["duplicate_row t1"]
    assert one.messages(*rows) == ["the rows are one per request (2 of them), and the ledger was declared per turn"]
    assert per_request(one).kinds(whole) == ["missing_row t1"]
    assert per_request(one).messages(whole) == [
        "one row bills all requests of the turn, and the ledger was declared per request"
    ]
    assert one.kinds(rows[0], replace(rows[1], total_cost=Decimal(1))) == ["duplicate_row t1", "broken_total t1 2"]
    assert per_request(one).kinds(replace(whole, model="gpt-4")) == ["missing_row t1", "wrong_model t1 3"]
    assert per_request(one).kinds(whole, replace(whole, id=UUID(int=4))) == ["missing_row t1", "duplicate_row t1 4"]


def test_one_of_three_rows_per_request_can_also_be_missing(build: Build) -> None:
    """Two are enough to see the grain; one is a row that leaves something out."""
    charges = [build.charge(1), build.charge(2, 2000, 50), build.charge(3, 3, 3)]
    case = Case(build, charges, [failed(build)])

    assert case.kinds(build.row(1), build.row(2, 3, 3)) == ["duplicate_row t1", "missing_row t1"]
    assert case.kinds(build.row(1)) == ["wrong_tokens t1 1"]
    assert case.messages(build.row(1), build.row(2, 3, 3))[1] == "no row bills 2000+50 tokens"


def test_a_grain_is_not_taken_for_another_without_need(one: Case, build: Build) -> None:
    """Rows beside the whole, and twice the same, are duplicates at the declared grain."""
    whole, first, second = build.row(3, 3000, 150), build.row(1), build.row(2, 2000, 50)

    assert one.kinds(whole, first) == ["duplicate_row t1 1"]
    assert one.kinds(first, build.row(2)) == ["wrong_tokens t1 1", "duplicate_row t1 2"]
    assert per_request(one).kinds(first, second, whole) == ["duplicate_row t1 3"]
    assert per_request(one).kinds(first, whole) == ["wrong_tokens t1 3"]
    single = Case(build, [build.charge(1)], [failed(build)])
    for case in (single, per_request(single)):
        assert case.kinds(first) == []
        assert case.kinds(first, build.row(2)) == ["duplicate_row t1 2"]


def test_a_row_for_a_turn_that_was_served_nothing(build: Build) -> None:
    """It bills what nobody has served, whatever the grain; a note that says so itself bills nothing."""
    nothing: dict[str, Any] = {"prompt_cost": None, "completion_cost": None, "total_cost": None}
    note = build.row(1, 0, 0, completion_status="failed", **nothing)
    zeros = build.row(1, 0, 0, completion_status="pending")
    for grain in ("turn", "request"):
        case = Case(build, [], [failed(build)], grain)

        assert case.kinds(build.row()) == ["duplicate_row t1 1"]
        assert case.messages(build.row()) == ["row 1 bills a turn for which the provider served nothing"]
        assert case.kinds(note) == []
        assert case.kinds(zeros) == []
        assert case.kinds(replace(note, completion_status="complete")) == ["duplicate_row t1 1"]
        assert case.kinds(replace(note, completion_status=None)) == ["duplicate_row t1 1"]
        assert case.kinds(replace(note, prompt_tokens=1, total_tokens=1)) == ["duplicate_row t1 1"]
        assert case.kinds(replace(note, account_slug="agrofresh")) == ["foreign_row t1 1"]
        assert case.kinds(replace(note, total_tokens=None)) == ["broken_total t1 1"]
        answered = Case(build, [], [build.turn()], grain)
        assert answered.kinds(note) == ["duplicate_row t1 1"]


@pytest.mark.parametrize("column", ["prompt_tokens", "completion_tokens", "total_tokens"])
def test_a_note_has_no_tokens_at_all(build: Build, column: str) -> None:
    """Any of them bills something."""
    note = build.row(1, 0, 0, completion_status="failed")
    noted = replace(note, **{column: 5})  # type: ignore[arg-type]  # by name

    assert "duplicate_row t1 1" in Case(build, [], [failed(build)]).kinds(noted)


@pytest.mark.parametrize("column", ["prompt_cost", "completion_cost", "total_cost"])
def test_a_note_has_no_cost_at_all(build: Build, column: str) -> None:
    """Any of them bills something."""
    note = build.row(1, 0, 0, completion_status="failed")
    noted = replace(note, **{column: Decimal(5)})  # type: ignore[arg-type]  # by name

    assert "duplicate_row t1 1" in Case(build, [], [failed(build)]).kinds(noted)


def test_a_surplus_row_says_that_its_bill_is_paid(one: Case, build: Build) -> None:
    """Only the younger of two is surplus."""
    rows = [build.row(1, 3000, 150), build.row(2, 3000, 150)]
    older = replace(rows[1], created_at=SERVED_AT - timedelta(seconds=1))

    assert one.messages(*rows) == ["row 2 bills what is billed already"]
    assert one.kinds(rows[0], older) == ["duplicate_row t1 1"]


def test_age_is_a_moment_and_not_a_text(one: Case, build: Build) -> None:
    """Times in other zones, times without a zone (UTC), and no time, which is before all others."""
    row = build.row(1, 3000, 150)

    def surplus(first: Any, second: Any) -> list[str]:
        twin = replace(row, id=UUID(int=2), created_at=second)
        return one.kinds(replace(row, created_at=first), twin)

    west = SERVED_AT.astimezone(timezone(timedelta(hours=-9))) + timedelta(seconds=1)
    naive = SERVED_AT.replace(tzinfo=None)
    assert surplus(SERVED_AT, west) == ["duplicate_row t1 2"]
    assert surplus(west, SERVED_AT) == ["duplicate_row t1 1"]
    assert surplus(naive, SERVED_AT + timedelta(seconds=1)) == ["duplicate_row t1 2"]
    assert surplus(naive + timedelta(seconds=1), SERVED_AT) == ["duplicate_row t1 1"]
    assert surplus(None, SERVED_AT) == ["duplicate_row t1 2"]
    assert surplus(SERVED_AT, None) == ["duplicate_row t1 1"]
    assert surplus(None, None) == ["duplicate_row t1 2"]


def test_of_rows_that_are_alike_the_turns_own_comes_first(build: Build) -> None:
    """The one that its answer names, that names its tenant, that ended as the turn did; only then the older."""
    case = Case(build, [build.charge()], [build.turn(answer=build.answer(2))])
    bare = Case(build, [build.charge()], [build.turn(answer=build.answer(None))])
    one, two = build.row(1), build.row(2)

    assert case.kinds(one, two) == ["duplicate_row t1 1"]
    assert bare.kinds(one, two) == ["duplicate_row t1 2", "unbilled_response t1"]
    assert bare.kinds(replace(one, completion_status="failed"), two)[0] == "duplicate_row t1 1"
    assert bare.kinds(replace(one, completion_status=None), two)[0] == "duplicate_row t1 2"
    assert bare.kinds(replace(one, account_slug="x"), two)[:2] == ["foreign_row t1 1", "duplicate_row t1 1"]
    assert case.kinds(one, replace(two, account_slug="x")) == ["foreign_row t1 2", "duplicate_row t1 2"]
    unanswered = Case(build, [build.charge()], [failed(build)])
    assert unanswered.kinds(one, replace(two, completion_status="failed")) == ["duplicate_row t1 1"]
    assert unanswered.kinds(one, replace(two, completion_status=None)) == ["duplicate_row t1 1"]
    assert unanswered.kinds(replace(one, completion_status="x"), two) == ["duplicate_row t1 2"]


def test_rows_are_laid_next_to_the_bills_that_they_are_most_like(build: Build) -> None:
    """By tokens, total, cost and model; then by less and less, and at last by age."""
    turn = failed(build)
    claude: dict[str, Any] = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
    mini: dict[str, Any] = {"model": "gpt-4o-mini"}

    def kinds(charges: Sequence[Charge], *rows: LedgerRow) -> list[str]:
        return Case(build, charges, [turn], "request").kinds(*rows)

    by_cost = [build.charge(1, **mini), build.charge(2)]
    costs: dict[str, Any] = {
        "prompt_cost": Decimal("0.00015"),
        "completion_cost": Decimal("0.00006"),
        "total_cost": Decimal("0.00021"),
    }
    assert kinds(by_cost, build.row(1), build.row(2, **mini, **costs)) == []
    assert kinds(by_cost, build.row(1, model=None), build.row(2, **costs, model=None)) == []

    same_price = [build.charge(1, **claude), build.charge(2, **claude | {"model": "claude-3-7-sonnet-latest"})]
    price: dict[str, Any] = {
        "prompt_cost": Decimal("0.003"),
        "completion_cost": Decimal("0.0015"),
        "total_cost": Decimal("0.0045"),
    }
    rows = [build.row(1, **claude | {"model": "claude-3-7-sonnet-latest"}, **price), build.row(2, **claude, **price)]
    assert kinds(same_price, *rows) == []

    twins = [build.charge(1), build.charge(2, 1000, 101)]
    assert kinds(twins, build.row(1, total_tokens=1101), build.row(2)) == ["wrong_tokens t1 1"]

    differing = [build.charge(1, 100, 10), build.charge(2, 200, 20), build.charge(3, 300, 30)]
    cheap = replace(build.row(1, 300, 30), prompt_tokens=999, completion_tokens=9, total_tokens=1008)
    assert kinds(differing, cheap, build.row(2, 100, 10), build.row(3, 200, 20)) == ["wrong_tokens t1 1"]
    prompts = build.row(1, 300, 31), build.row(2, 200, 21), build.row(3, 100, 11)
    told = Case(build, differing, [turn], "request").messages(*prompts)
    assert told == [
        "row 1 has 300+31 tokens, and the provider counted 300+30",
        "row 2 has 200+21 tokens, and the provider counted 200+20",
        "row 3 has 100+11 tokens, and the provider counted 100+10",
    ]
    ages = [replace(build.row(number, 7, 7), created_at=SERVED_AT - timedelta(seconds=number)) for number in (1, 2, 3)]
    late_first = [
        replace(charge, served_at=SERVED_AT - timedelta(seconds=position)) for position, charge in enumerate(differing)
    ]
    assert Case(build, late_first, [turn], "request").messages(*ages) == [
        "row 3 has 7+7 tokens, and the provider counted 300+30",
        "row 2 has 7+7 tokens, and the provider counted 200+20",
        "row 1 has 7+7 tokens, and the provider counted 100+10",
    ]


def test_rows_that_cost_the_same_are_for_the_same(build: Build) -> None:
    """Where their tokens are not those of any bill."""
    charges = [build.charge(1, 100, 10), build.charge(2, 200, 20)]
    row = replace(build.row(1, 200, 20), prompt_tokens=100, completion_tokens=11, total_tokens=111)

    assert Case(build, charges, [failed(build)], "request").messages(row) == [
        "no row bills 100+10 tokens",
        "row 1 has 100+11 tokens, and the provider counted 200+20",
    ]


def test_what_is_no_number_is_like_no_cost(build: Build) -> None:
    """It finds its bill by its tokens all the same."""
    charges = [build.charge(1, 100, 10), build.charge(2, 200, 20)]
    rows = [build.row(1, 200, 20, total_cost=Decimal("sNaN")), build.row(2, 100, 10, total_cost=Decimal("NaN"))]

    assert Case(build, charges, [failed(build)], "request").kinds(*rows) == ["wrong_cost t1 1", "wrong_cost t1 2"]


def test_a_row_in_the_wrong_place_is_not_missing_in_the_right_one(two: Case, build: Build) -> None:
    """It is told once, with where it lies, and where it belongs."""
    one, other = rows_of_two(build)

    assert two.kinds(one, other) == []
    assert two.kinds(replace(one, session_id="t2"), other) == ["foreign_row t1 1"]
    assert two.messages(replace(one, session_id="t2"), other) == [
        "row 1 names session 't2', which is that of turn 't2'"
    ]
    assert two.messages(replace(one, session_id="s" * 99), other) == [
        f"row 1 names session '{'s' * 79}…', which is no turn's"
    ]
    assert two.messages(replace(one, session_id=None), other) == ["row 1 names session NULL, which is no turn's"]
    assert two.messages(replace(one, session_id="t2", account_slug="agrofresh"), other) == [
        (
            "row 1 names session 't2', which is that of turn 't2' "
            "and bills 'agrofresh'/'chat', and the turn was served to 'wyckoff'/'chat'"
        )
    ]
    assert two.messages(replace(one, agent_instance_slug=None), other) == [
        "row 1 bills 'wyckoff'/NULL, and the turn was served to 'wyckoff'/'chat'"
    ]


def test_swapped_sessions_are_two_rows_in_the_wrong_place(two: Case, build: Build) -> None:
    """Also if the two rows are for the same tokens, because the answers name them."""
    one, other = rows_of_two(build)
    alike = [build.charge(1), build.charge(2, turn="t2")]
    turns = [build.turn("t1"), build.turn("t2", answer=build.answer(2))]

    assert two.kinds(replace(one, session_id="t2"), replace(other, session_id="t1")) == [
        "foreign_row t1 1",
        "foreign_row t2 2",
    ]
    same = Case(build, alike, turns)
    assert same.kinds(build.row(1, session_id="t2"), build.row(2)) == ["foreign_row t1 1", "foreign_row t2 2"]


def test_a_row_that_only_another_turns_answer_names_stays_where_it_belongs(build: Build) -> None:
    """The answer is what is wrong."""
    turns = [build.turn("t1", answer=build.answer(2)), failed(build, "t2")]
    case = Case(build, [build.charge(1), build.charge(2, turn="t2")], turns)

    assert case.kinds(build.row(1), build.row(2, session_id="t2")) == ["unbilled_response t1"]
    assert case.messages(build.row(1), build.row(2, session_id="t2")) == [
        "the answer names row 2, which bills turn 't2'"
    ]


def test_what_a_wrong_answer_names_is_not_moved_by_it(build: Build) -> None:
    """Nor where the row that it should name has a wrong cost, nor where a third turn lacks a row."""
    turns = [failed(build, "t0"), build.turn("t1", answer=build.answer(2)), failed(build, "t2")]
    charges = [build.charge(number, turn=turn.id) for number, turn in enumerate(turns)]
    rows = build.row(1, total_cost=Decimal(1)), build.row(2, session_id="t2")

    assert Case(build, charges, turns).kinds(*rows) == ["missing_row t0", "broken_total t1 1", "unbilled_response t1"]


def test_a_row_of_the_tenant_is_preferred_where_several_could_be_meant(build: Build) -> None:
    """Two rows that are nobody's, and two turns that lack one."""
    turns = [failed(build, "t1"), failed(build, "t2", tenant="agrofresh")]
    case = Case(build, [build.charge(1), build.charge(2, turn="t2")], turns)
    rows = [build.row(1, session_id=None, account_slug="agrofresh"), build.row(2, session_id=None)]

    assert case.kinds(*rows) == ["foreign_row t1 2", "foreign_row t2 1"]
    assert case.kinds(build.row(1), build.row(2, account_slug="x")) == ["foreign_row t2 2"]
    agents = [failed(build, "t1"), failed(build, "t2", agent="other")]
    case = Case(build, [build.charge(1), build.charge(2, turn="t2")], agents)
    rows = [build.row(1, session_id=None, agent_instance_slug="other"), build.row(2, session_id=None)]
    assert case.kinds(*rows) == ["foreign_row t1 2", "foreign_row t2 1"]


def test_a_row_that_nobody_lacks_is_only_foreign(one: Case, build: Build) -> None:
    """It is accounted to the turn whose answer names it, and to no turn if none does."""
    right, stray = build.row(1, 3000, 150), build.row(2, 5, 5, session_id="nobody's")

    assert one.kinds(right, stray) == ["foreign_row - 2"]
    assert one.messages(right, stray) == [
        "row 2 for 5+5 tokens and 0.0000625 USD names session \"nobody's\", which is no turn's"
    ]
    named = replace(one, turns=[build.turn(answer=build.answer(2))])
    assert named.kinds(right, stray) == ["foreign_row t1 2"]
    assert named.messages(right, stray) == ["row 2 names session \"nobody's\", which is no turn's"]
    assert named.kinds(stray) == ["foreign_row t1 2", "wrong_tokens t1 2"]
    elsewhere = [*named.turns, failed(build, "t2")]
    case = replace(named, turns=elsewhere, charges=[*one.charges, build.charge(3, turn="t2")])
    moved = replace(stray, session_id="t2")
    assert case.kinds(build.row(3, session_id="t2"), moved) == ["foreign_row t1 2", "wrong_tokens t1 2"]


def test_a_row_that_two_answers_name_is_the_firsts(build: Build) -> None:
    """The other answer names a row that is not its own."""
    turns = [build.turn(name, answer=build.answer(5)) for name in ("t1", "t2")]
    case = Case(build, [build.charge(1), build.charge(2, turn="t2")], turns)
    rows = build.row(1), build.row(2, session_id="t2"), build.row(5, 5, 5, session_id=None)

    assert case.kinds(*rows) == ["foreign_row t1 5", "unbilled_response t2"]
    assert case.messages(*rows)[1] == "the answer names row 5, which bills turn 't1'"


def test_nil_identifiers_of_rows(two: Case, build: Build) -> None:
    """A row is found by what else it says; a session that is nil is nobody's, and no second mistake."""
    one, other = rows_of_two(build)
    nil = replace(one, id=NIL)
    nowhere = replace(one, session_id=str(NIL))

    assert two.kinds(nil, other) == ["nil_identifier t1 0"]
    assert two.messages(nil, other) == ["row 0 has the nil UUID for its identifier"]
    assert two.kinds(nowhere, other) == ["nil_identifier t1 1"]
    assert two.messages(nowhere, other) == ["row 1 names the nil UUID for its session"]
    assert two.kinds(nil, replace(other, id=NIL)) == ["nil_identifier t1 0", "nil_identifier t2 0"]
    assert two.kinds(replace(nil, session_id=str(NIL)), other) == ["nil_identifier t1 0"] * 2
    assert two.kinds(replace(nowhere, account_slug="x"), other) == ["nil_identifier t1 1", "foreign_row t1 1"]
    stray = replace(nowhere, id=UUID(int=3))
    assert two.kinds(one, other, stray) == ["nil_identifier - 3"]
    assert two.messages(one, other, stray) == [
        "row 3 for 1000+100 tokens and 0.0035000 USD names the nil UUID for its session"
    ]


@pytest.mark.parametrize(
    "text", [str(NIL), "0" * 32, f"{{{NIL}}}", f"urn:uuid:{NIL}"], ids=["hyphens", "bare", "braces", "urn"]
)
def test_the_nil_uuid_is_known_in_every_form(one: Case, build: Build, text: str) -> None:
    """As columns of text have it."""
    assert one.kinds(build.row(1, 3000, 150, session_id=text)) == ["nil_identifier t1 1"]


def test_answers_that_name_the_nil_uuid(build: Build) -> None:
    """Unless a row has that identifier, which is told already."""
    charges, turns = [build.charge()], [build.turn(answer=build.answer(0))]
    case = Case(build, charges, turns)

    assert case.kinds(build.row()) == ["nil_identifier t1"]
    assert case.messages(build.row()) == ["the answer names row 0, the nil UUID"]
    assert case.kinds(build.row(0)) == ["nil_identifier t1 0"]
    assert case.kinds() == ["missing_row t1", "nil_identifier t1"]


def test_an_answer_that_names_the_nil_uuid_names_no_row(build: Build) -> None:
    """Not even one that has it: that one stays where its session says."""
    turns = [build.turn("t1", answer=build.answer(0)), failed(build, "t2")]
    case = Case(build, [build.charge(1), build.charge(2, turn="t2")], turns)

    assert case.kinds(build.row(0, session_id="t2")) == ["missing_row t1", "nil_identifier t1", "nil_identifier t2 0"]


def test_a_session_of_the_answers_own_is_the_turns_also_after_one_without(build: Build) -> None:
    """Each turn is looked at, whatever the one before it was answered with."""
    turns = [failed(build, "t1"), build.turn("t2", answer=build.answer(2, session_id="own"))]
    case = Case(build, [build.charge(1), build.charge(2, turn="t2")], turns)

    assert case.kinds(build.row(1), build.row(2, session_id="own")) == []


def test_a_nil_identifier_is_not_also_an_unbilled_response(build: Build) -> None:
    """If the answer still names what the row should be called; what bills another turn is unbilled all the same."""
    turns = [build.turn("t1", answer=build.answer(9)), build.turn("t2", answer=build.answer(2))]
    case = Case(build, [build.charge(1), build.charge(2, turn="t2")], turns)
    nil, other = build.row(0), build.row(2, session_id="t2")

    assert case.kinds(nil, other) == ["nil_identifier t1 0"]
    assert case.kinds(build.row(1), other) == ["unbilled_response t1"]
    assert case.messages(build.row(1), other) == ["the answer names row 9, which is not in the ledger"]
    wrong = replace(case, turns=[build.turn("t1", answer=build.answer(2)), turns[1]])
    assert wrong.kinds(nil, other) == ["nil_identifier t1 0", "unbilled_response t1"]


def test_turns_answered_with_a_nil_session_are_told_apart(build: Build) -> None:
    """It is no session, so that two answers with it are no conflict."""
    turns = [
        build.turn(name, answer=build.answer(number, session_id=str(NIL))) for number, name in ((1, "t1"), (2, "t2"))
    ]
    case = Case(build, [build.charge(1), build.charge(2, turn="t2")], turns)

    assert case.kinds(build.row(1), build.row(2, session_id="t2")) == []
    assert case.kinds(build.row(1), build.row(2, session_id=str(NIL))) == ["nil_identifier t2 2"]


def test_one_identifier_for_several_rows_is_a_duplicate(two: Case, build: Build) -> None:
    """Also if each of them bills something else, as from a view; the older one keeps it."""
    one, other = rows_of_two(build)
    same = replace(other, id=one.id)
    turns = [two.turns[0], failed(build, "t2", tenant="agrofresh")]
    case = replace(two, turns=turns)

    assert case.kinds(one, same) == ["duplicate_row t2 1"]
    assert case.messages(one, same) == ["row 1 has the identifier of another row: what was read has no unique one"]
    assert case.kinds(replace(one, created_at=SERVED_AT + timedelta(seconds=1)), same) == ["duplicate_row t1 1"]
    assert case.kinds(one, one, other) == ["duplicate_row t1 1"]
    assert case.messages(one, one, other) == ["row 1 bills what is billed already"]


def test_each_response_of_a_fallback_has_its_own_model(build: Build) -> None:
    """A row for the turn names one of them; a row for each request its own."""
    claude: dict[str, Any] = {"provider": "anthropic", "model": "claude-sonnet-4-5"}
    charges = [build.charge(1), build.charge(2, 2000, 50, **claude)]
    price: dict[str, Any] = {
        "prompt_cost": Decimal("0.006"),
        "completion_cost": Decimal("0.00075"),
        "total_cost": Decimal("0.00675"),
    }
    rows = [build.row(1), build.row(2, 2000, 50, **claude, **price)]
    case = Case(build, charges, [failed(build)], "request")

    assert case.kinds(*rows) == []
    assert case.kinds(rows[0], replace(rows[1], provider="openai", model="gpt-4o")) == ["wrong_model t1 2"]
    assert case.messages(rows[0], replace(rows[1], provider=None, model="gpt-4o")) == [
        "row 2 names NULL/gpt-4o, and served was anthropic/claude-sonnet-4-5"
    ]
    assert case.messages(rows[0], replace(rows[1], provider="openai", model=None)) == [
        "row 2 names openai/NULL, and served was anthropic/claude-sonnet-4-5"
    ]


def test_what_did_not_arrive_need_not_be_complete(build: Build) -> None:
    """In a turn that was answered by another attempt; the row with the answer must be."""
    charges = [build.charge(1, delivered=False), build.charge(2, 2000, 50)]
    turns = [build.turn(answer=build.answer(2))]
    rows = [build.row(1, completion_status="failed"), build.row(2, 2000, 50)]
    case = Case(build, charges, turns, "request")

    assert case.kinds(*rows) == []
    assert case.kinds(rows[0], replace(rows[1], completion_status="failed")) == ["wrong_model t1 2"]
    assert case.messages(rows[0], replace(rows[1], completion_status="failed")) == [
        "row 2 has the status 'failed', and the turn was answered"
    ]
    whole = build.row(2, 3000, 150, completion_status="failed")
    assert Case(build, charges, turns).kinds(whole) == ["wrong_model t1 2"]


def test_sessions_that_cannot_be_told_apart_are_named(build: Build) -> None:
    """With the two turns."""
    turns = [build.turn(name, answer=build.answer(session_id="same")) for name in ("t1", "t2")]
    expected = "turns 't1' and 't2' were both answered with session 'same', so that their rows cannot be told apart"

    with pytest.raises(MissingEvidence, match=f"^{expected}$"):
        Case(build, [], turns).findings()


def test_an_answer_without_a_row_is_only_told_where_something_was_served(build: Build) -> None:
    """A turn that nobody served is left open instead."""
    nameless = [build.turn(answer=build.answer(None))]

    assert Case(build, [], nameless).kinds() == []
    assert Case(build, [build.charge()], nameless).kinds(build.row()) == ["unbilled_response t1"]
    assert Case(build, [], nameless).kinds(build.row()) == ["duplicate_row t1 1", "unbilled_response t1"]
