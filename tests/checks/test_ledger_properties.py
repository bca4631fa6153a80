"""Laws of the ledger check: a right ledger has no finding, and one wrong thing in it has exactly one kind."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from types import FrameType
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.checks import Ledger
from harness.checks.prices import price_of
from harness.evidence import Charge, Evidence, LedgerGrain, LedgerRow, Turn
from harness.verdict import FindingKind, Verdict
from tests.checks.conftest import SERVED_AT, Build

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject, SearchStrategy

K = FindingKind
NIL = UUID(int=0)
TENANTS = ("wyckoff", "agrofresh")
MODELS = (("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("openai", "in-house-1"))
PRICED = MODELS[:2]

law = settings(derandomize=True, deadline=None, max_examples=60)


@dataclass(frozen=True)
class Book:
    """A run with a right ledger: what was served in each turn, and the rows for it."""

    grain: LedgerGrain
    turns: tuple[Turn, ...]
    charges: tuple[Charge, ...]
    rows: tuple[LedgerRow, ...]

    def evidence(self, build: Build, rows: Sequence[LedgerRow]) -> Evidence:
        """What was seen, if these were the rows."""
        seen = [build.seen(charge) for charge in self.charges]
        return build.evidence(*self.turns, ledger_grain=self.grain, invoice=self.charges, responses=seen, ledger=rows)

    def kinds(self, build: Build, rows: Sequence[LedgerRow]) -> list[FindingKind]:
        """What the check finds."""
        return [finding.kind for finding in Ledger()(self.evidence(build, rows)).findings]

    def turn_of(self, row: LedgerRow) -> Turn:
        """The turn that the row bills."""
        return next(turn for turn in self.turns if turn.id == row.session_id)

    def is_named(self, row: LedgerRow) -> bool:
        """Whether the answer names it."""
        answer = self.turn_of(row).answer
        return answer is not None and answer.llm_request_id == row.id


def row_for(turn: Turn, number: int, charges: Sequence[Charge]) -> LedgerRow:
    """The right row for these charges."""
    price = price_of(charges)
    prompt = sum(charge.prompt_tokens for charge in charges)
    completion = sum(charge.completion_tokens for charge in charges)
    return LedgerRow(
        id=UUID(int=number),
        session_id=turn.id,
        account_slug=turn.tenant,
        agent_instance_slug=turn.agent,
        provider=charges[-1].provider,
        model=charges[-1].model,
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_cost=price.prompt,
        completion_cost=price.completion,
        total_cost=price.total,
        completion_status="complete" if turn.answer else "failed",
        created_at=SERVED_AT + timedelta(seconds=number),
    )


@st.composite
def books(draw: st.DrawFn, *, models: Sequence[tuple[str, str]] = MODELS) -> Book:
    """Up to four turns of two tenants; a turn without an answer may have been served nothing."""
    build = Build()
    grain = draw(st.sampled_from(LedgerGrain))
    # Tokens from a small range, so that turns often have the same; from 1, so that every part has a price.
    usage = st.tuples(st.integers(1, 3), st.integers(1, 2), st.sampled_from(models))
    turns, charges, rows = [], [], []
    for position in range(draw(st.integers(1, 4))):
        answered = draw(st.booleans())
        served = draw(st.lists(usage, min_size=1 if answered else 0, max_size=4))
        turn = build.turn(f"t{position}", tenant=draw(st.sampled_from(TENANTS)), answer=None, error="broken")
        lines = [
            build.charge(
                100 * position + line,
                prompt,
                completion,
                turn=turn.id,
                provider=provider,
                model=model,
                served_at=SERVED_AT + timedelta(seconds=line),
                delivered=answered or draw(st.booleans()),
            )
            for line, (prompt, completion, (provider, model)) in enumerate(served)
        ]
        bills = [[line] for line in lines] if grain is LedgerGrain.REQUEST else [lines] if lines else []
        if answered:
            turn = replace(turn, answer=build.answer(100 * position + len(bills)), error=None)
        rows += [row_for(turn, 100 * position + number, bill) for number, bill in enumerate(bills, start=1)]
        turns.append(turn)
        charges += lines
    return Book(grain=grain, turns=tuple(turns), charges=tuple(charges), rows=tuple(rows))


def books_with_rows(*, models: Sequence[tuple[str, str]] = MODELS) -> "SearchStrategy[Book]":
    return books(models=models).filter(lambda book: bool(book.rows))


def pick(data: "DataObject", book: Book) -> tuple[LedgerRow, list[LedgerRow]]:
    """One of the rows, and the others."""
    position = data.draw(st.integers(0, len(book.rows) - 1))
    return book.rows[position], [row for row in book.rows if row is not book.rows[position]]


@law
@given(book=books(), data=st.data())
def test_a_right_ledger_has_no_finding(build: Build, book: Book, data: "DataObject") -> None:
    """In both grains, in any order of the rows."""
    rows = data.draw(st.permutations(book.rows))

    assert Ledger()(book.evidence(build, rows)).verdict is Verdict.PASSED


@law
@given(book=books_with_rows(), data=st.data())
def test_a_row_that_is_dropped_is_missing(build: Build, book: Book, data: "DataObject") -> None:
    """Once; and the answer that names it bills nothing."""
    row, others = pick(data, book)

    assert book.kinds(build, others) == [K.MISSING_ROW, *[K.UNBILLED_RESPONSE] * book.is_named(row)]


@law
@given(book=books_with_rows(), data=st.data(), same=st.booleans())
def test_a_row_that_is_doubled_is_a_duplicate(build: Build, book: Book, data: "DataObject", *, same: bool) -> None:
    """Also under the same identifier, as from a view."""
    row, _ = pick(data, book)
    double = row if same else replace(row, id=UUID(int=999))

    assert book.kinds(build, data.draw(st.permutations([*book.rows, double]))) == [K.DUPLICATE_ROW]


ELSEWHERE = [
    {"account_slug": "another"},
    {"account_slug": None},
    {"agent_instance_slug": "another"},
    {"session_id": "nobody's"},
    {"session_id": None},
    {"session_id": "nobody's", "account_slug": "another"},
]


@law
@given(book=books_with_rows(), data=st.data(), change=st.sampled_from(ELSEWHERE))
def test_a_row_that_is_moved_is_foreign(
    build: Build, book: Book, data: "DataObject", change: dict[str, str | None]
) -> None:
    """And nothing else: it is not missing where it belongs."""
    row, others = pick(data, book)

    assert book.kinds(build, [*others, replace(row, **change)]) == [K.FOREIGN_ROW]  # type: ignore[arg-type]  # by name


@law
@given(book=books_with_rows().filter(lambda book: len(book.turns) > 1), data=st.data(), tenant=st.booleans())
def test_a_row_in_another_turns_session_is_foreign(
    build: Build, book: Book, data: "DataObject", *, tenant: bool
) -> None:
    """With or without that turn's tenant."""
    row, others = pick(data, book)
    other = data.draw(st.sampled_from([turn for turn in book.turns if turn.id != row.session_id]))
    moved = replace(row, session_id=other.id, account_slug=other.tenant if tenant else row.account_slug)

    assert book.kinds(build, [*others, moved]) == [K.FOREIGN_ROW]


