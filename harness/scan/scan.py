"""The front door: a scan of some paths.

Problem: a session that reaches two parallel tools is found in tests only if a test makes both run.

Mechanism: the project is read (`harness.project`), followed (`harness.scan.following`), and what meets is judged.

Guarantee: nothing of it is imported or run. The same tree gives the same result.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

from harness.imports import uncollected
from harness.project.project import Project
from harness.scan.codes import ON_REQUEST, Code
from harness.scan.finding import Result
from harness.scan.following import follow
from harness.scan.ignores import comments_of, sorted_out
from harness.scan.judging import judged
from harness.scan.known import LIBRARIES

__all__ = ["scan"]


def scan(paths: Iterable[Path], *, select: Collection[Code] = (), ignore: Collection[Code] = ()) -> Result:
    """Scan the files at and below the paths for the selected codes, which are those that nobody has to ask for."""
    wanted = (frozenset(select) or frozenset(Code) - ON_REQUEST) - frozenset(ignore)
    with uncollected():  # trees are many objects without circles, and looking for circles takes most of the time
        return _scanned(paths, wanted)


def _scanned(paths: Iterable[Path], wanted: frozenset[Code]) -> Result:
    project = Project.load(paths, foreign=LIBRARIES)
    followed = follow(project)
    comments = [comment for module in project.modules for comment in comments_of(module)]
    left, ignored = sorted_out(judged(followed), comments)
    chosen = sorted((each for each in left if each.code in wanted), key=lambda each: (each.place, each.code))
    followed.interpreter.release()
    project.release()
    return Result(
        findings=chosen,
        ignored=[each for each in ignored if each.finding.code in wanted],
        problems=[*project.problems, *followed.given_up],
        files=len(project.modules),
        lines=project.lines,
    )
