"""What `docs/session-sanitizer.md` shows is so."""

import re
import textwrap
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from harness.evidence import RaceKind
from harness.sanitizer import WatchMode

TEXT = (Path(__file__).parents[2] / "docs" / "session-sanitizer.md").read_text(encoding="utf-8")
EXAMPLES = [
    textwrap.dedent(block) for block in re.findall(r"^ *```python\n(.*?)^ *```$", TEXT, re.DOTALL | re.MULTILINE)
]


def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Every example runs as it stands; the first one finds what it says."""
    for example in EXAMPLES:
        exec(
            compile(example, "example.py", "exec"), {"session": AsyncSession(), "__name__": "__main__"}
        )  # they are ours

    assert len(EXAMPLES) == 2
    assert capsys.readouterr().out.startswith("unordered ")


@pytest.mark.parametrize("name", [*RaceKind, *WatchMode])
def test_every_kind_and_mode_is_explained(name: str) -> None:
    """Each has a row in a table."""
    assert f"| `{name}` |" in TEXT
