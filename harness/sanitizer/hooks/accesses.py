"""What hooks on objects have in common: a shadow per object, and functions wrapped in an access.

Guarantee: a wrapped function is called once with what its caller gave, and its result and exceptions are untouched.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from weakref import ref

from harness.sanitizer.ownership import Access, AccessKind, Shadow
from harness.sanitizer.places import capture
from harness.sanitizer.runtime import runtime

__all__ = ["ShadowOf", "Writes", "attached", "hooked", "hooked_coroutine", "new_shadow", "note_write"]

ShadowOf = Callable[[Any], Shadow]
Writes = Callable[[tuple[Any, ...], dict[str, Any]], bool]


def attached(kind: str, is_asynchronous: Callable[[Any], bool]) -> ShadowOf:
    """Shadows that hang on the object itself, which has a dictionary."""

    def shadow_of(subject: Any) -> Shadow:
        memory = subject.__dict__
        shadow: Shadow | None = memory.get("_sessionproof")
        if shadow is None or shadow.generation != runtime.generation:
            shadow = memory["_sessionproof"] = new_shadow(subject, kind, is_asynchronous)
        return shadow

    return shadow_of


def new_shadow(subject: Any, kind: str, is_asynchronous: Callable[[Any], bool], *, with_stack: bool = False) -> Shadow:
    """A shadow of the present watch; it does not keep its subject alive."""
    subject = ref(subject)
    return Shadow(
        runtime.number(kind),
        created=capture(1) if with_stack else (),
        generation=runtime.generation,
        is_asynchronous=lambda: is_asynchronous(subject()),
    )


def hooked(
    original: Callable[..., Any],
    kind: AccessKind,
    operation: str,
    shadow_of: ShadowOf,
    *,
    writes: Writes | None = None,
    cleans_up: bool = False,
) -> Callable[..., Any]:
    """The method as an access to its object; `writes` tells of a call whether it changes what a commit makes durable."""
    enter, leave = runtime.enter, runtime.leave

    @wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not runtime.active:
            return original(self, *args, **kwargs)
        access = enter(shadow_of(self), kind, operation, cleans_up=cleans_up)
        if access is None:
            return original(self, *args, **kwargs)
        try:
            if writes is not None and writes(args, kwargs):
                note_write(access)
            return original(self, *args, **kwargs)
        finally:
            leave(access)

    return method


def hooked_coroutine(
    original: Callable[..., Awaitable[Any]],
    kind: AccessKind,
    operation: str,
    shadow_of: ShadowOf,
    *,
    writes: Writes | None = None,
    cleans_up: bool = False,
) -> Callable[..., Awaitable[Any]]:
    """The same for a coroutine function."""
    enter, leave = runtime.enter, runtime.leave

    @wraps(original)
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not runtime.active:
            return await original(self, *args, **kwargs)
        access = enter(shadow_of(self), kind, operation, cleans_up=cleans_up)
        if access is None:
            return await original(self, *args, **kwargs)
        try:
            if writes is not None and writes(args, kwargs):
                note_write(access)
            return await original(self, *args, **kwargs)
        finally:
            leave(access)

    return method


def note_write(access: Access) -> None:
    """The access changes what a commit makes durable, unless it is part of an access to a session, which tells so itself."""
    if access.actor.outermost is access and access.shadow is not None:
        runtime.wrote(access.shadow, access)
