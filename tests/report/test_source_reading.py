"""The application's lines that a run keeps."""

import errno
import os
from pathlib import Path

import pytest

from harness.report.document import ExcerptDocument, RunDocument, SourceFileDocument
from harness.report.formats import run_formats
from harness.report.reading import read_document
from harness.report.redact import masker
from harness.report.source_reading import with_sources
from harness.report.write import write_reports
from tests.report import documents
from tests.report.test_sources import pointing_to

BEGAN = documents.STARTED.timestamp()
SOURCE = """\
def work():
    one = 1
    two = 2
    return one + two


class Shop:
    def find(self):
        return 3
"""


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the working directory."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "app" / "service.py"
    path.parent.mkdir()
    write(path, SOURCE)
    return path


def write(path: Path, text: str | bytes, *, seconds: float = -1.0) -> None:
    """Write the file, so many seconds after the run began."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, (BEGAN + seconds, BEGAN + seconds))


def kept(*frames: str) -> tuple[SourceFileDocument, ...]:
    return with_sources(pointing_to(*frames), masker({})).source_files


def test_lines_around_places_are_kept(application: Path) -> None:
    """Each once, and those of a file together, under the name that the frames have for it."""
    found = kept("app/service.py:1 in work", "app/service.py:4 in work", f"{application}:9 in Shop.find")

    assert [(each.file.removeprefix(f"{application.parent}/"), each.missing) for each in found] == [
        ("app/service.py", None),
        ("service.py", None),
    ]
    lines = SOURCE.split("\n")
    assert [(excerpt.first, list(excerpt.lines)) for each in found for excerpt in each.excerpts] == [
        (1, lines[:6]),
        (7, lines[6:]),
    ]


def test_lines_that_are_far_from_each_other_are_kept_apart(application: Path) -> None:
    """What is between them points to nothing."""
    write(application, "\n".join(f"line_{number} = {number}" for number in range(1, 30)))

    (found,) = kept("app/service.py:4 in <module>", "app/service.py:20 in <module>", "app/service.py:29 in <module>")

    assert [(each.first, len(each.lines)) for each in found.excerpts] == [(2, 5), (18, 5), (27, 3)]


@pytest.mark.parametrize(
    ("frame", "text", "seconds"),
    [
        ("app/service.py:2 in work", SOURCE, 0.5),
        ("app/service.py:2 in work", "\n\n\n" + SOURCE, -1.0),
        ("app/service.py:2 in Shop.find", SOURCE, -1.0),
        ("app/service.py:99 in work", SOURCE, -1.0),
        ("app/service.py:99 in <module>", SOURCE, -1.0),
        ("app/service.py:2 in renamed", SOURCE, -1.0),
    ],
)
def test_of_a_file_that_is_not_what_ran_there_is_only_why(
    frame: str, text: str | bytes, seconds: float, application: Path
) -> None:
    """It was written since, or a place is not in its function, or is not there at all."""
    write(application, text, seconds=seconds)

    (found,) = kept("app/service.py:2 in <module>", frame)

    assert found.excerpts == ()
    assert found.missing == (
        "the file was changed after the run began"
        if seconds > 0
        else "the file is not what ran: a line of a stack is not in its function"
    )


@pytest.mark.parametrize("text", ["def work(:\n    pass", b"\xff\xfe def work():\n", "# coding: none\n", "x = 1\n\0"])
def test_nothing_is_kept_of_what_python_cannot_read(text: str | bytes, application: Path) -> None:
    """What in it is a secret is not known."""
    write(application, text)

    (found,) = kept("app/service.py:1 in <module>")

    assert found == SourceFileDocument(
        file="app/service.py", missing="the file is not what ran: it cannot be read as Python"
    )


@pytest.mark.parametrize(
    "function", ["work", "work.<locals>.<lambda>", "work.<locals>.<listcomp>", "<module>", "<lambda>"]
)
def test_functions_without_a_name_lie_in_what_is_around_them(function: str, application: Path) -> None:
    """As far as that has a name."""
    (found,) = kept(f"app/service.py:2 in {function}")

    assert found.missing is None


def test_lines_are_counted_as_python_counts_them(application: Path) -> None:
    """A form feed ends none, and the file says how it is encoded."""
    write(application, b"# coding: latin-1\r\nx = '\x0c'\r\ndef work():\r\n    return '\xe9'\r\n")

    (found,) = kept("app/service.py:4 in work")

    assert found.excerpts[0].lines == ("x = '\x0c'", "def work():", "    return 'é'", "")


def test_code_of_which_python_warns_is_code(application: Path) -> None:
    """An escape that means nothing is no error."""
    write(application, "def work():\n    return '\\d'\n")

    (found,) = kept("app/service.py:2 in work")

    assert found.missing is None


def test_a_file_that_is_too_large_is_not_read(application: Path) -> None:
    """Nobody wrote it by hand."""
    write(application, SOURCE + "#" * 2_000_000)

    (found,) = kept("app/service.py:2 in work")

    assert found == SourceFileDocument(file="app/service.py", missing="the file is too large")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("password = 'hunter22'\n", ("password = ***", "")),
        ("x = dict(password=\n  'hunter22')\n", ("x = dict(password=", "  ***)", "")),
        ("x = '''api_key='a\nb' '''\n", ("***", "***", "")),
        ("x = 'a'  # it's password='b\ny = 1\nz = 'c'\n", ("***", "***", "***")),
        ("api_key: str = (\n  f'hunter22'\n)", ("api_key: *** = (", "  ***", ")")),
        ("password: str = f('hunter22')", ("password: *** = f(***)",)),
        (f"x = '{'y' * 180}' # sk-proj-abcdefghijklmnop1234\n", (f"x = '{'y' * 180}' # ***", "")),
    ],
)
def test_secrets_in_them_are_masked(text: str, shown: tuple[str, ...], application: Path) -> None:
    """Code has them, too: below their names, over several lines, and where a line is cut."""
    write(application, text)

    (found,) = kept("app/service.py:1 in <module>")

    assert found.excerpts[0].lines == shown


def test_only_python_files_that_can_be_imported_are_read(
    application: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Text of the backend cannot have other files shown."""
    outside = tmp_path_factory.mktemp("outside") / "private.py"
    outside.write_text("private = 1\n", encoding="utf-8")
    (application.parent / "secrets.env").write_text("private\n", encoding="utf-8")
    (application.parent / "link.py").symlink_to(outside)

    assert not kept(
        "/etc/passwd:1 in f",
        f"{outside}:1 in f",
        "app/link.py:1 in f",
        "app/secrets.env:1 in f",
        "app/../../outside/private.py:1 in f",
        f"{pytest.__file__}:1 in f",
        "app:1 in f",
        "app/nul\x00.py:1 in f",
        "app/gone.py:1 in f",
        "no place at all",
    )


