"""Addresses and the description of a running server: URLs, masks, and the way through JSON."""

import json
from pathlib import Path

import pytest

from harness.errors import ConfigurationError
from harness.postgres import RunningServer, ServerAddress

SECRET = "p@ss:w/rd?#%"
ADDRESS = ServerAddress(host="db.example", port=6432, user="a b", password=SECRET)


def test_url_quotes_everything_that_could_end_a_part_of_it() -> None:
    """User, password and database survive in the URL whatever characters they hold."""
    url = ADDRESS.url("x/y z")

    assert url == "postgresql+asyncpg://a%20b:p%40ss%3Aw%2Frd%3F%23%25@db.example:6432/x%2Fy%20z"
    assert ServerAddress.from_url(url) == ADDRESS


def test_password_is_in_no_representation() -> None:
    """Neither ``repr`` nor the masked URL shows the password."""
    running = RunningServer(kind="external", address=ADDRESS, version="18.4", reason="a test")

    assert SECRET not in repr(running)
    assert ADDRESS.masked_url("x") == "postgresql+asyncpg://a%20b:***@db.example:6432/x"


def test_running_server_survives_json() -> None:
    """What a controller hands to its workers is what they get."""
    running = RunningServer(
        kind="embedded",
        address=ADDRESS,
        version="18.4",
        reason="a test",
        details={"pid": "1"},
        log_path=Path("/x/server.log"),
    )

    assert RunningServer.from_json(json.loads(json.dumps(running.to_json()))) == running


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_usual_schemes_are_understood(scheme: str) -> None:
    """A URL may be written as libpq, Heroku or SQLAlchemy write it; the port defaults to 5432."""
    address = ServerAddress.from_url(f"{scheme}://me:s3cret@[::1]/x?sslmode=require")

    assert address == ServerAddress(host="::1", port=5432, user="me", password="s3cret", tls="require")
    assert address.url("y") == "postgresql+asyncpg://me:s3cret@[::1]:5432/y?ssl=require"


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://me:s3cret@host/x", "starts with 'mysql'"),
        ("postgresql:///x", "needs a user and a host"),
        ("postgresql://me:s3cret@host:port/x", "cannot be read"),
        ("postgresql://me:s3cret@host/x?options=-c", "parameters ['options']"),
        ("postgresql://me:s3cret@host/x?ssl=maybe", "TLS mode 'maybe'"),
    ],
)
def test_other_urls_are_refused_without_showing_the_password(url: str, complaint: str) -> None:
    """A URL that cannot be used is a configuration error that says what is wrong with it."""
    with pytest.raises(ConfigurationError) as caught:
        ServerAddress.from_url(url)

    assert complaint in str(caught.value)
    assert "s3cret" not in str(caught.value)
