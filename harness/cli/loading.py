"""The time in which a command loads what it needs.

Problem: pydantic loads the plugins that it finds when the first model is made, and logfire's reads `pyproject.toml` in
the current folder and raises if that cannot be read, wherever the model stands. And a signal that is raised in the
middle of an import is raised in somebody else's code: who knows what that makes of it.

Mechanism: the file is read before anything is loaded; signals are noted, and answered at the end. The plugins stay: the
user's backend may be loaded by the same process, and may count on them.

Guarantee: settings that keep modules from being loaded are one message, and a signal ends the command as one.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from harness.cli.interruption import end_interrupted
from harness.command.signals import signals_noted
from harness.errors import ConfigurationError
from harness.project_table import read_document

__all__ = ["UnreadableSettingsError", "loading"]


class UnreadableSettingsError(ConfigurationError):
    """The `pyproject.toml` of the current folder is none."""


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """A time for imports, at whose end the command ends if a signal came.

    Raises:
        UnreadableSettingsError: `pyproject.toml` cannot be read, or its `tool` is no table.
        ConfigurationError: logfire cannot use its settings.
    """
    _read_settings(Path.cwd() / "pyproject.toml")
    with signals_noted() as received, _settings_of_logfire():
        yield
    for number in received:
        end_interrupted(number)


def _read_settings(path: Path) -> None:
    try:
        tool = read_document(path).get("tool", {})
    except ConfigurationError as error:
        raise UnreadableSettingsError(str(error)) from error
    if not isinstance(tool, dict):
        said = "has to be a table; write the settings of each tool as [tool.NAME], and remove what stands there now"
        raise UnreadableSettingsError(f"{path}: 'tool' is of type {type(tool).__name__}, and {said}")


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
