"""Where `sessionproof report` writes: what cannot be meant is refused, and several files are written together."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from harness.files import beside, replace_files
from harness.scenario import SessionMode
from tests.report import documents, two_tools
from tests.test_report_command import left, refusal, report


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The document of a run."""
    return left(two_tools.run(two_tools.shared(expected=False)), tmp_path / "run.json")


def contents(directory: Path) -> dict[str, bytes | None]:
    """Every file below the folder with what is in it, and every folder."""
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in sorted(directory.rglob("*"))
    }


def test_an_output_that_cannot_be_meant_is_refused(run: Path, tmp_path: Path) -> None:
    """Before anything is rendered; and nothing is written."""
    (tmp_path / "old.html").touch()
    before = contents(tmp_path)
    two = (run, "--format", "html", "--format", "sarif")
    calls: dict[str, tuple[str | Path, ...]] = {
        "file of several": (*two, "--output", tmp_path / "big.html"),
        "old file of several": (*two, "--output", tmp_path / "old.html"),
        "in a folder that is not there": (*two, "--output", tmp_path / "no" / "where.sarif"),
        "empty": (run, "--format", "html", "--output", ""),
        "standard output": (run, "--format", "html", "--output", "-"),
        "the document": (run, "--format", "markdown", "--output", run),
        "its folder": (run, "--format", "json", "--format", "html", "--output", f"{tmp_path}/"),
        "the second document": (run, run, "--format", "markdown", "--output", run),
        "root of a page": (run, "--format", "html", "--root", tmp_path),
        "name that is too long": (run, "--format", "html", "--output", tmp_path / ("x" * 300)),
        "folder that is too long": (run, "--format", "html", "--output", tmp_path / "new" / ("x" * 300) / "file"),
    }

    said = {name: refusal(report(*words), tmp_path).replace("x" * 300, "xxx") for name, words in calls.items()}

    assert said == snapshot(
        {
            "file of several": "error: the report is several files, and 'DIR/big.html' is named as one: name a folder by --output, such as 'DIR/big/'",  # noqa: E501  # golden text
            "old file of several": "error: the report is several files, and 'DIR/old.html' is named as one: name a folder by --output, such as 'DIR/old/'",  # noqa: E501  # golden text
            "in a folder that is not there": "error: the report is several files, and 'DIR/no/where.sarif' is named as one: name a folder by --output, such as 'DIR/no/where/'",  # noqa: E501  # golden text
            "empty": "error: --output '' names no file and no folder; standard output is meant by leaving it away",
            "standard output": "error: --output '-' names no file and no folder; standard output is meant by leaving it away",  # noqa: E501  # golden text
            "the document": "error: 'DIR/run.json' is the document that the report is made of: name another by --output",  # noqa: E501  # golden text
            "its folder": "error: 'DIR/run.json' is the document that the report is made of: name another by --output",
            "the second document": "error: 'DIR/run.json' is the document that the report is made of: name another by --output",  # noqa: E501  # golden text
            "root of a page": "error: --root is for --format github and sarif: no other format names files",
            "name that is too long": "error: the report cannot be written to 'DIR/xxx': File name too long; name another by --output",  # noqa: E501  # golden text
            "folder that is too long": "error: the report cannot be written to 'DIR/new/xxx/file': File name too long; name another by --output",  # noqa: E501  # golden text
        }
    )
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["out", "out.d/", "v1.2", "2030-01-02", ".hidden"])
def test_several_formats_may_go_into_any_folder(name: str, run: Path, tmp_path: Path) -> None:
    """Its name is no file's, or ends with a slash."""
    result = report(run, "--format", "junit", "--format", "trace", "--output", f"{tmp_path}/{name}")

    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["junit.xml", "trace.json"]


def test_a_folder_that_is_named_as_a_file_is_a_folder(run: Path, tmp_path: Path) -> None:
    """If it is there."""
    (tmp_path / "pages.html").mkdir()

    report(run, "--format", "junit", "--format", "trace", "--output", tmp_path / "pages.html")

    assert sorted(path.name for path in (tmp_path / "pages.html").iterdir()) == ["junit.xml", "trace.json"]


def test_a_format_that_is_named_twice_is_one(run: Path, tmp_path: Path) -> None:
    """So that it is one file, and the step has its summary."""
    summary = tmp_path / "summary"

    page = report(run, "--format", "markdown", "--format", "markdown", "--output", tmp_path / "page.md")
    notes = report(run, *["--format", "github"] * 2, environment={"GITHUB_STEP_SUMMARY": str(summary)})

    assert (page.exit_code, notes.exit_code) == (0, 0)
    assert (tmp_path / "page.md").is_file()
    assert summary.is_file()


