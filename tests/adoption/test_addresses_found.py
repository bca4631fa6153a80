"""What may name a database is set to what leads nowhere, whatever it is called; and what is something else is not."""

import os
import subprocess
import sys
from pathlib import Path

import pydantic.networks
import pytest
from pydantic import TypeAdapter

from harness.adoption.addresses import NOWHERE, Part, address_of, by_name, is_address
from harness.adoption.found import Kind, Survey
from harness.adoption.words import words
from tests.adoption.conftest import Surveyed

SETTINGS = """
from pydantic import AliasChoices, AnyUrl, BaseModel, Field, HttpUrl, PostgresDsn, RedisDsn, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
"""


def forced(found: Survey) -> dict[str, str]:
    """What is set in any case."""
    return {each.name: each.value for each in found.placeholders if each.forced}


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("DB", Part.URL),
        ("SAAS_DB", Part.URL),
        ("MAIN_DATABASE", Part.URL),
        ("DATABASE_REPLICA", Part.URL),
        ("DATABASE_URL_BILLING", Part.URL),
        ("DATABASE_CONNECTION_STRING", Part.URL),
        ("SHOP_DSN", Part.URL),
        ("STORE_URI", Part.URL),
        ("REDIS_URL", Part.URL),
        ("databaseUrl", Part.URL),
        ("DB_HOST", Part.HOST),
        ("DB_SERVER", Part.HOST),
        ("READ_DB_HOST", Part.HOST),
        ("DB_HOST_RO", Part.HOST),
        ("PGHOST", Part.HOST),
        ("pg_hostname", Part.HOST),
        ("PGHOSTADDR", Part.IP),
        ("POSTGRES_PORT", Part.PORT),
        ("PGDATABASE", Part.NAME),
        ("POSTGRES_DB", Part.NAME),
        ("DB_NAME", Part.NAME),
    ],
)
def test_a_name_says_what_of_an_address_it_is(name: str, part: Part) -> None:
    """By its words, in any case and order."""
    said = by_name(name)

    assert said is not None
    assert said.part is part


@pytest.mark.parametrize(
    "name",
    words(
        "API_URL BASE_URL UPGRADE_URL REDIRECT_URI LOGO_URI SENTRY_DSN DB_POOL_SIZE DB_ECHO DATABASE_SCHEMA DB_USER "
        "HOST PORT SERVICE_NAME STORAGE PGP_KEY _ 1"
    ),
)
def test_a_name_of_something_else_says_none(name: str) -> None:
    """Neither a web page's, nor a pool's size, nor a tracker's."""
    assert by_name(name) is None


@pytest.mark.parametrize("type_", [each for each in pydantic.networks.__all__ if each.endswith("Dsn")])
def test_every_type_of_address_accepts_what_it_is_set_to(type_: str) -> None:
    """Under any name; the port leads nowhere on this machine, too."""
    address = address_of("storage", {f"pydantic.{type_}"})

    assert address is not None
    assert "@127.0.0.1:1" in str(TypeAdapter(getattr(pydantic, type_)).validate_python(address.value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql+asyncpg://localhost/app", True),
        ("sqlite:///x.db", True),
        ("https://db.example", False),
        ("", False),
    ],
)
def test_a_default_that_is_an_address_is_known(text: str, expected: bool) -> None:
    """A page about a database is none."""
    assert is_address(text) is expected


FIELDS = """
Dsn = PostgresDsn
class Extra(BaseModel):
    host: str
    database: str = "x"
    pool_size: int
class Base(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", env_nested_delimiter="__")
    db: PostgresDsn
class Settings(Base):
    storage: "Dsn | None" = None
    replicas: list[PostgresDsn]
    main: str = "postgresql://localhost/shop"
    vault: SecretStr = Field(validation_alias=AliasChoices("VAULT_DSN", "OLD_DSN"))
    queue: AnyUrl
    docs: AnyUrl = "https://example.org"
    db_port: int = 5432
    db_pool_size: int
    database_kind: str = "postgres"
    homepage: HttpUrl
    postgres: Extra
"""


def test_settings_that_name_a_database_are_overwritten(surveyed: Surveyed) -> None:
    """By their types, names, aliases and defaults, under the inherited prefix, and in models."""
    found = surveyed(config=SETTINGS + FIELDS)

    assert {name: value for name, value in forced(found).items() if value != NOWHERE} == {
        "SHOP_DB_PORT": "1",
        "SHOP_POSTGRES__DATABASE": "nowhere",
        "SHOP_POSTGRES__HOST": "nowhere.invalid",
        "SHOP_REPLICAS": f'["{NOWHERE}"]',
    }
    assert {name for name, value in forced(found).items() if value == NOWHERE} == {
        "OLD_DSN",
        "SHOP_DB",
        "SHOP_MAIN",
        "SHOP_QUEUE",
        "SHOP_STORAGE",
        "SHOP_VAULT",
        "VAULT_DSN",
    }
    assert {each.name: each.value for each in found.placeholders if not each.forced} == {
        "SHOP_DB_POOL_SIZE": "1",
        "SHOP_HOMEPAGE": "https://example.org/",
        "SHOP_POSTGRES__POOL_SIZE": "1",
    }


