"""Is every model response billed once, to the right customer, for the right tokens, at the right price?

Three sides are laid next to each other for each turn: the provider's invoice, which the code under test
cannot touch; the responses that the agent saw; and the ledger rows that the backend wrote. At grain `turn`
one row must carry the sum of the turn's invoice lines, at grain `request` there must be one row per line. A
turn that failed or was interrupted after the provider had served it is on the invoice, and must be in the ledger like
any other; so must a response that never arrived. Only a turn for which nothing was served needs no row.

Costs are compared as `Decimal`, to the last digit, with `genai-prices` at the time when each response was
served. The price of a whole turn is the sum of the prices of its responses, because that is what a provider
charges: for a model with price tiers the price of the summed tokens would be higher.

A row must also name the provider and the model that served it (`harness.model_names`), and the row of a turn that
was answered must say that it is complete, as far as the backend has these columns.

A real provider may not tell what it served: an answer that broke off, or without its tokens. Of such a turn, and of the
rows in its session, nothing is said but that, and the check does not pass.

Guarantee: one mistake is told once, by the kind that names it best, with all three sides beside it. A row that lies in
another turn's session is not also missing where it belongs; a zero is no wrong cost; rows at another grain than the
ledger was declared in are one finding a turn.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from harness.checks.conclusion import Conclusion, turns_of
from harness.checks.ledger_account import (
    Account,
    Bill,
    Entry,
    cost_text,
    is_nil,
    listed,
    quoted,
    shortened,
    tokens_of,
    tokens_text,
)
from harness.checks.ledger_costs import Mistake, amounts_of, totals_of
from harness.checks.ledger_matching import by_age, grain_of, match
from harness.checks.ledger_responses import receive
from harness.errors import MissingEvidence
from harness.evidence import Charge, Evidence, LedgerGrain, LedgerRow, ModelResponseSeen, Turn
from harness.model_names import COMPLETE, names_its_source
from harness.verdict import CheckResult, FindingKind

__all__ = ["Ledger"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The kinds from `MISSING_ROW` to `UNSEEN_RESPONSE`; unknown without invoice, responses or ledger."""

    name: str = "ledger"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A finding for each difference between the three sides."""
        conclusion = Conclusion(self.name)
        accounts = _accounts(evidence, conclusion)
        entries = _entries(accounts, evidence.ledger.items)
        known = {name: account for name, account in accounts.items() if not account.untold}
        conclusion.doubts += [account.doubt for account in accounts.values() if account.untold]
        bills = [bill for account in known.values() for bill in account.bills]
        match(bills, [entry for entry in entries if entry.home is None or entry.home.id in known])
        owners = _assign(entries, accounts)
        told = _Told(conclusion=conclusion, declared=evidence.ledger_grain)
        for entry in entries:
            if entry.owner is None:
                told.stray(entry)
        for account in known.values():
            told.responses(account)
            told.rows(account)
            told.answer(account, owners)
        return told.result


def _accounts(evidence: Evidence, conclusion: Conclusion) -> dict[str, Account]:
    """By turn, without rows as yet."""
    turns = {turn.id: turn for turn in turns_of(evidence)}
    charges: defaultdict[str, list[Charge]] = defaultdict(list)
    for charge in evidence.invoice:
        charges[charge.turn].append(charge)
    if stray := sorted(charges.keys() - turns.keys()):
        conclusion.doubts.append(f"the invoice names turns that are not in the evidence, {listed(stray)}")
    responses = _responses(turns, evidence, conclusion)
    return {
        name: Account(
            turn=turn,
            charges=tuple(charges[name]),
            responses=tuple(responses[name]),
            grain=evidence.ledger_grain,
        )
        for name, turn in turns.items()
    }


def _responses(
    turns: Mapping[str, Turn], evidence: Evidence, conclusion: Conclusion
) -> defaultdict[str, list[ModelResponseSeen]]:
    """By turn; one that was seen outside a turn belongs to the turn in which it was served."""
    served: dict[str | None, str] = {charge.response_id: charge.turn for charge in evidence.invoice}
    owned: defaultdict[str, list[ModelResponseSeen]] = defaultdict(list)
    for response in evidence.responses:
        turn = response.turn if response.turn in turns else served.get(response.response_id)
        if turn is not None:
            owned[turn].append(response)
        else:
            what = f"{tokens_text(tokens_of(response))} tokens in response {quoted(response.response_id)}"
            message = f"the client received {what}, which belongs to no turn and is on no line of the invoice"
            conclusion.find(FindingKind.UNSEEN_RESPONSE, message)
    return owned


def _entries(accounts: Mapping[str, Account], rows: Iterable[LedgerRow]) -> list[Entry]:
    """The rows, oldest first, with the turns that they and answers name; settles in which grain each turn has them."""
    turns = [account.turn for account in accounts.values()]
    homes, claims = _sessions(turns), _claims(turns)
    identifiers: set[UUID] = set()
    entries: list[Entry] = []
    for row in sorted(rows, key=by_age):
        home, repeated = homes.get(row.session_id), row.id in identifiers and not is_nil(row.id)
        identifiers.add(row.id)
        entries.append(Entry(row=row, home=home, claimants=tuple(claims[row.id]), repeated=repeated))
    at_home: defaultdict[str, list[LedgerRow]] = defaultdict(list)
    for entry in entries:
        if entry.home is not None:
            at_home[entry.home.id].append(entry.row)
    for name, own in at_home.items():
        accounts[name].grain = grain_of(accounts[name].charges, own, accounts[name].grain)
    return entries


def _sessions(turns: Iterable[Turn]) -> dict[str | None, Turn]:
    """Whose turn a row's `session_id` names: the id it was sent with, or the one it was answered with."""
    sent: dict[str | None, Turn] = {turn.id: turn for turn in turns}
    answered: dict[str | None, Turn] = {}
    for turn in turns:
        session = turn.answer.session_id if turn.answer else None
        if session is None or session in sent or is_nil(session):
            continue
        if session in answered:
            raise MissingEvidence(
                f"turns {answered[session].id!r} and {turn.id!r} were both answered with session {session!r}, "
                "so that their rows cannot be told apart"
            )
        answered[session] = turn
    return answered | sent


