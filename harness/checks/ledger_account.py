"""The three sides of one turn: what the provider billed, what the client received, what the backend wrote.

`Account` holds them, with the bills that rows have to carry: at grain `turn` one with all lines of the turn's invoice,
at grain `request` one for each line. `sides` shows them next to each other, with tokens and cost, and stays short for
turns with many responses.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import cached_property, reduce
from typing import TypeVar
from uuid import UUID

from harness.checks.prices import Price, price_of, price_of_tokens
from harness.evidence import Charge, LedgerGrain, LedgerRow, ModelResponseSeen, Turn

__all__ = [
    "EXACT",
    "NIL",
    "Account",
    "Bill",
    "Entry",
    "Line",
    "Tokens",
    "cost_text",
    "is_nil",
    "listed",
    "price_text",
    "quoted",
    "shortened",
    "tokens_of",
    "tokens_text",
    "total_of",
]

T = TypeVar("T")

Tokens = tuple[int | None, int | None]
"""Of the prompt and of the completion; `None` where a row has `NULL`."""

EXACT = Context(prec=400, traps=[])
"""Decimals are added without rounding, however many digits a `NUMERIC` column gives."""

NIL = UUID(int=0)

_SHOWN = 4
_LONGEST_COST = 60
_LONGEST_TEXT = 80


Line = tuple[Charge, Price]
"""Of an invoice."""


@dataclass(slots=True, kw_only=True, eq=False)
class Bill:
    """What one row has to carry: its charges, their tokens and their price; `entry` is the row that does."""

    turn: Turn
    charges: tuple[Charge, ...]
    tokens: tuple[int, int]
    price: Price
    entry: "Entry | None" = None

    @classmethod
    def of(cls, turn: Turn, lines: Sequence[Line]) -> "Bill":
        """The bill for these lines of the turn's invoice."""
        charges = tuple(charge for charge, _ in lines)
        return cls(turn=turn, charges=charges, tokens=total_of(charges), price=_price_of([price for _, price in lines]))

    @property
    def models(self) -> str:
        """What served it."""
        return ", ".join(sorted({f"{charge.provider}/{charge.model}" for charge in self.charges}))


@dataclass(slots=True, kw_only=True, eq=False)
class Entry:
    """A ledger row: `home` is the turn whose session it names, `claimants` are those whose answers name the row.

    `repeated`: an older row has the same identifier. `bill` is what it carries; without one it carries nothing that was
    served, or what another row carries already.
    """

    row: LedgerRow
    home: Turn | None
    claimants: tuple[Turn, ...] = ()
    repeated: bool = False
    bill: Bill | None = None

    @property
    def tokens(self) -> Tokens:
        """The row's."""
        return tokens_of(self.row)

    @property
    def is_disputed(self) -> bool:
        """Whether other turns' answers name the row, and not that of the turn whose session it names."""
        return bool(self.claimants) and self.home not in self.claimants

    def is_for(self, turn: Turn) -> bool:
        """Whether the row names the tenant and the agent that the turn was sent to."""
        return (self.row.account_slug, self.row.agent_instance_slug) == (turn.tenant, turn.agent)

    @property
    def owner(self) -> Turn | None:
        """The turn that it is accounted to: the one that it bills, whose session it names, or whose answer names it."""
        if self.bill is not None:
            return self.bill.turn
        return self.home or (self.claimants[0] if self.claimants else None)


@dataclass(kw_only=True, eq=False)
class Account:
    """One turn with its three sides; `entries` are the rows that are accounted to it, once rows are matched."""

    turn: Turn
    charges: tuple[Charge, ...]
    responses: tuple[ModelResponseSeen, ...]
    grain: LedgerGrain
    entries: list[Entry] = field(default_factory=list)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The invoice in the order of serving, with the price of each line, which takes time to look up."""
        by_time = sorted(self.charges, key=lambda charge: charge.served_at)
        return tuple((charge, price_of((charge,))) for charge in by_time)

    @cached_property
    def bills(self) -> tuple[Bill, ...]:
        """What rows have to carry, in the order of serving."""
        if self.grain is LedgerGrain.REQUEST:
            return tuple(Bill.of(self.turn, [line]) for line in self.lines)
        return (Bill.of(self.turn, self.lines),) if self.lines else ()

    @property
    def untold(self) -> tuple[str, ...]:
        """Why it is not known what was served, for each response of which it is not."""
        return tuple(charge.untold for charge in self.charges if charge.untold is not None)

    @property
    def doubt(self) -> str:
        """What is not known of it, as a sentence."""
        reasons = ", ".join(dict.fromkeys(self.untold))
        return (
            f"what the provider served to {self.where} is not known, because of {len(self.untold)} of "
            f"{len(self.charges)} answers: {reasons}"
        )

    @property
    def where(self) -> str:
        """The turn, for a finding's `where`."""
        return f"turn {self.turn.id!r} of {self.turn.tenant}/{self.turn.agent}"

    @cached_property
    def sides(self) -> str:
        """Invoice, client and ledger next to each other, as every finding shows them."""
        invoice = [(tokens_of(charge), price.total) for charge, price in self.lines]
        client = [(tokens_of(response), cost) for response, cost in self._told()]
        ledger = [(entry.tokens, entry.row.total_cost) for entry in self.entries]
        return (
            f"invoice {_side(invoice)} | client {_side(client)} | "
            f"ledger {_side(ledger)} (prompt+completion tokens, cost in USD)"
        )

    def _told(self) -> Iterator[tuple[ModelResponseSeen, Decimal | None]]:
        """What the client's tokens cost, by the line of the invoice that a response is for, if there is one."""
        named: dict[str | None, Line] = {charge.response_id: (charge, price) for charge, price in self.lines}
        alike = {tokens_of(charge): (charge, price) for charge, price in self.lines}
        for response in self.responses:
            line = named.get(response.response_id) or alike.get(tokens_of(response))
            yield response, _cost_of(response, *line) if line else None


