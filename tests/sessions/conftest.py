"""Suites of others, each in a project of its own, with a database of its own."""

import os
from pathlib import Path

import pytest

from tests.sessions.suites import Outcome, Suite, run_suite


@pytest.fixture
def suite(tmp_path: Path, empty_database_url: str) -> Suite:
    """Run a suite of one module in a project of its own, in a process of its own, with no plugin but those named."""
    environment = {
        "DATABASE_URL": empty_database_url,
        "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", ""),
    }

    def run(module: str, *arguments: str, **options: str) -> Outcome:
        return run_suite(tmp_path, environment, module, *arguments, **options)

    return run
