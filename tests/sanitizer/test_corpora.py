"""Legal programs are met with silence; racy ones are reported, with the right kind and the right two lines."""

import asyncio
import inspect
import sys
from pathlib import Path

import pytest

from harness.evidence import SessionRace
from harness.sanitizer import watch_sessions
from tests.sanitizer import legal_programs, racy_programs
from tests.sanitizer.conftest import MakeWorld
from tests.sanitizer.corpus import Corpus, Program

LEGAL = [program for module in legal_programs.MODULES for program in module.CORPUS.programs]
RACY = [program for module in racy_programs.MODULES for program in module.CORPUS.programs]


async def observe(program: Program, make_world: MakeWorld) -> tuple[SessionRace, ...]:
    """What the sanitizer says of a program; the program itself must end, and leave no task behind."""
    async with make_world(warm=program.warm, label=program.name) as world:
        with watch_sessions(mode="collect") as watch:
            async with asyncio.timeout(30):
                await program.run(world)
        assert watch.problems == ()
        return watch.findings


def marked_lines(program: Program) -> frozenset[int]:
    """The lines of the two accesses, by the comments `# first`, `# second` and `# both` of the program."""
    if program.lines is not None:
        return program.lines
    source, start = inspect.getsourcelines(inspect.unwrap(program.run))
    marks = ("# first", "# second", "# both")
    return frozenset(start + index for index, line in enumerate(source) if line.rstrip().endswith(marks))


def lines_of(finding: SessionRace) -> frozenset[int]:
    return frozenset(access.place.line for access in (finding.first, finding.second) if access.place is not None)


def shown(findings: tuple[SessionRace, ...]) -> list[str]:
    return [
        f"{each.kind} on {each.subject}: {each.first.operation} at {each.first.place}, "
        f"{each.second.operation} at {each.second.place}"
        for each in findings
    ]


def names(programs: list[Program]) -> list[str]:
    return [program.name for program in programs]


@pytest.mark.parametrize("program", LEGAL, ids=names(LEGAL))
async def test_a_legal_program_is_met_with_silence(program: Program, make_world: MakeWorld) -> None:
    """No finding at all."""
    if sys.version_info < program.min_python:
        pytest.skip("the program uses what this Python does not have")

    findings = await observe(program, make_world)

    assert shown(findings) == []


@pytest.mark.parametrize("program", RACY, ids=names(RACY))
async def test_a_racy_program_is_reported(program: Program, make_world: MakeWorld) -> None:
    """Each kind that it has is found, at the two lines that it marks, and no kind that it has not."""
    if sys.version_info < program.min_python:
        pytest.skip("the program uses what this Python does not have")

    findings = await observe(program, make_world)

    kinds = {str(finding.kind) for finding in findings}
    assert program.kinds <= kinds <= program.kinds | program.also, shown(findings)
    lines = marked_lines(program)
    for kind in program.kinds:
        assert any(str(each.kind) == kind and lines_of(each) == lines for each in findings), (lines, shown(findings))


def test_the_corpora_are_large_enough() -> None:
    """At least 50 legal and 70 racy programs, under names of their own."""
    assert len(set(names(LEGAL))) == len(LEGAL) >= 50
    assert len(set(names(RACY))) == len(RACY) >= 70


def test_every_racy_program_marks_its_lines() -> None:
    """One or two lines each."""
    assert [program.name for program in RACY if len(marked_lines(program)) not in {1, 2}] == []


def test_corpora_are_in_this_folder() -> None:
    """Programs are application code: not below the harness, whose frames are left out."""
    harness = Path(watch_sessions.__code__.co_filename).parent.parent

    assert not Path(inspect.getfile(Corpus)).is_relative_to(harness)
