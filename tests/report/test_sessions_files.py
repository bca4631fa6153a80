"""Where the report of a watched test suite goes, and what is said of places where it cannot go."""

from functools import partial
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from harness.errors import ConfigurationError, UsageError
from harness.report.html import html
from harness.report.reading import read_document
from harness.report.sessions_files import files_named, prepare_files
from harness.report.sessions_write import write_sessions
from tests.report.documents import as_expected
from tests.report.session_documents import everything


@pytest.mark.parametrize(
    ("name", "document", "page"),
    [
        ("there", "there/run.json", "there/report.html"),
        ("new/", "new/run.json", "new/report.html"),
        ("new/deep/", "new/deep/run.json", "new/deep/report.html"),
        ("found.json", "found.json", "found.html"),
        ("deep/found.html", "deep/found.json", "deep/found.html"),
        ("a.b.json", "a.b.json", "a.b.html"),
        (".", "run.json", "report.html"),
    ],
)
def test_where_a_name_leads(tmp_path: Path, name: str, document: str, page: str) -> None:
    """To a folder, or to a file and the one beside it; both are written, and can be read."""
    (tmp_path / "there").mkdir()
    files = files_named(name, tmp_path)

    prepare_files(files)
    write_sessions(everything(), files)

    assert (files.document, files.page) == (tmp_path / document, tmp_path / page)
    assert read_document(files.document) == everything()
    assert f"<code>{files.document.name}</code>" in files.page.read_text(encoding="utf-8")
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("name", ["", "found", "found.xml", "found.JSON", ".json"])
def test_a_name_that_leads_nowhere(tmp_path: Path, name: str) -> None:
    """Is refused, with what is meant instead."""
    with pytest.raises(UsageError, match=r"name a file that ends with \.json or \.html, or a folder, with a slash"):
        files_named(name, tmp_path)


def test_an_earlier_report_is_removed(tmp_path: Path) -> None:
    """Before anything runs: whoever finds one later finds this run's."""
    files = files_named("out/", tmp_path)
    prepare_files(files)
    write_sessions(everything(), files)

    prepare_files(files)

    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("name", "other"), [("package.json", "package.json"), ("site.json", "site.html")])
def test_what_is_no_report_is_kept(tmp_path: Path, name: str, other: str) -> None:
    """A name that was mistaken costs nobody a file."""
    (tmp_path / other).write_text("mine", encoding="utf-8")
    files = files_named(name, tmp_path)

    with pytest.raises(ConfigurationError, match=f"would overwrite '.*{other}', which is none"):
        prepare_files(files)

    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["mine"]


def test_a_report_that_is_refused_removes_nothing(tmp_path: Path) -> None:
    """Of two files one is another's, or a folder: the good one stays."""
    files = files_named("out/", tmp_path)
    for spoil in (partial(files.page.write_text, "mine"), files.page.mkdir):
        prepare_files(files)
        write_sessions(everything(), files)
        files.page.unlink()
        spoil()

        with pytest.raises(ConfigurationError):
            prepare_files(files)

        assert read_document(files.document) == everything()
        if files.page.is_file():
            files.page.unlink()


OTHERS = {
    "a benchmark of anybody": '{"schema_version": 1, "cases": []}',
    "a calendar": '{"schema_version": 1, "races": [], "season": 2026}',
    "a list": '["schema_version", "mode", "tests", "races", "suppressions"]',
    "half a document": '{"schema_version": 1, "mode": "raise", "tests": 1, "races": [], "suppressions": ',
    "a deep one": '{"races": ' + "[" * 100_000,
}


@pytest.mark.parametrize("other", OTHERS)
def test_documents_of_others(tmp_path: Path, other: str) -> None:
    """Are kept, though they have a field or two of ours."""
    (tmp_path / "run.json").write_text(OTHERS[other], encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"would overwrite '.*run\.json', which is none"):
        prepare_files(files_named(".", tmp_path))

    assert (tmp_path / "run.json").read_text(encoding="utf-8") == OTHERS[other]


@pytest.mark.parametrize("suffix", ["json", "html"])
def test_reports_of_another_kind(tmp_path: Path, suffix: str) -> None:
    """Are kept, though this project wrote them: a run's stand under the same names."""
    name, text = {
        "json": ("run.json", as_expected().model_dump_json()),
        "html": ("report.html", html(as_expected())),
    }[suffix]
    (tmp_path / name).write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=f"would overwrite '.*{name}', which is none"):
        prepare_files(files_named(".", tmp_path))

    assert (tmp_path / name).is_file()


def test_places_that_cannot_be(tmp_path: Path) -> None:
    """Are told in one line, before the tests and after them."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "page.html").mkdir()
    said = []
    for name in ("file/", "file/run.json", "page.json"):
        files = files_named(name, tmp_path)
        for attempt in (partial(prepare_files, files), partial(write_sessions, everything(), files)):
            with pytest.raises(ConfigurationError) as caught:
                attempt()
            said.append(str(caught.value).replace(str(tmp_path), "DIR"))

    ending = "; name another place by --sessions-report"
    assert all(each.endswith(ending) for each in said)
    assert [each.removesuffix(ending) for each in said] == snapshot(
        [
            "the report of sessions cannot be written to 'DIR/file/run.json': File exists (DIR/file)",
            "the report of sessions cannot be written to 'DIR/file/run.json': File exists (DIR/file)",
            "the report of sessions cannot be written to 'DIR/file/run.json': File exists (DIR/file)",
            "the report of sessions cannot be written to 'DIR/file/run.json': File exists (DIR/file)",
            "the report of sessions cannot be written to 'DIR/page.json': Is a directory (DIR/page.html)",
            "the report of sessions cannot be written to 'DIR/page.json': Is a directory (DIR/page.html)",
        ]
    )
