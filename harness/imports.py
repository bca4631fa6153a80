"""Importing what is large, without paying for what nobody asked for.

Problem: where everything is loaded, half a second goes into looking for garbage among classes and functions that stay,
more than a second into looking for it once more at the end, and a second into pydantic's plugins: the first model that
is made loads all that are installed, logfire among them, though no model of ours is to be observed.

Mechanism: the collector rests while modules are loaded, and when the process ends; and pydantic is told, for as long as
our models are made, to leave its plugins out. It asks again for each model: those of the application have theirs.

Guarantee: after loading, everything is as it was before.
"""

import atexit
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["keep_until_the_end", "uncollected", "without_plugins"]

_VARIABLE = "PYDANTIC_DISABLE_PLUGINS"


@contextmanager
def uncollected() -> Iterator[None]:
    """A time without garbage collection."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def keep_until_the_end() -> None:
    """What is there when the process ends goes with it, and is not looked through before."""
    atexit.register(gc.freeze)


@contextmanager
def without_plugins() -> Iterator[None]:
    """A time in which pydantic loads no plugins for the models that are made."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = "__all__"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = before
