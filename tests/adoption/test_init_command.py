"""The command `init`: what it says where something is missing, not clear, or in the way; and what it asks."""

import os
import pty
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from inline_snapshot import snapshot
from markdown_it import MarkdownIt
from rich.console import Console

from harness.adoption.choice import Wanted
from harness.cli import main
from harness.command.init import Initiation
from harness.command.init import init as write_adapter
from tests.adoption.written import ADAPTER, ROOT, write_project

LIBRARY = ROOT / "docs" / "init.md"
CLINIC = ROOT / "tests" / "adoption" / "projects" / "clinic.md"
AGENT = "from pydantic_ai import Agent\n\nhelper = Agent(deps_type=None)\n"
ENGINE = (
    "from sqlalchemy.ext.asyncio import create_async_engine\n\nengine = create_async_engine('postgresql+asyncpg:///')\n"
)


def init(*words: str) -> Result:
    """Call the command in this process."""
    return CliRunner().invoke(main, ["init", *words])


def refusal(result: Result, folder: Path) -> str:
    """What it said instead of writing, with the folder left out."""
    assert result.exit_code == 2, result.output
    assert not result.stdout
    said = result.stderr.replace(str(folder), "…").splitlines()
    return "\n".join(textwrap.fill(line, 100, break_on_hyphens=False, subsequent_indent="  ") for line in said)


def project(folder: Path, **files: str) -> Path:
    """A folder with these modules."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def test_it_says_what_to_do_next(tmp_path: Path) -> None:
    """The document has its very words."""
    folder = write_project(LIBRARY, tmp_path / "library")
    (said,) = [
        each.content
        for each in MarkdownIt().parse(LIBRARY.read_text(encoding="utf-8"))
        if each.type == "fence" and each.content.startswith("wrote ")
    ]

    result = init(str(folder))

    assert result.exit_code == 0
    assert result.stdout.replace(f"{tmp_path}/", "") == said


def test_a_project_below_src_is_run_with_its_path(tmp_path: Path) -> None:
    """The adapter stands in the package, and the commands say where that is imported from."""
    folder = write_project(CLINIC, tmp_path / "clinic")

    result = init(str(folder), "--agent", "front_desk")

    assert (folder / "src" / "clinic" / ADAPTER).is_file()
    assert "  PYTHONPATH=src sessionproof check-backend clinic.verification:backend\n" in result.stdout


def test_a_folder_that_is_called_as_a_module_takes_no_adapter(tmp_path: Path) -> None:
    """Nothing in it could be imported by the name that it has."""
    folder = write_project(LIBRARY, tmp_path / "library")
    (folder / "odd.py").mkdir()

    assert "is a folder, though its name ends in .py" in init(str(folder), "--output", str(folder / "odd.py")).stderr
    assert not list((folder / "odd.py").iterdir())


def test_routes_that_are_passed_over_are_told(tmp_path: Path) -> None:
    """By the command, with what is run instead, and where the route stands."""
    web = (
        "from fastapi import FastAPI\nfrom fastapi.responses import StreamingResponse\nfrom helper import helper\n"
        "app = FastAPI()\n@app.post('/chat')\nasync def chat(message: str):\n"
        "    return StreamingResponse(helper.run_stream(message))\n"
    )
    folder = project(tmp_path, engine=ENGINE, helper=AGENT, web=web)

    assert textwrap.fill(init(str(folder)).stdout.split("\n\n")[1], 100) == snapshot("""\
Messages go to the agent helper itself, and not to the routes that reach the agent, so that nothing
of what they do around it is verified. Passed over, because they answer in pieces: POST /chat
(web.py:6). Name one with --entry to send messages there\
""")


@pytest.mark.processes
def test_the_commands_work_where_somebody_stands(tmp_path: Path) -> None:
    """Who names another folder is told to go there first."""
    write_project(LIBRARY, tmp_path / "li brary")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    told = subprocess.run(
        [sys.executable, "-m", "harness.cli", "init", "li brary"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    go, check = [line.strip() for line in told.splitlines() if line.startswith(("  cd ", "  sessionproof check"))]
    python = shlex.quote(sys.executable)
    look = f"{python} -c 'import verification; verification.backend'"

    assert (go, check) == ("cd 'li brary'", "sessionproof check-backend verification:backend")
    assert subprocess.run(f"{go} && {look}", shell=True, cwd=tmp_path, env=environment, check=False).returncode == 0


def test_a_dry_run_prints_and_writes_nothing(tmp_path: Path) -> None:
    """Also where there is an adapter already."""
    folder = write_project(LIBRARY, tmp_path / "library")
    before = sorted(folder.rglob("*"))

    printed = init(str(folder), "--dry-run")

    assert printed.exit_code == 0
    assert printed.stdout.startswith('"""The bridge from library to sessionproof')
    assert sorted(folder.rglob("*")) == before
    (folder / ADAPTER).write_text("mine\n", encoding="utf-8")
    assert init(str(folder), "--dry-run").stdout == printed.stdout


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    """Nor is anything written beside it."""
    folder = write_project(LIBRARY, tmp_path / "library")
    (folder / ADAPTER).write_text("mine\n", encoding="utf-8")

    said = refusal(init(str(folder)), tmp_path)

    assert said == snapshot("""\
error: '…/library/verification.py' is there already, and is not overwritten; name another place with
  --output, or see with --dry-run what would be written\
""")
    assert (folder / ADAPTER).read_text(encoding="utf-8") == "mine\n"
    assert sorted(each.name for each in folder.iterdir()) == ["library.py", ADAPTER]


