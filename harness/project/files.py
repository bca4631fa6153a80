"""Which files of some paths are a project's own Python files.

Problem: a checkout holds environments, caches, builds and vendored packages beside what somebody wrote, and its links
may lead in circles.

Mechanism: folders are walked in the order of their names, each real folder once, and those that are links after all
others. Left out are links to a folder around the one that was named, hidden folders and files, folders that are an
environment (they have a `pyvenv.cfg`), and those with a name of `SKIPPED`; a path that was given by name is always
looked at.

Guarantee: each real file is named once, without a link if it can be. What cannot be listed is a problem, not an
absence.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.project.problem import Problem

__all__ = ["SKIPPED", "find_files"]

SKIPPED = frozenset({"__pycache__", "build", "dist", "env", "node_modules", "site-packages", "venv"})


def find_files(paths: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    """The Python files at and below the paths, in order, and the folders that could not be listed."""
    found: dict[str, Path] = {}
    problems: list[Problem] = []
    seen: set[str] = set()
    for path in paths:
        files = _walk(path, seen, problems) if path.is_dir() else iter((path,))
        for file in files:
            found.setdefault(os.path.realpath(file), file)
    return list(found.values()), problems


def _walk(top: Path, seen: set[str], problems: list[Problem]) -> Iterator[Path]:
    here, links = top.resolve(), deque[Path]()
    yield from _walk_folder(top, seen, links, problems)
    while links:
        link = links.popleft()
        if not here.is_relative_to(link.resolve()):  # what else is around the folder was not named
            yield from _walk_folder(link, seen, links, problems)


def _walk_folder(top: Path, seen: set[str], links: deque[Path], problems: list[Problem]) -> Iterator[Path]:
    """The files below a folder; links to other folders are put off."""

    def complain(error: OSError) -> None:
        problems.append(Problem(file=str(error.filename), line=1, message=f"it cannot be listed: {error.strerror}"))

    for folder, folders, names in os.walk(top, onerror=complain):
        here = os.path.realpath(folder)
        if here in seen:
            folders.clear()
            continue
        seen.add(here)
        own = [Path(folder, name) for name in sorted(folders) if not _is_skipped(folder, name)]
        links += [each for each in own if each.is_symlink()]
        folders[:] = [each.name for each in own if not each.is_symlink()]
        yield from (Path(folder, name) for name in sorted(names) if _is_source(name))


def _is_source(name: str) -> bool:
    return name.endswith(".py") and not name.startswith(".")  # editors keep locks and copies under hidden names


def _is_skipped(folder: str, name: str) -> bool:
    return name in SKIPPED or name.startswith(".") or Path(folder, name, "pyvenv.cfg").is_file()
