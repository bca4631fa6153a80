"""`[tool.sessionproof]` in `pyproject.toml`: what may stand there, for whoever reads a part of it.

Problem: the command reads the settings, `pytest --sessions` the suppressions; a name that was mistyped is silent if
each looks only for what it needs.

Mechanism: whoever reads a part reads the table here, which checks its name and all its keys. What pytest reads from its
own settings is told from what is unknown, because it is easily written into the wrong table. pytest's root, and the
folder that a command is called in, may lie below the folder with the table: the nearest table upwards is the one.

Guarantee: light, because the pytest plugin reads it. What is wrong is one `ConfigurationError` that names the file.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.errors import ConfigurationError

__all__ = [
    "FILE",
    "SETTINGS",
    "SUPPRESS",
    "misplaced",
    "nearest_table",
    "read_document",
    "read_table",
    "unknown_setting",
]

SETTINGS = (
    "backend",
    "postgres",
    "image",
    "modes",
    "pool_states",
    "tiers",
    "scenarios",
    "scenario_file",
    "full_length",
    "turn_timeout",
    "output",
    "model",
    "base_url",
    "budget",
    "record",
    "cassettes",
    "price",
    "recorded_timing",
)
"""The fields of `harness.config.Config`, which is too heavy for the plugin."""

SUPPRESS = "suppress"
"""The array of tables that is no setting of a run."""

FILE = "pyproject.toml"
"""What the file is called that has the table."""

_NAME = "sessionproof"
_REPOSITORY = ".git"
"""What lies in the root of a repository: a folder, or, in a work tree, a file."""
_WORDS = (b"session", b"proof")
"""A file with neither has no table of that name, or of one that is nearly so, and need not be parsed."""
_OF_PYTEST = ("sessions", "sessions_report")


def read_table(folder: Path) -> dict[str, object]:
    """The table of the folder's `pyproject.toml`, its keys with underscores; empty if there is none.

    Raises:
        ConfigurationError: the file cannot be read or is no TOML, or a name or key in it is wrong.
    """
    path = folder / FILE
    tools = _table(read_document(path).get("tool", {}), f"{path}: tool")
    if nearest := _mistyped(tools):
        raise ConfigurationError(f"{path}: there is a table [tool.{nearest[0]}]; did you mean [tool.{_NAME}]?")
    return _checked(path, _table(tools.get(_NAME, {}), f"{path}: tool.{_NAME}"))


def nearest_table(folder: Path) -> Path:
    """The folder whose `pyproject.toml` has the table: this one, or the nearest above it in its repository.

    Without a repository it is looked for up to the root of the file system. A file below the table's that cannot be
    read as TOML, or has a name that is nearly the table's, is taken for the one, so that it is told of. The folder
    itself, if there is no table.
    """
    for each in (folder, *folder.parents):
        if _has_table(each / FILE, is_first=each == folder):
            return each
        if _is_repository(each):
            break
    return folder


def read_document(path: Path) -> dict[str, Any]:
    """What stands in a file of TOML; nothing if there is no such file.

    Raises:
        ConfigurationError: it cannot be read or is no TOML, with the place.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}; correct that, or remove it") from error
    return _parsed(path, content)


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(content.decode("utf-8"))
    except tomllib.TOMLDecodeError as error:
        said = str(error).replace("at end of document", f"{_place(content)}, the end of the file")
    except UnicodeDecodeError as error:
        said = f"what stands there is not UTF-8 ({_place(content[: error.start])})"
    except RecursionError:
        said = "it is nested too deeply"
    raise ConfigurationError(f"{path} is not valid TOML: {said}; correct it there")


def _place(before: bytes) -> str:
    """Where the text after this one begins, in the words of tomllib."""
    lines = before.decode("utf-8", "replace").split("\n")
    return f"at line {len(lines)}, column {len(lines[-1]) + 1}"


def misplaced(folder: Path) -> str:
    """What is wrong if the nearest table has a setting of pytest's; nothing, at next to no cost, if it has none.

    For a run in which nothing is watched: whatever else is wrong is for whoever uses it.
    """
    path = nearest_table(folder) / FILE
    keys = _table_or_nothing(path)
    return next((_of_pytest(path, key) for key in keys if key.replace("-", "_") in _OF_PYTEST), "")


def unknown_setting(source: str, key: str, known: Iterable[str], *, shown: str | None = None) -> str:
    """What is said of a key that nobody knows; `shown` is how it was written, if that is otherwise."""
    names = list(known)
    nearest = difflib.get_close_matches(key, names, n=1)
    advice = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(names)}"
    return f"{source}: unknown setting {shown or key!r}; {advice}"


def _has_table(path: Path, *, is_first: bool) -> bool:
    """Whether the file has the table, or may have been meant to have it; the first one, if it cannot be read, may."""
    try:
        content = path.read_bytes()
    except OSError:
        return is_first and path.exists()
    if not any(word in content for word in _WORDS):
        return False
    try:
        tools = _parsed(path, content).get("tool", {})
    except ConfigurationError:
        return is_first or _NAME.encode() in content
    return isinstance(tools, dict) and (_NAME in tools or bool(_mistyped(tools)))


def _is_repository(folder: Path) -> bool:
    try:
        return (folder / _REPOSITORY).exists()
    except OSError:  # of another user
        return False


def _table_or_nothing(path: Path) -> Mapping[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
        tool = tomllib.loads(text).get("tool") if f"[tool.{_NAME}" in text else None
    except (OSError, ValueError):
        return {}
    table = tool.get(_NAME) if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else {}


def _mistyped(tools: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(_NAME, [name for name in tools if name != _NAME], n=1, cutoff=0.9)


def _checked(path: Path, table: Mapping[str, object]) -> dict[str, object]:
    given: dict[str, object] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in _OF_PYTEST:
            raise ConfigurationError(_of_pytest(path, key))
        if name not in {*SETTINGS, SUPPRESS}:
            raise ConfigurationError(unknown_setting(str(path), name, (*SETTINGS, SUPPRESS)))
        if name in given:
            raise ConfigurationError(f"{path}: setting {name!r} stands there twice, as {name.replace('_', '-')!r} too")
        given[name] = value
    return given


def _of_pytest(path: Path, key: str) -> str:
    return (
        f"{path}: {key!r} stands in [tool.{_NAME}], where nobody reads it: it belongs to pytest's own settings, in "
        "[tool.pytest.ini_options] or [tool.pytest]"
    )


def _table(value: object, name: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{name} is a {type(value).__name__}, and no table; write it as [tool.{_NAME}]")
    return value
