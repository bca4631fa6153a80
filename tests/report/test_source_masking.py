"""Secrets in the application's source code."""

import ast
import os
import re
from pathlib import Path

import pytest

from harness.masking import is_secret_name
from harness.report.packed import unpack
from harness.report.source_masking import without_secrets
from harness.report.write import write_reports
from tests.report import documents
from tests.report.test_sources import pointing_to

FORMS = {
    "annotated": 'api_key: str = "hunter2"',
    "in an annotation": 'api_key: Annotated[str, Field("hunter2")]',
    "attribute": 'self.token = "hunter2"',
    "in parentheses": 'api_key = (\n    "hunter2"\n)',
    "several targets": 'user, password = "me", "hunter2"',
    "chained": 'x = token = "hunter2"',
    "added": 'token += "hunter2"',
    "walrus": 'if (pwd := "hunter2"):\n    pass',
    "bytes": 'signing_key = b"hunter2"',
    "several words": 'dsn = "host=db user=me pw=hunter2"',
    "short name": 'pwd = "hunter2"',
    "camel case": 'dbPassword = f("hunter2")',
    "constant": 'STRIPE_KEY = "hunter2"',
    "one of several": 'credentials = {"db": ["hunter2"]}',
    "default": 'def f(password: str = "hunter2"): ...',
    "default of the last": 'def f(a, b, /, c, token="hunter2"): ...',
    "keyword only default": 'def f(*, a, token="hunter2", b): ...',
    "annotation of an argument": 'def f(token: Annotated[str, Form("hunter2")]): ...',
    "default of a lambda": 'f = lambda token="hunter2": token',
    "keyword argument": 'connect(token="hunter2")',
    "f-string": 'connect(password=f"hunter2{x}")',
    "joined": "connect(password='a' \"hunter2\")",
    "joined over lines": "connect(password='hunter2'\n  # why\n  \"hunter2\" f'hunter2{x}')",
    "over lines": "connect(password='''a\n hunter2\n hunter2''')",
    "in an f-string": "x = f\"a {connect(token='hunter2')} b\"",
    "in a nested f-string": 'x = f"""a {f\'{connect(token="hunter2")}\'} b"""',
    "after other alphabets": 'x = "åäö€😀"; token = "hunter2"; y = 1',
    "two on a line": 'connect(token="hunter2", pwd="hunter2")',
    "call": 'x = SecretStr("hunter2")',
    "method": 'user.set_password("hunter2")',
    "value that is like a name": 'user.set_password("my-password-hunter2")',
    "wrapped": 'connect(secret=SecretStr("hunter2"))',
    "decoded": 'token = base64.b64decode("hunter2").decode()',
    "variable": 'x = os.getenv("DB_PASSWORD", "hunter2")',
    "variable with a name's default": 'x = os.getenv("DB_PASSWORD", "password-hunter2")',
    "variable by keyword": 'x = os.getenv(key="DB_PASSWORD", default="hunter2")',
    "header": 'x = headers.get("X-Api-Key", "hunter2")',
    "attribute by name": 'setattr(user, "password", "hunter2")',
    "subscript": 'headers["X-Api-Key"] = "hunter2"',
    "below a subscript": 'config["credentials"]["db"] = "hunter2"',
    "dictionary": 'x = {"token": "hunter2"}',
    "dictionary in a dictionary": 'x = {"auth": {"user": ["hunter2"]}}',
    "key of bytes": 'x = {b"authorization": b"hunter2"}',
    "key by a variable": 'x = {TOKEN: "hunter2"}',
    "comprehension": 'x = {f"{user}_pwd": "hunter2" for user in users}',
    "pair": 'x = [(b"x-api-key", b"hunter2")]',
    "option of a command": 'run(["psql", "--password", "hunter2", "-c"])',
    "compared": 'x = token == "hunter2"',
    "compared from the left": 'x = "hunter2" != request.headers["X-Api-Key"]',
    "compared with a call": 'x = request.headers.get("X-Api-Key") == "hunter2"',
    "compared with several": 'x = token in ("a", "hunter2")',
    "compared in constant time": 'x = hmac.compare_digest(token, "hunter2")',
    "compared at its start": 'x = token.startswith("hunter2")',
    "matched": 'match token:\n    case "a" | "hunter2":\n        pass',
    "matched in a mapping": 'match x:\n    case {"token": "hunter2"}:\n        pass',
    "matched in a class": 'match x:\n    case User(token="hunter2"):\n        pass',
    "instead": 'connect(os.getenv("DB_PASSWORD") or "hunter2")',
    "else": 'connect(token if token else "hunter2")',
    "tried": 'for password in ("a", "hunter2"):\n    pass',
    "returned": 'def get_password():\n    return "hunter2"',
    "yielded": 'def auth_tokens():\n    for x in y:\n        yield "hunter2"',
    "property": 'class A:\n    @property\n    def dsn(self):\n        if x:\n            return "hunter2"',
    "class": 'class Secrets:\n    stripe = "hunter2"\n    other: str = "hunter2"',
    "private key": 'x = """-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"""',
    "private key in parts": 'x = "-----BEGIN PRIVATE KEY-----\\n" + "hunter2\\n" + "-----END PRIVATE KEY-----"',
    "private key in a list": 'x = "\\n".join(["-----BEGIN PRIVATE KEY-----", "hunter2"])',
    "private key in an f-string": 'x = f"""-----BEGIN {y}-----\nhunter2\n"""',
}

