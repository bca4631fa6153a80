"""The application's lines in a report."""

from pathlib import Path

import pytest

from harness.report.document import RunDocument
from harness.report.redact import masker
from harness.report.sources import read_sources
from harness.scenario import SessionMode
from harness.verdict import Finding, FindingKind
from tests.report import documents


def pointing_to(*frames: str) -> RunDocument:
    finding = Finding(kind=FindingKind.MISSING_ROW, message="lost", check="ledger", stack=frames)
    return documents.document([documents.cell("s", SessionMode.SHARED, findings=[finding])])


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "app" / "service.py"
    path.parent.mkdir()
    path.write_text("".join(f"line_{number} = {number}\n" for number in range(1, 8)), encoding="utf-8")
    return path


def test_a_place_is_shown_with_its_neighbours(application: Path) -> None:
    """Two lines before and after, as far as there are any."""
    found = read_sources(
        pointing_to("app/service.py:4 in work", f"{application}:1 in work", "app/service.py:99 in work"), masker({})
    )

    assert {place: (excerpt.first, excerpt.lines[0], excerpt.lines[-1]) for place, excerpt in found.items()} == {
        "app/service.py:4": (2, "line_2 = 2", "line_6 = 6"),
        f"{application}:1": (1, "line_1 = 1", "line_3 = 3"),
    }


def test_secrets_in_it_are_masked(application: Path) -> None:
    """Code has them, too."""
    application.write_text("password = 'hunter22'\n", encoding="utf-8")

    found = read_sources(pointing_to("app/service.py:1 in work"), masker({}))

    assert found["app/service.py:1"].lines == ("password = ***",)


def test_only_python_files_that_can_be_imported_are_read(
    application: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A document from elsewhere cannot have other files shown."""
    outside = tmp_path_factory.mktemp("outside") / "private.py"
    outside.write_text("private = 1\n", encoding="utf-8")
    (application.parent / "secrets.env").write_text("private\n", encoding="utf-8")
    (application.parent / "link.py").symlink_to(outside)

    found = read_sources(
        pointing_to(
            "/etc/passwd:1 in f",
            f"{outside}:1 in f",
            "app/link.py:1 in f",
            "app/secrets.env:1 in f",
            "app/../../outside/private.py:1 in f",
            f"{pytest.__file__}:1 in f",
            "app:1 in f",
            "app/nul\x00.py:1 in f",
            "no place at all",
        ),
        masker({}),
    )

    assert found == {}
