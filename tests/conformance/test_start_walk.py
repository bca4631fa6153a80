"""The walk of `docs/start-your-backend.md`, word by word: each command in its folder, and what it prints."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

pytestmark = [pytest.mark.processes, pytest.mark.timeout(500)]

ROOT = Path(__file__).parents[2]


def blocks(name: str) -> list[tuple[str, str]]:
    """The blocks of code of a document, with their languages."""
    tokens = MarkdownIt().parse((ROOT / "docs" / name).read_text(encoding="utf-8"))
    return [(token.info, token.content) for token in tokens if token.type == "fence"]


FIVE = blocks("five-minutes.md")
SHOP = next(content for language, content in FIVE if language == "python")
(REPAIR,) = (content for language, content in FIVE if language == "diff")


def steps() -> Iterator[tuple[str, str]]:
    """Each command of sessionproof's, with what is said to come of it."""
    commands = [(language, content) for language, content in blocks("start-your-backend.md") if language != "toml"]
    for (kind, command), (_, output) in pairwise(commands):
        if not kind and command.startswith("sessionproof "):
            yield command.strip(), output


def run(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """One of the commands, as the reader calls it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "SESSIONPROOF"))}
    environment |= {"SESSIONPROOF_POSTGRES": "embedded", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", *line.split()[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def repaired(shop: str) -> str:
    """The application with each part of the diff applied, which must be there once."""
    for part in REPAIR.split("@@\n"):
        old, new = ("".join(f"{each[1:]}\n" for each in part.splitlines() if each[0] in sign) for sign in (" -", " +"))
        assert shop.count(old) == 1
        shop = shop.replace(old, new)
    return shop


def missing(output: str, said: str) -> list[str]:
    """The lines of the document that are not printed in their order; `…` stands for anything, and so do line breaks."""
    rest = re.sub(r"\s+", " ", said)
    lacking = []
    for line in filter(str.strip, output.splitlines()):
        words = r"\s+".join(map(re.escape, line.split())).replace("…", ".*?")
        found = re.search(words, rest)
        lacking += [] if found else [line]
        rest = rest[found.end() :] if found else rest
    return lacking


def test_the_walk_is_as_it_is_written(tmp_path: Path) -> None:
    """From an empty folder with the application to a finding, its repair, and what is found after that."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    (settings,) = (content for language, content in blocks("start-your-backend.md") if language == "toml")
    statuses, seen = [], dict[str, str]()

    for command, output in steps():
        if command in seen:
            (folder / "shop.py").write_text(repaired(SHOP), encoding="utf-8")
            (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
        done = run(folder, command)
        seen[command] = done.stdout
        statuses.append(done.returncode)
        assert missing(output, done.stdout) == [], done.stdout + done.stderr

    assert statuses == [0, 1, 1, 0, 0, 1]


def test_a_line_that_is_not_printed_is_missed() -> None:
    """Also one that is printed before what it is to follow."""
    assert missing("a …\nb", "a 1\nb") == []
    assert missing("a …\nc", "a 1\nb") == ["c"]
    assert missing("b\na", "a\nb") == ["a"]
