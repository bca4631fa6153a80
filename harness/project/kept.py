"""What has been found out about a node or a module, kept with it.

Problem: the same node is met thousands of times, and a cache beside it keeps whole trees after they are of use.

Guarantee: what is kept goes with what it is kept with.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

__all__ = ["kept"]

_Of = TypeVar("_Of")
_Rest = ParamSpec("_Rest")
_Found = TypeVar("_Found")


def kept(look: Callable[Concatenate[_Of, _Rest], _Found]) -> Callable[Concatenate[_Of, _Rest], _Found]:
    """Look at each node or module once; what else is given has to follow from it."""
    name = f"_{look.__module__}.{look.__qualname__}"
    missing = object()

    @wraps(look)
    def looked(of: _Of, /, *rest: _Rest.args, **named: _Rest.kwargs) -> _Found:
        known: dict[str, Any] = of.__dict__
        found = known.get(name, missing)
        if found is missing:
            found = known[name] = look(of, *rest, **named)
        return cast("_Found", found)

    return looked