def tokens_of(item: Charge | ModelResponseSeen | LedgerRow) -> Tokens:
    """Of the prompt and of the completion."""
    return (item.prompt_tokens, item.completion_tokens)


def _cost_of(response: ModelResponseSeen, charge: Charge, price: Price) -> Decimal | None:
    if tokens_of(response) == tokens_of(charge):
        return price.total
    return price_of_tokens(charge, response.prompt_tokens, response.completion_tokens, at=charge.served_at).total


def _price_of(prices: Sequence[Price]) -> Price:
    """Of all of these together; without any part that has none."""
    return Price(
        prompt=_sum([price.prompt for price in prices], EXACT.add),
        completion=_sum([price.completion for price in prices], EXACT.add),
        total=_sum([price.total for price in prices], EXACT.add),
    )


def total_of(charges: Iterable[Charge]) -> tuple[int, int]:
    """The tokens of all these charges."""
    prompts, completions = 0, 0
    for charge in charges:
        prompts, completions = prompts + charge.prompt_tokens, completions + charge.completion_tokens
    return (prompts, completions)


def is_nil(identifier: UUID | str | None) -> bool:
    """Whether it is the nil UUID, also as a text in any of the forms of a UUID."""
    if not isinstance(identifier, str):
        return identifier == NIL
    try:
        return UUID(identifier) == NIL
    except ValueError:
        return False


def tokens_text(tokens: Tokens) -> str:
    """`1000+100`, and `NULL` for a part that is not there."""
    return "+".join("NULL" if part is None else str(part) for part in tokens)


def cost_text(cost: Decimal | None) -> str:
    """The digits as they are; an exponent if there are too many of them to read."""
    if cost is None:
        return "NULL"
    text = f"{cost:f}" if abs(cost.adjusted()) < _LONGEST_COST else str(cost)
    return text if len(text) <= _LONGEST_COST else f"{cost:.10e}"


def price_text(price: Price) -> str:
    """`0.0025 + 0.001 = 0.0035 USD`."""
    return f"{cost_text(price.prompt)} + {cost_text(price.completion)} = {cost_text(price.total)} USD"


def quoted(text: str | None) -> str:
    """A text of the backend's in quotes; `NULL` if there is none."""
    if text is None:
        return "NULL"
    return repr(shortened(text))


def shortened(text: str) -> str:
    """A text of the backend's, cut to what fits into a message."""
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def listed(items: Sequence[str]) -> str:
    """How many there are, and the first of them."""
    more = f", and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{len(items)}: {', '.join(items[:_SHOWN])}{more}"


def _side(items: Sequence[tuple[Tokens, Decimal | None]]) -> str:
    """`2: 3000+150 for 0.009 (1000+100 for 0.0035, 2000+50 for 0.0055)`."""
    if not items:
        return "0"
    prompts, completions = ([tokens[part] for tokens, _ in items] for part in (0, 1))
    tokens = (_sum(prompts, int.__add__), _sum(completions, int.__add__))
    whole = _amount(tokens, _sum([cost for _, cost in items], EXACT.add))
    if len(items) == 1:
        return f"1: {whole}"
    more = f", and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return f"{len(items)}: {whole} ({', '.join(_amount(*item) for item in items[:_SHOWN])}{more})"


def _amount(tokens: Tokens, cost: Decimal | None) -> str:
    return f"{tokens_text(tokens)} for {cost_text(cost)}"


def _sum(parts: Sequence[T | None], add: Callable[[T, T], T]) -> T | None:
    """The sum; `None` if one of the parts is."""
    known = [part for part in parts if part is not None]
    return reduce(add, known) if len(known) == len(parts) else None
