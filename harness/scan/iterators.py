"""What gives values one by one: ranges, `zip`, `enumerate`, `map`, iterators, and those that begin again.

Guarantee: of what is not known two rounds are made, so that each meets another.
"""

from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

from harness.scan.calls import Calls
from harness.scan.choices import one_of
from harness.scan.counting import FEW_ROUNDS, Round, Turn
from harness.scan.values import (
    UNKNOWN,
    Arguments,
    Constant,
    External,
    Kind,
    Pending,
    Some,
    Step,
    Thing,
    Values,
    joined,
    key_in,
)

__all__ = ["EXACT", "ITERATORS", "SLICE", "Iterators"]

EXACT = "as long as it is"
"""The mark of a sequence whose items are all known."""
ENDLESS = "without an end"
SLICE = "a slice"
_Handler = Callable[["Iterators", External, Arguments], Values]


class Iterators(Calls, ABC):
    """Knows what functions that iterate give."""

    __slots__ = ()

    def elements(self, values: Values) -> list[Values]:
        """What the values give one by one."""
        values = one_of(values)
        lists = [each.items for each in values if isinstance(each, Thing) and each.kind is Kind.SEQUENCE]
        found = [joined(UNKNOWN, *each) for each in zip_longest(*lists, fillvalue=UNKNOWN)]
        for value in values:
            match value:
                case Thing(kind=Kind.MAPPING):
                    whole = len(value.items) == len(value.attributes)
                    found += value.items if whole else [(Constant(value=name),) for name in value.attributes]
                case Thing(kind=Kind.LOADED):
                    found.append((value,))
                case Thing(kind=Kind.TASK):
                    found += [(each,) for each in value.carried]
                case Pending(manager=True):
                    found.append(value.run())
        return found

    def length(self, values: Values) -> Values:
        """How many items there are: a number, or what stands for one."""
        for value in values:
            if isinstance(value, Thing) and value.kind in {Kind.SEQUENCE, Kind.MAPPING}:
                if value.data == EXACT and len(values) == 1:
                    return (Constant(value=len(value.items)),)
                if value not in self.lengths:
                    self.somes += 1
                    self.lengths[value] = Some(number=self.somes)
                return (Constant(value=self.lengths[value]),)
        return UNKNOWN

    def rounds_of(self, values: Values, *, part: bool = False) -> Values:
        """The number of a round of a loop over these."""
        return (Constant(value=Round(of=self.constant(self.length(values)), part=part)),)

    def side_by_side(self, several: Sequence[Values]) -> list[list[Values]]:
        """What several give in turn: of what is not known there is as much as of the others, or two rounds.

        What begins again gives the same each time, if nobody knows how often.
        """
        columns = [self.elements(each) for each in several]
        ends = [not _has(each, ENDLESS) for each in several]
        exact = all(_has(each, EXACT) for each, own in zip(several, ends, strict=True) if own)
        length = min((len(each) for each, own in zip(columns, ends, strict=True) if each and own), default=2)
        known = exact and any(ends)
        return [
            [
                UNKNOWN if not column else column[order] if own else column[order % len(column) if known else 0]
                for column, own in zip(columns, ends, strict=True)
            ]
            for order in range(length)
        ]

    def _in_turn(self, given: Arguments, rows: Sequence[Values], *, data: object = None) -> Values:
        thing = self.sequence(given.place, rows)
        thing.data = data
        return (thing,)

    def _len(self, _: External, given: Arguments) -> Values:
        return self.length(given.get(0))

    def _range(self, _: External, given: Arguments) -> Values:
        if len(given.positional) != 1:
            return self._in_turn(given, [(Constant(value=Round(part=True)),)], data=ENDLESS)
        count = self.constant(given.get(0))
        if isinstance(count, int) and count <= FEW_ROUNDS:
            return self._in_turn(given, [(Constant(value=each),) for each in range(count)], data=EXACT)
        return self._in_turn(given, [(Constant(value=Round(of=count)),)], data=ENDLESS)

    def _map(self, _: External, given: Arguments) -> Values:
        results: list[Values] = []
        for order, row in enumerate(self.side_by_side(given.positional[1:])):
            inner = Arguments(positional=row, place=given.place)
            with self.in_round(order):
                results.append(joined(UNKNOWN, *(self.call(each, inner) for each in given.get(0))))
        return self._in_turn(given, results)

    def _zip(self, _: External, given: Arguments) -> Values:
        rows = self.side_by_side(given.positional)
        exact = all(_has(each, EXACT) for each in given.positional)
        return self._in_turn(
            given, [(self.sequence(given.place, row),) for row in rows], data=EXACT if exact and rows else None
        )

    def _enumerate(self, _: External, given: Arguments) -> Values:
        values = given.get(0)
        exact = _has(values, EXACT) and len(given.positional) == 1 and not given.named
        number = self.rounds_of(values, part=_has(values, SLICE))
        rows = [
            (self.sequence(given.place, [(Constant(value=order),) if exact else number, each]),)
            for order, each in enumerate(self.elements(values) or [UNKNOWN])
        ]
        return self._in_turn(given, rows, data=EXACT if exact else None if self.elements(values) else ENDLESS)

    def _next(self, _: External, given: Arguments) -> Values:
        """An iterator gives each item once, and one that begins again the same in each round, from the same place."""
        found: Values = UNKNOWN
        for value in given.get(0):
            if not isinstance(value, Thing) or value not in self.positions:
                found = joined(found, *self.elements((value,)))
                continue
            order = self.positions[value]
            self.positions[value] += 1
            if value.data == ENDLESS and value.items:
                again = self.turn(Turn(text=str(given.place))) if self.round is not None else order
                found = joined(found, value.items[again % len(value.items)])
            elif order < len(value.items):
                found = joined(found, value.items[order])
        return found

    def turn(self, number: Turn) -> int:
        """The place of what is taken by turns: another one for each that is written in another way."""
        return self.turns.setdefault(number.text, len(self.turns))

    def _copied(self, _: External, given: Arguments) -> Values:
        """`list(x)` and the like: what is in it stays what it is."""
        return self._in_turn(given, self.elements(given.get(0)), data=EXACT if _has(given.get(0), EXACT) else None)

    def _reversed(self, _: External, given: Arguments) -> Values:
        data = EXACT if _has(given.get(0), EXACT) else None
        return self._in_turn(given, self.elements(given.get(0))[::-1], data=data)

    def _iter(self, _: External, given: Arguments) -> Values:
        found = self._in_turn(given, self.elements(given.get(0)))
        self.positions.update((each, 0) for each in found if isinstance(each, Thing) and each.items)
        return found

    def _cycle(self, _: External, given: Arguments) -> Values:
        found = self._in_turn(given, self.elements(given.get(0)), data=ENDLESS)
        self.positions.update((each, 0) for each in found if isinstance(each, Thing))
        return found

    def _repeat(self, _: External, given: Arguments) -> Values:
        return self._in_turn(given, [given.get(0)] * 2, data=ENDLESS)

    def _fromkeys(self, _: External, given: Arguments) -> Values:
        thing = self.make(Kind.MAPPING, Step(place=given.place, words="it is put together here"))
        for order, each in enumerate(self.elements(given.get(0)) or [UNKNOWN, UNKNOWN]):
            thing.attributes[key_in(self.constant(each)) or f" {order}"] = given.get(1)
        return (thing,)


def _has(values: Values, mark: str) -> bool:
    return bool(values) and all(isinstance(each, Thing) and each.data == mark for each in values)


_C = Iterators
ITERATORS: Mapping[tuple[str, str], _Handler] = {
    ("builtins", "list"): _C._copied,
    ("builtins", "tuple"): _C._copied,
    ("builtins", "set"): _C._copied,
    ("builtins", "sorted"): _C._copied,
    ("builtins", "reversed"): _C._reversed,
    ("builtins", "iter"): _C._iter,
    ("builtins", "aiter"): _C._iter,
    ("builtins", "len"): _C._len,
    ("builtins", "range"): _C._range,
    ("builtins", "fromkeys"): _C._fromkeys,
    ("builtins", "map"): _C._map,
    ("builtins", "zip"): _C._zip,
    ("builtins", "enumerate"): _C._enumerate,
    ("builtins", "next"): _C._next,
    ("builtins", "anext"): _C._next,
    ("itertools", "cycle"): _C._cycle,
    ("itertools", "repeat"): _C._repeat,
}