def test_output_says_where_it_goes(tmp_path: Path) -> None:
    """A file, or a folder; what cannot be a module is refused."""
    folder = write_project(LIBRARY, tmp_path / "library")
    (folder / "checks").mkdir()

    named = init(str(folder), "--output", str(folder / "proof.py"))
    within = init(str(folder), "--output", str(folder / "checks"))
    refused = init(str(folder), "--output", str(folder / "proof.txt"))
    keyword = init(str(folder), "--output", str(folder / "class.py"))

    assert "verify --backend proof:backend" in named.stdout
    assert "verify --backend checks.verification:backend" in within.stdout
    assert (folder / "proof.py").is_file()
    assert (folder / "checks" / ADAPTER).is_file()
    assert "class.py' cannot be imported as a module" in refusal(keyword, tmp_path)
    assert refusal(refused, tmp_path) == snapshot("""\
error: --output '…/library/proof.txt' cannot be imported as a module; name a file such as
  verification.py\
""")


@pytest.mark.parametrize(
    ("place", "reason"),
    [("library.py/proof.py", "Not a directory"), (f"{'proof' * 100}.py", "File name too long")],
    ids=["below a file", "too long"],
)
def test_a_folder_that_cannot_be_written_to(place: str, reason: str, tmp_path: Path) -> None:
    """Is told with the system's reason, which holds for root, too."""
    folder = write_project(LIBRARY, tmp_path / "library")

    said = init(str(folder), "--output", str(folder / place))

    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr.endswith(f"proof.py' cannot be written: {reason}; name another place with --output\n")
    assert [each.name for each in folder.iterdir()] == ["library.py"]


WITHOUT_ROOM = (
    "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); import harness.cli as c; c.main()"
)


@pytest.mark.processes
def test_an_adapter_that_does_not_fit_is_not_left_half_written(tmp_path: Path) -> None:
    """Nobody is to find a part of it, or to be told that it is there already."""
    folder = write_project(LIBRARY, tmp_path / "library")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}

    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_ROOM, "init", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2, ended.stderr
    assert "cannot be written: File too large; name another place with --output" in ended.stderr
    assert [each.name for each in folder.iterdir()] == ["library.py"]


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    """Neither is made: the folder of `--output` must be there."""
    folder = write_project(LIBRARY, tmp_path / "library")

    said = refusal(init(str(folder), "--output", str(tmp_path / "nowhere" / "proof.py")), tmp_path)

    assert said == snapshot("""\
error: '…/nowhere/proof.py' cannot be written: No such file or directory; name another place with
  --output\
""")


def test_a_folder_that_does_not_exist_or_is_a_file(tmp_path: Path) -> None:
    """Both are told."""
    project(tmp_path, helper=AGENT)

    assert refusal(init(str(tmp_path / "nowhere")), tmp_path) == snapshot(
        "error: the folder '…/nowhere' does not exist; name that of your project"
    )
    assert refusal(init(str(tmp_path / "helper.py")), tmp_path) == snapshot(
        "error: '…/helper.py' is a file; name the folder of your project"
    )
    assert "is no project's folder" in refusal(init("/"), tmp_path)


def test_what_nothing_can_be_verified_without(tmp_path: Path) -> None:
    """Files, an agent, and sessions: each lack says what was looked for, and where."""
    assert refusal(init(str(tmp_path)), tmp_path) == snapshot(
        "error: there are no Python files in …; name the folder of the project that has the agent"
    )
    project(tmp_path, engine=ENGINE)
    assert refusal(init(str(tmp_path)), tmp_path) == snapshot("""\
error: no Pydantic AI agent was found in … (1 Python file read): looked for calls of
  pydantic_ai.Agent, outside of tests, documentation and examples; name the folder of the project
  that has it\
""")
    project(tmp_path, engine="from sqlalchemy import create_engine\n\nengine = create_engine('x')\n", helper=AGENT)
    assert refusal(init(str(tmp_path)), tmp_path) == snapshot("""\
error: no async session factory was found in … (2 Python files read): looked for calls of
  async_sessionmaker, of sessionmaker with class_=AsyncSession, and of create_async_engine; there is
  only a synchronous engine, at engine.py:3; what is verified is an application on SQLAlchemy's
  asyncio extension\
""")


def test_an_agent_that_only_tests_have_is_none(tmp_path: Path) -> None:
    """What stands in `tests` is not the application."""
    (tmp_path / "tests").mkdir()
    project(tmp_path / "tests", helper=AGENT + ENGINE)
    project(tmp_path, engine=ENGINE)

    assert "no Pydantic AI agent was found" in refusal(init(str(tmp_path)), tmp_path)


