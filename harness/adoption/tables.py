"""The tables of a project: those that look like a bill of model requests, and the metadata that makes them all.

A table is a ledger if it has columns for tokens, or for a cost beside a model and a name that says so. Columns are
known by their names, exact or near: `input_tokens` is what others call `prompt_tokens`, `cost_usd` is a total. A unit
in a name (`cost_cents`) is kept.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.adoption.found import Ledger, Metadata
from harness.adoption.tree import Tree, keyword, literal_text, unwrapped
from harness.adoption.words import words
from harness.project.classes import Class
from harness.project.module import Assigned, Module

__all__ = ["columns_by_meaning", "find_ledgers", "find_metadata"]

_BASES = frozenset({"sqlalchemy.orm.DeclarativeBase", "sqlalchemy.orm.DeclarativeBaseNoMeta"})
_MAKERS = frozenset({"sqlalchemy.orm.declarative_base", "sqlalchemy.ext.declarative.declarative_base"})
_SQLMODEL = "sqlmodel.SQLModel"
_METADATA = frozenset({"sqlalchemy.MetaData", "sqlalchemy.schema.MetaData"})
_TABLES = frozenset({"sqlalchemy.Table", "sqlalchemy.schema.Table"})
_COLUMNS = frozenset({"sqlalchemy.Column", "sqlalchemy.schema.Column"})

_NAMES: Mapping[str, str] = {
    "prompt_tokens": "prompt_tokens input_tokens request_tokens tokens_in tokens_input tokens_prompt in_tokens "
    "prompt_token_count input_token_count num_input_tokens num_prompt_tokens tokens_sent",
    "completion_tokens": "completion_tokens output_tokens response_tokens tokens_out tokens_output tokens_completion "
    "out_tokens completion_token_count output_token_count num_output_tokens num_completion_tokens tokens_received",
    "total_tokens": "total_tokens tokens_total tokens token_count total_token_count num_tokens tokens_used",
    "prompt_cost": "prompt_cost input_cost cost_input cost_prompt cost_in request_cost",
    "completion_cost": "completion_cost output_cost cost_output cost_completion cost_out response_cost",
    "total_cost": "total_cost cost_total cost price total_price amount charge spend spent",
    "session_id": "conversation_id session_id conversation thread_id chat_id session thread chat conv_id "
    "conversation_uuid correlation_id dialog_id conversation_ref reference",
    "account_slug": "account_slug account tenant_slug tenant customer_slug customer org_slug org account_name "
    "tenant_name account_id tenant_id customer_id organization_id org_id",
    "agent_instance_slug": "agent_instance_slug agent_slug agent_name agent",
    "provider": "provider llm_provider provider_name",
    "model": "model model_name llm_model model_id",
    "completion_status": "completion_status",
    "created_at": "created_at created timestamp occurred_at inserted_at billed_at requested_at recorded_at ts at "
    "created_on date",
}
_UNITS = (
    ("_microdollars", 6),
    ("_micros", 6),
    ("_micro_usd", 6),
    ("_millicents", 5),
    ("_cents", 2),
    ("_usd", 0),
    ("_dollars", 0),
)
_BILLS = re.compile(r"llm|usage|bill|cost|charge|token|request|completion|\bai\b|ai_|_ai", re.IGNORECASE)
"""What a table without tokens is called if it is one of bills: cars have models and prices, too."""
_TYPES: Mapping[str, frozenset[str]] = {
    "number": frozenset(
        words(
            "int float Decimal Integer BigInteger SmallInteger INTEGER BIGINT SMALLINT Numeric NUMERIC DECIMAL Float "
            "FLOAT REAL Double DOUBLE DOUBLE_PRECISION"
        )
    ),
    "text": frozenset(words("str String Text Unicode UnicodeText VARCHAR TEXT CHAR Enum ENUM CITEXT")),
    "time": frozenset(words("datetime DateTime DATETIME TIMESTAMP")),
    "other": frozenset(
        words(
            "ARRAY Boolean BOOLEAN Date HSTORE Interval JSON JSONB LargeBinary Time UUID Uuid bool bytes date dict "
            "list set time timedelta tuple"
        )
    ),
}
_READABLE: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), frozenset({"number"})),
    **dict.fromkeys(("prompt_cost", "completion_cost", "total_cost"), frozenset({"number", "text"})),
    **dict.fromkeys(("provider", "model", "completion_status"), frozenset({"text"})),
    "created_at": frozenset({"time"}),
}
"""What each field is read from; any other from anything."""
_COSTS = ("prompt_cost", "completion_cost", "total_cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column; `types` are the last words of what its annotation and its call name (`Mapped`, `dict`, `JSONB`)."""

    name: str
    primary: bool = False
    types: tuple[str, ...] = ()

    def fits(self, meaning: str) -> bool:
        """Whether a field of a `LedgerRow` can be read from it; also if nothing is known of its type."""
        kinds = {kind for kind, names in _TYPES.items() if names & set(self.types)}
        return not kinds or bool(kinds & _READABLE.get(meaning, kinds))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Table:
    module: Module
    path: str
    node: ast.AST
    table: str
    columns: tuple[_Column, ...]
    base: str
    core: bool = False


