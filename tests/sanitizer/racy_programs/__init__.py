"""Programs that share a session or a connection between tasks, and what must be found in each."""

from tests.sanitizer.racy_programs import (
    agent_runs,
    agents,
    asyncpg_connections,
    bleed,
    core,
    detours,
    endings,
    interrupted_work,
    loops,
    operations,
    psycopg_connections,
    sharing,
    signals,
    slow_operations,
    tasks,
    threads,
    unfinished_work,
    waits,
    web,
)

__all__ = ["MODULES"]

MODULES = (
    agent_runs,
    agents,
    operations,
    slow_operations,
    tasks,
    threads,
    waits,
    signals,
    endings,
    interrupted_work,
    loops,
    bleed,
    unfinished_work,
    core,
    detours,
    asyncpg_connections,
    psycopg_connections,
    sharing,
    web,
)