def _claims(turns: Iterable[Turn]) -> defaultdict[UUID | None, list[Turn]]:
    """The turns whose answers name a row; the nil UUID names none."""
    claims: defaultdict[UUID | None, list[Turn]] = defaultdict(list)
    for turn in turns:
        named = turn.answer.llm_request_id if turn.answer else None
        if not is_nil(named):
            claims[named].append(turn)
    return claims


def _assign(entries: Iterable[Entry], accounts: Mapping[str, Account]) -> dict[UUID, list[str]]:
    """Give each account its rows; returns, by row, the turns that it is accounted to."""
    owners: dict[UUID, list[str]] = {}
    for entry in entries:
        if entry.owner is not None:
            accounts[entry.owner.id].entries.append(entry)
            owners.setdefault(entry.row.id, []).append(entry.owner.id)
    return owners


@dataclass(slots=True, kw_only=True)
class _Told:
    """The findings, one account after the other."""

    conclusion: Conclusion
    declared: LedgerGrain
    unexplained: list[str] = field(default_factory=list)
    without_tokens: int = 0

    @property
    def result(self) -> CheckResult:
        """What was found, what was left open, and what was only noticed."""
        if self.unexplained:
            message = (
                f"was answered, but neither the invoice nor the client has a response of it, {listed(self.unexplained)}"
            )
            self.conclusion.doubts.append(f"a turn {message}")
        if self.without_tokens:
            self.conclusion.notes.append(f"the client was not told the tokens of {self.without_tokens} responses")
        return self.conclusion.result

    def stray(self, entry: Entry) -> None:
        """A row that is accounted to no turn."""
        amount = f"for {tokens_text(entry.tokens)} tokens and {cost_text(entry.row.total_cost)} USD"
        for kind, message in _misplaced(entry, None):
            self.conclusion.find(kind, f"row {entry.row.id} {amount} {message}", where=f"row {entry.row.id}")

    def responses(self, account: Account) -> None:
        """Invoice and client."""
        turn = account.turn
        interrupted, answered = turn.interrupted is not None, turn.answer is not None
        received = receive(account.charges, account.responses, interrupted=interrupted, answered=answered)
        self.without_tokens += received.not_told
        if sentences := list(received.sentences()):
            self._find(account, FindingKind.UNSEEN_RESPONSE, " and ".join(sentences))
        elif not account.charges and account.turn.answer is not None:
            self.unexplained.append(account.where)

    def rows(self, account: Account) -> None:
        """Invoice and ledger."""
        if account.grain is not self.declared:
            self._find(account, *_other_grain(account.entries, self.declared))
        for bill in account.bills:
            if bill.entry is None:
                self._find(account, FindingKind.MISSING_ROW, f"no row bills {tokens_text(bill.tokens)} tokens")
        for entry in account.entries:
            for kind, message in self._mistakes(account, entry):
                self._find(account, kind, message, entry.row)

    def answer(self, account: Account, owners: Mapping[UUID, Sequence[str]]) -> None:
        """The row that the answer names is one of the turn's."""
        if account.turn.answer is None or not (account.charges or account.entries):
            return
        named = account.turn.answer.llm_request_id
        nameless = any(is_nil(entry.row.id) for entry in account.entries)
        if named is None:
            message = "the answer's llm_request_id is None: by the backend's own account no row bills it"
            self._find(account, FindingKind.UNBILLED_RESPONSE, message)
        elif is_nil(named):
            if not nameless:
                self._find(account, FindingKind.NIL_IDENTIFIER, f"the answer names row {named}, the nil UUID")
        elif named not in owners:
            # A row of the turn's that has lost its identifier has been told already.
            if not nameless:
                self._find(
                    account, FindingKind.UNBILLED_RESPONSE, f"the answer names row {named}, which is not in the ledger"
                )
        elif account.turn.id not in owners[named]:
            message = f"the answer names row {named}, which bills turn {owners[named][0]!r}"
            self._find(account, FindingKind.UNBILLED_RESPONSE, message)

    def _mistakes(self, account: Account, entry: Entry) -> Iterator[Mistake]:
        yield from _misplaced(entry, account.turn)
        if entry.bill is not None:
            if entry.repeated:
                yield FindingKind.DUPLICATE_ROW, "has the identifier of another row: what was read has no unique one"
            yield from amounts_of(entry.row, entry.bill)
            yield from _source(entry.row, entry.bill)
            return
        if entry.home is account.turn and not _bills_nothing(entry.row, account.turn):
            what = "what is billed already" if account.bills else "a turn for which the provider served nothing"
            yield FindingKind.DUPLICATE_ROW, f"bills {what}"
        yield from totals_of(entry.row, account.bills)

    def _find(self, account: Account, kind: FindingKind, message: str, row: LedgerRow | None = None) -> None:
        told, where = message, account.where
        if row is not None:
            told, where = f"row {row.id} {message}", f"{where}, row {row.id}"
        self.conclusion.find(kind, f"{told}; {account.sides}", where=where, turn=account.turn.id)


