"""Numbers and times that no run can have, found where a document is read.

Problem: a document that follows its schema can have a duration of 1e300 seconds, no number in place of a time, or a
year after which there is no other; and each writer counts with them in its own way.

Mechanism: every number and every time of a document is compared with bounds that are far beyond what a run can have,
and far within what floats, dates and texts can take.

Guarantee: a document without an `absurdity` can be written in every format. Values that the backend gave as they are,
and that no writer counts with, may be anything.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel

from harness.evidence import Answer, LedgerRow, SpanRecord

__all__ = ["absurdity"]

_SECONDS = 1e10
"""More than three hundred years; also more than the seconds since 1970."""
_LEAST = 1e-100
"""What is left of a difference is far larger; the reciprocal is still a number."""
_COUNT = 10**15
_MONEY = Decimal(10**12)
_DECIMALS = 30
_YEARS = range(1970, 3000)
_FREE = {(Answer, "raw"), (SpanRecord, "attributes"), (LedgerRow, "created_at")}
"""What the backend gave, and no writer counts with."""


def absurdity(document: BaseModel) -> str | None:
    """The first value that no run can have, in half a sentence: `cells.0.seconds: a number beyond 1e+10`."""
    if (found := _found(document)) is None:
        return None
    place, said = found
    return f"{'.'.join(map(str, place))}: {said}"


def _found(value: object) -> tuple[tuple[str | int, ...], str] | None:
    """The place of the first such value, and what is wrong with it."""
    if value is None or isinstance(value, str | bool):
        return None
    if (said := _complaint(value)) is not None:
        return (), said
    for name, inner in _parts(value):
        if (found := _found(inner)) is not None:
            return (name, *found[0]), found[1]
    return None


def _parts(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, tuple | list):
        yield from enumerate(value)
    elif isinstance(value, Mapping):
        yield from value.items()
    else:
        yield from ((name, getattr(value, name)) for name in _names(value))


def _names(value: object) -> Iterator[str]:
    """The names of a value's fields, but for those that may be anything."""
    if isinstance(value, BaseModel):
        yield from type(value).model_fields
    elif is_dataclass(value):
        yield from (spec.name for spec in fields(value) if (type(value), spec.name) not in _FREE)


def _complaint(value: object) -> str | None:
    """What is wrong with a number or a time; nothing if it is neither."""
    said = None
    if isinstance(value, float):
        said = _beyond(value, _SECONDS) if math.isfinite(value) else f"{value} is no number"
    elif isinstance(value, int):
        said = _beyond(value, _COUNT)
    elif isinstance(value, Decimal):
        said = _money(value)
    elif isinstance(value, datetime):
        said = _moment(value)
    return said


def _moment(value: datetime) -> str | None:
    if value.year not in _YEARS:
        return f"the year {value.year} is not between {_YEARS.start} and {_YEARS.stop - 1}"
    return "a time without its zone" if value.tzinfo is None else None


def _beyond(value: float, bound: float) -> str | None:
    if abs(value) > bound:
        return f"a number beyond {bound:g}"
    return f"a number next to zero, within {_LEAST:g}" if 0 < abs(value) < _LEAST else None


def _money(value: Decimal) -> str | None:
    if not value.is_finite():
        return f"{value} is no number"
    if abs(value) > _MONEY:
        return f"a number beyond {float(_MONEY):g}"
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and not -_DECIMALS <= exponent <= _DECIMALS:
        return f"a number of {abs(exponent)} decimals is no price"
    return None
