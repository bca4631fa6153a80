"""Taking hold of asyncio, SQLAlchemy and the drivers, and letting go.

Problem: many of the places are private names, which another version may not have; a detector that silently lacks one
finds less, or accuses the innocent.

Mechanism: every part is installed or none is. A name that is missing is an error that says which.

Guarantee: after `remove` every class is what it was, unless somebody else has put something in a hook's place; then that
stays, and the hook below it does nothing any more.
"""

import sys
from typing import Any

from harness.errors import EnvironmentMissing
from harness.patching import Patches
from harness.sanitizer.hooks import anyio_primitives, drivers, engine, groups, loops, orm, primitives, threads
from harness.sanitizer.ownership import Shadow
from harness.sanitizer.runtime import runtime

__all__ = ["driver_shadow", "install", "limits", "remove"]

_PARTS = (loops, primitives, groups, threads, anyio_primitives, orm, engine)


class _Installation:
    """What is installed now."""

    def __init__(self) -> None:
        self.patches = Patches()
        self.drivers = drivers.Drivers()


_installed = _Installation()


def install() -> None:
    """Instrument everything that is loaded.

    Raises:
        EnvironmentMissing: A library lacks a name that must be instrumented; nothing is instrumented then.
    """
    import anyio._backends._asyncio  # noqa: F401, PLC0415, RUF100  # loaded on first use; hooks take what is loaded
    import sqlalchemy.dialects.postgresql.asyncpg  # noqa: F401, PLC0415

    try:
        for part in _PARTS:
            part.install(_installed.patches)
        _installed.drivers.install(_installed.patches)
    except (AttributeError, KeyError) as error:
        remove()
        raise EnvironmentMissing(
            f"the session sanitizer cannot watch here: {error}. It was made for asyncio of Python 3.11 to 3.13, SQLAlchemy "
            f"2.0 and 2.1, asyncpg 0.31 and psycopg 3.2; this is Python {sys.version.split()[0]}, and what is installed "
            "lacks that name. Nothing was instrumented: install one of those versions, or report this one"
        ) from error
    runtime.begin()


def remove() -> None:
    """Restore everything."""
    runtime.end()
    _installed.drivers.remove()
    _installed.patches.restore()


def limits() -> tuple[str, ...]:
    """What is watched in part only."""
    return tuple(
        f"the driver {name} is not watched itself: of its connections only what goes through SQLAlchemy is seen"
        for name in drivers.unwatched()
    )


def driver_shadow(connection: Any) -> Shadow:
    """What is remembered of a driver's connection."""
    return _installed.drivers.shadow_of(connection)