def find_ledgers(tree: Tree) -> list[Ledger]:
    """The tables that look like bills, the likeliest first."""
    found = [ledger for table in _tables(tree) if (ledger := _ledger(tree, table)) is not None]
    return sorted(found, key=lambda each: -each.score)


def _ledger(tree: Tree, table: _Table) -> Ledger | None:
    columns, scale = columns_by_meaning([each.name for each in table.columns])
    by_name = {each.name: each for each in table.columns}
    tokens = {"prompt_tokens", "completion_tokens", "total_tokens"} & columns.keys()
    costs = {*_COSTS} & columns.keys()
    bills = (
        {"prompt_tokens", "completion_tokens"} <= tokens
        or (tokens and costs)
        or (costs and "model" in columns and _BILLS.search(table.table))
    )
    if not bills:
        return None
    identifier = next((each.name for each in table.columns if each.primary), "")
    names = [each.name for each in table.columns]
    unfit = {meaning: by_name[name] for meaning, name in columns.items() if not by_name[name].fits(meaning)}
    columns = {meaning: name for meaning, name in columns.items() if meaning not in unfit}
    columns["id"] = identifier or next((name for name in ("id", "uuid", "pk") if name in names), "")
    return Ledger(
        module=tree.import_name(table.module),
        path=table.path,
        place=tree.place(table.module, table.node),
        key=f"{table.module.name}.{table.path}",
        table=table.table,
        columns={meaning: name for meaning, name in columns.items() if name},
        scale=scale,
        core=table.core,
        score=len(columns),
        unfit={meaning: f"{each.name!r} ({' '.join(each.types)})" for meaning, each in unfit.items()},
    )


def columns_by_meaning(names: list[str]) -> tuple[dict[str, str], int]:
    """Which column fills which field of a `LedgerRow`, and the costs' power of ten."""
    bare = {name: _bare(name) for name in names}
    found: dict[str, str] = {}
    for meaning, likely in _NAMES.items():
        for wanted in likely.split():
            name = next((each for each in names if bare[each][0] == wanted and each not in found.values()), None)
            if name is not None:
                found[meaning] = name
                break
    scales = [bare[found[each]][1] for each in _COSTS if each in found]
    return found, scales[0] if scales else 0


