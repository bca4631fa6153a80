"""Secrets never reach a record."""

import pytest
from sqlalchemy import make_url

from harness.observe.redaction import Redactor


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql+asyncpg://me:hunter22@h:1/d", "postgresql+asyncpg://me:***@h:1/d"),
        ("cannot reach redis://:hunter22@h", "cannot reach redis://:***@h"),
        ("PGPASSWORD=hunter22 psql", "PGPASSWORD=*** psql"),
        ("{'password': 'hunter22', 'user': 'me'}", "{'password': '***', 'user': 'me'}"),
        ("Authorization: Bearer abcdefgh12345", "Authorization: Bearer ***"),
        ("key sk-proj-0123456789abcdef is wrong", "key *** is wrong"),
        ("Incorrect API key provided: sk-proj-abcd**********wxyz.", "Incorrect API key provided: ***."),
        ("key xai-0123456789abcdefghij", "key ***"),
        ("key AIzaSyA0123456789abcdefghijklmnopqrstuv", "key ***"),
        ("password authentication failed for user me", "password authentication failed for user me"),
        ("SELECT password FROM users", "SELECT password FROM users"),
    ],
)
def test_secrets_are_masked_by_their_place(text: str, masked: str) -> None:
    """A password in a URL or behind its name, a bearer token and a provider's key are masked; the rest is kept."""
    assert Redactor().text(text) == masked


def test_the_engine_s_own_password_is_masked_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database password and the keys in the environment are known, and need no name beside them."""
    monkeypatch.setenv("SOME_API_KEY", "a-very-own-key")
    redactor = Redactor.for_url(make_url("postgresql://me:open%20sesame@h/d"))

    assert redactor.text("tried open sesame, then a-very-own-key") == "tried ***, then ***"


def test_a_password_that_is_a_plain_word_does_not_garble_texts() -> None:
    """`postgres:postgres` is no secret: masking it would hide what the texts say."""
    redactor = Redactor.for_url(make_url("postgresql://postgres:postgres@h/d"))

    assert redactor.text("postgres said no") == "postgres said no"


def test_attributes_are_masked_by_name() -> None:
    """An attribute that is called a secret is one; sequences are gone through."""
    redactor = Redactor()

    assert redactor.attribute("db.password", "x") == "***"
    assert redactor.attribute("urls", ["a://b:cccc@d"]) == ("a://b:***@d",)
    assert redactor.attribute("gen_ai.usage.input_tokens", 7) == 7
