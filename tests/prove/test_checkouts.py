"""A revision beside the user's work, of which nothing is touched."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from harness.errors import EnvironmentMissing
from harness.revisions.checkouts import checked_out
from harness.revisions.git import find_repository, resolve_revision
from harness.revisions.lacks import lacks_of
from tests.prove import shops

Situation = Callable[[Path, Path], Path]


def _clean(folder: Path, _: Path) -> Path:
    return folder


def _dirty(folder: Path, _: Path) -> Path:
    """Changed, staged, staged and changed again, deleted, not tracked, ignored, stashed."""
    shops.written(folder, {"a.txt": "stashed"})
    shops.git(folder, "stash", "push", "--quiet")
    shops.written(
        folder, {"a.txt": "changed", "b.txt": "staged", "new.txt": "new", ".gitignore": "*.log\n", "x.log": ""}
    )
    shops.git(folder, "add", "b.txt", "new.txt")
    shops.written(folder, {"b.txt": "staged, and changed again", "untracked.txt": ""})
    (folder / "deep" / "c.txt").unlink()
    return folder


def _below(folder: Path, _: Path) -> Path:
    return _dirty(folder, folder) / "deep"


def _linked(folder: Path, other: Path) -> Path:
    shops.git(folder, "worktree", "add", "--quiet", "-b", "feature", str(other / "linked"))
    return _dirty(other / "linked", other)


def _bare(folder: Path, other: Path) -> Path:
    shops.git(other, "clone", "--quiet", "--bare", str(folder), "bare")
    return other / "bare"


def _with_worktrees_that_are_away(folder: Path, other: Path) -> Path:
    """A work tree that is registered, and whose folder is not there at the moment."""
    shops.git(folder, "worktree", "add", "--quiet", "--detach", str(other / "drive"))
    (other / "drive").rename(other / "elsewhere")
    return folder


def _in_the_middle_of_a_merge(folder: Path, _: Path) -> Path:
    shops.git(folder, "checkout", "--quiet", "-b", "side", "HEAD~1")
    shops.commit(folder, "Side", {"a.txt": "side"})
    shops.git(folder, "checkout", "--quiet", "main")
    with pytest.raises(Exception, match="merge"):
        shops.git(folder, "merge", "side")
    return folder


def _with_hooks(folder: Path, other: Path) -> Path:
    hooks = other / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "post-index-change", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {other}/{name}-ran\n", encoding="utf-8")
        (hooks / name).chmod(0o755)
    shops.git(folder, "config", "core.hooksPath", str(hooks))
    return folder


def _with_hooks_of_its_own(folder: Path, other: Path) -> Path:
    hook = folder / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {other}/post-checkout-ran\nexit 1\n", encoding="utf-8")
    hook.chmod(0o755)
    return folder


def _with_relative_worktrees(folder: Path, _: Path) -> Path:
    shops.git(folder, "config", "worktree.useRelativePaths", "true")
    shops.git(folder, "config", "core.untrackedCache", "true")
    return folder


SITUATIONS = (
    _clean,
    _dirty,
    _below,
    _linked,
    _bare,
    _with_worktrees_that_are_away,
    _in_the_middle_of_a_merge,
    _with_hooks,
    _with_hooks_of_its_own,
    _with_relative_worktrees,
)


def everything(folder: Path, *, tree: bool = True) -> Mapping[str, object]:
    """What git says of a repository, and each file of its work tree and of `.git`, with content and time."""
    quiet = ("-c", "core.hooksPath=/dev/null", "--no-optional-locks")
    asked = ("worktree list --porcelain", "for-each-ref", "log -g --all --format=%gD%H%gs", "config -l")
    said: dict[str, object] = {words: shops.git(folder, *quiet, *words.split()) for words in asked}
    said["HEAD"] = shops.git(folder, *quiet, "rev-parse", "HEAD")
    if tree:
        said["stashes"] = shops.git(folder, *quiet, "stash", "list")
        said["status"] = shops.git(folder, *quiet, "status", "--porcelain=v2", "--branch", "--ignored")
    common = Path(shops.git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    for place in {folder, common}:
        for path in sorted(each for each in place.rglob("*") if each.is_file()):
            said[str(path)] = (path.read_bytes(), path.stat().st_mtime_ns)
    return said


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits."""
    folder = shops.repository(tmp_path / "repo")
    shops.commit(folder, "First", {"a.txt": "1", "b.txt": "1", "deep/c.txt": "1"})
    shops.commit(folder, "Second", {"a.txt": "2"})
    return folder


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda each: each.__name__.strip("_"))
@pytest.mark.parametrize("fails", [False, True], ids=["", "the run fails"])
def test_nothing_of_the_users_is_touched(situation: Situation, fails: bool, repository: Path, tmp_path: Path) -> None:
    """Neither while the revision lies there, nor after; no file, no time of one, no hook, no note of git's."""
    other = tmp_path / "other"
    other.mkdir()
    here = situation(repository, other)
    tree = situation is not _bare
    found, complaints = find_repository(here), list[str]()
    before = everything(here, tree=tree)

    revision = resolve_revision(found, "main~1")
    with (
        suppress(KeyboardInterrupt),
        checked_out(found, revision, tmp_path / "temporary", complain=complaints.append) as top,
    ):
        assert (top / "a.txt").read_text(encoding="utf-8") == "1"
        assert shops.git(top, "-c", "core.hooksPath=/dev/null", "status", "--porcelain") == ""
        (top / "left behind").mkdir()
        (top / "left behind" / "file").touch()
        if fails:
            raise KeyboardInterrupt

    assert complaints == []
    assert everything(here, tree=tree) == before
    assert not (tmp_path / "temporary").exists()
    assert not list(other.glob("*-ran"))


