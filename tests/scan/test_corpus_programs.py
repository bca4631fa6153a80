"""The programs by which a scan is judged say what they are, and where they can be run it is true."""

import ast
import asyncio
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.postgres.clones import Clones
from tests.scan.corpus import run_programs
from tests.scan.corpus.programs import Found, Kind, Label, Program, programs, wrong_about

ROOT = Path(__file__).parents[2]
BROKEN = programs(Label.BROKEN)
RIGHT = programs(Label.RIGHT)
ALL = (*BROKEN, *RIGHT)
RACES = {Kind.SHARED_BY_TOOLS, Kind.SHARED_BY_TASKS}
RUNNABLE_RACES = tuple(each for each in BROKEN if each.main and RACES & {mark.kind for mark in each.marks})
RUNNABLE_RIGHT = tuple(each for each in RIGHT if each.main)
POOL_RUNS_DRY = "held_profile_chat"
"""Its pool has one connection, which the caller holds while a tool waits for it."""
DRAFTS_BECOME_FINAL = "tracker_usage_meter"
"""Its tools run one by one, so that nothing but the tracker is wrong with it."""


def named(of: tuple[Program, ...]) -> list[str]:
    return [program.name for program in of]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def every_program(function: Any) -> Any:
    """Parametrise a test by all programs."""
    return pytest.mark.parametrize("program", ALL, ids=[f"{each.label}-{each.name}" for each in ALL])(function)


def missing_names(path: Path) -> Iterator[str]:
    """What a module takes from others that they do not have."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                if not offers(path.parent, node.module, alias.name):
                    yield f"{node.module}.{alias.name}"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            module = modules[node.value.id]
            if not offers(path.parent, module, node.attr):
                yield f"{module}.{node.attr}"


def offers(folder: Path, module: str, name: str) -> bool:
    """Whether a module, of the program or of a library, has a name, or a submodule of that name."""
    if (sibling := folder / f"{module}.py").exists():
        return name in defined(sibling)
    return hasattr(importlib.import_module(module), name) or importlib.util.find_spec(f"{module}.{name}") is not None


def defined(path: Path) -> set[str]:
    """The names that a module binds at its top."""
    names: set[str] = set()
    for node in tree_of(path).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case _:
                pass
    return names


@every_program
def test_a_program_compiles(program: Program) -> None:
    """It has one to four files, and each is Python."""
    for path in program.files:
        compile(path.read_text(encoding="utf-8"), str(path), "exec")

    assert 1 <= len(program.files) <= 4


@every_program
def test_a_program_takes_from_others_what_they_have(program: Program) -> None:
    """Imported names, and attributes of imported modules, exist in the libraries or in the program's files."""
    assert [name for path in program.files for name in missing_names(path)] == []


@every_program
def test_a_program_says_what_it_is(program: Program) -> None:
    """In one docstring, in one sentence."""
    assert len(program.reasons) == 1
    assert len(program.reasons[0].splitlines()) == 1
    assert program.reasons[0].endswith(".")


@pytest.mark.parametrize("program", BROKEN, ids=named(BROKEN))
def test_a_broken_program_has_marks(program: Program) -> None:
    """Of one kind or more, each either exact or one of several."""
    exact = {mark.kind for mark in program.marks if mark.exact}
    one_of = Counter(mark.kind for mark in program.marks if not mark.exact)

    assert exact | set(one_of)
    assert not exact & set(one_of)


@pytest.mark.parametrize("program", RIGHT, ids=named(RIGHT))
def test_a_right_program_has_no_marks(program: Program) -> None:
    """Nothing may be found in it."""
    assert program.marks == ()


@every_program
def test_a_mark_is_on_code(program: Program) -> None:
    """A mark that is misspelled, or stands on a line of its own, would be lost."""
    for path in program.files:
        lines = path.read_text(encoding="utf-8").splitlines()
        marked = {mark.line for mark in program.marks if mark.path == path}

        assert {number for number, line in enumerate(lines, start=1) if "expect" in line} == marked
        assert [line for line in lines if line.lstrip().startswith("# expect")] == []


@every_program
def test_a_perfect_scan_is_right_about_a_program(program: Program) -> None:
    """It finds what is marked, where it is marked, and nothing in a right program."""
    perfect = [Found(mark.path, mark.line, mark.kind) for mark in program.marks]

    assert wrong_about(program, perfect) == ()


@every_program
def test_a_scan_that_says_the_opposite_is_wrong_about_a_program(program: Program) -> None:
    """Silence about a broken program is wrong once for each mark or kind; so is each word about a right one."""
    exact = sum(mark.exact for mark in program.marks)
    kinds = {mark.kind for mark in program.marks if not mark.exact}
    word = Found(program.files[0], 1, Kind.SHARED_BY_TOOLS)

    if program.label is Label.BROKEN:
        assert len(wrong_about(program, [])) == exact + len(kinds)
    else:
        assert wrong_about(program, [word]) == (
            f"{program.files[0].name}:1: shared_by_tools is found in a right program",
        )


