"""What hooks on objects have in common: a shadow per object, and functions wrapped in an access.

Guarantee: a wrapped function is called once with what its caller gave, and its result and exceptions are untouched.
"""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any
from weakref import ref

from harness.sanitizer.ownership import AccessKind, Shadow
from harness.sanitizer.places import capture
from harness.sanitizer.runtime import runtime

__all__ = [
    "ShadowOf",
    "Writes",
    "attached",
    "hooked",
    "hooked_coroutine",
    "like_a_coroutine_function",
    "new_shadow",
    "note_write",
]
__tracebackhide__ = True

_current_task = asyncio.current_task

ShadowOf = Callable[[Any], Shadow]
Writes = Callable[[tuple[Any, ...], dict[str, Any]], bool]


def attached(
    kind: str, is_asynchronous: Callable[[Any], bool], *, is_covered: Callable[[Any], bool] | None = None
) -> ShadowOf:
    """Shadows that hang on the object itself, which has a dictionary.

    What a session does to an object that `is_covered` is seen on what lies below it.
    """

    def shadow_of(subject: Any) -> Shadow:
        try:
            shadow: Shadow = subject._sessionproof  # noqa: SLF001  # ours, as long as there is a watch
            if shadow.generation == runtime.generation:
                return shadow
        except AttributeError:
            pass
        shadow = subject._sessionproof = new_shadow(subject, kind, is_asynchronous)  # noqa: SLF001  # as above
        shadow.is_covered = is_covered is not None and is_covered(subject)
        return shadow

    return shadow_of


def new_shadow(subject: Any, kind: str, is_asynchronous: Callable[[Any], bool], *, with_stack: bool = False) -> Shadow:
    """A shadow of the present watch; it does not keep its subject alive."""
    subject = ref(subject)
    with_stack = with_stack and (runtime.sampler.all or runtime.sampler.takes())
    return Shadow(
        runtime.number(kind),
        created=capture(1, most=3) if with_stack else (),
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
    drives: bool = False,
) -> Callable[..., Any]:
    """The method as an access to its object.

    `writes` tells of a call whether it changes what a commit makes durable. One that `drives` has got to the driver.
    """
    enter, leave = runtime.enter, runtime.leave

    @wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not runtime.active:
            return original(self, *args, **kwargs)
        try:
            shadow = shadow_of(self)
        except Exception as failure:  # noqa: BLE001  # whatever it is, it must not reach the program
            runtime.fail(failure, operation)
            return original(self, *args, **kwargs)
        access = enter(shadow, kind, operation, cleans_up=cleans_up)
        if access is None:
            return original(self, *args, **kwargs)
        try:
            if drives:
                owner = shadow.owner
                if owner is not None:
                    owner.is_driven = True
                else:
                    runtime.drives()
            elif writes is not None:
                note_write(shadow, writes, args, kwargs)
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
    """The same for a coroutine function of a driver; below SQLAlchemy's adapter it is part of that access."""
    enter, leave = runtime.enter, runtime.leave

    async def accessed(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            shadow = shadow_of(self)
        except Exception as failure:  # noqa: BLE001  # as above
            runtime.fail(failure, operation)
            return await original(self, *args, **kwargs)
        access = enter(shadow, kind, operation, cleans_up=cleans_up)
        if access is None:
            return await original(self, *args, **kwargs)
        try:
            if writes is not None:
                note_write(shadow, writes, args, kwargs)
            return await original(self, *args, **kwargs)
        finally:
            leave(access)

    @wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Awaitable[Any]:
        if not runtime.active:
            return original(self, *args, **kwargs)
        try:  # in an operation of SQLAlchemy's that has got to the driver, this is part of it
            if _current_task()._sessionproof.is_driven:  # type: ignore[union-attr]  # noqa: SLF001  # see `Runtime.current`
                return original(self, *args, **kwargs)
        except (AttributeError, RuntimeError):
            pass
        return accessed(self, args, kwargs)

    return like_a_coroutine_function(method)


def note_write(shadow: Shadow, writes: Writes, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Tell of the access that has just begun, if it writes."""
    try:
        is_write = writes(args, kwargs)
    except Exception as failure:  # noqa: BLE001  # as above
        runtime.fail(failure, "the look at a statement")
        return
    if is_write:
        runtime.wrote(shadow)


def like_a_coroutine_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that returns a coroutine, marked as one that is defined with `async`."""
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]  # noqa: SLF001  # as before 3.12
    return function
