"""Is every model response billed once, to the right customer, for the right tokens, at the right price?

Three sides are laid next to each other for each turn: the provider's invoice, which the code under test
cannot touch; the responses that the agent saw; and the ledger rows that the backend wrote. At grain `turn`
one row must carry the sum of the turn's invoice lines, at grain `request` there must be one row per line. A
turn that failed after the provider had served it is on the invoice, and must be in the ledger like any other.

Costs are compared as `Decimal`, to the last digit, with `genai-prices` at the time when each response was
served. The price of a whole turn is the sum of the prices of its responses, because that is what a provider
charges: for a model with price tiers the price of the summed tokens would be higher.

A row must also name the provider and the model that served it (`harness.checks.models`), and the row of a turn that
was answered must say that it is complete, as far as the backend has these columns.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from harness.checks.conclusion import Conclusion, turns_of
from harness.checks.models import COMPLETE, names_its_source
from harness.checks.prices import UNPRICED, Price, price_of, price_of_tokens
from harness.errors import MissingEvidence
from harness.evidence import Charge, Evidence, LedgerGrain, LedgerRow, ModelResponseSeen, Turn
from harness.verdict import CheckResult, FindingKind

__all__ = ["Ledger"]

_Tokens = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The kinds from `MISSING_ROW` to `UNSEEN_RESPONSE`; unknown without invoice, responses or ledger."""

    name: str = "ledger"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A finding for each difference between the three sides."""
        turns = turns_of(evidence)
        conclusion = Conclusion(self.name)
        accounts = _accounts(turns, evidence, conclusion)
        owners = {row.id: account.turn.id for account in accounts for row in account.rows}
        for account in accounts:
            _compare_responses(account, conclusion)
            _compare_rows(account, evidence.ledger_grain, conclusion)
            _compare_answer(account, owners, conclusion)
        return conclusion.result


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """The three sides of one turn."""

    turn: Turn
    charges: tuple[Charge, ...]
    responses: tuple[ModelResponseSeen, ...]
    rows: tuple[LedgerRow, ...]

    @property
    def where(self) -> str:
        return f"turn {self.turn.id!r} of {self.turn.tenant}/{self.turn.agent}"

    @property
    def sides(self) -> str:
        """Invoice, client and ledger next to each other, as every finding shows them."""
        invoice = _listed(_tokens(charge) for charge in self.charges)
        client = _listed(_tokens(response) for response in self.responses)
        ledger = _listed(_tokens(row) for row in self.rows)
        return f"invoice {invoice} | client {client} | ledger {ledger} (prompt+completion tokens)"

    def find(self, conclusion: Conclusion, kind: FindingKind, message: str, row: LedgerRow | None = None) -> None:
        where = self.where if row is None else f"{self.where}, row {row.id}"
        conclusion.find(kind, f"{message}; {self.sides}", where=where, turn=self.turn.id)


def _tokens(item: Charge | ModelResponseSeen | LedgerRow) -> _Tokens:
    return (item.prompt_tokens, item.completion_tokens)


def _listed(tokens: Iterable[_Tokens]) -> str:
    parts = [_shown(pair) for pair in tokens]
    return f"{len(parts)}: {', '.join(parts)}" if parts else "0"


def _shown(tokens: _Tokens) -> str:
    return "+".join("NULL" if part is None else str(part) for part in tokens)


def _accounts(turns: Sequence[Turn], evidence: Evidence, conclusion: Conclusion) -> list[_Account]:
    charges, responses, rows = evidence.invoice.items, evidence.responses.items, evidence.ledger.items
    known = {turn.id for turn in turns}
    if stray := sorted({charge.turn for charge in charges} - known):
        conclusion.doubts.append(f"the invoice names turns that are not in the evidence: {', '.join(stray)}")
    rows_by_turn = _rows_by_turn(turns, rows, conclusion)
    responses_by_turn = _responses_by_turn(known, charges, responses, conclusion)
    return [
        _Account(
            turn=turn,
            charges=tuple(charge for charge in charges if charge.turn == turn.id),
            responses=tuple(responses_by_turn[turn.id]),
            rows=tuple(rows_by_turn[turn.id]),
        )
        for turn in turns
    ]


def _rows_by_turn(
    turns: Sequence[Turn], rows: Iterable[LedgerRow], conclusion: Conclusion
) -> dict[str, list[LedgerRow]]:
    sessions, answers = _sessions(turns), _answers(turns)
    owned: dict[str, list[LedgerRow]] = defaultdict(list)
    for row in sorted(rows, key=_age):
        owner = sessions.get(row.session_id) if row.session_id is not None else None
        if owner is not None:
            owned[owner].append(row)
            continue
        claimant = answers.get(row.id)
        if claimant is not None:
            owned[claimant].append(row)
        conclusion.find(
            FindingKind.FOREIGN_ROW,
            f"row {row.id} for {_shown(_tokens(row))} tokens names session {row.session_id!r}, which is no "
            "turn's" + (f", though the answer of turn {claimant!r} names it" if claimant else ""),
            where=f"row {row.id}",
            turn=claimant,
        )
    return owned


def _age(row: LedgerRow) -> tuple[str, str]:
    return (row.created_at.isoformat() if row.created_at else "", str(row.id))


def _sessions(turns: Sequence[Turn]) -> dict[str, str]:
    """Whose turn a row's `session_id` names: the id it was sent with, or the one it was answered with."""
    sent = {turn.id: turn.id for turn in turns}
    answered: dict[str, str] = {}
    for turn in turns:
        session = turn.answer.session_id if turn.answer else None
        if session is None or session in sent:
            continue
        if session in answered:
            raise MissingEvidence(
                f"turns {answered[session]!r} and {turn.id!r} were both answered with session {session!r}, "
                "so that their rows cannot be told apart"
            )
        answered[session] = turn.id
    return answered | sent


