"""What `docs/five-minutes.md` promises to who has nothing but the wheel."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

pytestmark = pytest.mark.installed

DOCUMENT = Path(__file__).parents[2] / "docs" / "five-minutes.md"
BLOCKS = [
    (token.info, token.content) for token in MarkdownIt().parse(DOCUMENT.read_text("utf-8")) if token.type == "fence"
]
SHOP, TEST = (content for language, content in BLOCKS if language == "python")
(REPAIR,) = (content for language, content in BLOCKS if language == "diff")
COMMANDS, FINDING = (content for language, content in BLOCKS if not language)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the application and its test, and nothing else."""
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    (tmp_path / "test_shop.py").write_text(TEST, encoding="utf-8")
    return tmp_path


def run(folder: Path) -> subprocess.CompletedProcess[str]:
    """The last of the document's commands, by the scripts of this environment."""
    _, _, command = COMMANDS.splitlines()
    program, *options = command.removeprefix(".venv/bin/").split()
    scripts = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "SESSIONPROOF"))}
    environment["SESSIONPROOF_POSTGRES"] = "embedded"
    return subprocess.run(
        [scripts / program, *options],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_the_finding_is_the_documents(folder: Path) -> None:
    """The application fails its test with both stacks, without a frame of the sanitizer's own."""
    seen = run(folder)

    assert seen.returncode == 1, seen.stdout + seen.stderr
    assert FINDING in seen.stdout
    assert str(Path("harness", "sanitizer")) not in seen.stdout


def test_the_repair_passes(folder: Path) -> None:
    """What the document changes is all that has to change."""
    shop = SHOP
    for part in REPAIR.split("@@\n"):
        old, new = (
            "".join(f"{line[1:]}\n" for line in part.splitlines() if line[0] in signs) for signs in (" -", " +")
        )
        assert shop.count(old) == 1
        shop = shop.replace(old, new)
    (folder / "shop.py").write_text(shop, encoding="utf-8")

    seen = run(folder)

    assert seen.returncode == 0, seen.stdout + seen.stderr


def test_the_application_has_sixty_lines() -> None:
    """It is as small as it is said to be."""
    assert len(SHOP.splitlines()) <= 62
