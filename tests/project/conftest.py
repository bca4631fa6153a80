"""Trees of files, written from a mapping of names to texts."""

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from harness.project.project import Project

Load = Callable[[Mapping[str, str]], Project]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Write the files and load the folder."""

    def write(files: Mapping[str, str]) -> Project:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text), encoding="utf-8")
        return Project.load([tmp_path])

    return write
