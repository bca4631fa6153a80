"""The house: which module may import which."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_imports_go_downwards_only() -> None:
    """The contracts of `pyproject.toml` hold for the whole tree."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]

    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


def test_an_import_that_goes_up_is_found(tmp_path: Path) -> None:
    """The contract can fail: a check that imports the engine breaks it."""
    package = tmp_path / "harness"
    package.mkdir()
    for name, text in {"__init__": "", "engine": "", "checks": "import harness.engine\n"}.items():
        (package / f"{name}.py").write_text(text)
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_package = harness\n"
        "[importlinter:contract:layers]\nname = layers\ntype = layers\ncontainers = harness\n"
        "layers =\n    engine\n    checks\n"
    )
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]

    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run.returncode == 1
    assert "harness.checks -> harness.engine" in run.stdout
