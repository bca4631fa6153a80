"""The ledger in the adapter: which columns are read as what, and how a turn finds the row that bills it.

`LedgerRow` has costs for prompt, completion and both. A ledger that keeps the total alone is given the parts that the
tokens cost, so that its total is what is compared; one without costs is given all of them, so that only its tokens
are.
"""

from collections.abc import Iterator, Mapping

from harness.adoption.code import INDENT, WIDTH, Bracketed, Code, Element, call, comment, docstring, lay, quoted
from harness.adoption.found import Ledger
from harness.adoption.page import Page

__all__ = ["bill_method", "ledger_functions", "needs_prices", "read_method", "turn_functions"]

_BODY = INDENT * 2
_COSTS = ("prompt_cost", "completion_cost", "total_cost")
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), "an int"),
    **dict.fromkeys(_COSTS, "a number"),
    "created_at": "a datetime",
}


def _table(page: Page, ledger: Ledger) -> str:
    name = page.project(ledger.module, ledger.path)
    return name if ledger.core else f"{name}.__table__"


def read_method(page: Page, ledger: Ledger | None) -> list[str]:
    """`read_ledger`."""
    page.from_package("sqlalchemy.ext.asyncio", "AsyncConnection")
    head = "async def read_ledger(self, connection: AsyncConnection) -> Sequence[LedgerRow]:"
    lines = [INDENT + head]
    if len(lines[0]) > WIDTH:
        lines = [
            f"{INDENT}async def read_ledger(",
            f"{_BODY}self,",
            f"{_BODY}connection: AsyncConnection,",
            f"{INDENT}) -> Sequence[LedgerRow]:",
        ]
    if ledger is None:
        lines += docstring("No bills: whether turns are billed is not verified.", indent=_BODY)
        sentence = (
            "a table with columns for tokens and costs. If there is one, return a LedgerRow for each of its rows, and "
            "add Capability.LEDGER"
        )
        return [*lines, *page.do_without("read_ledger", sentence, indent=_BODY), f"{_BODY}return ()"]
    page.from_package("sqlalchemy", "select")
    lines += docstring("The bills, oldest first.", indent=_BODY)
    lines += comment(f"{ledger.table}: {ledger.place}", indent=_BODY)
    lines += lay("table = ", _table(page, ledger), indent=_BODY)
    order = ledger.columns.get("created_at") or ledger.columns.get("id")
    selected = f"select(table).order_by(table.c[{quoted(order)}])" if order else "select(table)"
    lines += lay("rows = await ", call("connection.execute", selected), indent=_BODY)
    if "served" in page.needs:
        return [*lines, f"{_BODY}return [_ledger_row(row, self._model) for row in rows.mappings()]"]
    return [*lines, f"{_BODY}return [_ledger_row(row) for row in rows.mappings()]"]


def needs_prices(ledger: Ledger | None) -> bool:
    """Whether parts of its costs have to be worked out."""
    return ledger is not None and not {*_COSTS} <= _told(ledger)


def _told(ledger: Ledger) -> set[str]:
    """The fields that it has a column for, also one that cannot be read by its type."""
    return {*ledger.columns, *ledger.unfit}


def ledger_functions(page: Page, ledger: Ledger | None, *, names_turn: bool, by_request: frozenset[str]) -> list[str]:
    """`_ledger_row` and what it needs. `by_request` are the fields that the project gets from the request."""
    if ledger is None:
        return []
    page.from_package("sqlalchemy", "RowMapping")
    page.from_package("harness.evidence", "LedgerRow")
    page.needs.add("uuid")
    served = ", served: str" if "served" in page.needs else ""
    lines = ["", "", f"def _ledger_row(row: RowMapping{served}) -> LedgerRow:"]
    lines += docstring("One bill, in the terms of the harness.", indent=INDENT)
    lines += _amounts(page, ledger)
    lines += lay("return ", _row(page, ledger, names_turn=names_turn, by_request=by_request), indent=INDENT)
    if "created_at" in _told(ledger):
        lines += _aware(page)
    if {*_COSTS} & _told(ledger):
        lines += _decimal(page, ledger)
    if needs_prices(ledger):
        lines += _priced(page)
    return lines


