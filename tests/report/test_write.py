"""The folder of a report."""

import re
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from harness.errors import ConfigurationError
from harness.report.packed import unpack
from harness.report.write import prepare_directory, write_reports
from tests.report import documents


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_report_is_four_files(tmp_path: Path) -> None:
    """In a folder that is made if there is none; `run.json` comes last."""
    directory = tmp_path / "a" / "b"

    paths = write_reports(documents.troubled(), directory)

    assert [path.name for path in paths] == ["junit.xml", "summary.md", "report.html", "run.json"]
    assert names(directory) == ["junit.xml", "report.html", "run.json", "summary.md"]


def test_a_report_can_be_read_by_who_may_read_the_folder(tmp_path: Path) -> None:
    """CI picks it up as another user."""
    reference = tmp_path / "reference"
    reference.touch()

    for path in write_reports(documents.empty(), tmp_path / "report"):
        assert path.stat().st_mode == reference.stat().st_mode


def test_secrets_do_not_reach_the_disk(tmp_path: Path) -> None:
    """Also those that only the environment knows."""
    environment = {"APP_TOKEN": "value-from-the-environment"}

    for path in write_reports(documents.hostile(), tmp_path, environment=environment):
        text = path.read_text(encoding="utf-8")
        packed = re.search(r'id="data">([^<]*)<', text)
        everything = text if packed is None else f"{text} {unpack(packed[1])}"
        assert not [secret for secret in documents.SECRETS if secret in everything]


def test_a_file_that_cannot_be_replaced_leaves_nothing_half_done(tmp_path: Path) -> None:
    """One clear error, and none of the other files is there."""
    (tmp_path / "summary.md" / "something").mkdir(parents=True)

    with pytest.raises(ConfigurationError) as caught:
        write_reports(documents.as_expected(), tmp_path)

    message = str(caught.value).replace(str(tmp_path), "DIR")
    assert message == snapshot(
        "the report cannot be written to 'DIR': Is a directory (DIR/summary.md); name a folder that can be written to with --output DIR"  # noqa: E501  # golden text
    )
    assert names(tmp_path) == ["summary.md"]


@pytest.mark.parametrize("act", [prepare_directory, lambda place: write_reports(documents.empty(), place)])
def test_a_folder_that_cannot_be_made_is_a_configuration_error(act: object, tmp_path: Path) -> None:
    """Before anything runs, and when it has."""
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="cannot be written to"):
        act(tmp_path / "file" / "report")  # type: ignore[operator]  # one of the two


def test_an_earlier_report_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """Yesterday's verdict is not read as today's."""
    write_reports(documents.as_expected(), tmp_path)
    (tmp_path / "notes.txt").touch()

    prepare_directory(tmp_path)

    assert names(tmp_path) == ["notes.txt"]