def test_a_finding_of_another_kind_or_in_another_place_is_not_what_is_meant(tmp_path: Path) -> None:
    """Neither where the kind is right, nor where the line is; the header of the function around a mark is as good."""
    program = broken_program(
        tmp_path,
        """\
        async def tool(ctx):
            rows = await ctx.deps.session.execute(
                SELECT  # expect-any: shared_by_tools
            )
            return rows
        tracker = Tracker(session)  # expect: tracker_with_session
        """,
    )
    path = program.files[0]
    tracker = Found(path, 6, "tracker_with_session")

    assert wrong_about(program, [Found(path, 2, "shared_by_tools"), tracker]) == ()
    assert wrong_about(program, [Found(path, 1, "shared_by_tools"), tracker]) == ()
    assert wrong_about(program, [Found(path, 5, "shared_by_tools"), Found(path, 2, "shared_by_tasks")]) == (
        "a.py:6: tracker_with_session is not found here",
        "shared_by_tools is not found at any of the places that have its mark",
    )


def broken_program(folder: Path, source: str) -> Program:
    (folder / "a.py").write_text(textwrap.dedent(source), encoding="utf-8")
    return Program(name=folder.name, label=Label.BROKEN, folder=folder)


def test_a_mark_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    """Its name may be misspelled."""
    program = broken_program(tmp_path, "session = 1  # expect: shared_by_tool\n")

    with pytest.raises(ValueError, match="shared_by_tool"):
        _ = program.marks


def test_the_corpus_is_large_enough() -> None:
    """At least 46 of each label, under names of their own, and at least four of each kind."""
    kinds = Counter(kind for program in BROKEN for kind in {mark.kind for mark in program.marks})

    assert len(BROKEN) >= 46
    assert len(RIGHT) >= 46
    assert len(set(named(ALL))) == len(ALL)
    assert min(kinds[kind] for kind in Kind) >= 4


def test_enough_programs_can_run() -> None:
    """At least 15 of each label."""
    assert len(RUNNABLE_RACES) >= 15
    assert len(RUNNABLE_RIGHT) >= 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a program that was run."""

    result: str | None
    error: str | None
    problems: list[str]
    findings: list[dict[str, Any]]

    @property
    def places(self) -> set[tuple[str, int]]:
        """The lines that a finding names."""
        return {(Path(file).name, line) for finding in self.findings for file, line in finding["places"]}


Run = Callable[[tuple[Program, ...]], dict[str, Outcome]]


@pytest.fixture
def run(sessionproof_clones: Clones, empty_template: str) -> Run:
    """Import programs, and run those that can be run, in a process and a database of their own."""

    def run(chosen: tuple[Program, ...]) -> dict[str, Outcome]:
        return asyncio.run(outcomes_of(chosen, sessionproof_clones, empty_template))

    return run


async def outcomes_of(chosen: tuple[Program, ...], clones: Clones, template: str) -> dict[str, Outcome]:
    async with clones.clone(template, label="scanned programs") as database:
        script = [sys.executable, run_programs.__file__, database.url, *(str(program.folder) for program in chosen)]
        done = await asyncio.to_thread(
            subprocess.run,
            script,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", "")},
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    documents = [json.loads(line) for line in done.stdout.splitlines()]
    assert [document.pop("name") for document in documents] == named(chosen), done.stderr
    outcomes = [Outcome(**document) for document in documents]
    assert [each for each in outcomes if each.error == run_programs.ENDED_EARLY] == [], done.stderr
    return dict(zip(named(chosen), outcomes, strict=True))


def is_seen(program: Program, outcome: Outcome) -> bool:
    """Whether a race was found at a line that the program marks."""
    marked = {(mark.path.name, line) for mark in program.marks if mark.kind in RACES for line in mark.lines}
    return bool(outcome.places & marked)


@pytest.mark.processes
@pytest.mark.timeout(600)
def test_broken_programs_are_broken(run: Run) -> None:
    """All can be imported. Where one runs, sessions are seen to be used by two at once, and that where it says so.

    A session that is held across a run starves the run's tools of connections, where the pool has but one. A tracker in
    the session of the tools publishes what they only drafted.
    """
    outcomes = run(BROKEN)

    assert [name for name, outcome in outcomes.items() if outcome.problems] == []
    assert [each.name for each in RUNNABLE_RACES if not is_seen(each, outcomes[each.name])] == []
    assert "QueuePool limit" in str(outcomes[POOL_RUNS_DRY].error)
    assert outcomes[DRAFTS_BECOME_FINAL].result == "1 shifts are final, though nothing was approved"


@pytest.mark.processes
@pytest.mark.timeout(600)
def test_right_programs_are_right(run: Run) -> None:
    """All can be imported. Each that can be run comes to its end, and nothing is seen."""
    outcomes = run(RIGHT)

    assert {name: outcome.error for name, outcome in outcomes.items() if outcome.error is not None} == {}
    assert [name for name, outcome in outcomes.items() if outcome.problems or outcome.findings] == []
