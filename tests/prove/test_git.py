"""The user's repository, asked."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from harness.errors import EnvironmentMissing, UsageError
from harness.revisions.git import GitError, find_repository, git, resolve_revision, without_git
from tests.prove import shops


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits, and a folder."""
    folder = shops.repository(tmp_path / "repo")
    shops.commit(folder, "First", {"a.txt": "1", "deep/er/b.txt": "1"})
    shops.commit(folder, "Second\n\nWith more.", {"a.txt": "2"})
    return folder


def test_a_repository_is_found_from_below(repository: Path) -> None:
    """With the way from its top to where one stands."""
    found = find_repository(repository / "deep" / "er")

    assert (found.top, found.prefix, found.shallow) == (repository, "deep/er/", False)


def test_a_bare_repository_has_no_work_tree(repository: Path, tmp_path: Path) -> None:
    """And has revisions all the same."""
    shops.git(tmp_path, "clone", "--quiet", "--bare", str(repository), "bare")

    found = find_repository(tmp_path / "bare")

    assert found.top is None
    assert resolve_revision(found, "main").subject == "Second"


def test_a_revision_has_its_names_and_its_subject(repository: Path) -> None:
    """Whatever it is called."""
    found = find_repository(repository)

    revisions = [
        resolve_revision(found, name) for name in ("HEAD", "main", "@", shops.git(repository, "rev-parse", "@"))
    ]

    assert len({each.commit for each in revisions}) == 1
    assert {each.subject for each in revisions} == {"Second"}
    assert revisions[0].short == revisions[0].commit[:10]


@pytest.mark.parametrize(
    "name", ["", "nothing", "HEAD~7", "--all", "-h", "a.txt", "HEAD:a.txt", "main..HEAD", "a\0b", "^main"]
)
def test_what_is_no_commit_is_refused(name: str, repository: Path) -> None:
    """Whatever it looks like to git: no option, no file, no range."""
    with pytest.raises(UsageError, match="the repository has no revision"):
        resolve_revision(find_repository(repository), name)


def test_a_shallow_clone_says_so(repository: Path, tmp_path: Path) -> None:
    """Where the revision may be there, and was not fetched."""
    shops.git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{repository}", "shallow")

    with pytest.raises(UsageError) as caught:
        resolve_revision(find_repository(tmp_path / "shallow"), "HEAD~1")

    assert str(caught.value) == snapshot(
        "the repository has no revision 'HEAD~1'; it is a shallow clone, in which older ones are missing: git fetch --unshallow gets them (in a CI job: fetch-depth: 0, or GIT_DEPTH: 0)"  # noqa: E501  # golden text
    )


def test_a_folder_without_a_repository_says_what_to_do(tmp_path: Path) -> None:
    """One sentence."""
    with pytest.raises(UsageError) as caught:
        find_repository(tmp_path)

    assert str(caught.value).replace(str(tmp_path), "DIR") == snapshot(
        "'DIR' is in no git repository, and revisions are git's: call it inside of the repository with both revisions (a copy of the sources without its .git folder has none; git clone makes one), or run `sessionproof verify` on each state of the sources"  # noqa: E501  # golden text
    )


def test_a_machine_without_git_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And how to get it."""
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EnvironmentMissing) as caught:
        find_repository(repository)

    assert str(caught.value) == snapshot(
        "git is not installed, or not on PATH, and revisions are git's: install it (apt-get install git)"
    )


def test_a_broken_repository_is_told_in_the_words_of_git(tmp_path: Path) -> None:
    """They say more than we know."""
    (tmp_path / ".git").write_text("gitdir: /nowhere/at/all\n", encoding="utf-8")

    with pytest.raises(UsageError, match=r"git repository|git does not use"):
        find_repository(tmp_path)


def test_variables_of_a_surrounding_git_are_not_followed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a hook they name the repository, and the index, that the user's git is working on."""
    other = shops.repository(tmp_path / "other")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))

    assert find_repository(repository).top == repository
    assert not {"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"} & without_git(os.environ).keys()


def test_git_can_be_stopped(repository: Path) -> None:
    """Also in the middle of what takes long; nothing of it goes on."""
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 1

    waiting = "!f() { sleep 97.5; }; f"
    shops.git(repository, "config", "alias.wait", waiting)
    with pytest.raises(GitError):
        git(repository, "wait", stop=stop)

    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "sleep 97.5" not in running


def test_git_has_a_session_of_its_own(repository: Path) -> None:
    """So that a Ctrl-C on the terminal does not end it in the middle of its work."""
    shops.git(repository, "config", "alias.session", "!ps -o sid= -p $$")
    before = signal.getsignal(signal.SIGINT)

    assert int(git(repository, "session")) != os.getsid(0)
    assert signal.getsignal(signal.SIGINT) is before
