"""Secrets masked in text, and in every string of a value, before anything of it is written or shown.

Problem: error messages quote connection URLs, exceptions quote headers, commands quote what was typed, requests quote
what users typed. A report is uploaded by CI, and a recording is committed: both are read by people who must not have
the keys.

Mechanism: strings are masked by shape (a password in a URL, a provider's key, a bearer token,
`password=...`), by name (the value beside `api_key` in a mapping), and by value (every environment variable
whose name says that it is a secret, and what else is known to be one). Every pattern is bounded, so that a hostile
megabyte takes no longer than a friendly one.

Guarantee: masking is idempotent and leaves a value's shape alone. What no pattern can know, a password
in the middle of a sentence for example, stays.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache, reduce
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import quote
from uuid import UUID

from pydantic import BaseModel

__all__ = ["MASK", "Mask", "is_secret_name", "masked", "masker"]

MASK = "***"

T = TypeVar("T")
Mask: TypeAlias = Callable[[str], str]
_Rule: TypeAlias = tuple[re.Pattern[str], str]

_SECRET_WORDS = r"passw(?:or)?d|passphrase|api[_-]?key|secret(?:[_-]?(?:access[_-]?)?key)?|private[_-]?key"  # noqa: S105  # a pattern
_TOKEN_WORDS = r"(?:access|auth|refresh|bearer|session|id|api)[_-]?token"  # noqa: S105  # a pattern
_QUOTED = r'"(?:[^"\\]|\\.){0,4096}"|' + r"'[^']{0,4096}'"

_RULES: tuple[_Rule, ...] = (
    # https://user:password@host: the password ends before the path
    (re.compile(r"(?i)(\b(?:https?|wss?)://[^\s:/@'\"]{0,256}):[^\s/@'\"]{0,1024}+@"), rf"\1:{MASK}@"),
    # postgresql://user:password@host: drivers also accept unescaped slashes and at signs in the password
    (
        re.compile(
            r"(?<![\w+.-])((?!https?:|wss?:)[A-Za-z][\w+.-]{0,40}://[^\s:/@'\"]{0,256})"
            r":[^\s@'\"]{0,1024}+(?:@[^\s@'\"?,;]{1,256}+(?=@)){0,8}@"
        ),
        rf"\1:{MASK}@",
    ),
    (
        re.compile(
            r"(?i)(authorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?)(?:(?:bearer|basic|token)\s{1,4})?[^\s\"',;]{1,8192}"
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"(?i)\b(bearer\s{1,4})[\w.~+/=-]{8,8192}"), rf"\1{MASK}"),
    (
        re.compile(
            rf"(?i)((?:{_SECRET_WORDS}|{_TOKEN_WORDS})[\"']?\s{{0,4}}[=:]\s{{0,4}})(?:{_QUOTED}|[^\s,;&\"'}}\])]{{1,4096}})"
        ),
        rf"\1{MASK}",
    ),
    # keys that their makers made recognisable
    (
        re.compile(
            r"(?<![A-Za-z0-9-])(?:(?:sk|pk|rk|gsk|hf|xai|ghp|gho|ghu|ghs|ghr|xox[abeprs]|glpat|npm)[-_]|github_pat_|pylf_v\d_|pypi-)"
            r"[\w-]{16,}"
        ),
        MASK,
    ),
    # a part of a key with stars in place of the rest, as providers quote a key that they do not know
    (re.compile(r"(?<![\w*-])[\w-]{1,256}\*{4,512}[\w-]{0,64}"), MASK),
    (re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])|(?<![\w-])AIza[\w-]{35}"), MASK),
    (re.compile(r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"), MASK),
)

_SECRET_KEY = re.compile(rf"(?i)(?:{_SECRET_WORDS}|{_TOKEN_WORDS}|authorization)$")
_SECRET_VARIABLE = re.compile(
    r"(?i)(?:^|_)(?:KEY|TOKEN|SECRET|PWD|PAT|CREDENTIALS?)(?:_|$)|PASSW(?:OR)?D|PASSPHRASE|APIKEY"
)
_NAME_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SECRET_NAME = re.compile(
    rf"{_SECRET_WORDS}|credential|authorization|(?:token|pwd|auth|dsn)(?:_|$)"
    r"|(?:^|_)(?:pass|pw|passcode|bearer|jwt|cookies?|(?:access|auth|refresh|bearer|session|id|api)_?tokens"
    r"|(?:access|account|signing|encryption|master)_?keys?)(?:_|$)"
)
_HARMLESS_NAME = re.compile(r"_(?:file|path|dir|name|type|sock|socket)$")
_LONGEST_NAME = 256
_HARMLESS_VARIABLE = re.compile(r"(?i)^PWD$|_(?:ID|FILE|PATH|DIR|NAME|TYPE|SOCK|SOCKET)$")
# What everybody's throw-away database uses is no secret, and masking it would blacken ordinary words.
_WELL_KNOWN = frozenset(
    {"postgres", "password", "secret", "changeme", "example", "sessionproof", "disabled", "enabled"}
)
_SHORTEST = 6
_LONG = 16
_SCALARS = (Enum, int, float, Decimal, UUID, date, timedelta, type(None))


def masked(value: T, mask: Mask) -> T:
    """A value of a run with `mask` applied to every string in it, at any depth."""
    return cast("T", _rebuild(value, mask))


def masker(environment: Mapping[str, str] | None = None, *, secrets: Iterable[str] = ()) -> Mask:
    """The function that masks the secrets in one text.

    `environment` is where secret values are looked up, the process's own by default; `secrets` are known besides. Half
    surrogate pairs, which no file can carry, become escapes.
    """
    rules = (*_known_values(os.environ if environment is None else environment, secrets), *_RULES)

    @lru_cache(maxsize=4096)
    def mask(text: str) -> str:
        encodable = text.encode("utf-8", "backslashreplace").decode("utf-8")
        return reduce(lambda result, rule: rule[0].sub(rule[1], result), rules, encodable)

    return mask


def is_secret_name(name: str) -> bool:
    """Whether what has this name, in a program, is a secret.

    Names are read word by word, as `snake_case`, `camelCase`, `X-Header` and `CONSTANT`: a `token` is one,
    `prompt_tokens` and a `keyword` are none. Of constants, as of environment variables, a `STRIPE_KEY` is one.
    """
    words = "_".join(_NAME_WORD.findall(name[:_LONGEST_NAME])).lower()
    if _HARMLESS_NAME.search(words):
        return False
    constant = name.isupper() and "_" in words and _SECRET_VARIABLE.search(words)
    return bool(constant or _SECRET_NAME.search(words))


def _known_values(environment: Mapping[str, str], secrets: Iterable[str]) -> tuple[_Rule, ...]:
    told = [
        value
        for name, value in environment.items()
        if _SECRET_VARIABLE.search(name) and not _HARMLESS_VARIABLE.search(name)
    ]
    values = {
        form
        for value in (*told, *secrets)
        for form in _forms(value)
        if len(form) >= _SHORTEST and form.lower() not in _WELL_KNOWN
    }
    if not values:
        return ()
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    return ((re.compile("|".join(map(_pattern, longest_first))), MASK),)


def _pattern(value: str) -> str:
    """A short value is one only where it stands alone: it may be a part of an ordinary word."""
    escaped = re.escape(value)
    return escaped if len(value) >= _LONG else rf"(?<![A-Za-z0-9]){escaped}(?![A-Za-z0-9])"


def _forms(value: str) -> set[str]:
    """How a value can appear: as it is, in a URL, in JSON, in JSON in JSON, and line by line, as in a private key."""
    stripped = value.strip()
    lines = {line.strip() for line in value.splitlines()}
    in_json = json.dumps(stripped)[1:-1]
    written = {stripped, quote(stripped, safe=""), in_json, json.dumps(in_json)[1:-1]}
    return written | {line for line in lines if len(line) >= _LONG}


def _rebuild(value: Any, mask: Mask) -> Any:
    if isinstance(value, _SCALARS):
        return value
    made: Any
    match value:
        case str():
            made = mask(value)
        case tuple() | list() | set() | frozenset():
            made = tuple(_rebuild(item, mask) for item in value)
        case BaseModel():
            made = value.model_copy(update=_changes(value, list(type(value).model_fields), mask))
        case Mapping():
            made = {mask(str(key)): _entry(str(key), item, mask) for key, item in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            made = replace(value, **_changes(value, [spec.name for spec in fields(value)], mask))
        case bytes() | bytearray():
            made = mask(value.decode("utf-8", "backslashreplace"))
        case _:
            made = mask(repr(value))
    return made


def _changes(value: object, names: list[str], mask: Mask) -> dict[str, Any]:
    return {name: _rebuild(old, mask) for name in names if not isinstance(old := getattr(value, name), _SCALARS)}


def _entry(key: str, value: Any, mask: Mask) -> Any:
    named = isinstance(value, str) and value and _SECRET_KEY.search(key)
    return MASK if named else _rebuild(value, mask)
