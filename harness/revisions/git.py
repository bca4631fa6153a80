"""The user's repository, asked and never changed.

Problem: whatever asks git can change something: `git status` writes the index again, a checkout runs hooks, a file
system monitor is started; variables of a surrounding git command (in a hook, say) point somewhere else; and a Ctrl-C
reaches git, too, in the middle of its work.

Mechanism: each call has the settings that leave all that alone, an environment without what git sets for its own
children, and a session of its own, so that only `stop` ends it: then git gets SIGTERM, on which it takes back what it
had begun.

Guarantee: what git says on failure is the message of the error, with what to do where that is known.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import EnvironmentMissing, SessionproofError, UsageError

__all__ = ["GitError", "Repository", "Revision", "find_repository", "git", "resolve_revision", "without_git"]

_SETTINGS = (
    f"core.hooksPath={os.devnull}",
    "core.fsmonitor=false",
    "submodule.recurse=false",
    "worktree.useRelativePaths=false",  # it would be written into the repository's configuration
    "gc.auto=0",
    "maintenance.auto=false",
)
_OF_GIT = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_WORK_TREE",
    }
)
"""What git sets for its hooks, and for what it starts: it names the repository and the index in use."""
_TICK = 0.1
_GRACE = 10.0


class GitError(SessionproofError):
    """Git could not do what it was asked for; `said` is its own message."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """A repository: where the caller stands, the top of the work tree (`None`: bare), and the way from there to here.

    `trees` are the tops of all its work trees. `shallow` says that a part of its history is missing.
    """

    directory: Path
    top: Path | None
    prefix: str
    trees: Sequence[Path]
    shallow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A commit: what the caller called it, its full name, that of its content, and the first line of its message."""

    asked: str
    commit: str
    tree: str
    subject: str

    @property
    def short(self) -> str:
        """The commit as people write it."""
        return self.commit[:10]


def find_repository(directory: Path) -> Repository:
    """The repository in which the folder lies.

    Raises:
        EnvironmentMissing: git is not installed.
        UsageError: the folder is in no repository, or git does not use it.
    """
    try:
        bare = git(directory, "rev-parse", "--is-bare-repository", "--is-inside-work-tree").split()
        shallow = git(directory, "rev-parse", "--is-shallow-repository").strip() == "true"
        top = git(directory, "rev-parse", "--show-toplevel").removesuffix("\n") if bare[1] == "true" else ""
        prefix = git(directory, "rev-parse", "--show-prefix").removesuffix("\n") if top else ""
        trees = git(directory, "worktree", "list", "--porcelain").splitlines()
    except GitError as error:
        raise UsageError(_no_repository(directory, error.said)) from error
    return Repository(
        directory=directory,
        top=Path(top).resolve() if top else None,
        prefix=prefix,
        trees=[Path(line.removeprefix("worktree ")).resolve() for line in trees if line.startswith("worktree ")],
        shallow=shallow,
    )


def _no_repository(directory: Path, said: str) -> str:
    if "not a git repository" in said:
        return (
            f"{str(directory)!r} is in no git repository, and revisions are git's: call it inside of the repository "
            "with both revisions (a copy of the sources without its .git folder has none; git clone makes one), or "
            "run `sessionproof verify` on each state of the sources"
        )
    return f"git does not use the repository of {str(directory)!r}: {said}"


def resolve_revision(repository: Repository, name: str) -> Revision:
    """The commit that the repository has by that name.

    Raises:
        UsageError: it has none.
    """
    ask = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if not name or "\0" in name:
        raise UsageError(_no_revision(repository, name))
    try:
        commit = git(repository.directory, *ask).strip()
        if commit.startswith("^"):  # git takes that for a commit to leave out
            raise UsageError(_no_revision(repository, name))
        told = git(repository.directory, "log", "-1", "--format=%T%n%s", "--no-show-signature", commit)
    except GitError as error:
        raise UsageError(_no_revision(repository, name)) from error
    tree, _, subject = told.partition("\n")
    return Revision(asked=name, commit=commit, tree=tree, subject=subject.strip())


def _no_revision(repository: Repository, name: str) -> str:
    missing = f"the repository has no revision {name!r}"
    if repository.shallow:
        return (
            f"{missing}; it is a shallow clone, in which older ones are missing: git fetch --unshallow gets them "
            "(in a CI job: fetch-depth: 0, or GIT_DEPTH: 0)"
        )
    return f"{missing}: `git log --oneline --all` has those that there are, and `git fetch` gets others'"


def without_git(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what names the repository of a surrounding git command."""
    return {name: value for name, value in environment.items() if name not in _OF_GIT}


def git(directory: Path, *words: str, given: bytes = b"", stop: Callable[[], bool] = lambda: False) -> str:
    """What git prints on being called so in the folder; `given` is its input.

    With `stop`, git is ended as soon as that is true. Names that are not UTF-8 keep their bytes, as Python's paths do.

    Raises:
        EnvironmentMissing: git is not installed.
        GitError: git failed, or was stopped.
    """
    options = [word for setting in _SETTINGS for word in ("-c", setting)]
    command = ["git", "--no-optional-locks", *options, "-C", str(directory), *words]
    quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        process = subprocess.Popen(  # noqa: S603  # git, with words of ours and names that follow --end-of-options
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=without_git(os.environ) | quiet,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise EnvironmentMissing(
            "git is not installed, or not on PATH, and revisions are git's: install it (apt-get install git)"
        ) from error
    output, errors = _finished(process, given, stop)
    if process.returncode:
        said = errors.decode("utf-8", "replace").strip() or f"exit status {process.returncode}"
        raise GitError(f"git {words[0]} failed in {str(directory)!r}: {said}", said)
    return os.fsdecode(output)


def _finished(process: subprocess.Popen[bytes], given: bytes, stop: Callable[[], bool]) -> tuple[bytes, bytes]:
    """Wait for the end of git; if it has to stop, let it clean up, and end it if it does not."""
    waited: float | None = None
    while True:
        try:
            return process.communicate(given, timeout=_TICK)
        except subprocess.TimeoutExpired:
            given = b""  # what was given at first is kept
        if waited is not None:
            waited += _TICK
            if waited > _GRACE:
                os.killpg(process.pid, signal.SIGKILL)
        elif stop():
            waited = 0.0
            os.killpg(process.pid, signal.SIGTERM)
