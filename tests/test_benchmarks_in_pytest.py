"""`pytest --benchmark-only scenarios/`, as people type it, and every run in which nobody asked for benchmarks."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
MINIMAL = "--sessionproof-backend=fixtures.minimal:backend"
ONE_CELL = ("--sessionproof-mode=per_operation", "--sessionproof-pool-state=warm", "--sessionproof-tier=scripted")
WITHOUT_SCIPY = "import sys\nsys.modules['scipy'] = None\n"


HALTING = """
from contextlib import asynccontextmanager
from fixtures.minimal import MinimalBackend
from harness.scenario import SessionMode

class Halting(MinimalBackend):
    modes = frozenset({SessionMode.PER_OPERATION, SessionMode.SHARED, SessionMode.LOCKED})

    def start(self, settings):
        print("connecting to", settings.database_url)
        if settings.session_mode is SessionMode.LOCKED:
            raise RuntimeError("not even asked: " + settings.database_url)
        return self._start(settings)

    @asynccontextmanager
    async def _start(self, settings):
        if settings.session_mode is SessionMode.SHARED:
            raise RuntimeError("no shared sessions today: " + settings.database_url)
        async with super().start(settings) as shop:
            yield shop

backend = Halting()
"""


def run(*arguments: str, directory: Path = ROOT, path: Path = ROOT) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "SESSIONPROOF_"))}
    environment = {
        **kept,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{path}",
        "SESSIONPROOF_POSTGRES": "embedded",
    }
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


def in_clone(*arguments: str, path: Path = ROOT) -> tuple[int, str]:
    done = run("pytest", "-p", "no:cacheprovider", *arguments, path=path)
    return done.returncode, done.stdout + done.stderr


def benchmarks_of(file: Path) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in json.loads(file.read_text())["benchmarks"]}


def test_the_command_gives_what_tools_of_pytest_benchmark_read(tmp_path: Path) -> None:
    """Modes of a group are compared, and what is not in seconds is beside them."""
    file = tmp_path / "bench.json"

    status, output = in_clone(
        "--benchmark-only", "scenarios/", f"--benchmark-json={file}", "-rs", MINIMAL, "-k", "headline or turn-1-"
    )

    assert status == 0, output
    found = benchmarks_of(file)
    assert {name: each["group"] for name, each in found.items()} == {
        "test_headline[per_operation]": "headline",
        "test_headline[one_by_one]": "headline",
        "test_curves[tools_per_turn-1-per_operation]": "tools_per_turn, 1 tools",
    }
    assert found["test_headline[one_by_one]"]["params"] == {"group": "headline", "arm": "one by one"}
    for each in found.values():
        assert sum(each["extra_info"]["parts"].values()) == pytest.approx(each["stats"]["mean"])
        assert each["extra_info"]["server"]["kind"] == "embedded"
        assert each["extra_info"]["session_mode"] == "per_operation"
        assert each["stats"]["rounds"] == (10 if each["group"] == "headline" else 5)
    assert found["test_headline[per_operation]"]["extra_info"]["overlap_known"] == 10
    assert found["test_headline[one_by_one]"]["extra_info"]["parallel"] is False
    assert "backend 'minimal' has no session mode 'shared'" in output
    assert "session verification" not in output

    compared = run("pytest_benchmark", "compare", str(file), "--group-by=param:arm", directory=tmp_path)

    assert compared.returncode == 0, compared.stderr
    assert "benchmark 'arm=one by one': 1 tests" in compared.stdout
    assert "benchmark 'arm=per_operation': 2 tests" in compared.stdout


@pytest.mark.parametrize("disabled", [(), ("-p", "no:benchmark"), ("--benchmark-skip",), ("--benchmark-disable",)])
def test_a_plain_run_has_none(disabled: tuple[str, ...]) -> None:
    """With pytest-benchmark and without; nor does it load what they need."""
    status, output = in_clone("scenarios/", "--collect-only", "-q", MINIMAL, *disabled)

    assert status == 0, output
    assert "test_benchmarks" not in output
    assert "test_no_tools[per_operation-warm-scripted]" in output
    assert "warning" not in output.lower()


def test_a_run_on_workers_neither_warns_nor_counts_them(tmp_path: Path) -> None:
    """pytest-benchmark would: it is disabled there."""
    modules = ("scenarios/test_no_tools.py", "scenarios/test_benchmarks.py")

    status, output = in_clone(
        *modules, "-n", "1", MINIMAL, *ONE_CELL, f"--sessionproof-output={tmp_path}", "-W", "error"
    )

    assert status == 0, output
    assert "1 passed" in output
    assert "Benchmark" not in output
    document = json.loads((tmp_path / "run.json").read_text())
    assert len(document["cells"]) == 1
    assert document["not_verified"] == document["problems"] == []


def test_verify_has_none(tmp_path: Path) -> None:
    """Its report and its exit status are those of the cells."""
    selection = ("--scenario=no_tools", "--mode=per_operation", "--pool-state=warm", "--tier=scripted")

    done = run("harness.cli", "verify", "--backend=fixtures.minimal:backend", *selection, f"--output={tmp_path}")

    assert done.returncode == 0, done.stdout + done.stderr
    document = json.loads((tmp_path / "run.json").read_text())
    assert len(document["cells"]) == 1
    assert document["not_verified"] == document["problems"] == []
    assert "benchmark" not in (tmp_path / "junit.xml").read_text()
    assert "benchmark" not in (tmp_path / "pytest.log").read_text().lower()


def test_benchmarks_that_are_named_and_not_asked_for_say_how() -> None:
    """Without an error of the plugin's own."""
    status, output = in_clone("scenarios/test_benchmarks.py", "-q")

    assert status == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "these are benchmarks, for pytest-benchmark: they run under --benchmark-only" in output