def test_the_settings_can_be_made_of_what_is_set(surveyed: Surveyed, tmp_path: Path) -> None:
    """Whatever the developer has exported, nothing of it is left."""
    found = surveyed(config=SETTINGS + FIELDS + "print(Settings().model_dump_json())")
    told = {each.name: each.value for each in found.placeholders}
    own = dict.fromkeys(forced(found), "postgresql://own@prod.example/own")

    made = subprocess.run(
        [sys.executable, "config.py"],
        cwd=tmp_path,
        env={**os.environ, **own, **told},
        capture_output=True,
        text=True,
        check=False,
    )

    assert made.returncode == 0, made.stderr
    assert "prod.example" not in made.stdout


def test_a_model_without_a_delimiter_is_read_as_json(surveyed: Surveyed) -> None:
    """With what it needs; a case-sensitive variable keeps its case."""
    text = """
class Store(BaseModel):
    host: str
    size: int
class Settings(BaseSettings):
    model_config = {"case_sensitive": True}
    db: Store
    limits: int
"""

    found = surveyed(config=SETTINGS + text)

    assert forced(found) == {"db": '{"host": "nowhere.invalid", "size": 1}'}
    assert [each.name for each in found.placeholders if not each.forced] == ["limits"]


def test_variables_are_known_however_they_are_read(surveyed: Surveyed) -> None:
    """By a constant's name, by others' functions, by a default that is an address; a text alone is no variable."""
    text = """
import os
from decouple import config
NAME = "DB_HOST"
a = os.environ[NAME]
b = config("POSTGRES_SERVER", default="x")
c = os.getenv("STORE", "postgresql://localhost/x")
d = os.environ.get("STATUS_PAGE", "https://postgres.example")
print("db host", "DB")
os.environ["LANG_SET_HERE"] = "x"
"""

    assert forced(surveyed(config=text)) == {
        "DB_HOST": "nowhere.invalid",
        "POSTGRES_SERVER": "nowhere.invalid",
        "STORE": NOWHERE,
    }


def test_migrations_are_told_the_url_under_the_names_of_urls_alone(surveyed: Surveyed) -> None:
    """A host that is a URL would be none."""
    found = surveyed(config="import os\nos.environ['DB_HOST']\nos.environ['DATABASE_URL']\nos.environ['REDIS_URL']")

    assert [each.name for each in found.placeholders if each.is_url] == ["DATABASE_URL"]


def test_the_settings_of_the_cell_are_given_its_url(surveyed: Surveyed) -> None:
    """For what the type says is one; other classes' fields only if their names do."""
    text = """
class Settings(BaseSettings):
    db: PostgresDsn
    db_host: str
    redis: RedisDsn
class Clinic(BaseModel):
    db: str
    url: str
class Own(BaseModel):
    database_url: str
"""

    found = surveyed(config=SETTINGS + text).settings

    assert [each.kind for each in found["config.Settings"]] == [Kind.DATABASE_URL, Kind.EXAMPLE, Kind.EXAMPLE]
    assert [each.kind for each in found["config.Own"]] == [Kind.DATABASE_URL]
    assert "config.Clinic" not in found


def test_what_an_engine_is_made_of_is_an_address_under_any_name(surveyed: Surveyed) -> None:
    """Given to it, or put into a URL behind the user; what else stands in the URL, or is elsewhere, is none."""
    text = """
import os
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import create_async_engine
class Settings(BaseSettings):
    store: str = ""
    login: str = ""
    machine: str = ""
    gate: int = 1
    backup: str = ""
    title: str = ""
    address: str = ""
settings = Settings()
one = create_async_engine(str(settings.store))
two = create_async_engine(os.environ["STATION"] or "x")
THREE = os.getenv("THIRD")
three = create_async_engine(THREE)
four = f"postgresql+asyncpg://{settings.login}:x@{settings.machine}:{settings.gate}/{settings.title}"
five = URL.create("postgresql", host=settings.backup)
six = f"https://{settings.address}/"
"""

    assert forced(surveyed(config=SETTINGS + text)) == {
        "BACKUP": "nowhere.invalid",
        "GATE": "1",
        "MACHINE": "nowhere.invalid",
        "STATION": NOWHERE,
        "STORE": NOWHERE,
        "THIRD": NOWHERE,
    }
