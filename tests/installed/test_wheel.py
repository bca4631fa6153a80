"""What is in the wheel and in the source distribution, and that the package needs nothing else."""

import importlib
import pkgutil
import re
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest

import harness

pytestmark = pytest.mark.installed

ROOT = Path(__file__).parents[2]
OF_EXTRAS = {
    "numpy",
    "psycopg",
    "pytest_benchmark",
    "pytest_postgresql",
    "sarif_pydantic",
    "scipy",
}
"""What modules may need that are for an extra."""


@pytest.fixture(scope="module")
def installed() -> Distribution:
    """The distribution, as it is installed."""
    return distribution("sessionproof")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution of the clone, and a wheel of the latter in `again`."""
    folder = tmp_path_factory.mktemp("dist")
    _build(ROOT, folder, "sdist", "wheel")
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as sources:
        sources.extractall(folder / "sources", filter="data")
    (unpacked,) = (folder / "sources").iterdir()
    _build(unpacked, folder / "again", "wheel")
    return folder


def _build(sources: Path, folder: Path, *targets: str) -> None:
    wanted = [argument for target in targets for argument in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), *wanted]
    built = subprocess.run(command, cwd=sources, capture_output=True, text=True, check=False, timeout=100)
    assert built.returncode == 0, built.stdout + built.stderr


def _contents(folder: Path) -> dict[str, bytes]:
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


def test_the_installed_package_is_what_is_looked_at() -> None:
    """It is not the clone's."""
    assert not Path(harness.__file__).is_relative_to(ROOT / "harness")


def test_only_harness_is_at_top_level(built: Path) -> None:
    """Names such as `fixtures`, `scenarios` and `tests` are left to others."""
    names = {name.partition("/")[0] for name in _contents(built)}

    assert {name for name in names if not name.endswith(".dist-info")} == {"harness"}


def test_the_suite_and_its_backend_are_carried(built: Path) -> None:
    """As are the recordings, the data, the page's assets, and the mark that types are shipped."""
    names = set(_contents(built))
    carried = {
        **{path.relative_to(ROOT): Path("harness/_bundled") / path.relative_to(ROOT) for path in _sources("scenarios")},
        **{
            path: Path("harness/_bundled") / path.relative_to(ROOT / "fixtures")
            for path in _sources("fixtures/backend")
        },
        **{path: Path("harness/_bundled") / path.relative_to(ROOT / "fixtures") for path in _sources("fixtures/data")},
        **{path: path.relative_to(ROOT) for path in _sources("harness")},
    }

    assert {str(path) for path in carried.values()} <= names
    assert "harness/py.typed" in names


def _sources(folder: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_a_source_distribution_makes_the_same_wheel(built: Path) -> None:
    """File by file."""
    assert _contents(built / "again") == _contents(built)


def test_documents_are_in_the_source_distribution(built: Path) -> None:
    """And the tests, and what runs them."""
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as sources:
        names = {name.partition("/")[2] for name in sources.getnames()}

    assert {"README.md", "docs/five-minutes.md", "tox.ini", ".ci/run", "tests/installed/test_wheel.py"} <= names


def test_the_plugin_is_named_as_its_module(installed: Distribution) -> None:
    """Else a suite whose conftest asks for it would have it registered twice."""
    (plugin,) = installed.entry_points.select(group="pytest11")
    (script,) = installed.entry_points.select(group="console_scripts")

    assert plugin.name == plugin.value == "harness.pytest_plugin"
    assert (script.name, script.value) == ("sessionproof", "harness.cli:main")


def test_what_is_optional_is_an_extra(installed: Distribution) -> None:
    """No dependency is asked for by name alone where an extra is meant."""
    required = [each for each in installed.requires or () if "extra ==" not in each]
    names = {re.split(r"[^\w-]", each)[0].replace("-", "_") for each in required}

    assert not names & OF_EXTRAS


def test_every_module_can_be_imported() -> None:
    """With what the wheel itself asks for; those of an extra say which package they lack."""
    lacking = {}
    for module in pkgutil.walk_packages(harness.__path__, "harness."):
        if not module.name.startswith("harness._bundled."):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                lacking[module.name] = (error.name or "").partition(".")[0]

    assert set(lacking.values()) <= OF_EXTRAS
