"""What the documents of the scan say is what the scanner says."""

import re
from pathlib import Path
from textwrap import dedent, indent

import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.scan.codes import CODES, Code
from harness.scan.scan import scan

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "static-scan.md").read_text(encoding="utf-8")
START = (DOCS / "start-scan.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PRELUDE = BLOCK.findall(PAGE.partition("### ")[0])[0]
SECTIONS = dict(re.findall(r"^### (SP\d+)\n(.*?)(?=^##)", PAGE, re.DOTALL | re.MULTILINE))
COMMENTS = {Code.NO_REASON, Code.UNKNOWN_CODE, Code.UNUSED}


def _codes(folder: Path, example: str) -> set[Code]:
    (folder / "example.py").write_text(f"{PRELUDE}\n\n{example}", encoding="utf-8")
    result = scan([folder], select=list(Code))
    assert not result.problems
    return {each.code for each in result.findings}


def test_every_code_has_its_section() -> None:
    """But those of comments, which have one together."""
    assert set(SECTIONS) == set(CODES) - COMMENTS
    assert all(code in PAGE for code in COMMENTS)


@pytest.mark.parametrize("code", SECTIONS)
def test_the_broken_example_has_the_code(code: str, tmp_path: Path) -> None:
    """The first one of each section."""
    broken, _ = BLOCK.findall(SECTIONS[code])

    assert Code(code) in _codes(tmp_path, broken)


@pytest.mark.parametrize("code", SECTIONS)
def test_the_right_example_has_no_code(code: str, tmp_path: Path) -> None:
    """The second one of each section, with all codes selected but that of a single tool."""
    _, right = BLOCK.findall(SECTIONS[code])

    assert not _codes(tmp_path, right) - {Code.ONE_TOOL}


def test_the_comment_of_the_page_accepts(tmp_path: Path) -> None:
    """And is not told as unused."""
    example = next(block for block in BLOCK.findall(PAGE) if "sessionproof: ignore" in block)

    assert not _codes(tmp_path, example)


def test_the_start_says_what_the_command_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its example, and what comes of it, to the letter."""
    monkeypatch.chdir(tmp_path)
    (example,) = (
        block
        for block in re.findall(r"^   ```python\n(.*?)^   ```$", START, re.DOTALL | re.MULTILINE)
        if "import" in block
    )
    Path("clerk.py").write_text(dedent(example), encoding="utf-8")

    said = CliRunner().invoke(main, ["scan", "clerk.py"])

    assert said.exit_code == 1
    assert indent(said.output, "   ") in START
