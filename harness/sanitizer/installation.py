"""Taking hold of asyncio, SQLAlchemy and the drivers, and letting go.

Problem: many of the places are private names, which another version may not have; a detector that silently lacks one
finds less, or accuses the innocent.

Mechanism: every part is installed or none is. A name that is missing is an error that says which. Libraries that are
installed are loaded first: an application may load them only after the watch has begun. Pydantic AI alone, which takes
long to load, is instrumented when the application loads it. The first time in a process, `self_test` shows that every
hook is called.

Guarantee: after `remove` every class is what it was, unless somebody else has put something in a hook's place; then
that stays, and the hook below it does nothing any more.
"""

import importlib
import sys
import warnings
from contextlib import suppress
from typing import Any

from sqlalchemy import __version__ as version

from harness.errors import EnvironmentMissing
from harness.patching import Patches
from harness.sanitizer import agents, self_test
from harness.sanitizer.hooks import anyio_primitives, drivers, engine, groups, loops, orm, primitives, queues, threads
from harness.sanitizer.ownership import Shadow
from harness.sanitizer.runtime import runtime

__all__ = ["driver_shadow", "install", "limits", "remove"]

_LIBRARIES = (
    "anyio._backends._asyncio",
    "asyncpg",
    "psycopg",
    "psycopg_pool",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "uvloop",
)
_PARTS = (loops, primitives, queues, groups, threads, anyio_primitives, orm, engine)


class _Installation:
    """What is installed now."""

    def __init__(self) -> None:
        self.patches = Patches()
        self.drivers = drivers.Drivers()
        self.is_tested = False
        self.is_on = False
        self.awaits_agents = False


_installed = _Installation()


def install() -> None:
    """Instrument everything that is installed.

    Raises:
        EnvironmentMissing: A library lacks a name that must be instrumented; nothing is instrumented then.
    """
    _load()
    if not _installed.is_tested:
        _test()
        _installed.is_tested = True
    if not _installed.awaits_agents:
        _installed.awaits_agents = True
        agents.when_loaded(_instrument_agents)
    _instrument(_installed.patches, _installed.drivers)
    _installed.is_on = True
    runtime.begin()


def _instrument_agents() -> None:
    """Pydantic AI has been loaded. An error here would be one of the application's import, and is a limit instead."""
    if not _installed.is_on:
        return
    try:
        agents.install(_installed.patches)
    except AttributeError as error:
        runtime.limits.add(
            f"findings do not name the tool that is called: Pydantic AI is another than expected: {error}"
        )


def _instrument(patches: Patches, on_drivers: drivers.Drivers) -> None:
    try:
        for part in _PARTS:
            part.install(patches)
        agents.install(patches)
        on_drivers.install(patches)
    except Exception as error:
        _undo(patches, on_drivers)
        raise _refusal(f"{error}") from error


def _undo(patches: Patches, on_drivers: drivers.Drivers) -> None:
    runtime.end()
    on_drivers.remove()
    patches.restore()


def _test() -> None:
    """Refuse, if a hook is not called on these versions, or does not work."""
    probes, on_drivers = self_test.Probes(), drivers.Drivers()
    _instrument(probes, on_drivers)
    runtime.begin()
    try:
        error = self_test.exercise(loops.loop_factories())
        problems = tuple(runtime.problems)
    finally:
        _undo(probes, on_drivers)
    if error is not None:
        raise _refusal(f"its self-test failed with {error!r}") from error
    if problems:
        raise _refusal(problems[0])
    if idle := self_test.idle_names(probes):
        raise _refusal(f"nothing calls {', '.join(idle)}")
    if unused := self_test.unused_names(drivers.NEEDED):
        raise _refusal(f"nothing has {', '.join(unused)}")


def _refusal(reason: str) -> EnvironmentMissing:
    return EnvironmentMissing(
        f"the session sanitizer cannot watch here: {reason}. It was made for asyncio of Python 3.11 to 3.13, "
        f"SQLAlchemy 2.0 and 2.1, asyncpg 0.30 to 0.32 and psycopg 3.2; this is Python {sys.version.split()[0]} with "
        f"SQLAlchemy {version}. Nothing is instrumented: install one of those versions, or report this one"
    )


def _load() -> None:
    """Load what the hooks know of, because they take what is loaded; what cannot be loaded is not used either."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the libraries' own, which a program may have made errors
        for name in _LIBRARIES:
            with suppress(Exception):
                importlib.import_module(name)


def remove() -> None:
    """Restore everything."""
    _installed.is_on = False
    _undo(_installed.patches, _installed.drivers)


def limits() -> tuple[str, ...]:
    """What is watched in part only."""
    return tuple(map(drivers.limit_of, drivers.unwatched()))


def driver_shadow(connection: Any) -> Shadow:
    """What is remembered of a driver's connection."""
    return _installed.drivers.shadow_of(connection)