def _column(page: Page, ledger: Ledger, field: str) -> str:
    """What is read for a field; where its column's type does not fit, somebody has to say how it is read."""
    if field in ledger.columns:
        return f"row[{quoted(ledger.columns[field])}]"
    if field not in ledger.unfit:
        return "None"
    kind = _KINDS.get(field, "a text")
    sentence = f"return the {field} of a row of {ledger.table}, {kind} or None; its column is {ledger.unfit[field]}"
    return page.todo(field, sentence, argument="row")


def _tokens(page: Page, ledger: Ledger, field: str) -> str:
    """The tokens of one side: of a column of all tokens that is no number, it may hold both."""
    if field in _told(ledger) or "total_tokens" not in ledger.unfit:
        return _column(page, ledger, field)
    told = ledger.unfit["total_tokens"]
    sentence = f"return the {field} of a row of {ledger.table}, an int or None; its column of tokens is {told}"
    return page.todo(field, sentence, argument="row")


def _amounts(page: Page, ledger: Ledger) -> Iterator[str]:
    for name, field in (("prompt", "prompt_tokens"), ("completion", "completion_tokens")):
        yield from lay(f"{name} = ", _tokens(page, ledger, field), indent=INDENT)
    if not needs_prices(ledger):
        return
    model = _column(page, ledger, "model") if "model" in _told(ledger) else "served"
    total = "total_cost" in _told(ledger)
    said = (
        "It keeps the total alone: the parts are what the tokens cost."
        if total
        else "It keeps no total: what the tokens cost stands for it, and is not compared."
    )
    yield from comment(said, indent=INDENT)
    yield from lay("parts = ", call("_priced", model, "prompt", "completion"), indent=INDENT)
    if total:
        yield from lay("total = ", call("_decimal", _column(page, ledger, "total_cost")), indent=INDENT)
    else:
        yield f"{INDENT}total = None if None in parts else sum(parts)"


def _row(page: Page, ledger: Ledger, *, names_turn: bool, by_request: frozenset[str]) -> Bracketed:
    identifier = _column(page, ledger, "id")
    fields: dict[str, Code | tuple[Code, str]] = {"id": call("_uuid", identifier)}
    if names_turn and "session_id" in ledger.columns:
        fields["session_id"] = f"str({_column(page, ledger, 'session_id')})"
    elif "turns" in page.needs:
        fields["session_id"] = f"_turns.get(_uuid({identifier}))"
    else:
        fields["session_id"] = "None"
    for field, constant in (("account_slug", "ACCOUNT"), ("agent_instance_slug", "AGENT")):
        told = field in by_request and field in ledger.columns
        fields[field] = f"str({_column(page, ledger, field)})" if told else constant
    fields |= {field: _column(page, ledger, field) for field in ("provider", "model")}
    fields |= {"prompt_tokens": "prompt", "completion_tokens": "completion"}
    both = "None if None in (prompt, completion) else prompt + completion"
    fields["total_tokens"] = _column(page, ledger, "total_tokens") if "total_tokens" in ledger.columns else both
    fields |= _costs(page, ledger)
    fields["completion_status"] = _column(page, ledger, "completion_status")
    fields["created_at"] = f"_aware({_column(page, ledger, 'created_at')})" if "created_at" in _told(ledger) else "None"
    elements = [Element(f"{name}=", code) for name, code in fields.items() if not isinstance(code, tuple)]
    return Bracketed(opening="LedgerRow(", elements=elements, closing=")")


def _costs(page: Page, ledger: Ledger) -> dict[str, Code]:
    if not needs_prices(ledger):
        return {field: f"_decimal({_column(page, ledger, field)})" for field in _COSTS}
    if "total_cost" in _told(ledger):
        unpriced = "None if total is None else parts"
        return {"prompt_cost": f"{unpriced}[0]", "completion_cost": f"{unpriced}[1]", "total_cost": "total"}
    return {"prompt_cost": "parts[0]", "completion_cost": "parts[1]", "total_cost": "total"}


def _aware(page: Page) -> list[str]:
    page.from_package("datetime", "UTC", "datetime")
    return [
        "",
        "",
        "def _aware(at: datetime | None) -> datetime | None:",
        *docstring("A time that does not say its zone is UTC.", indent=INDENT),
        f"{INDENT}return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at",
    ]


def _decimal(page: Page, ledger: Ledger) -> list[str]:
    page.from_package("decimal", "Decimal")
    scaled = f".scaleb(-{ledger.scale})" if ledger.scale else ""
    return [
        "",
        "",
        "def _decimal(amount: object) -> Decimal | None:",
        *docstring("A cost in US dollars, or None where there is no price.", indent=INDENT),
        f"{INDENT}return None if amount is None else Decimal(str(amount)){scaled}",
    ]


