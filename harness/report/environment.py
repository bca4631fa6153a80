"""Where a run took place: versions of everything that can change its outcome."""

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.report.document import EnvironmentDocument, PostgresDocument, SourceDocument

__all__ = ["describe_environment", "describe_machine", "describe_source", "package_versions"]

PACKAGES = (
    "sessionproof",
    "sqlalchemy",
    "asyncpg",
    "greenlet",
    "pydantic-ai-slim",
    "openai",
    "logfire",
    "genai-prices",
    "pytest",
    "pytest-postgresql",
    "psycopg",
    "testcontainers",
)


def describe_environment(*, postgres: PostgresDocument | None, backend: str) -> EnvironmentDocument:
    """This process's environment, with the server and the backend of the run."""
    return EnvironmentDocument(
        python=platform.python_version(),
        platform=platform.platform(),
        cpus=os.cpu_count() or 1,
        packages=package_versions(PACKAGES),
        postgres=postgres,
        backend=backend,
        directory=str(here := Path.cwd()),
        top=_top(here),
        source=describe_source(os.environ),
    )


def _top(folder: Path) -> str:
    """The top of git's work tree in which a folder lies, without asking git, which may not be there; empty if none."""
    return next((str(each) for each in (folder, *folder.parents) if (each / ".git").exists()), "")


def describe_source(environment: Mapping[str, str]) -> SourceDocument | None:
    """The sources of a GitHub Actions job, which tells them in its environment; elsewhere nobody does: `None`."""
    told = {name: environment.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "SHA", "REF_NAME")}
    if not (told["SERVER_URL"] and told["REPOSITORY"] and told["SHA"]):
        return None
    return SourceDocument(
        repository=f"{told['SERVER_URL']}/{told['REPOSITORY']}", revision=told["SHA"], branch=told["REF_NAME"]
    )


def describe_machine() -> str:
    """What tells this machine from others: its name, its processor and how many of them it has."""
    return f"{platform.node() or 'unnamed'}: {_processor()}, {os.cpu_count() or 1} processors"


def _processor() -> str:
    """Its model, where Linux tells it; elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """The version of each distribution, or `not installed`."""
    return {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
