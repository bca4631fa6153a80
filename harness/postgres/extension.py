"""Whether a server has an extension, asked before a template needs it.

Guarantee: a server without it is reported as such, rather than by a failing ``CREATE EXTENSION`` in the
middle of a preparation.
"""

from harness.errors import ConfigurationError, EnvironmentMissing
from harness.postgres.admin import connect
from harness.postgres.server import RunningServer

__all__ = ["require_extension"]


async def require_extension(running: RunningServer, name: str) -> str:
    """The version of the extension that the server would install.

    Raises:
        ConfigurationError: the server was named by URL and does not have it.
        EnvironmentMissing: the server is one of ours and does not have it.
    """
    async with connect(running.address, running.maintenance_database) as connection:
        version = await connection.fetchval("SELECT default_version FROM pg_available_extensions WHERE name = $1", name)
    if version is not None:
        return str(version)
    where = running.address.masked_url(running.maintenance_database)
    error = ConfigurationError if running.kind == "external" else EnvironmentMissing
    raise error(
        f"the {running.kind} PostgreSQL {running.version} at {where} has no extension {name!r}; "
        f"install it there (package postgresql-{running.version.split('.')[0]}-pgvector has 'vector'), "
        "or use embedded PostgreSQL, which has it"
    )
