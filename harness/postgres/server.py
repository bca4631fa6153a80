"""What every PostgreSQL provider gives: a server that starts, an address, and a description of what runs.

Problem: the harness runs on a server of its own, in a container, or on one that somebody named by URL, and
the process that starts it is not always the one that uses it (a pytest-xdist controller starts, its workers
use).

Mechanism: `Server` is the seam with one implementation a module; `start` returns a `RunningServer`, a plain
value that travels as JSON.

Guarantee: no object here is bound to an event loop, and no ``repr`` shows a password.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, cast, get_args
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from harness.errors import ConfigurationError, EnvironmentMissing
from harness.postgres.owner import Owner

__all__ = ["Lacking", "RunningServer", "Server", "ServerAddress"]

MASK = "***"
SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
DEFAULT_PORT = 5432
_TLS_PARAMETERS = ("ssl", "sslmode")

Tls = Literal["", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """Where a server listens and who connects to it."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: Tls = ""

    @classmethod
    def from_url(cls, url: str) -> "ServerAddress":
        """The address in a ``postgresql://``, ``postgres://`` or ``postgresql+asyncpg://`` URL.

        Of the query only ``ssl`` and ``sslmode`` are understood.

        Raises:
            ConfigurationError: the URL is of another kind, or names no host or user. The message never holds
                the password.
        """
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORT
        except ValueError:  # its text can quote a part of the password
            raise ConfigurationError(
                "the database URL cannot be read: its host or port is not one; "
                "characters such as '/', '?', '#' and '@' in a password must be written in percent form, as in %2F"
            ) from None
        if parts.scheme not in SCHEMES:
            raise ConfigurationError(
                f"the database URL starts with {parts.scheme!r}; expected one of {', '.join(SCHEMES)}"
            )
        if not parts.hostname or not parts.username:
            raise ConfigurationError(
                "the database URL needs a user and a host, as in postgresql://user:password@host:5432/postgres"
            )
        return cls(
            host=parts.hostname,
            port=port,
            user=unquote(parts.username),
            password=unquote(parts.password or ""),
            tls=_tls(parts.query),
        )

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database: ``postgresql+asyncpg://user:password@host:port/database``."""
        return self._format(quote(self.password, safe=""), database)

    def masked_url(self, database: str) -> str:
        """The same URL with ``***`` for the password, fit for logs and reports."""
        return self._format(MASK, database)

    def _format(self, password: str, database: str) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = f"?ssl={self.tls}" if self.tls else ""
        credentials = f"{quote(self.user, safe='')}:{password}"
        return f"postgresql+asyncpg://{credentials}@{host}:{self.port}/{quote(database, safe='')}{query}"


def _tls(query: str) -> Tls:
    parameters = dict(parse_qsl(query))
    unknown = sorted(set(parameters) - set(_TLS_PARAMETERS))
    if unknown:
        raise ConfigurationError(
            f"the database URL has the parameters {unknown!r}; only {' and '.join(_TLS_PARAMETERS)} are understood"
        )
    mode = next(iter(parameters.values()), "")
    for known in get_args(Tls):
        if mode == known:
            return cast(Tls, known)
    raise ConfigurationError(f"the database URL asks for the TLS mode {mode!r}; expected one of {get_args(Tls)[1:]}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """A server that answers: what it is, why it was chosen, and how to reach it."""

    kind: str
    address: ServerAddress
    version: str
    reason: str
    maintenance_database: str = "postgres"
    details: Mapping[str, str] = field(default_factory=dict)
    log_path: Path | None = None
    owner: Owner = field(default_factory=Owner.current)
    instance: str = field(default_factory=lambda: secrets.token_hex(4))

    def to_json(self) -> dict[str, Any]:
        """A JSON object for another process of the run. It holds the password: never write it to a file."""
        return {
            "kind": self.kind,
            "address": asdict(self.address),
            "version": self.version,
            "reason": self.reason,
            "maintenance_database": self.maintenance_database,
            "details": dict(self.details),
            "log_path": str(self.log_path) if self.log_path else None,
            "owner": asdict(self.owner),
            "instance": self.instance,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "RunningServer":
        """The value that `to_json` described."""
        return cls(
            kind=document["kind"],
            address=ServerAddress(**document["address"]),
            version=document["version"],
            reason=document["reason"],
            maintenance_database=document["maintenance_database"],
            details=document["details"],
            log_path=Path(document["log_path"]) if document["log_path"] else None,
            owner=Owner(**document["owner"]),
            instance=document["instance"],
        )


class Lacking(EnvironmentMissing):
    """What this machine lacks, apart from how to get it, for those who show the two in different places."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


class Server(Protocol):
    """Starts and stops one PostgreSQL server.

    Contract: `start` returns when the server answers queries, and raises `EnvironmentMissing` if this
    machine cannot run it or `ConfigurationError` if what the user asked for cannot be. If `start`
    raises or is cancelled, nothing is left behind. `stop` may be called any number of times, also in
    another event loop and also when `start` was never called. Everything that `start` made disappears
    with the process that called it, however that process ends.
    """

    kind: str

    async def start(self) -> RunningServer:
        """Start the server and wait until it answers."""
        ...

    async def stop(self) -> None:
        """Stop the server and remove what `start` made."""
        ...
