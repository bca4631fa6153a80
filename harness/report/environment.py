"""Where a run took place: versions of everything that can change its outcome."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version

from harness.report.document import EnvironmentDocument, PostgresDocument

__all__ = ["describe_environment"]

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
    "pytest-asyncio",
)


def describe_environment(*, postgres: PostgresDocument | None, backend: str) -> EnvironmentDocument:
    """This process's environment, with the server and the backend of the run."""
    return EnvironmentDocument(
        python=platform.python_version(),
        platform=platform.platform(),
        cpus=os.cpu_count() or 1,
        packages={name: _version(name) for name in PACKAGES},
        postgres=postgres,
        backend=backend,
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