def test_relative_names_are_of_the_folder_in_which_it_was_started(
    application: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test may have changed the directory."""
    document = pointing_to("service.py:2 in work")
    environment = document.environment.model_copy(update={"directory": str(application.parent)})

    (found,) = with_sources(document.model_copy(update={"environment": environment}), masker({})).source_files

    assert found.excerpts[0].lines[0] == "def work():"


def test_secrets_are_masked_by_names_that_stand_far_above(application: Path) -> None:
    """The whole file is masked before lines are taken out of it."""
    write(application, "api_key = [" + "\n" * 20 + "  'hunter22',\n]\nx = {'password':" + "\n" * 4 + "'hunter22'}")

    (found,) = kept("app/service.py:21 in <module>", "app/service.py:27 in <module>")

    assert [each.lines for each in found.excerpts] == [
        ("", "", "  ***,", "]", "x = {'password':"),
        ("", "", "***}"),
    ]


def test_a_report_has_the_lines_in_its_document(application: Path, tmp_path: Path) -> None:
    """And what is made of that again is the same page, when the file has become another one."""
    write_reports(pointing_to("app/service.py:2 in work"), tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    application.unlink()

    document = read_document(tmp_path / "report" / "run.json")

    assert isinstance(document, RunDocument)
    assert document.source_files == (
        SourceFileDocument(
            file="app/service.py",
            excerpts=(ExcerptDocument(first=1, lines=tuple(SOURCE.split("\n")[:4])),),
        ),
    )
    assert "one = 1" in page
    assert run_formats()["html"].render(document, "") == {"report.html": page}


def test_a_file_that_cannot_be_read_has_the_reason(application: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the application's, and its lines are missed; of what is no file of ours there is nothing."""

    def refused(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refused)

    (found,) = kept("app/service.py:4 in work", f"{'x' * 300}.py:4 in work", "app/none.py:4 in work")

    assert found == SourceFileDocument(file="app/service.py", missing="the file cannot be read: Permission denied")