def _misplaced(entry: Entry, owner: Turn | None) -> Iterator[Mistake]:
    """How a row names itself, its session and its tenant, where that is not the turn that it is accounted to."""
    row = entry.row
    if is_nil(row.id):
        yield FindingKind.NIL_IDENTIFIER, "has the nil UUID for its identifier"
    reasons = []
    if is_nil(row.session_id):
        yield FindingKind.NIL_IDENTIFIER, "names the nil UUID for its session"
    elif owner is None or entry.home is not owner:
        whose = f"that of turn {entry.home.id!r}" if entry.home else "no turn's"
        reasons.append(f"names session {quoted(row.session_id)}, which is {whose}")
    if owner is not None and not entry.is_for(owner):
        named = f"{quoted(row.account_slug)}/{quoted(row.agent_instance_slug)}"
        reasons.append(f"bills {named}, and the turn was served to {owner.tenant!r}/{owner.agent!r}")
    if reasons:
        yield FindingKind.FOREIGN_ROW, " and ".join(reasons)


def _bills_nothing(row: LedgerRow, turn: Turn) -> bool:
    """Whether it only notes a request that was not served, in a turn that was not answered, and says so."""
    amounts = (*tokens_of(row), row.total_tokens, row.prompt_cost, row.completion_cost, row.total_cost)
    return turn.answer is None and row.completion_status not in {COMPLETE, None} and not any(amounts)


def _source(row: LedgerRow, bill: Bill) -> Iterator[Mistake]:
    if not names_its_source(row, bill.charges):
        named = "/".join("NULL" if name is None else shortened(name) for name in (row.provider, row.model))
        yield FindingKind.WRONG_MODEL, f"names {named}, and served was {bill.models}"
    arrived = bill.turn.answer is not None and any(charge.delivered for charge in bill.charges)
    if arrived and row.completion_status not in {COMPLETE, None}:
        yield FindingKind.WRONG_MODEL, f"has the status {quoted(row.completion_status)}, and the turn was answered"


def _other_grain(entries: Sequence[Entry], declared: LedgerGrain) -> tuple[FindingKind, str]:
    if declared is LedgerGrain.TURN:
        message = f"the rows are one per request ({len(entries)} of them), and the ledger was declared per turn"
        return FindingKind.DUPLICATE_ROW, message
    message = "one row bills all requests of the turn, and the ledger was declared per request"
    return FindingKind.MISSING_ROW, message
