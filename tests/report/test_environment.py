"""Where a run took place."""

from pathlib import Path

import pytest

from harness.report.document import SourceDocument
from harness.report.environment import describe_environment, describe_source

JOB = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "o/shop",
    "GITHUB_SHA": "c0ffee",
    "GITHUB_REF_NAME": "main",
}


def test_a_job_of_github_tells_its_sources() -> None:
    """Repository, commit and branch; also without a branch."""
    told = SourceDocument(repository="https://github.com/o/shop", revision="c0ffee", branch="main")

    assert describe_source(JOB) == told
    assert describe_source({**JOB, "GITHUB_REF_NAME": ""}) == told.model_copy(update={"branch": ""})


@pytest.mark.parametrize("lacking", ["GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA"])
def test_sources_are_told_whole_or_not_at_all(lacking: str) -> None:
    """Nothing is made up."""
    assert describe_source({name: value for name, value in JOB.items() if name != lacking}) is None
    assert describe_source({}) is None


def test_the_folder_of_the_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is where relative paths of the document begin."""
    monkeypatch.chdir(tmp_path)

    assert describe_environment(postgres=None, backend="x:y").directory == str(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_the_top_of_the_work_tree_is_told(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a repository, and in a work tree of it, whose `.git` is a file."""
    here = tmp_path / "services" / "api"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    mark = tmp_path / ".git"
    mark.mkdir() if kind == "folder" else mark.write_text("gitdir: /elsewhere\n")

    told = describe_environment(postgres=None, backend="x:y")

    assert (told.directory, told.top) == (str(here), str(tmp_path))
