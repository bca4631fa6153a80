"""Secrets never reach a record.

Problem: a password stands in connection errors, in log records and in span attributes, and records become
reports.

Mechanism: `Redactor` masks the password part of every URL, whatever follows a word like ``password=``,
values of attributes with such names, keys that are recognisable by their shape (also with stars in place of a part, as
providers quote a key that they do not know), and the very secrets that it was told: the engine's password, and
API keys that the process has in its environment.

Guarantee: every text in a record has passed through one. What it cannot know is a secret that the
application made up and prints without a name; records do not carry SQL parameters or model messages for
that reason.
"""

import os
import re
from collections.abc import Iterable

from sqlalchemy.engine import URL

__all__ = ["MASK", "Redactor"]

MASK = "***"
_SHORTEST_SECRET = 6
_SECRET_NAME = re.compile(r"password|passwd|secret|api_?key|authorization|credential|access_?token", re.IGNORECASE)
_SECRET_VARIABLE = re.compile(r"(?:^|_)(API_KEY|TOKEN|SECRET|PASSWORD)$")
_URL_PASSWORD = re.compile(r"(?P<before>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s:/@'\"]*:)[^\s@'\"]+(?=@)")
_ASSIGNED = re.compile(
    r"(?P<before>\b\w*(?:password|passwd|secret|api_?key|access_?token)\w*['\"]?\s*[=:]\s*['\"]?)[^\s'\",;&)}]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"(?P<before>\b(?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE)
_PROVIDER_KEY = re.compile(
    r"(?<![\w*-])[\w-]{1,256}\*{4,512}[\w-]{0,64}|\b(?:sk|pk)-[\w-]{12,}|\b(?:gsk|hf|xai)[-_]\w{16,}|(?<![\w-])AIza[\w-]{35}"
)


class Redactor:
    """Masks secrets in text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}, key=len, reverse=True)

    @classmethod
    def for_url(cls, url: URL) -> "Redactor":
        """One that knows a database URL's password and the keys in the environment."""
        keys = [value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name)]
        plain = {url.username, url.database, url.host, "postgres", "password"}
        password = str(url.password) if url.password is not None else ""
        return cls([*keys, *([] if password in plain else [password])])

    def text(self, text: str) -> str:
        """`text` with `***` for every secret in it."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        for pattern in (_URL_PASSWORD, _ASSIGNED, _BEARER):
            text = pattern.sub(rf"\g<before>{MASK}", text)
        return _PROVIDER_KEY.sub(MASK, text)

    def attribute(self, name: str, value: object) -> object:
        """An attribute's value, masked if its name or text is that of a secret; sequences become tuples."""
        if isinstance(value, str):
            return MASK if _SECRET_NAME.search(name) else self.text(value)
        if isinstance(value, (list, tuple)):
            return tuple(self.attribute(name, item) for item in value)
        return value
