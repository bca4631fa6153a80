"""Programs that share a session or a connection between tasks, and what must be found in each."""

from tests.sanitizer.racy_programs import (
    asyncpg_connections,
    bleed,
    core,
    endings,
    operations,
    psycopg_connections,
    sharing,
    signals,
    slow_operations,
    unfinished_work,
    waits,
    web,
)

__all__ = ["MODULES"]

MODULES = (
    operations,
    slow_operations,
    waits,
    signals,
    endings,
    bleed,
    unfinished_work,
    core,
    asyncpg_connections,
    psycopg_connections,
    sharing,
    web,
)
