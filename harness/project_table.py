"""`[tool.sessionproof]` in `pyproject.toml`: what may stand there, for whoever reads a part of it.

Problem: the command reads the settings, `pytest --sessions` the suppressions; a name that was mistyped is silent if
each looks only for what it needs.

Mechanism: whoever reads a part reads the table here, which checks its name and all its keys. What pytest reads from its
own settings is told from what is unknown, because it is easily written into the wrong table.

Guarantee: light, because the pytest plugin reads it. What is wrong is one `ConfigurationError` that names the file.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness.errors import ConfigurationError

__all__ = ["SETTINGS", "SUPPRESS", "misplaced", "read_table", "unknown_setting"]

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

_NAME = "sessionproof"
_OF_PYTEST = ("sessions", "sessions_report")


def read_table(folder: Path) -> dict[str, object]:
    """The table of the folder's `pyproject.toml`, its keys with underscores; empty if there is none.

    Raises:
        ConfigurationError: the file cannot be read or is no TOML, or a name or key in it is wrong.
    """
    path = folder / "pyproject.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}") from error
    tools = _table(document.get("tool", {}), f"{path}: tool")
    others = [name for name in tools if name != _NAME]
    if nearest := difflib.get_close_matches(_NAME, others, n=1, cutoff=0.9):
        raise ConfigurationError(f"{path}: there is a table [tool.{nearest[0]}]; did you mean [tool.{_NAME}]?")
    return _checked(path, _table(tools.get(_NAME, {}), f"{path}: tool.{_NAME}"))


def misplaced(folder: Path) -> str:
    """What is wrong if the table has a setting of pytest's; nothing, at next to no cost, if it has none.

    For a run in which nothing is watched: whatever else is wrong is for whoever uses it.
    """
    path = folder / "pyproject.toml"
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text) if f"[tool.{_NAME}" in text else {}
    except (OSError, ValueError):
        return ""
    tool = document.get("tool")
    table = tool.get(_NAME) if isinstance(tool, dict) else None
    keys = table if isinstance(table, dict) else {}
    return next((_of_pytest(path, key) for key in keys if key.replace("-", "_") in _OF_PYTEST), "")


def unknown_setting(source: str, key: str, known: Iterable[str], *, shown: str | None = None) -> str:
    """What is said of a key that nobody knows; `shown` is how it was written, if that is otherwise."""
    names = list(known)
    nearest = difflib.get_close_matches(key, names, n=1)
    advice = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(names)}"
    return f"{source}: unknown setting {shown or key!r}; {advice}"


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