def test_a_folder_that_somebody_removed_is_no_trouble(repository: Path, tmp_path: Path) -> None:
    """What a cleaner of temporary folders does."""
    before, found = everything(repository), find_repository(repository)

    with checked_out(found, resolve_revision(found, "HEAD"), tmp_path / "temporary", complain=pytest.fail) as top:
        for path in sorted(top.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        top.rmdir()

    assert everything(repository) == before


def test_a_checkout_that_is_stopped_leaves_nothing(repository: Path, tmp_path: Path) -> None:
    """Here in the middle of a filter, which takes its time."""
    shops.commit(repository, "Third", {".gitattributes": "slow.txt filter=slow\n", "slow.txt": "1"})
    shops.git(repository, "config", "filter.slow.smudge", "sleep 98.5; cat")
    before, found = everything(repository), find_repository(repository)
    revision, complaints = resolve_revision(found, "HEAD"), list[str]()

    with (
        pytest.raises(EnvironmentMissing),
        checked_out(found, revision, tmp_path / "temporary", stop=lambda: True, complain=complaints.append),
    ):
        pytest.fail("it was checked out")

    assert complaints == []
    assert everything(repository) == before
    assert not (tmp_path / "temporary").exists()


def test_what_cannot_be_removed_is_told(repository: Path, tmp_path: Path) -> None:
    """With what does it: here, somebody has broken what git notes of it."""
    found, complaints = find_repository(repository), list[str]()

    with checked_out(found, resolve_revision(found, "HEAD"), tmp_path / "temporary", complain=complaints.append):
        note = next((repository / ".git" / "worktrees").iterdir())
        (note / "gitdir").rename(note / "gone")
        (note / "gitdir").mkdir()

    (complaint,) = complaints
    assert "git worktree remove --force --force" in complaint


def test_a_filter_that_fails_is_told(repository: Path, tmp_path: Path) -> None:
    """In the words of git, and with what to do; nothing is left."""
    shops.commit(repository, "Third", {".gitattributes": "*.bin filter=lfs\n", "model.bin": "1"})
    shops.git(repository, "config", "filter.lfs.clean", "cat")
    shops.git(repository, "config", "filter.lfs.smudge", "no-such-program")
    shops.git(repository, "config", "filter.lfs.required", "true")
    before, found = everything(repository), find_repository(repository)

    with (
        pytest.raises(EnvironmentMissing, match=r"smudge filter lfs failed.*GIT_LFS_SKIP_SMUDGE"),
        checked_out(found, resolve_revision(found, "HEAD"), tmp_path / "temporary", complain=pytest.fail),
    ):
        pytest.fail("it was checked out")

    assert everything(repository) == before


def test_what_a_checkout_lacks_is_told(repository: Path, tmp_path: Path) -> None:
    """Submodules, contents of Git LFS, and what another filter would have made."""
    library = shops.repository(tmp_path / "library")
    shops.commit(library, "Library", {"x.py": ""})
    shops.git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "vendor")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
    attributes = "*.bin filter=lfs\n*.enc filter=crypt\n*.txt text\n"
    shops.commit(
        repository, "Third", {".gitattributes": attributes, "model.bin": pointer, "key.enc": "?", "x y.enc": ""}
    )
    found = find_repository(repository)

    with checked_out(found, resolve_revision(found, "HEAD"), tmp_path / "temporary", complain=pytest.fail) as top:
        told = lacks_of(top)

    assert told == snapshot(
        [
            "submodules are not checked out, and their folders are empty: 'vendor'",
            "files of Git LFS are pointers in place of their contents: 'model.bin'; if the application needs them, install it: git lfs install",  # noqa: E501  # golden text
            "2 files have the filter 'crypt' in .gitattributes, which git does not have here: they are as the repository stores them",  # noqa: E501  # golden text
        ]
    )


def test_a_checkout_that_lacks_nothing_says_nothing(repository: Path, tmp_path: Path) -> None:
    """Also with a filter that git has."""
    shops.commit(repository, "Third", {".gitattributes": "*.enc filter=crypt\n", "key.enc": "?"})
    shops.git(repository, "config", "filter.crypt.smudge", "cat")
    found = find_repository(repository)

    with checked_out(found, resolve_revision(found, "HEAD"), tmp_path / "temporary", complain=pytest.fail) as top:
        assert lacks_of(top) == []
    assert "GIT_DIR" not in os.environ