def _priced(page: Page) -> list[str]:
    page.from_package("decimal", "Decimal")
    page.from_package("genai_prices", "Usage", "calc_price")
    usage = call("Usage", input_tokens="prompt", output_tokens="completion")
    return [
        "",
        "",
        "def _priced(",
        f"{INDENT}model: str | None,",
        f"{INDENT}prompt: int | None,",
        f"{INDENT}completion: int | None,",
        ") -> tuple[Decimal, Decimal] | tuple[None, None]:",
        *docstring("What the tokens cost, by the list that the harness goes by.", indent=INDENT),
        f"{INDENT}if model is None or prompt is None or completion is None:",
        f"{_BODY}return None, None",
        *lay("usage = ", usage, indent=INDENT),
        f"{INDENT}try:",
        f'{_BODY}price = calc_price(usage, model.rpartition(":")[2])',
        f"{INDENT}except LookupError:",
        f"{_BODY}return None, None",
        f"{INDENT}return price.input_price, price.output_price",
    ]


def bill_method(page: Page, ledger: Ledger | None) -> list[str]:
    """The method that looks up which row bills a turn, if it is needed."""
    if ledger is None or "bill" not in page.needs:
        return []
    page.from_package("sqlalchemy", "NullPool", "Text", "cast", "select")
    page.from_package("sqlalchemy.ext.asyncio", "create_async_engine")
    page.from_package("uuid", "UUID")
    order = ledger.columns.get("created_at") or ledger.columns["id"]
    where = f"cast(table.c[{quoted(ledger.columns['session_id'])}], Text) == conversation"
    lines = ["", f"{INDENT}async def _bill(self, conversation: str) -> UUID | None:"]
    lines += docstring("The last row of a conversation, read on a connection of our own.", indent=_BODY)
    lines += lay("table = ", _table(page, ledger), indent=_BODY)
    lines += lay("query = ", call("select", f"table.c[{quoted(ledger.columns['id'])}]"), indent=_BODY)
    lines += lay("query = ", call("query.where", where), indent=_BODY)
    lines += lay("query = ", call("query.order_by", f"table.c[{quoted(order)}].desc()"), indent=_BODY)
    lines += lay("engine = ", call("create_async_engine", "self.database_url", poolclass="NullPool"), indent=_BODY)
    return [
        *lines,
        f"{_BODY}async with engine.connect() as connection:",
        f"{_BODY}{INDENT}bill = await connection.scalar(query.limit(1))",
        f"{_BODY}return None if bill is None else _uuid(bill)",
    ]


def turn_functions(page: Page, ledger: Ledger | None) -> list[str]:
    """What keeps which turn a row was inserted in, where the ledger does not; and `_uuid`."""
    lines: list[str] = []
    if "uuid" in page.needs:
        page.from_package("uuid", "UUID")
        lines += [
            "",
            "",
            "def _uuid(identifier: object) -> UUID:",
            *docstring("A row's identifier, in the form that all ledgers share.", indent=INDENT),
            f"{INDENT}if isinstance(identifier, int):",
            f"{_BODY}return UUID(int=identifier)",
            f"{INDENT}return UUID(str(identifier))",
        ]
    if ledger is None or "turns" not in page.needs:
        return lines
    page.from_package("contextvars", "ContextVar")
    page.from_package("sqlalchemy", "event")
    name = page.project(ledger.module, ledger.path)
    return [
        *lines,
        "",
        "",
        *comment("The ledger does not say which conversation a row bills: it is noted as rows are inserted."),
        '_turn: ContextVar[str | None] = ContextVar("turn", default=None)',
        "_turns: dict[UUID, str] = {}",
        "",
        "",
        f'@event.listens_for({name}, "after_insert")',
        "def _note_turn(mapper, connection, row) -> None:",
        f"{INDENT}if (turn := _turn.get()) is not None:",
        f"{_BODY}_turns[_uuid(mapper.primary_key_from_instance(row)[0])] = turn",
        "",
        "",
        "def _bill_of(turn: str) -> UUID | None:",
        *docstring("The last row that was inserted in a turn; it need not have stayed.", indent=INDENT),
        f"{INDENT}noted = reversed(_turns.items())",
        f"{INDENT}return next((row for row, each in noted if each == turn), None)",
    ]