@law
@given(
    book=books_with_rows(),
    data=st.data(),
    column=st.sampled_from(["prompt_tokens", "completion_tokens"]),
    by=st.sampled_from([-1, 1]),
    total=st.booleans(),
)
def test_a_token_more_or_less_is_wrong(
    build: Build, book: Book, data: "DataObject", column: str, by: int, *, total: bool
) -> None:
    """Whether the total follows or not."""
    row, others = pick(data, book)
    changes = {column: getattr(row, column) + by, "total_tokens": (row.total_tokens or 0) + by * total}
    rows = [*others, replace(row, **changes)]
    kinds = book.kinds(build, rows)

    assert kinds == [K.WRONG_TOKENS]


def ulp(cost: Decimal) -> Decimal:
    """One unit in the last place."""
    return Decimal((0, (1,), cost.as_tuple().exponent))  # type: ignore[arg-type]  # it is finite


def is_priced(row: LedgerRow) -> bool:
    return row.total_cost is not None


@law
@given(
    book=books_with_rows(models=PRICED),
    data=st.data(),
    column=st.sampled_from(["prompt_cost", "completion_cost"]),
    by=st.sampled_from([-1, 1]),
    total=st.booleans(),
)
def test_a_cost_that_is_off_by_the_last_digit_is_wrong(
    build: Build, book: Book, data: "DataObject", column: str, by: int, *, total: bool
) -> None:
    """Whether the total follows or not."""
    row, others = pick(data, book)
    step = by * ulp(row.total_cost or Decimal(0))
    changes = {column: getattr(row, column) + step, "total_cost": (row.total_cost or 0) + step * total}

    assert book.kinds(build, [*others, replace(row, **changes)]) == [K.WRONG_COST]


@law
@given(
    book=books_with_rows(models=PRICED),
    data=st.data(),
    columns=st.sampled_from(
        [("prompt_cost",), ("completion_cost",), ("total_cost",), ("prompt_cost", "completion_cost", "total_cost")]
    ),
)
def test_a_cost_of_zero_is_its_own_kind(build: Build, book: Book, data: "DataObject", columns: Sequence[str]) -> None:
    """In one part, in the total, or in all."""
    row, others = pick(data, book)
    zero = replace(row, **dict.fromkeys(columns, Decimal(0)))  # type: ignore[arg-type]  # by name

    assert book.kinds(build, [*others, zero]) == [K.ZERO_COST]