def test_a_backend_that_does_not_exist_is_wrong_usage() -> None:
    """As everywhere."""
    status, output = in_clone("--benchmark-only", "scenarios/", "--sessionproof-backend=no_such_shop:backend")

    assert status == pytest.ExitCode.USAGE_ERROR
    assert output.count("there is no module 'no_such_shop'") == 1
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("option", "advice"), [("--benchmark-only", "-n"), ("--benchmark-enable", "-n, or --benchmark-enable")]
)
def test_workers_measure_nothing(option: str, advice: str) -> None:
    """Several processes at once measure each other."""
    status, output = in_clone(option, "scenarios/test_benchmarks.py", "-n", "1")

    assert status == pytest.ExitCode.USAGE_ERROR
    assert "benchmarks are measured in one process, with none beside it, and pytest-xdist starts several" in output
    assert f"leave out {advice}\n" in output
    assert "Traceback" not in output


def test_without_scipy_they_say_what_to_install(tmp_path: Path) -> None:
    """It comes with the same extra."""
    (tmp_path / "without_scipy.py").write_text(WITHOUT_SCIPY)

    status, output = in_clone("--benchmark-only", "scenarios/", "-p", "without_scipy", path=tmp_path)

    assert status == pytest.ExitCode.TESTS_FAILED
    assert "error: benchmarks need scipy, and it is not installed" in output
    assert "pip install 'sessionproof[bench]'" in output
    assert "Traceback" not in output


def test_an_arm_that_does_not_start_fails_and_has_no_seconds(tmp_path: Path) -> None:
    """In a project without any configuration, as where the wheel carries the scenarios; the others go on."""
    shutil.copytree(ROOT / "scenarios", tmp_path / "carried" / "scenarios", ignore=shutil.ignore_patterns("*.pyc"))
    file = tmp_path / "bench.json"
    options = ("--import-mode=importlib", "-p", "no:cacheprovider", "-W", "error", f"--benchmark-json={file}")
    (tmp_path / "halting.py").write_text(HALTING)

    done = run(
        "pytest",
        "--benchmark-only",
        "carried/scenarios",
        *options,
        *("-o", "asyncio_default_fixture_loop_scope=function"),
        *("-p", "harness.pytest_plugin", "--sessionproof-backend=halting:backend", "-k", "turn-1-"),
        directory=tmp_path,
        path=tmp_path,
    )

    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "2 failed, 1 passed" in done.stdout
    assert "did not start: RuntimeError: no shared sessions today: postgresql+asyncpg://postgres:***@" in done.stdout
    assert "not even asked: postgresql+asyncpg://postgres:***@" in done.stdout
    assert re.findall(r"postgres:([^@*\s]+)@", done.stdout + done.stderr) == []
    assert "not used at all" not in done.stdout + done.stderr
    assert list(benchmarks_of(file)) == ["test_curves[tools_per_turn-1-per_operation]"]