READABLE = [
    'rows = session.execute(text("SELECT token FROM users WHERE tokens = :name"), {"token": token})',
    'usage = Usage(prompt_tokens=12, completion_tokens="12", tokens="some")',
    'sorted(rows, key="name", keyword="some")',
    'agent.tool("search documents", author="somebody", authored_by="somebody")',
    'x = {"key": "name", "keyword": "b", "tokens": "c", "primary_key": "id"}',
    'password = os.environ["DB_PASSWORD"]',
    'token = os.getenv("API_TOKEN")',
    'x = row["password"] if field == "password" else row["name"]',
    'assert user.name == "somebody", "no such user"',
    'token_type: str = "bearer"',
    'password_file = "/run/secrets/database"',
    'def tokenize(text="a b"):\n    """Words of it."""\n    return text.split(" ")',
    'print("token %s", token, f"{token}")',
    'bypass = compass = monkey = "east"',
    "password = None",
]


def masked(source: str) -> str:
    return "\n".join(without_secrets(source.split("\n"), ast.parse(source)))


@pytest.mark.parametrize("source", FORMS.values(), ids=FORMS)
def test_a_secret_is_masked_by_the_name_that_it_has_in_the_program(source: str) -> None:
    """However it comes to that name, and on each of its lines; no line is lost."""
    shown = masked(source)

    assert "hunter2" not in shown
    assert "***" in shown
    assert shown.count("\n") == source.count("\n")


@pytest.mark.parametrize("source", READABLE)
def test_what_is_no_secret_stays(source: str) -> None:
    """A report that masks what only looks like one cannot be read."""
    assert masked(source) == source


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('def f(a: str = "a", token: str = "b"): ...', 'def f(a: str = "a", token: str = ***): ...'),
        ('é = "ü"; token = "ö"; ç = "ß"', 'é = "ü"; token = ***; ç = "ß"'),
        ("f(pwd='''é\nb\nc''', a='''d\ne''')", "f(pwd=***\n***\n***, a='''d\ne''')"),
        ("f(pwd='a'\n  'b', c=f'{d}')", "f(pwd=***\n***, c=f'{d}')"),
        ('os.getenv("DB_PASSWORD", "a") + "b"', 'os.getenv("DB_PASSWORD", ***) + "b"'),
        ('token = {**os.environ["A_TOKEN"], "a": 1}', 'token = {**os.environ["A_TOKEN"], ***: 1}'),
        ('x = token == "a" and kind == "b"', 'x = token == *** and kind == "b"'),
        ("x = f'{a}' f\"{f(token='b')}\" + 'c'", "x = *** + 'c'"),
    ],
)
def test_nothing_but_the_literal_is_masked(source: str, shown: str) -> None:
    """To the byte."""
    assert masked(source) == shown


@pytest.mark.parametrize(
    "name",
    [
        *("password", "DB_PASSWD", "dbPassword", "passwords", "password2", "--password", "pwd", "DB_PASS", "SecretStr"),
        *("token", "authToken", "X-Auth-Token", "access_tokens", "auth", "Authorization", "credentials", "cookie"),
        *("APIKey", "x-api-key", "apikey", "api_keys", "privateKey", "AWS_SECRET_ACCESS_KEY", "STRIPE_KEY", "db.dsn"),
    ],
)
def test_names_of_secrets_are_known_word_by_word(name: str) -> None:
    """In each way in which a program writes them."""
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "key",
            "KEY",
            "keys",
            "keyword",
            "primary_key",
            "tokens",
            "prompt_tokens",
            "completionTokens",
            "tokenizer",
        ),
        *("valid_tokens", "author", "password_file", "TOKEN_TYPE", "secret_name", "compass", "monkey", "search", "42"),
    ],
)
def test_names_that_are_like_those_of_secrets_are_none(name: str) -> None:
    """A word within a word is none."""
    assert not is_secret_name(name)


def test_no_file_of_a_report_has_secrets_of_the_source_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where their name stands above the lines that are kept."""
    monkeypatch.chdir(tmp_path)
    far = "api_key = (\n" + "\n" * 9 + '    "hunter2"\n)'
    known = "x = 'this-is-in-the-environment'\ny = 'postgresql://me:hunter2@db/shop'"
    lines = "\n\n\n".join([far, *FORMS.values(), known]).split("\n")
    (tmp_path / "app.py").write_text("\n".join(lines), encoding="utf-8")
    os.utime(tmp_path / "app.py", (documents.STARTED.timestamp() - 1,) * 2)
    frames = [
        f"app.py:{number} in <module>" for number, line in enumerate(lines, 1) if re.search("hunter2|-the-", line)
    ]

    paths = write_reports(
        pointing_to(*frames), tmp_path / "report", environment={"A_TOKEN": "this-is-in-the-environment"}
    )

    written = {path.name: path.read_text(encoding="utf-8") for path in paths}
    packed = max(re.findall(r"[A-Za-z0-9+/=]+", written["report.html"]), key=len)
    everything = {**written, "packed": str(unpack(packed))}
    assert set(everything) == {"run.json", "report.html", "junit.xml", "summary.md", "packed"}
    assert "os.getenv" in everything["packed"]
    assert "os.getenv" in everything["run.json"]
    for text in everything.values():
        assert "hunter2" not in text
        assert "this-is-in-the-environment" not in text