def _answers(turns: Iterable[Turn]) -> dict[UUID, str]:
    return {turn.answer.llm_request_id: turn.id for turn in turns if turn.answer and turn.answer.llm_request_id}


def _responses_by_turn(
    known: set[str], charges: Iterable[Charge], responses: Iterable[ModelResponseSeen], conclusion: Conclusion
) -> dict[str, list[ModelResponseSeen]]:
    by_response = {charge.response_id: charge.turn for charge in charges}
    owned: dict[str, list[ModelResponseSeen]] = defaultdict(list)
    for response in responses:
        turn = response.turn
        if turn is None and response.response_id is not None:
            turn = by_response.get(response.response_id)
        if turn in known and turn is not None:
            owned[turn].append(response)
            continue
        conclusion.find(
            FindingKind.UNSEEN_RESPONSE,
            f"the client received response {response.response_id!r} with {_shown(_tokens(response))} tokens, "
            "which belongs to no turn and is on no line of the invoice",
        )
    return owned


def _compare_responses(account: _Account, conclusion: Conclusion) -> None:
    served = Counter(_tokens(charge) for charge in account.charges)
    received = Counter(_tokens(response) for response in account.responses)
    if served != received:
        unseen, uncharged = sorted((served - received).elements()), list((received - served).elements())
        parts = [f"the client did not receive {_listed(unseen)}"] if unseen else []
        parts += [f"the provider did not serve {_listed(uncharged)}"] if uncharged else []
        account.find(conclusion, FindingKind.UNSEEN_RESPONSE, " and ".join(parts))
    elif not served and account.turn.answer is not None:
        conclusion.doubts.append(
            f"{account.where} was answered, but neither the invoice nor the client has a response of it"
        )


def _compare_rows(account: _Account, grain: LedgerGrain, conclusion: Conclusion) -> None:
    bills = _bills(account.charges, grain)
    matched, missing, surplus = _match(bills, account.rows)
    for bill in missing:
        account.find(conclusion, FindingKind.MISSING_ROW, f"no row bills {_shown(_total(bill))} tokens")
    for row in surplus:
        what = "what is billed already" if bills else "a turn for which the provider served nothing"
        account.find(conclusion, FindingKind.DUPLICATE_ROW, f"row {row.id} bills {what}", row)
    for bill, row in matched:
        _compare_tokens(account, bill, row, conclusion)
        _compare_source(account, bill, row, conclusion)
        _compare_cost(account, bill, row, conclusion)
    prices = [price_of(bill) for bill in bills]
    for row in account.rows:
        _compare_tenant(account, row, conclusion)
        _compare_totals(account, row, prices, conclusion)


_Bill = tuple[Charge, ...]


def _bills(charges: tuple[Charge, ...], grain: LedgerGrain) -> list[_Bill]:
    """What one row has to bill: the turn's whole invoice, or one line of it."""
    if grain is LedgerGrain.TURN:
        return [charges] if charges else []
    return [(charge,) for charge in sorted(charges, key=lambda charge: charge.served_at)]


def _total(bill: _Bill) -> _Tokens:
    return (sum(charge.prompt_tokens for charge in bill), sum(charge.completion_tokens for charge in bill))


def _match(
    bills: Sequence[_Bill], rows: Sequence[LedgerRow]
) -> tuple[list[tuple[_Bill, LedgerRow]], list[_Bill], list[LedgerRow]]:
    """Rows with the bill they are for (by tokens first, the rest by age), bills without, rows without."""
    rest = list(rows)
    open_bills: list[_Bill] = []
    matched: list[tuple[_Bill, LedgerRow]] = []
    for bill in bills:
        row = _best(bill, rest)
        if row is None:
            open_bills.append(bill)
        else:
            rest.remove(row)
            matched.append((bill, row))
    matched += zip(open_bills, rest, strict=False)
    pairs = min(len(open_bills), len(rest))
    return matched, open_bills[pairs:], rest[pairs:]


