"""Secrets in texts."""

import json
from collections.abc import Mapping

import pytest

from harness.report.junit import JunitWriter
from harness.report.markdown import MarkdownWriter
from harness.report.redact import MASK, masker, redact
from harness.report.run_json import JsonWriter
from harness.report.terminal import render
from tests.report import documents

ENVIRONMENT = {"APP_API_KEY": "value-from-the-environment", "PATH": "/usr/bin"}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgresql://u:pa55word@h:5432/db", "postgresql://u:***@h:5432/db"),
        ("postgresql+asyncpg://u:p@a/ss@h/db", "postgresql+asyncpg://u:***@h/db"),
        ("redis://:pa55word@h and amqp://g:g@h", "redis://:***@h and amqp://g:***@h"),
        ("https://user:tok@host/x?y=1", "https://user:***@host/x?y=1"),
        ("key sk-ant-api03-abcdefghijklmnop-_x.", "key ***."),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "***"),
        ("Incorrect API key provided: sk-proj-abcd**********wxyz.", "Incorrect API key provided: ***."),
        ("key xai-0123456789abcdefghij", "key ***"),
        ("AKIAABCDEFGHIJKLMNOP", "***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ("{'authorization': 'Basic dXNlcjpwYXNz'}", "{'authorization': '***'}"),
        ("bearer abcdefgh12345678", "bearer ***"),
        ("password=abc, x", "password=***, x"),
        ("PGPASSWORD=abc psql", "PGPASSWORD=*** psql"),
        ('{"api_key": "a \\" b", "n": 1}', '{"api_key": ***, "n": 1}'),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-_", "***"),
    ],
)
def test_a_secret_is_masked_by_its_shape(text: str, masked: str) -> None:
    """And only the secret."""
    mask = masker({})

    assert mask(text) == masked
    assert mask(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8000/accounts/a@b/chat",
        "postgresql://app@db/app",
        "100 prompt tokens: 20 completion tokens",
        "select * from llm_requests where id = $1",
        "risk-free task-force-of-many-people",
        "a *good* **bold** ***loud*** word, and /**** a comment ****/",
        "sessionproof verify --scenario two_parallel_tools --mode shared",
        "app/services/directory_service.py:41 in search",
        "backend 'x' cannot be imported: KeyError: 'a'",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """A report that masks what is no secret cannot be read."""
    assert masker({})(text) == text


@pytest.mark.parametrize(
    ("environment", "text", "masked"),
    [
        ({"OPENAI_API_KEY": "abc123xyz"}, "it is abc123xyz.", "it is ***."),
        ({"DB_PASSWORD": "a b/c+d"}, "a b/c+d or a%20b%2Fc%2Bd", "*** or ***"),
        ({"POSTGRES_PASSWORD": "postgres"}, "embedded postgres", "embedded postgres"),
        ({"TOKEN": "abc"}, "abc", "abc"),
        ({"PWD": "/home/someone"}, "/home/someone/x", "/home/someone/x"),
        ({"SSL_KEY_FILE": "/etc/key.pem"}, "/etc/key.pem", "/etc/key.pem"),
        ({"MY_TOKEN": "needle"}, "haystackneedles", "haystackneedles"),
    ],
)
def test_a_secret_is_masked_by_the_variable_that_holds_it(
    environment: Mapping[str, str], text: str, masked: str
) -> None:
    """Where a variable's name says that it is a secret, and its value is long enough to be one."""
    assert masker(environment)(text) == masked


def test_no_writer_lets_a_secret_through() -> None:
    """Whatever the place of the text in the document."""
    made = redact(documents.hostile(), environment=ENVIRONMENT)

    for text in (
        JsonWriter().write(made),
        JunitWriter().write(made),
        MarkdownWriter().write(made),
        render(made),
    ):
        for secret in (*documents.SECRETS, "key-in-a-mapping"):
            assert secret not in text


def test_redaction_is_idempotent_and_keeps_the_shape() -> None:
    """The same cells, findings and evidence, in the same order."""
    made = documents.hostile()

    once = redact(made, environment=ENVIRONMENT)

    assert JsonWriter().write(redact(once, environment=ENVIRONMENT)) == JsonWriter().write(once)
    assert [len(cell.findings) for cell in once.cells] == [len(cell.findings) for cell in made.cells]
    assert once.verdict is made.verdict


def test_a_value_that_json_does_not_know_becomes_text() -> None:
    """Raw answers hold what the backend put there."""
    written = json.loads(JsonWriter().write(redact(documents.troubled())))

    raw = written["cells"][0]["evidence"]["turns"][0]["answer"]["raw"]
    assert raw["object"] == ["Here is what I found."]
    assert raw["api_key"] == MASK


@pytest.mark.parametrize("seed", ["a://a:", "eyJ", "password=", "sk-", "a_", "bearer ", "x@", "'", "://"])
def test_a_hostile_megabyte_takes_no_longer(seed: str) -> None:
    """No pattern goes back and forth over a long text; the suite's time limit is the judge."""
    text = seed * (1_000_000 // len(seed))

    assert masker({"A_TOKEN": "another-secret"})(text)
