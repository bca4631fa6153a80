"""Ownership that travels in a plain variable, said aloud.

Problem: a program may order two tasks by a variable that one sets and the other polls, or that a lock protects. No
hook sees that.

Mechanism: whoever takes an object over says so, and what was done with it before does not count any more.

Guarantee: without a watch it does nothing. It orders nothing else: only the object that is named, and the connections
that a session uses.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, async_scoped_session
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.sanitizer import installation
from harness.sanitizer.hooks.engine import connection_shadow
from harness.sanitizer.hooks.orm import session_shadow
from harness.sanitizer.ownership import Shadow
from harness.sanitizer.runtime import runtime

__all__ = ["transfer"]


def transfer(subject: Any) -> None:
    """The caller is the owner of this session or connection from now on.

    Args:
        subject: An `AsyncSession`, `AsyncConnection`, `async_scoped_session`, their synchronous cores, or a
        connection of
            asyncpg or psycopg.

    Raises:
        UsageError: It is none of these.
    """
    for shadow in list(_shadows(subject)):
        if runtime.active:
            shadow.hand_over()


def _shadows(subject: Any) -> Iterator[Shadow]:
    if isinstance(subject, async_scoped_session):
        subject = subject()
    if isinstance(subject, AsyncSession):
        subject = subject.sync_session
    if isinstance(subject, AsyncConnection):
        subject = subject.sync_connection
    if isinstance(subject, Session):
        yield session_shadow(subject)
        transaction: Any = subject.get_transaction()
        for connection in {each[0] for each in transaction._connections.values()} if transaction is not None else ():  # noqa: SLF001  # 2.0 has no public way
            yield from _shadows(connection)
    elif isinstance(subject, Connection):
        yield connection_shadow(subject)
        driver = subject.connection.driver_connection
        if driver is not None:
            yield installation.driver_shadow(driver)
    elif type(subject).__module__.partition(".")[0] in {"asyncpg", "psycopg"}:
        yield installation.driver_shadow(getattr(subject, "_con", subject))
    else:
        raise UsageError(
            f"transfer() takes a session or a connection, of SQLAlchemy, asyncpg or psycopg, and got {subject!r}"
        )
