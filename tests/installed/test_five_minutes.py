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
WITHOUT_A_TEST, SCANNED = (content for language, content in BLOCKS if language == "text")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the application and its test, and nothing else."""
    (tmp_path / "shop.py").write_text(SHOP, encoding="utf-8")
    (tmp_path / "test_shop.py").write_text(TEST, encoding="utf-8")
    return tmp_path


def run(folder: Path, line: str = COMMANDS.splitlines()[-1]) -> subprocess.CompletedProcess[str]:
    """One of the document's commands, by the scripts of this environment."""
    program, *options = line.removeprefix(".venv/bin/").split()
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
        timeout=200,
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


def test_an_application_without_tests_is_verified_by_an_adapter_that_is_written_for_it(folder: Path) -> None:
    """By the adapter as it is written both tools are found on one session, and nothing else is wrong."""
    (folder / "test_shop.py").unlink()
    init, check, verify = WITHOUT_A_TEST.splitlines()

    written, checked = run(folder, init), run(folder, check)
    seen = run(folder, verify)

    assert written.returncode == 0, written.stdout + written.stderr
    assert checked.returncode == 1, checked.stdout + checked.stderr
    assert "tool calls of a turn used one session: 'stock' at shop.py:41, 'articles' at shop.py:47" in checked.stdout
    assert checked.stdout.endswith(" violates the protocol in 1 way\n")
    assert seen.returncode == 1, seen.stdout + seen.stderr
    assert "session_overlap: on Session 1, Session.scalar of articles" in seen.stdout
    assert "shop.py:47" in seen.stdout
    assert "shop.py:41" in seen.stdout


def test_the_application_is_found_without_being_run(folder: Path) -> None:
    """At the field by which the tools get the session."""
    seen = run(folder, ".venv/bin/sessionproof scan .")

    assert seen.returncode == 1, seen.stdout + seen.stderr
    assert seen.stdout.startswith(SCANNED)


def test_the_application_has_sixty_lines() -> None:
    """It is as small as it is said to be."""
    assert len(SHOP.splitlines()) <= 62