def _best(bill: _Bill, rows: Iterable[LedgerRow]) -> LedgerRow | None:
    """The row with the bill's tokens; among several, one with its price too."""
    same = [row for row in rows if _tokens(row) == _total(bill)]
    total = price_of(bill).total
    return next((row for row in same if row.total_cost == total), same[0] if same else None)


def _compare_tokens(account: _Account, bill: _Bill, row: LedgerRow, conclusion: Conclusion) -> None:
    if _tokens(row) != _total(bill):
        message = f"row {row.id} has {_shown(_tokens(row))} tokens, and the provider counted {_shown(_total(bill))}"
        account.find(conclusion, FindingKind.WRONG_TOKENS, message, row)


def _compare_source(account: _Account, bill: _Bill, row: LedgerRow, conclusion: Conclusion) -> None:
    if not names_its_source(row, bill):
        message = f"row {row.id} names {row.provider or 'NULL'}/{row.model or 'NULL'}, and served was {_models(bill)}"
        account.find(conclusion, FindingKind.WRONG_MODEL, message, row)
    if account.turn.answer is not None and row.completion_status not in {COMPLETE, None}:
        message = f"row {row.id} has the status {row.completion_status!r}, and the turn was answered"
        account.find(conclusion, FindingKind.WRONG_MODEL, message, row)


def _models(bill: _Bill) -> str:
    return ", ".join(sorted({f"{charge.provider}/{charge.model}" for charge in bill}))


def _compare_cost(account: _Account, bill: _Bill, row: LedgerRow, conclusion: Conclusion) -> None:
    actual = Price(prompt=row.prompt_cost, completion=row.completion_cost, total=row.total_cost)
    expected = price_of(bill)
    if actual == expected or actual == _price_of_own_tokens(bill, row):
        return
    models = _models(bill)
    price = "has no known price, so that every cost must be NULL" if expected == UNPRICED else f"costs {expected}"
    message = f"row {row.id} has {actual}, and {_shown(_total(bill))} tokens of {models}: that {price}"
    account.find(conclusion, FindingKind.WRONG_COST, message, row)


def _price_of_own_tokens(bill: _Bill, row: LedgerRow) -> Price | None:
    """The price of what the row says where its tokens are wrong, so that one mistake is not told twice."""
    if _tokens(row) == _total(bill) or row.prompt_tokens is None or row.completion_tokens is None:
        return None
    charge = bill[-1]
    return price_of_tokens(charge, row.prompt_tokens, row.completion_tokens, at=charge.served_at)


def _compare_tenant(account: _Account, row: LedgerRow, conclusion: Conclusion) -> None:
    turn = account.turn
    if (row.account_slug, row.agent_instance_slug) != (turn.tenant, turn.agent):
        message = (
            f"row {row.id} bills {row.account_slug!r}/{row.agent_instance_slug!r}, "
            f"and the turn was served to {turn.tenant!r}/{turn.agent!r}"
        )
        account.find(conclusion, FindingKind.FOREIGN_ROW, message, row)


def _compare_totals(account: _Account, row: LedgerRow, prices: Sequence[Price], conclusion: Conclusion) -> None:
    if not _adds_up(row.total_tokens, row.prompt_tokens, row.completion_tokens):
        message = f"row {row.id} has {row.total_tokens} tokens in all, and {_shown(_tokens(row))} in its parts"
        account.find(conclusion, FindingKind.BROKEN_TOTAL, message, row)
    price = Price(prompt=row.prompt_cost, completion=row.completion_cost, total=row.total_cost)
    # A model with a fee per request costs more than its tokens: its exact price is no broken total.
    if not _adds_up(price.total, price.prompt, price.completion) and price not in prices:
        message = f"row {row.id} has costs that do not add up: {price}"
        account.find(conclusion, FindingKind.BROKEN_TOTAL, message, row)


def _adds_up(total: int | Decimal | None, one: int | Decimal | None, other: int | Decimal | None) -> bool:
    if total is None or one is None or other is None:
        return total is one is other is None
    return total == one + other


def _compare_answer(account: _Account, owners: Mapping[UUID, str], conclusion: Conclusion) -> None:
    if account.turn.answer is None or not (account.charges or account.rows):
        return
    named = account.turn.answer.llm_request_id
    if named is None:
        message = "the answer's llm_request_id is None: by the backend's own account no row bills it"
        account.find(conclusion, FindingKind.UNBILLED_RESPONSE, message)
    elif owners.get(named) != account.turn.id:
        owner = owners.get(named)
        message = f"the answer names row {named}, which " + (
            f"bills turn {owner!r}" if owner else "is not in the ledger"
        )
        account.find(conclusion, FindingKind.UNBILLED_RESPONSE, message)
