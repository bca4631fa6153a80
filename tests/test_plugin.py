"""The pytest plugin, in projects of its own: what it runs, what it writes, and that it is inert otherwise."""

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
SCENARIO = """
from harness.pytest_plugin import VerifyCell, scenario
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep

USAGE = TokenUsage(prompt_tokens=10, completion_tokens=5)


def one_tool(name: str, role: ToolRole) -> Scenario:
    plan = ToolPlan(rounds=((ToolStep(role=role),),), usages=(USAGE, USAGE))
    return Scenario(name=name, question="Does it work?", messages=(Message(plan=plan),))


@scenario(one_tool("reading", ToolRole.READ))
async def test_reading(verify_cell: VerifyCell) -> None:
    document = await verify_cell()
    assert document.scenario == "reading"


@scenario(one_tool("failing", ToolRole.FAIL))
async def test_failing(verify_cell: VerifyCell) -> None:
    await verify_cell()
"""


@pytest.fixture
def project(tmp_path: Path, server_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one module of scenarios, and no configuration; the server is that of all tests."""
    monkeypatch.setenv("SESSIONPROOF_POSTGRES", server_url)
    (tmp_path / "test_scenarios.py").write_text(SCENARIO)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "harness.pytest_plugin", "-p", "no:cacheprovider", "-q"]
    command += [f"--rootdir={project}", *arguments]
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": f"{ROOT}:{project}",
        "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", ""),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "SESSIONPROOF_POSTGRES": os.environ.get("SESSIONPROOF_POSTGRES", "embedded"),
    }
    return subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, check=False, timeout=100
    )


def verify(
    project: Path, *arguments: str, backend: str = "fixtures.minimal:backend"
) -> tuple[int, dict[str, Any], str]:
    output = project / "report"
    done = run(
        project,
        f"--sessionproof-backend={backend}",
        f"--sessionproof-output={output}",
        *arguments,
    )
    document = output / "run.json"
    return done.returncode, json.loads(document.read_text()) if document.exists() else {}, done.stdout + done.stderr


def test_cells_become_tests_and_a_document(project: Path) -> None:
    """Each cell asked for is run; what the backend cannot do is skipped, and stands in the document with its reason."""
    selected = ("--sessionproof-pool-state=warm", "--sessionproof-tier=scripted")

    status, document, output = verify(project, "--sessionproof-postgres=embedded", *selected)

    assert status == 0, output
    assert document["verdict"] == "passed"
    assert document["costs"] is None
    assert [(cell["scenario"], cell["session_mode"]) for cell in document["cells"]] == [("reading", "per_operation")]
    reasons = {(entry["scenario"], entry["session_mode"]): entry["reason"] for entry in document["not_verified"]}
    assert reasons["reading", "shared"] == "backend 'minimal' has no session mode 'shared'"
    assert "no tool for the role 'fail'" in reasons["failing", "per_operation"]
    assert document["environment"]["postgres"]["kind"] == "embedded"


def test_workers_give_the_same_document(project: Path) -> None:
    """With pytest-xdist the same cells have the same verdicts, and one process writes them."""
    selected = ("--sessionproof-scenario=reading", "--sessionproof-tier=scripted", "--sessionproof-postgres=embedded")

    status, document, output = verify(project, *selected, "-p", "xdist", "-n", "2", "-o", "sessionproof=true")

    assert status == 0, output
    assert len(document["cells"]) == 4
    assert {cell["verdict"] for cell in document["cells"]} == {"passed"}


@pytest.mark.parametrize(
    "plugin", [("pytest_asyncio.plugin", "-o", "asyncio_mode=auto"), ("anyio.pytest_plugin", "-o", "anyio_mode=auto")]
)
def test_plugins_that_run_coroutines_are_left_to_do_so(project: Path, plugin: tuple[str, ...]) -> None:
    """A cell is run once, whoever runs its coroutine."""
    arguments = ("--sessionproof-scenario=reading", "--sessionproof-pool-state=warm", "--sessionproof-tier=scripted")

    status, document, output = verify(project, *arguments, "-p", *plugin)

    assert status == 0, output
    assert "1 passed" in output
    assert [cell["verdict"] for cell in document["cells"]] == ["passed"]


def test_unknown_scenario_runs_nothing(project: Path) -> None:
    """A name that no scenario has is an error that says which may be meant; nothing is run."""
    status, document, output = verify(project, "--sessionproof-scenario=raeding")

    assert status == pytest.ExitCode.USAGE_ERROR
    assert "error: there is no scenario 'raeding'" in output
    assert document["cells"] == []
    assert document["verdict"] == "unknown"
    assert document["problems"] == ["there is no scenario 'raeding'; did you mean 'reading'?"]
    assert "Traceback" not in output


def test_what_a_command_has_settled_is_not_looked_for_again(project: Path) -> None:
    """The suite may lie below another project's settings; those who call pytest themselves mean these."""
    (project / "pyproject.toml").write_text("[tool.sessionproof]\nbackends = 'shop:backend'\n")
    (folder := project / "suite").mkdir()
    (project / "test_scenarios.py").rename(folder / "test_scenarios.py")
    words = (
        "-c",
        "/dev/null",
        f"--rootdir={folder}",
        "--collect-only",
        "--sessionproof-backend=fixtures.minimal:backend",
    )

    alone, settled = run(project, *words), run(project, *words, "--sessionproof-command=sessionproof verify")

    assert settled.returncode == 0, settled.stdout + settled.stderr
    assert "test_scenarios.py::test_reading[" in settled.stdout
    assert f"{project}/pyproject.toml: unknown setting 'backends'" in alone.stdout + alone.stderr


def test_unknown_backend_runs_nothing(project: Path) -> None:
    """A backend that cannot be imported is an error with the reason; nothing is run."""
    (project / "test_else.py").write_text("def test_else() -> None:\n    assert True\n")

    status, document, output = verify(project, backend="no_such_shop:backend")

    assert status == pytest.ExitCode.USAGE_ERROR, "though another test passed"
    assert "1 passed" in output
    assert document["cells"] == []
    assert "there is no module 'no_such_shop'" in document["problems"][0]
    assert "Traceback" not in output


def test_cells_that_do_not_exist(project: Path) -> None:
    """A selection that leaves no cell is an error, not a success of nothing."""
    status, document, output = verify(project, "--sessionproof-mode=locked", "--sessionproof-pool-state=null")

    assert status == pytest.ExitCode.USAGE_ERROR
    assert "there is no cell that is in all of the modes, pool states and tiers asked for" in output
    assert "cells in the session modes shared, per_operation, locked, sequential, and a scenario from a file" in output
    assert document["cells"] == []


LEAKING = """
from contextlib import asynccontextmanager
from fixtures.minimal import MinimalBackend

class Leaking(MinimalBackend):
    name = "leaking"
    capabilities = frozenset()

    @asynccontextmanager
    async def start(self, settings):
        print("connecting to", settings.database_url)
        if LEAKS:
            raise RuntimeError("cannot connect to " + settings.database_url)
        async with super().start(settings) as shop:
            yield shop

LEAKS = True
leaking = Leaking()
"""


def test_password_is_not_shown(project: Path) -> None:
    """A backend that quotes its database URL does not bring the password to the terminal or into the report."""
    (project / "leaking.py").write_text(LEAKING)

    status, document, output = verify(
        project,
        "--sessionproof-scenario=reading",
        "--sessionproof-tier=scripted",
        "--sessionproof-postgres=embedded",
        "-p",
        "leaking",
        backend="leaking:leaking",
    )

    assert status == pytest.ExitCode.TESTS_FAILED
    assert "cannot connect to postgresql+asyncpg://postgres:***@127.0.0.1" in output
    assert re.findall(r"postgres:([^@*\s]+)@", output + json.dumps(document)) == []


def test_missing_ledger_is_said(project: Path) -> None:
    """A backend without a ledger passes, and the report says that its billing was not verified."""
    (project / "leaking.py").write_text(LEAKING.replace("LEAKS = True", "LEAKS = False"))

    status, document, output = verify(
        project,
        "--sessionproof-scenario=reading",
        "--sessionproof-tier=scripted",
        "--sessionproof-pool-state=warm",
        "-p",
        "leaking",
        backend="leaking:leaking",
    )

    assert status == 0, output
    reasons = [entry["reason"] for entry in document["not_verified"]]
    assert "backend 'leaking' has no ledger: whether its turns are billed is not looked at" in reasons


UNPREPARED = """
from fixtures.minimal import MinimalBackend

class Unprepared(MinimalBackend):
    async def prepare(self, database_url):
        raise PermissionError("permission denied to create extension")

backend = Unprepared()
"""


def test_backend_that_does_not_prepare(project: Path) -> None:
    """A database that cannot be prepared leaves every cell undecided, each with the cause."""
    (project / "unprepared.py").write_text(UNPREPARED)

    status, document, _ = verify(
        project, "--sessionproof-scenario=reading", "-p", "unprepared", backend="unprepared:backend"
    )

    assert status == pytest.ExitCode.TESTS_FAILED
    assert document["verdict"] == "unknown"
    causes = {objection for cell in document["cells"] for objection in cell["objections"]}
    assert any("did not prepare its database: PermissionError: permission denied" in cause for cause in causes)


SPENDING = """
import harness.engine
from decimal import Decimal
from harness.providers.budget import Budget

provider_for = harness.engine.provider_for

def spend(cell, config, *, purse):
    budget = Budget(config.budget, purse)
    budget.settle(budget.reserve(Decimal("0.02")), Decimal("0.01"))
    budget.reserve(Decimal("0.003"))
    return provider_for(cell, config, purse=purse)

harness.engine.provider_for = spend
"""


def test_what_a_run_has_cost(project: Path) -> None:
    """It is in the run's document, and said at the end."""
    (project / "spending.py").write_text(SPENDING)
    options = ["--sessionproof-scenario=reading", "--sessionproof-mode=per_operation", "--sessionproof-pool-state=warm"]
    paid = [*options, "--sessionproof-tier=scripted", "--sessionproof-tier=live", "--sessionproof-budget=0.50"]

    _, document, output = verify(project, *paid, "-p", "spending")

    spent, reserved = Decimal(document["costs"]["spent"]), Decimal(document["costs"]["reserved"])
    assert document["costs"]["limit"] == "0.50"
    assert spent > 0
    assert reserved / spent == Decimal("0.3")
    assert f"model requests have cost {spent} US dollars, and {reserved} more at most" in output


HOLDING = """
import time
from fixtures.minimal import MinimalBackend, Shop

async def hold(shop, request):
    while True:
        time.sleep(0.1)

Shop.send = hold
backend = MinimalBackend()
"""


def test_loop_that_is_held_for_good(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose loop never comes back is ended, and the report shows where it stood."""
    (project / "holding.py").write_text(HOLDING)
    (project / "short.py").write_text("import harness.watchdog\nharness.watchdog.SPARE_SECONDS = 3.0\n")

    status, document, _ = verify(
        project,
        *("--sessionproof-scenario=reading", "--sessionproof-pool-state=warm", "--sessionproof-tier=scripted"),
        *("-p", "holding", "-p", "short", "-p", "xdist", "-n", "1", "-o", "sessionproof=true"),
        "--sessionproof-turn-timeout=1",
        backend="holding:backend",
    )

    assert status != 0
    assert any("holding.py" in problem and "in hold" in problem for problem in document["problems"])


COUNTING = """
import faulthandler
import pathlib

armed = faulthandler.dump_traceback_later

def count(*given, **named):
    with pathlib.Path("armed.txt").open("a") as file:
        file.write("once more\\n")
    armed(*given, **named)

faulthandler.dump_traceback_later = count
"""


def test_each_turn_has_its_time_anew(project: Path) -> None:
    """However many turns a cell has, its process is ended only if one of them holds the loop."""
    (project / "counting.py").write_text(COUNTING)

    status, document, _ = verify(
        project,
        *("--sessionproof-scenario=reading", "--sessionproof-pool-state=warm", "--sessionproof-tier=scripted"),
        *("-p", "counting", "-o", "sessionproof=true"),
    )

    assert status == 0
    turns = sum(len(cell["evidence"]["turns"]) for cell in document["cells"])
    assert len((project / "armed.txt").read_text().splitlines()) >= len(document["cells"]) + turns


def test_plugin_is_inert_elsewhere(tmp_path: Path) -> None:
    """In a project without scenarios the plugin imports nothing heavy and says nothing."""
    (tmp_path / "test_else.py").write_text(
        "import sys\n"
        "def test_else():\n"
        "    assert not {'harness.engine', 'pydantic_ai', 'sqlalchemy'} & set(sys.modules)\n"
    )

    done = run(tmp_path)

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    assert "verification" not in done.stdout
