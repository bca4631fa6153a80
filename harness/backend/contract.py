"""Where an object is not what `Backend` asks for, as far as that can be told without starting anything.

Mechanism: each attribute and each method is looked at by itself, so that one call tells everything. Of what a function
returns nothing is known before it is called: an ordinary `def` may well return an awaitable, and is a violation only
where its own code or annotation says otherwise.

Guarantee: the examination calls none of the backend's methods, and raises nothing.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum

from harness.backend.left_open import left_open
from harness.backend.methods import method_violations
from harness.backend.nearest import advice
from harness.backend.protocol import Capability
from harness.backend.reading import Unreadable, described_error, is_interrupt, read, shown_value
from harness.backend.tenants import tenants_violations
from harness.backend.violation import Violation, place_of
from harness.scenario import SessionMode

__all__ = ["Violation", "examine"]

_ATTRIBUTES: Mapping[str, str] = {
    "name": "a text, by which reports call it",
    "modes": "a frozenset of harness.scenario.SessionMode, those it can be started in",
    "capabilities": "a frozenset of harness.backend.Capability, what else it can do; it may be empty",
    "tenants": "a sequence of harness.backend.Tenant, one at least",
}
_NEEDS: Mapping[Capability, Capability] = {
    Capability.LEDGER_PER_REQUEST: Capability.LEDGER,
    Capability.DISCONNECT: Capability.STREAMING,
}


def examine(candidate: object) -> list[Violation]:
    """Everything about it that violates the protocol, in the protocol's order."""
    checks: Mapping[str, Callable[[object], Iterator[Violation]]] = {
        "name": _name,
        "modes": _modes,
        "capabilities": _capabilities,
        "tenants": tenants_violations,
    }
    found: list[Violation] = []
    for name, check in checks.items():
        found += _looked_at(candidate, name, check)
    found += method_violations(candidate)
    found += _guarded("ledger_table", _ledger_table, candidate)
    return found + list(left_open(candidate))


def _looked_at(candidate: object, name: str, check: Callable[[object], Iterator[Violation]]) -> list[Violation]:
    value = read(candidate, name)
    if not isinstance(value, Unreadable):
        return _guarded(name, check, value)
    kind = type(candidate)
    seen = f"{kind.__name__} has no such attribute" if value.missing else f"reading it raises {value.said}"
    asked = f"it is {_ATTRIBUTES[name]}"
    return [Violation(part=name, seen=seen, asked=asked, change=f"give it `{name}`", place=place_of(kind))]


def _guarded(name: str, check: Callable[[object], Iterator[Violation]], value: object) -> list[Violation]:
    """What a check tells of the value, whose own methods may raise anything."""
    try:
        return list(check(value))
    except BaseException as error:
        if is_interrupt(error):
            raise
        seen = f"looking at it raises {described_error(error)}"
        asked = f"it is {_ATTRIBUTES.get(name, 'a text')}"
        change = "write a plain value, which can be looked at"
        return [Violation(part=name, seen=seen, asked=asked, change=change, place=place_of(type(value)))]


def _name(value: object) -> Iterator[Violation]:
    if not isinstance(value, str) or not value.strip():
        yield Violation(
            part="name",
            seen=f"it is {shown_value(value)}",
            asked=f"it is {_ATTRIBUTES['name']}",
            change="write one, such as 'shop'",
        )


def _modes(value: object) -> Iterator[Violation]:
    yield from _members("modes", value, SessionMode)
    if isinstance(value, Collection) and not value:
        yield Violation(
            part="modes",
            seen="it is empty, so that nothing can be started",
            asked=f"it is {_ATTRIBUTES['modes']}",
            change="name SessionMode.PER_OPERATION, if each tool has a session of its own",
        )


def _capabilities(value: object) -> Iterator[Violation]:
    yield from _members("capabilities", value, Capability)
    if not isinstance(value, Collection) or isinstance(value, str):
        return
    for capability, needed in _NEEDS.items():
        if capability in value and needed not in value:
            yield Violation(
                part="capabilities",
                seen=f"Capability.{capability.name} is there without Capability.{needed.name}",
                asked="the one is a way to do the other",
                change=f"name Capability.{needed.name} too, or leave out Capability.{capability.name}",
            )


def _members(part: str, value: object, kind: type[StrEnum]) -> Iterator[Violation]:
    """What is no member of the enumeration; what only has a member's value is none either."""
    asked = f"it is {_ATTRIBUTES[part]}"
    if isinstance(value, str | Mapping) or not isinstance(value, Collection):
        seen = f"it is a {type(value).__name__} ({shown_value(value)})"
        yield Violation(part=part, seen=seen, asked=asked, change=f"write frozenset({{{kind.__name__}.…}})")
        return
    for member in value:
        if not isinstance(member, kind):
            yield Violation(
                part=part,
                seen=f"{shown_value(member)} is a {type(member).__name__}",
                asked=asked,
                change=advice(member, kind),
            )


def _ledger_table(candidate: object) -> Iterator[Violation]:
    table = read(candidate, "ledger_table")
    if isinstance(table, Unreadable):
        table = None if table.missing else table
    if table is not None and (not isinstance(table, str) or not table.strip()):
        yield Violation(
            part="ledger_table",
            seen=f"reading it raises {table.said}" if isinstance(table, Unreadable) else f"it is {shown_value(table)}",
            asked="it is the name of the table with the ledger's rows, if there is one",
            change="write its name as a text, or leave it out",
        )