def test_a_file_that_is_no_python_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    """On standard error, with its line."""
    folder = write_project(LIBRARY, tmp_path / "library")
    project(folder, broken="import os\n\ndef f(:\n")

    result = init(str(folder), "--dry-run")

    assert result.exit_code == 0
    assert result.stderr == snapshot("not read: broken.py:3: it is no Python: invalid syntax\n")


def test_several_candidates_are_named_at_once(tmp_path: Path) -> None:
    """Everything that is not clear, each candidate with the option, its file and its line."""
    folder = write_project(CLINIC, tmp_path / "clinic")
    project(
        folder / "src" / "clinic",
        other="from sqlalchemy.ext.asyncio import async_sessionmaker\n\nArchive = async_sessionmaker()\n",
    )

    assert refusal(init(str(folder)), tmp_path) == snapshot("""\
error: there are 2 candidates for the agent; name one with --agent:
  --agent clinic.agents.front_desk.front_desk (src/clinic/agents/front_desk.py:38)
  --agent clinic.agents.triage.triage (src/clinic/agents/triage.py:3)
there are 2 candidates for the session factory; name one with --session-factory:
  --session-factory clinic.database.SessionFactory (src/clinic/database.py:9)
  --session-factory clinic.other.Archive (src/clinic/other.py:3)\
""")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--agent", "front_dask"],
            snapshot("""\
error: --agent 'front_dask' is no agent of this project; did you mean
  clinic.agents.front_desk.front_desk (src/clinic/agents/front_desk.py:38)?\
"""),
        ),
        (
            ["--agent", "front_desk", "--ledger", "Invoice"],
            snapshot("""\
error: --ledger 'Invoice' is no ledger table of this project; found were clinic.models.LLMRequest
  (src/clinic/models.py:27)\
"""),
        ),
        (
            ["--agent", "front_desk", "--session-factory", "clinic.database:SessionFactry"],
            snapshot("""\
error: --session-factory 'clinic.database:SessionFactry' is no session factory of this project; did
  you mean clinic.database.SessionFactory (src/clinic/database.py:9)?\
"""),
        ),
        (
            ["--agent", "front_desk", "--deps", "Depps"],
            snapshot("""\
error: --deps 'Depps' is no class of deps of this project; did you mean
  clinic.agents.dependencies.Deps (src/clinic/agents/dependencies.py:7)?\
"""),
        ),
    ],
    ids=["agent", "ledger", "session-factory", "deps"],
)
def test_a_name_that_is_none_of_them(options: list[str], said: str, tmp_path: Path) -> None:
    """The nearest is named, or all."""
    folder = write_project(CLINIC, tmp_path / "clinic")

    assert refusal(init(str(folder), *options), tmp_path) == said


def test_who_can_be_asked_is_asked(tmp_path: Path) -> None:
    """With numbered candidates, and the answer is what is taken."""
    folder = write_project(CLINIC, tmp_path / "clinic")
    asked: list[tuple[str, Sequence[str]]] = []
    printed: list[str] = []

    def ask(question: str, answers: Sequence[str]) -> int:
        asked.append((question, answers))
        return 1

    call = Initiation(
        directory=folder,
        wanted=Wanted(),
        output=None,
        dry_run=True,
        console=Console(),
        errors=Console(stderr=True),
        ask=ask,
        write=printed.append,
    )
    assert write_adapter(call) == 0

    assert asked == snapshot(
        [
            (
                "Which agent?",
                [
                    "clinic.agents.front_desk.front_desk (src/clinic/agents/front_desk.py:38)",
                    "clinic.agents.triage.triage (src/clinic/agents/triage.py:3)",
                ],
            )
        ]
    )
    assert 'AGENT = "triage"' in printed[0]


@pytest.mark.processes
@pytest.mark.parametrize(("answer", "status"), [(b"2\n", 0), (b"\x04", 130)], ids=["answered", "given up"])
def test_a_terminal_is_asked(answer: bytes, status: int, tmp_path: Path) -> None:
    """By number; who gives up ends it, and nothing is written."""
    folder = write_project(CLINIC, tmp_path / "clinic")
    terminal, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "init", str(folder)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(theirs)
    said = b""
    with suppress(OSError):  # what Linux tells of a terminal whose other end has closed
        while piece := os.read(terminal, 4096):
            said += piece
            if said.endswith(b"Which agent? [1]: "):
                os.write(terminal, answer)
    os.close(terminal)

    assert child.wait() == status, said.decode()
    assert (folder / "src" / "clinic" / ADAPTER).exists() is (status == 0)


def test_the_commands_of_the_document_are_commands() -> None:
    """With options that there are."""
    blocks = [each.content for each in MarkdownIt().parse(LIBRARY.read_text(encoding="utf-8")) if each.type == "fence"]
    lines = [line.partition("#")[0] for block in blocks for line in block.splitlines()]
    words = [shlex.split(line)[1:] for line in lines if line.startswith("sessionproof init")]

    assert len(words) == 3
    for command in words:
        assert isinstance(main.commands["init"].make_context("init", command[1:]), click.Context)
