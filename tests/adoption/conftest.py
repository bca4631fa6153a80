"""Projects of a few modules, surveyed."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.adoption.found import Survey
from harness.adoption.survey import read_tree, survey_of

__all__ = ["Surveyed"]

Surveyed = Callable[..., Survey]
"""Takes the texts of modules by their names, or of files by their paths in a mapping."""


@pytest.fixture
def surveyed(tmp_path: Path) -> Surveyed:
    """Write modules, and look at them."""

    def survey(files: Mapping[str, str] | None = None, **modules: str) -> Survey:
        for name, text in (dict(files or {}) | {f"{name}.py": text for name, text in modules.items()}).items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(text, encoding="utf-8")
        return survey_of(read_tree(tmp_path))

    return survey