def _bare(name: str) -> tuple[str, int]:
    """A column's name in lower case with underscores, without its unit; and the unit's power of ten."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    for unit, scale in _UNITS:
        if snake.endswith(unit):
            return snake.removesuffix(unit), scale
    return snake, 0


def find_metadata(tree: Tree) -> list[Metadata]:
    """Every metadata that has tables, with the modules that define them."""
    by_base: dict[str, list[_Table]] = {}
    for table in _tables(tree):
        by_base.setdefault(table.base, []).append(table)
    text = " ".join(module.text for module in tree.modules if "pgvector" in module.text)
    found = []
    for base, tables in by_base.items():
        modules = tuple(dict.fromkeys(tree.import_name(table.module) for table in tables))
        schemas = tuple(dict.fromkeys(name for table in tables for name in _schemas(table)))
        module, path, place = _reached(tree, base, tables[0])
        found.append(
            Metadata(
                module=module, path=path, place=place, key=base, modules=modules, schemas=schemas, vectors=bool(text)
            )
        )
    return found


def _reached(tree: Tree, base: str, first: _Table) -> tuple[str, str, str]:
    """The module and the attributes by which a metadata is reached; by its first table, if it has no name."""
    if base == _SQLMODEL:
        return "sqlmodel", "SQLModel.metadata", tree.place(first.module, first.node)
    there = tree.definition(base, first.module)
    if there is None:
        path = f"{first.path}.metadata"
        return tree.import_name(first.module), path, tree.place(first.module, first.node)
    name = base.rpartition(".")[2]
    is_bare = isinstance(there.binding, Assigned) and isinstance(there.binding.value, ast.Call)
    made = tree.resolve(there.module, there.binding.value.func) if is_bare else ""  # type: ignore[union-attr]  # it is one
    path = name if made in _METADATA else f"{name}.metadata"
    return tree.import_name(there.module), path, tree.place(there.module, _node(there.binding, first.node))


def _node(binding: object, otherwise: ast.AST) -> ast.AST:
    if isinstance(binding, Assigned):
        return binding.value or otherwise
    return binding if isinstance(binding, ast.AST) else otherwise


def _tables(tree: Tree) -> Iterator[_Table]:
    for class_ in tree.project.classes:
        if class_.module in tree.modules and (base := _base_of(tree, class_)):
            name = _table_name(tree, class_)
            if name:
                yield _Table(
                    module=class_.module,
                    path=class_.node.name,
                    node=class_.node,
                    table=name,
                    columns=tuple(_mapped(tree, class_)),
                    base=base,
                )
    for module in tree.modules:
        for name, binding in module.bindings.items():
            call = binding.value if isinstance(binding, Assigned) else None
            if isinstance(call, ast.Call) and tree.resolve(module, call.func) in _TABLES:
                yield _core(tree, module, name, call)


def _base_of(tree: Tree, class_: Class) -> str:
    """The declarative base of a mapped class; empty if it is none, or is the base itself."""
    for each in tree.project.ancestors(class_):
        if isinstance(each, str):
            if each == _SQLMODEL:
                return each
            there = tree.value(each, class_.module)
            if there and isinstance(there[1], ast.Call) and tree.resolve(there[0], there[1].func) in _MAKERS:
                return each
        elif _BASES & set(each.bases):
            return "" if each is class_ else each.name
    return ""


def _table_name(tree: Tree, class_: Class) -> str:
    """By its `__tablename__`; a SQLModel class with `table=True` is named after itself."""
    named = class_.fields.get("__tablename__")
    if named is not None:
        return literal_text(named.default) or class_.node.name.lower()
    if "__table__" in class_.fields:
        return class_.node.name.lower()
    is_table = any(each.arg == "table" and ast.unparse(each.value) == "True" for each in class_.node.keywords)
    if is_table:
        return class_.node.name.lower()
    derived = any(
        not isinstance(each, str) and "__tablename__" in each.methods for each in tree.project.ancestors(class_)
    )
    columns = any("primary_key" in ast.unparse(each.default) for each in class_.fields.values() if each.default)
    return class_.node.name.lower() if derived and columns else ""


def _mapped(tree: Tree, class_: Class) -> Iterator[_Column]:
    for name, each in tree.project.fields(class_).items():
        if name.startswith("__") or (each.default is not None and "relationship(" in ast.unparse(each.default).lower()):
            continue
        call = each.default if isinstance(each.default, ast.Call) else None
        stored = literal_text(call.args[0]) if call is not None and call.args else ""
        is_column = call is not None and ast.unparse(call.func).rpartition(".")[2] in {"Column", "mapped_column"}
        primary = call is not None and ast.unparse(keyword(call, "primary_key") or ast.Constant(False)) == "True"
        told = [*call.args, *_typing(call)] if call is not None else []
        yield _Column(
            name=stored if is_column and stored else name,
            primary=primary,
            types=_types(tree, class_, name, each.annotation, told),
        )


def _typing(call: ast.Call) -> Iterator[ast.expr]:
    """What a column's keywords say of its type, also one that stands in a column that SQLModel is given."""
    for word in call.keywords:
        if word.arg == "sa_column" and isinstance(word.value, ast.Call):
            yield from word.value.args
        elif word.arg in {"type_", "sa_type"}:
            yield word.value


def _types(
    tree: Tree, class_: Class, name: str, annotation: ast.expr | None, given: Sequence[ast.expr]
) -> tuple[str, ...]:
    """What a column's type is called: outermost, so that the members of a collection do not count."""
    module = tree.project.owner(class_, name).module
    bare = unwrapped(annotation)
    there = tree.value(tree.resolve(module, bare), module) if isinstance(bare, ast.Name | ast.Attribute) else None
    return _outermost([*([unwrapped(there[1]) if there is not None else bare]), *given])


def _outermost(given: Sequence[ast.expr | None]) -> tuple[str, ...]:
    found = []
    for each in given:
        node = each
        while isinstance(node, ast.Call | ast.Subscript):
            node = node.func if isinstance(node, ast.Call) else node.value
        if isinstance(node, ast.Name | ast.Attribute):
            found.append(ast.unparse(node).rpartition(".")[2])
    return tuple(dict.fromkeys(found))


def _core(tree: Tree, module: Module, name: str, call: ast.Call) -> _Table:
    columns = []
    for each in call.args[2:]:
        if isinstance(each, ast.Call) and each.args and tree.resolve(module, each.func) in _COLUMNS:
            primary = ast.unparse(keyword(each, "primary_key") or ast.Constant(False)) == "True"
            types = _outermost([*each.args[1:], *_typing(each)])
            columns.append(_Column(name=literal_text(each.args[0]), primary=primary, types=types))
    metadata = call.args[1] if len(call.args) > 1 else keyword(call, "metadata")
    base = tree.resolve(module, metadata) if metadata is not None else ""
    return _Table(
        module=module,
        path=name,
        node=call,
        table=literal_text(call.args[0]) if call.args else name,
        columns=tuple(columns),
        base=base if tree.value(base, module) else base.removesuffix(".metadata"),
        core=True,
    )


def _schemas(table: _Table) -> Iterator[str]:
    """The schemas that its definition names."""
    for node in ast.walk(table.node):
        match node:
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                yield from (
                    literal_text(value) for key, value in pairs if literal_text(key) == "schema" and literal_text(value)
                )
            case ast.keyword(arg="schema", value=value) if literal_text(value):
                yield literal_text(value)
