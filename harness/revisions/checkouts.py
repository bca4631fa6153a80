"""A revision in a temporary git worktree, gone again whatever happens.

Problem: the user is in the middle of something: files are changed, staged, not tracked. A checkout or a stash would
touch them; a copy of the folder would have them in it.

Mechanism: `git worktree add --detach` makes a second work tree outside of the first, with an index and a HEAD of its
own. Hooks do not run (`harness.revisions.git`). It is removed by its own name: `git worktree prune` would also take
away what others have registered and is not there at the moment, on a drive that is not mounted.

Guarantee: after the context neither the folder nor git's note of it is there, or `complain` was told what is left and
how to remove it. Work tree, index, branches, reflogs and stashes of the user are not written to.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import EnvironmentMissing
from harness.revisions.git import GitError, Repository, Revision, git

__all__ = ["checked_out"]


@contextmanager
def checked_out(
    repository: Repository,
    revision: Revision,
    path: Path,
    *,
    stop: Callable[[], bool] = lambda: False,
    complain: Callable[[str], None],
) -> Iterator[Path]:
    """The revision in a work tree at `path`, which must not be there yet.

    Raises:
        EnvironmentMissing: git cannot check it out, or was stopped.
    """
    try:
        try:
            git(repository.directory, "worktree", "add", "--quiet", "--detach", str(path), revision.commit, stop=stop)
        except GitError as error:
            raise EnvironmentMissing(_refusal(revision, error.said)) from error
        yield path
    finally:
        _remove(repository, path, complain)


def _refusal(revision: Revision, said: str) -> str:
    message = f"git cannot check out {revision.asked!r} ({revision.short}) into a temporary work tree: {said}"
    if "filter" in said:
        message += (
            "; a filter of .gitattributes failed: install what it needs (git lfs install), or leave files of Git LFS "
            "as pointers by GIT_LFS_SKIP_SMUDGE=1"
        )
    return message


def _remove(repository: Repository, path: Path, complain: Callable[[str], None]) -> None:
    said = ""
    for _ in range(2):  # once with its folder, and if git does not like what is in that, once without
        try:
            git(repository.directory, "worktree", "remove", "--force", "--force", str(path))
        except GitError as error:
            said = error.said
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists() and not _is_noted(repository, path):
            return
    complain(
        f"the temporary work tree {str(path)!r}, or git's note of it, is still there ({said}): git worktree remove "
        f"--force --force {str(path)!r} removes it, and git worktree prune a note that leads nowhere"
    )


def _is_noted(repository: Repository, path: Path) -> bool:
    listed = git(repository.directory, "worktree", "list", "--porcelain").splitlines()
    common = Path(repository.directory, git(repository.directory, "rev-parse", "--git-common-dir").removesuffix("\n"))
    return f"worktree {path}" in listed or (common / "worktrees" / path.name).exists()
