"""The folder of a report: its files are whole (`harness.files`), and if it cannot be written, that is said."""

from pathlib import Path
from typing import NoReturn

from harness.errors import ConfigurationError
from harness.files import beside, replace_file, replace_files

__all__ = ["beside", "refuse", "replace_file", "replace_files"]


def refuse(directory: Path, error: OSError) -> NoReturn:
    """Say that a report cannot be written to the folder.

    Raises:
        ConfigurationError: always.
    """
    place = error.filename or str(directory)
    raise ConfigurationError(
        f"the report cannot be written to {str(directory)!r}: {error.strerror} ({place}); "
        "name a folder that can be written to with --output DIR"
    ) from error
