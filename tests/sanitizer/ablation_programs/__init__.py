"""Programs each of which needs one hook: without it the sanitizer goes wrong about them."""

from tests.sanitizer.ablation_programs import (
    asyncpg_methods,
    connections,
    hand_overs,
    psycopg_methods,
    registrations,
    sessions,
    signals,
    threads,
    wake_ups,
)

MODULES = (
    asyncpg_methods,
    connections,
    hand_overs,
    psycopg_methods,
    registrations,
    sessions,
    signals,
    threads,
    wake_ups,
)
