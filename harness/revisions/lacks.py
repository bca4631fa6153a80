"""What a checkout of a revision lacks, said before anybody wonders: submodules, and contents that a filter brings.

Guarantee: nothing is fetched, and nothing is written.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness.revisions.git import GitError, git

__all__ = ["lacks_of"]

_SUBMODULE = "160000"
_NO_FILTER = frozenset({"unspecified", "unset", "set"})
_POINTER = b"version https://git-lfs.github.com/spec/"
_SHOWN = 3


def lacks_of(checkout: Path) -> list[str]:
    """Sentences about what is not in the checkout as the application may need it."""
    return [*_submodules(checkout), *_filters(checkout)]


def _submodules(checkout: Path) -> Iterator[str]:
    entries = git(checkout, "ls-files", "--stage", "-z").split("\0")
    paths = [entry.partition("\t")[2] for entry in entries if entry.startswith(_SUBMODULE)]
    if paths:
        yield f"submodules are not checked out, and their folders are empty: {_named(paths)}"


def _filters(checkout: Path) -> Iterator[str]:
    names = git(checkout, "ls-files", "-z")
    told = git(checkout, "check-attr", "--stdin", "-z", "filter", given=names.encode("utf-8", "surrogateescape"))
    words = told.split("\0")
    filtered = [(path, name) for path, name in zip(words[::3], words[2::3], strict=False) if name not in _NO_FILTER]
    pointers = [path for path, _ in filtered if _is_pointer(checkout / path)]
    if pointers:
        yield (
            f"files of Git LFS are pointers in place of their contents: {_named(pointers)}; "
            "if the application needs them, install it: git lfs install"
        )
    counts = Counter(name for path, name in filtered if path not in pointers)
    for name, count in counts.items():
        if not _has_filter(checkout, name):
            files = "1 file has" if count == 1 else f"{count} files have"
            yield (
                f"{files} the filter {name!r} in .gitattributes, which git does not have here: they are as the "
                "repository stores them"
            )


def _is_pointer(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_POINTER)) == _POINTER
    except OSError:  # a link that leads nowhere, or what was not checked out
        return False


def _has_filter(checkout: Path, name: str) -> bool:
    for key in ("smudge", "process"):
        try:
            git(checkout, "config", "--get", f"filter.{name}.{key}")
        except GitError:
            continue
        return True
    return False


def _named(paths: list[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(map(repr, paths[:_SHOWN]))}{more}"