@law
@given(
    book=books_with_rows(models=MODELS[2:]),
    data=st.data(),
    columns=st.sets(st.sampled_from(["prompt_cost", "completion_cost", "total_cost"]), min_size=1),
)
def test_an_unpriced_model_at_zero_is_its_own_kind(
    build: Build, book: Book, data: "DataObject", columns: set[str]
) -> None:
    """In any column."""
    row, others = pick(data, book)
    zero = replace(row, **dict.fromkeys(columns, Decimal(0)))  # type: ignore[arg-type]  # by name

    assert (row.prompt_cost, row.completion_cost, row.total_cost) == (None, None, None)
    assert book.kinds(build, [*others, zero]) == [K.NULL_PRICED_AS_ZERO]


@law
@given(book=books_with_rows(models=PRICED), data=st.data(), tokens=st.booleans(), null=st.booleans())
def test_a_total_that_is_not_the_sum_is_broken(
    build: Build, book: Book, data: "DataObject", *, tokens: bool, null: bool
) -> None:
    """Of tokens, or of costs."""
    row, others = pick(data, book)
    step = ulp(row.total_cost or Decimal(0))
    if tokens:
        wrong = replace(row, total_tokens=None if null else (row.total_tokens or 0) + 1)
    else:
        wrong = replace(row, total_cost=None if null else (row.total_cost or 0) + step)

    assert book.kinds(build, [*others, wrong]) == [K.BROKEN_TOTAL]


@law
@given(book=books_with_rows(), data=st.data(), column=st.sampled_from(["id", "session_id"]))
def test_a_nil_identifier_is_its_own_kind(build: Build, book: Book, data: "DataObject", column: str) -> None:
    """Of the row, or of its session; the row is neither missing nor foreign for it."""
    row, others = pick(data, book)
    nil = replace(row, id=NIL) if column == "id" else replace(row, session_id=str(NIL))

    assert book.kinds(build, [*others, nil]) == [K.NIL_IDENTIFIER]


@law
@given(book=books_with_rows(), data=st.data())
def test_any_ledger_gives_the_same_findings_in_any_order(build: Build, book: Book, data: "DataObject") -> None:
    """Whatever is wrong with it."""
    strange = st.builds(
        replace,
        st.sampled_from(book.rows),
        session_id=st.sampled_from(["t0", "t1", "t9", None]),
        prompt_tokens=st.one_of(st.none(), st.integers(-1, 4)),
        total_cost=st.one_of(st.none(), st.sampled_from([Decimal(0), Decimal("NaN"), Decimal("sNaN"), Decimal(-1)])),
        id=st.sampled_from([NIL, UUID(int=1), UUID(int=101), UUID(int=7)]),
        created_at=st.sampled_from([None, SERVED_AT, SERVED_AT.replace(tzinfo=None)]),
    )
    rows = data.draw(st.lists(strange | st.sampled_from(book.rows), max_size=6))
    results = {Ledger()(book.evidence(build, data.draw(st.permutations(rows)))).findings for _ in range(3)}

    assert len(results) == 1


@pytest.mark.parametrize("grain", LedgerGrain)
@pytest.mark.parametrize("spoil", [False, True])
def test_work_grows_with_the_rows(build: Build, grain: LedgerGrain, *, spoil: bool) -> None:
    """And not with rows times turns, also if each row is wrong in two ways: six times as many take that much more."""
    few, many = (lines_run(build, grain, turns, spoil=spoil) for turns in (10, 60))

    assert many < 8 * few, (few, many)


def lines_run(build: Build, grain: LedgerGrain, count: int, *, spoil: bool) -> int:
    """How many lines of Python so many turns of ten responses take, each pass of a loop counted."""
    first = build.turn("t0", answer=None, error="broken")
    lines = [build.charge(line, 100 + line, 7, turn="t0") for line in range(10)]
    bills = [[line] for line in lines] if grain is LedgerGrain.REQUEST else [lines]
    templates = [row_for(first, number, bill) for number, bill in enumerate(bills, start=1)]
    turns = [replace(first, id=f"t{number}") for number in range(count)]
    charges = [
        replace(line, turn=turn.id, response_id=f"{turn.id}-{line.response_id}") for turn in turns for line in lines
    ]
    rows = [
        replace(row, session_id=turn.id, id=UUID(int=number * 100 + row.id.int))
        for number, turn in enumerate(turns)
        for row in templates
    ]
    if spoil:
        rows = [replace(row, session_id="nobody's", total_cost=Decimal(1)) for row in rows]
    book = Book(grain=grain, turns=tuple(turns), charges=tuple(charges), rows=tuple(rows))
    evidence = book.evidence(build, rows)
    lines_seen = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal lines_seen
        lines_seen += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = Ledger()(evidence)
    finally:
        sys.settrace(before)

    assert len(result.findings) == (2 * len(rows) if spoil else 0)
    return lines_seen
