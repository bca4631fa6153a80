"""What the scanner says of the programs by which it is judged."""

import pytest

from harness.scan.codes import Code
from harness.scan.finding import Finding
from harness.scan.scan import scan
from tests.scan.corpus.programs import Kind, Label, Mark, Program, programs

BROKEN = programs(Label.BROKEN)
RIGHT = programs(Label.RIGHT)
MISSED: frozenset[str] = frozenset()
"""Broken programs of which the scanner does not find all; `docs/static-scan.md` says why."""


def _kind(code: Code) -> Kind | None:
    if code is Code.TRACKER:
        return Kind.TRACKER_WITH_SESSION
    if code is Code.HELD:
        return Kind.HELD_ACROSS_RUN
    if code.startswith("SP1"):
        return Kind.SHARED_BY_TOOLS
    return Kind.SHARED_BY_TASKS if code.startswith("SP2") else None


def _missing(program: Program, findings: list[Finding]) -> list[Mark]:
    """The marks that no finding is at; of those of which one suffices, all if it is none."""
    found = [(each.place, _kind(each.code)) for each in findings]
    missed = [
        mark
        for mark in program.marks
        if not any(
            kind is not None and mark.meets(type(mark.path)(place.file).resolve(), place.line, kind)
            for place, kind in found
        )
    ]
    satisfied = {mark.kind for mark in program.marks if not mark.exact and mark not in missed}
    return [mark for mark in missed if mark.exact or mark.kind not in satisfied]


@pytest.mark.parametrize("program", BROKEN, ids=lambda program: program.name)
def test_what_is_broken_is_found(program: Program) -> None:
    """Each kind that is marked, where it may stand."""
    result = scan([program.folder])
    missing = _missing(program, list(result.findings))

    assert not result.problems
    assert bool(missing) is (program.name in MISSED), [(mark.kind, mark.path.name, mark.line) for mark in missing]


@pytest.mark.parametrize("program", RIGHT, ids=lambda program: program.name)
def test_of_what_is_right_nothing_is_said(program: Program) -> None:
    """Not even a warning."""
    result = scan([program.folder])

    assert not result.problems
    assert [(each.code, each.place.line, each.message) for each in result.findings] == []
