"""Which process of the server a driver's connection talks to, as far as the driver tells without asking the server."""

from typing import Any

__all__ = ["server_process"]


def server_process(dbapi_connection: Any) -> int | None:
    """The process's number, by asyncpg or psycopg; `None` for another driver, or a connection that is broken already.

    Takes SQLAlchemy's DBAPI connection, or the driver's own.
    """
    driver = getattr(dbapi_connection, "driver_connection", None) or dbapi_connection
    try:
        pid = driver.get_server_pid() if hasattr(driver, "get_server_pid") else driver.info.backend_pid
        return int(pid) or None
    except Exception:  # noqa: BLE001  # whatever an unknown driver raises, its server process stays unknown
        return None
