"""The pytest plugin, in projects of its own: what it runs, what it writes, and that it is inert otherwise."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

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
def project(tmp_path: Path) -> Path:
    """A project with one module of scenarios, and no configuration."""
    (tmp_path / "test_scenarios.py").write_text(SCENARIO)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "harness.pytest_plugin", "-p", "no:cacheprovider", "-q"]
    command += ["-o", "asyncio_mode=auto", f"--rootdir={project}", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
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
        "--sessionproof-postgres=embedded",
        f"--sessionproof-output={output}",
        *arguments,
    )
    document = output / "run.json"
    return done.returncode, json.loads(document.read_text()) if document.exists() else {}, done.stdout + done.stderr


def test_cells_become_tests_and_a_document(project: Path) -> None:
    """Each cell asked for is run; what the backend cannot do is skipped, and stands in the document with its reason."""
    status, document, output = verify(project, "--sessionproof-pool-state=warm", "--sessionproof-tier=scripted")

    assert status == 0, output
    assert document["verdict"] == "passed"
    assert [(cell["scenario"], cell["session_mode"]) for cell in document["cells"]] == [("reading", "per_operation")]
    reasons = {(entry["scenario"], entry["session_mode"]): entry["reason"] for entry in document["not_verified"]}
    assert reasons["reading", "shared"] == "backend 'minimal' has no session mode 'shared'"
    assert "no tool for the role 'fail'" in reasons["failing", "per_operation"]
    assert document["environment"]["postgres"]["kind"] == "embedded"


def test_workers_give_the_same_document(project: Path) -> None:
    """With pytest-xdist the same cells have the same verdicts, and one process writes them."""
    arguments = ("--sessionproof-scenario=reading", "-p", "xdist", "-n", "2", "-o", "sessionproof=true")

    status, document, output = verify(project, *arguments)

    assert status == 0, output
    assert len(document["cells"]) == 8
    assert {cell["verdict"] for cell in document["cells"]} == {"passed"}


def test_unknown_scenario_runs_nothing(project: Path) -> None:
    """A name that no scenario has is an error that lists those there are; nothing is run."""
    _, document, output = verify(project, "--sessionproof-scenario=raeding")

    assert document["cells"] == []
    assert document["verdict"] == "unknown"
    assert document["problems"] == ["there is no scenario 'raeding'; there are failing, reading"]
    assert "Traceback" not in output


def test_unknown_backend_runs_nothing(project: Path) -> None:
    """A backend that cannot be imported is an error with the reason; nothing is run."""
    _, document, output = verify(project, backend="no_such_shop:backend")

    assert document["cells"] == []
    assert "there is no module 'no_such_shop'" in document["problems"][0]
    assert "Traceback" not in output


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
