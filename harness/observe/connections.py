"""Driver connections, numbered, and the server process behind each.

Problem: Python reuses an object's `id`, SQLAlchemy wraps the driver's connection anew, and a connection
that is gone cannot be asked for its server process any more.

Mechanism: numbers are kept by weak reference to the driver's own connection, and the server process is
read when a connection is first met.

Guarantee: one number means one driver connection. Nothing is kept alive, unless the driver's connection
cannot be referred to weakly.
"""

import weakref

from harness.server_process import server_process

__all__ = ["Connections"]


class Connections:
    """Numbers from 1, in the order in which connections were first met."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[object, tuple[int, int | None]] = weakref.WeakKeyDictionary()
        self._held: dict[int, tuple[object, tuple[int, int | None]]] = {}
        self._count = 0

    def identify(self, dbapi_connection: object) -> tuple[int, int | None]:
        """The number of a DBAPI connection, and its server process, or `None` if the driver does not tell."""
        driver = getattr(dbapi_connection, "driver_connection", None) or dbapi_connection
        try:
            known = self._known.get(driver)
            if known is None:
                known = self._known[driver] = self._next(driver)
        except TypeError:  # not weakly referable: hold it, so that its id stays its own
            if id(driver) not in self._held:
                self._held[id(driver)] = (driver, self._next(driver))
            known = self._held[id(driver)][1]
        return known

    def _next(self, driver: object) -> tuple[int, int | None]:
        self._count += 1
        return self._count, server_process(driver)
