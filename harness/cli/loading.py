"""The time in which a command loads what it needs.

Problem: pydantic loads the plugins that it finds when the first model is made, and logfire's reads `pyproject.toml` in
the current folder and raises if that cannot be read, wherever the model stands. And a signal that is raised in the
middle of an import is raised in somebody else's code: who knows what that makes of it.

Mechanism: the file is read before anything is loaded; signals are noted, and answered at the end. Where the user's
backend may be loaded by the same process, the plugins stay: it may count on them. Elsewhere they are left out, as they
take a second, unless logfire has settings, which have to be looked at.

Guarantee: settings that keep modules from being loaded are one message, and a signal ends the command as one.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.cli.interruption import end_interrupted
from harness.command.signals import signals_noted
from harness.errors import ConfigurationError
from harness.imports import keep_until_the_end, uncollected, without_plugins
from harness.project_table import read_document

__all__ = ["UnreadableSettingsError", "loading"]


class UnreadableSettingsError(ConfigurationError):
    """The `pyproject.toml` of the current folder is none."""


@contextlib.contextmanager
def loading(*, plugins: bool = True) -> Iterator[None]:
    """A time for imports, at whose end the command ends if a signal came.

    `plugins` is false for a command that loads no backend.

    Raises:
        UnreadableSettingsError: `pyproject.toml` cannot be read, or its `tool` is no table.
        ConfigurationError: logfire cannot use its settings.
    """
    tool = _read_settings(Path.cwd() / "pyproject.toml")
    wanted = plugins or "logfire" in tool or any(name.startswith("LOGFIRE_") for name in os.environ)
    models = contextlib.nullcontext() if wanted else without_plugins()
    keep_until_the_end()
    with signals_noted() as received, _settings_of_logfire(), uncollected(), models:
        yield
    for number in received:
        end_interrupted(number)


def _read_settings(path: Path) -> dict[str, Any]:
    try:
        tool: object = read_document(path).get("tool", {})
    except ConfigurationError as error:
        raise UnreadableSettingsError(str(error)) from error
    if not isinstance(tool, dict):
        said = "has to be a table; write the settings of each tool as [tool.NAME], and remove what stands there now"
        raise UnreadableSettingsError(f"{path}: 'tool' is of type {type(tool).__name__}, and {said}")
    return tool


@contextlib.contextmanager
def _settings_of_logfire() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        from logfire.exceptions import LogfireConfigError

        if not isinstance(error, LogfireConfigError):
            raise
        raise ConfigurationError(
            f"logfire, which pydantic loads as its plugin, cannot use its settings: {error}; correct [tool.logfire] in "
            "pyproject.toml, or the LOGFIRE_ variables of the environment"
        ) from error