def test_of_several_files_all_are_written_or_none(run: Path, tmp_path: Path) -> None:
    """Also if the last of them cannot be."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "junit.xml").write_text("kept")
    beside(out / "trace.json").mkdir()
    before = contents(out)

    result = report(run, "--format", "junit", "--format", "trace", "--output", out)

    assert refusal(result, tmp_path) == (
        "error: the report cannot be written to 'DIR/out': Is a directory; name another by --output"
    )
    assert contents(out) == before


def test_folders_that_were_made_in_vain_are_removed(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only these."""
    (tmp_path / "a").mkdir()
    before = contents(tmp_path)
    monkeypatch.setattr("harness.command.report.replace_files", _disk_full)

    result = report(run, "--format", "junit", "--output", tmp_path / "a" / "b" / "c" / "junit.xml")

    assert "No space left on device" in refusal(result, tmp_path)
    assert contents(tmp_path) == before


def _disk_full(texts: object) -> None:
    raise OSError(28, os.strerror(28))


def test_what_a_link_leads_to_is_replaced(run: Path, tmp_path: Path) -> None:
    """And the link stays."""
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "page.md").write_text("old")
    (tmp_path / "link.md").symlink_to(tmp_path / "there" / "page.md")

    result = report(run, "--format", "markdown", "--output", tmp_path / "link.md")

    assert result.exit_code == 0, result.output
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "there" / "page.md").read_text(encoding="utf-8").startswith("# sessionproof")


def test_files_take_their_places_when_all_are_written(tmp_path: Path) -> None:
    """In their order."""
    texts = {tmp_path / "b": "1", tmp_path / "a": "2"}

    assert replace_files(texts) == [tmp_path / "b", tmp_path / "a"]
    assert contents(tmp_path) == {"a": b"2", "b": b"1"}
    with pytest.raises(OSError, match="No such file"):
        replace_files({tmp_path / "a": "new", tmp_path / "no" / "where": "new"})
    assert contents(tmp_path) == {"a": b"2", "b": b"1"}


def test_one_document_of_two_that_is_none_is_named(run: Path, tmp_path: Path) -> None:
    """Whichever it is."""
    bad = tmp_path / "bad.json"
    bad.write_text("{}")
    out = ("--format", "markdown", "--output", tmp_path / "out")

    first, second = refusal(report(bad, run, *out), tmp_path), refusal(report(run, bad, *out), tmp_path)

    assert first == second
    assert first.startswith("error: 'DIR/bad.json' is JSON, but no document of sessionproof")
    assert not (tmp_path / "out").exists()


def test_standard_input_is_no_document() -> None:
    """Nor is it waited for."""
    assert refusal(report("-"), Path("DIR")) == (
        "error: a document is read from a file, and not from standard input: name the file"
    )


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder into which nobody may look; without one, as root has none, the test is skipped."""
    folder = tmp_path / "closed"
    folder.mkdir()
    (folder / "run.json").touch()
    folder.chmod(0)
    if os.access(folder, os.X_OK):
        pytest.skip("nothing is forbidden to this user")
    yield folder
    folder.chmod(0o700)


def test_what_is_forbidden_is_said(run: Path, closed: Path, tmp_path: Path) -> None:
    """In one line, as what is not there."""
    said = [
        refusal(report(closed / "run.json"), tmp_path),
        *(
            refusal(report(run, "--format", "junit", "--format", "trace", "--output", place), tmp_path)
            for place in (closed, closed / "new", closed / "new" / "er")
        ),
        refusal(report(run, "--format", "junit", "--output", closed / "run.json"), tmp_path),
    ]

    assert said == [
        "error: 'DIR/closed/run.json' cannot be read: Permission denied",
        *(
            f"error: the report cannot be written to 'DIR/closed{place}': Permission denied; name another by --output"
            for place in ("", "/new", "/new/er", "/run.json")
        ),
    ]


def test_a_part_of_a_run_can_be_named_that_was_not_verified(tmp_path: Path) -> None:
    """What is shown of it is why."""
    path = left(documents.troubled(), tmp_path / "run.json")

    result = report(path, "--cell", "streaming")

    assert result.exit_code == 0
    assert "the backend cannot stream" in result.stdout
    assert SessionMode.SHARED not in result.stdout
