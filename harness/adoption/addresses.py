"""What may name a database: an address, or a part of one, told by a value's type, its name, or its default.

A type that only addresses have (`PostgresDsn`) says it under any name. A text says it by the words of its name, in
any case and any order: a word for a database, and what of its address it is, `DB_HOST`, `pgDatabase`, `READ_DB_URL`.
A default that is an address says it too. Each has a value that its type accepts, and that leads nowhere.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.adoption.words import words

__all__ = ["NOWHERE", "Address", "Part", "address_of", "by_name", "is_address", "of_part"]

NOWHERE = "postgresql+asyncpg://nobody@127.0.0.1:1/nowhere"
_HOST = "nowhere.invalid"
"""No resolver may know it: RFC 6761 keeps `.invalid` for that."""


class Part(StrEnum):
    """What of an address a value says."""

    URL = "url"
    HOST = "host"
    IP = "ip"
    PORT = "port"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a value says, and what it is set to instead; `is_sql` if SQLAlchemy could take it for an engine."""

    part: Part
    value: str
    is_sql: bool = True


_VALUES: Mapping[Part, str] = {
    Part.URL: NOWHERE,
    Part.HOST: _HOST,
    Part.IP: "192.0.2.1",
    Part.PORT: "1",
    Part.NAME: "nowhere",
}
_SCHEMES: Mapping[str, str] = {
    "AmqpDsn": "amqp",
    "ClickHouseDsn": "clickhouse+native",
    "CockroachDsn": "cockroachdb+asyncpg",
    "KafkaDsn": "kafka",
    "MariaDBDsn": "mariadb",
    "MongoDsn": "mongodb",
    "MySQLDsn": "mysql+aiomysql",
    "NatsDsn": "nats",
    "PostgresDsn": "postgresql+asyncpg",
    "RedisDsn": "redis",
    "SnowflakeDsn": "snowflake",
}
_OTHER_STORES: Mapping[str, str] = {"mongo": "mongodb", "mongodb": "mongodb", "redis": "redis", "valkey": "redis"}
_NO_SQL = frozenset(words("amqp kafka mongodb nats redis"))
_ANY_ADDRESS = frozenset(
    {
        "pydantic.AnyUrl",
        "pydantic.networks.AnyUrl",
        "pydantic_core.MultiHostUrl",
        "pydantic_core.Url",
        "sqlalchemy.URL",
        "sqlalchemy.engine.URL",
        "sqlalchemy.engine.url.URL",
    }
)
_TEXTS = frozenset(
    {
        "",
        "bytes",
        "object",
        "pydantic.IPvAnyAddress",
        "pydantic.Secret",
        "pydantic.SecretBytes",
        "pydantic.SecretStr",
        "pydantic.StrictStr",
        "pydantic.networks.IPvAnyAddress",
        "pydantic.types.SecretStr",
        "str",
        "typing.Any",
    }
)
_STORES = frozenset(
    words(
        "aurora cockroach cockroachdb crdb database databases db dbs mariadb mysql neon pg pgbouncer pgsql pgvector "
        "postgis postgres postgresql psql rds sqlalchemy sqlite supabase timescale timescaledb"
    )
) | frozenset(_OTHER_STORES)
_PARTS: Mapping[str, Part] = {
    **dict.fromkeys(words("conn connection connstr dsn dsns string uri uris url urls"), Part.URL),
    **dict.fromkeys(words("addr address endpoint host hostname hosts instance server servers"), Part.HOST),
    **dict.fromkeys(words("hostaddr ip"), Part.IP),
    **dict.fromkeys(words("port ports"), Part.PORT),
    **dict.fromkeys(words("database db dbname name service"), Part.NAME),
}
_ANYWHERE = frozenset(words("dsn host hostname uri url"))
"""Those that say it before another word, too: `DATABASE_URL_BILLING`."""
_ROLES = frozenset(
    words(
        "async dev direct external internal local main master pool pooled primary private prod production public read "
        "reader readonly replica ro rw secondary slave staging standby sync test writer write"
    )
)
_OTHER_DSN = frozenset(words("bugsnag glitchtip honeybadger raven rollbar sentry"))
_WEB = frozenset(
    words(
        "account api auth authorization avatar base callback doc docs file icon image issuer jwks link login logo "
        "logout metadata next oauth oidc proxy public redirect return service site token web webhook"
    )
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_JOINED = re.compile(rf"^({'|'.join(sorted(_STORES, key=len, reverse=True))})({'|'.join(_PARTS)})$")
_OF_STORES = re.compile(
    r"^(postgres|postgresql|cockroachdb|crdb|mysql|mariadb|sqlite|redis|rediss|valkey|mongodb)(\+\w+)?://"
)
_OF_THE_WEB = re.compile(r"^(https?|wss?|file|ftp|mailto):")


def of_part(part: Part) -> Address:
    """What is known to be a part of a database's address, whatever it is called."""
    return Address(part=part, value=_VALUES[part])


def is_address(text: str) -> bool:
    """Whether a text is the address of a database."""
    return _OF_STORES.match(text) is not None


def by_name(name: str) -> Address | None:
    """What a text of this name says; `None` if it names no database."""
    said = [word for word in _words(name) if not word.isdigit()]
    told = [word for word in said if word not in _ROLES] or said
    if not told:
        return None
    last, stores = told[-1], [word for word in told if word in _STORES]
    if last in {"dsn", "uri"} and not stores:
        others = _OTHER_DSN if last == "dsn" else _WEB
        return None if others & set(said) else _address(Part.URL, said)
    if not stores:
        return None
    if last in _STORES and (len(stores) == 1 or last not in _PARTS):
        return _address(Part.URL, said)
    wanted = last if last in _PARTS else next((word for word in reversed(told) if word in _ANYWHERE), "")
    return _address(_PARTS[wanted], said) if wanted else None


def _words(name: str) -> list[str]:
    found: list[str] = []
    for word in _WORD.findall(name):
        joined = _JOINED.match(word.lower())
        found += joined.groups() if joined else [word.lower()]
    return found


def _address(part: Part, said: Sequence[str]) -> Address:
    scheme = next((_OTHER_STORES[word] for word in said if word in _OTHER_STORES), "")
    if scheme:
        value = _url(scheme) if part is Part.URL else "0" if part is Part.NAME else _VALUES[part]
        return Address(part=part, value=value, is_sql=False)
    return Address(part=part, value=_VALUES[part])


def _url(scheme: str) -> str:
    rest = "0" if scheme == "redis" else "nowhere"
    return f"{scheme}://nobody@127.0.0.1:1/{rest}"


def address_of(
    name: str, types: Collection[str], *, default: str = "", schemes: Sequence[str] = (), used: Part | None = None
) -> Address | None:
    """What a field says, by the dotted names in its type, its name and its literal default; `None` if no address.

    `schemes` are those that its type is told to accept; `used` is what it is used as.
    """
    if schemes:
        wanted = next((each for each in schemes if each.startswith("postgresql+")), schemes[0])
        return None if _OF_THE_WEB.match(f"{wanted}:") else _typed(wanted)
    for each in sorted(types):
        if (scheme := _SCHEMES.get(each.rpartition(".")[2])) is not None and each.startswith("pydantic"):
            return _typed(scheme)
    if _OF_THE_WEB.match(default):
        return None
    if _ANY_ADDRESS.intersection(types):
        return Address(part=Part.URL, value=NOWHERE)
    return _text(name, types, default, used)


def _typed(scheme: str) -> Address:
    value = NOWHERE if scheme == "postgresql+asyncpg" else _url(scheme)
    return Address(part=Part.URL, value=value, is_sql=scheme.partition("+")[0] not in _NO_SQL)


def _text(name: str, types: Collection[str], default: str, used: Part | None) -> Address | None:
    said = by_name(name) or (of_part(used) if used is not None else None)
    if _TEXTS.intersection(types) or not types:
        if any(each.endswith("IPvAnyAddress") for each in types) and said is not None and said.part is Part.HOST:
            return Address(part=Part.IP, value=_VALUES[Part.IP])
        told = Address(part=Part.URL, value=NOWHERE) if is_address(default) else None
        return said or told
    is_port = "int" in types and said is not None and said.part is Part.PORT
    return said if is_port else None
