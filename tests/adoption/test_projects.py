"""The adapters of ordinary projects work: they are formatted, imported, and verify what the project does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import main
from tests.adoption.written import ADAPTER, ROOT, files_of, write_project

LIBRARY = ROOT / "docs" / "init.md"
CLINIC = ROOT / "tests" / "adoption" / "projects" / "clinic.md"
DESK = ROOT / "tests" / "adoption" / "projects" / "desk.md"
KIOSK = ROOT / "tests" / "adoption" / "projects" / "kiosk.md"
CELLS = "--scenario two_parallel_tools --mode per_operation --pool-state cold --pool-state warm --tier scripted"

Changes = tuple[tuple[str, str, str], ...]

SHARING_LIBRARY = (
    ("library.py", "    sessions: async_sessionmaker[AsyncSession]", "    session: AsyncSession"),
    (
        "library.py",
        "    async with ctx.deps.sessions() as session:\n        return await session.scalar(select(Book.shelf)",
        "    return await ctx.deps.session.scalar(select(Book.shelf)",
    ),
    (
        "library.py",
        "    async with ctx.deps.sessions() as session:\n        return await session.scalar(select(func",
        "    return await ctx.deps.session.scalar(select(func",
    ),
    (
        "library.py",
        "    async with ctx.deps.sessions() as session:\n        session.add",
        "    async with SessionLocal() as session:\n        session.add",
    ),
    (
        "library.py",
        "    result = await librarian.run(question, deps=Deps(sessions=SessionLocal))",
        "    async with SessionLocal() as one:\n        result = await librarian.run(question, deps=Deps(session=one))",
    ),
)
SHARING_CLINIC = (
    ("src/clinic/agents/dependencies.py", "sessions: async_sessionmaker[AsyncSession]", "session: AsyncSession"),
    (
        "src/clinic/agents/front_desk.py",
        "    async with ctx.deps.sessions() as session:\n        found = await session.",
        "    if session := ctx.deps.session:\n        found = await session.",
    ),
    (
        "src/clinic/agents/front_desk.py",
        "    async with ctx.deps.sessions() as session:\n        return await session.",
        "    if session := ctx.deps.session:\n        return await session.",
    ),
    ("src/clinic/main.py", "sessions=SessionFactory", "session=session"),
)


def adopted(document: Path, folder: Path, *options: str, changes: Changes = ()) -> Path:
    """A project with the adapter that `init` writes for it; returns the adapter's file."""
    project = write_project(document, folder, *changes)

    done = CliRunner().invoke(main, ["init", str(project), *options])

    assert done.exit_code == 0, done.output
    (adapter,) = project.rglob(ADAPTER)
    return adapter


def run(program: list[str], directory: Path, *, path: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program of Python's in a project, as its user would."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SESSIONPROOF_")}
    places = os.pathsep.join(filter(None, [path, str(ROOT)]))
    return subprocess.run(
        [sys.executable, *program],
        cwd=directory,
        env={**environment, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("document", "options"),
    [(LIBRARY, []), (CLINIC, ["--agent", "front_desk"]), (KIOSK, []), (DESK, [])],
    ids=["library", "clinic", "kiosk", "desk"],
)
def test_an_adapter_is_python_that_the_formatter_leaves_as_it_is(
    document: Path, options: list[str], tmp_path: Path
) -> None:
    """At ruff's own line length, and at a longer one; and it compiles."""
    adapter = adopted(document, tmp_path / document.stem, *options)

    for length in ("88", "120"):
        checked = run(["-m", "ruff", "format", "--isolated", "--diff", "--line-length", length, str(adapter)], tmp_path)
        assert checked.returncode == 0, checked.stdout
    found = run(["-m", "ruff", "check", "--isolated", "--select", "E4,E7,E9,F", str(adapter)], tmp_path)
    assert found.returncode == 0, found.stdout
    compile(adapter.read_text(encoding="utf-8"), str(adapter), "exec")


def test_the_adapter_of_the_document_is_the_one_that_is_written(tmp_path: Path) -> None:
    """To the letter."""
    adapter = adopted(LIBRARY, tmp_path / "library")

    assert adapter.read_text(encoding="utf-8") == files_of(LIBRARY)[ADAPTER]


@pytest.mark.processes
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("document", "options", "spec", "path"),
    [
        (LIBRARY, [], "verification:backend", ""),
        (CLINIC, ["--agent", "front_desk"], "clinic.verification:backend", "src"),
        (KIOSK, [], "kiosk.verification:backend", ""),
        (DESK, [], "desk.verification:backend", ""),
    ],
    ids=["library", "clinic", "kiosk", "desk"],
)
def test_a_right_project_is_verified(
    document: Path, options: list[str], spec: str, path: str, *, server_url: str, tmp_path: Path
) -> None:
    """Its tools run together on sessions of their own, and each turn is billed."""
    project = tmp_path / document.stem
    adopted(document, project, *options)

    ended = run(
        ["-m", "harness.cli", "verify", "--backend", spec, *CELLS.split(), "--postgres", server_url, "-n", "0"],
        project,
        path=path,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "per_operation: 2 of 2 cells passed" in ended.stdout


@pytest.mark.processes
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("document", "options", "spec", "path", "changes"),
    [
        (LIBRARY, [], "verification:backend", "", SHARING_LIBRARY),
        (CLINIC, ["--agent", "front_desk"], "clinic.verification:backend", "src", SHARING_CLINIC),
    ],
    ids=["library", "clinic"],
)
def test_a_project_that_shares_its_session_is_seen_to(
    document: Path, options: list[str], spec: str, path: str, changes: Changes, *, server_url: str, tmp_path: Path
) -> None:
    """The same project with one session in its deps: both pool states show it, each in its own way."""
    project = tmp_path / document.stem
    adopted(document, project, *options, changes=changes)

    ended = run(
        ["-m", "harness.cli", "verify", "--backend", spec, *CELLS.split(), "--postgres", server_url, "-n", "0"],
        project,
        path=path,
    )

    assert ended.returncode == 1, ended.stdout + ended.stderr
    for finding in ("session_overlap: ", "concurrent_operation: ", "serialised: ", "no_speedup: "):
        assert finding in ended.stdout
