"""The command as a user starts it: its exit status tells broken backends from a right one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import bundled

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
SELECTION = "--scenario two_parallel_tools --mode per_operation --pool-state cold --tier scripted"


@pytest.mark.parametrize(
    ("backend", "status", "finding"),
    [
        (bundled.default_backend(), 0, ""),
        ("fixtures.broken.tracker_without_commit:backend", 1, "missing_row: "),
        ("fixtures.broken.does_not_start:backend", 3, "the secrets store refused the connection"),
    ],
    ids=["reference", "tracker_without_commit", "does_not_start"],
)
def test_the_exit_status_tells_what_was_found(
    backend: str, status: int, finding: str, server_url: str, tmp_path: Path
) -> None:
    """A defect ends with 1 and its finding, a backend that does not start with 3, the reference backend with 0."""
    words = f"verify --backend {backend} {SELECTION} --postgres {server_url} -n 0 --output {tmp_path / 'out'}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SESSIONPROOF_")}

    ended = subprocess.run(
        [sys.executable, "-m", "harness.cli", *words.split()],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == status, ended.stdout + ended.stderr
    assert finding in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
