"""Suites of others, each in a project of its own, with a database of its own."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.postgres.clones import Clones
from harness.pytest_database import empty_database
from tests.sessions.suites import Outcome, Suite, SuiteOften, run_suite, run_suite_often


def _environment(database_url: str) -> dict[str, str]:
    return {"DATABASE_URL": database_url, "PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", "")}


@pytest.fixture
def suite(tmp_path: Path, empty_database_url: str) -> Suite:
    """Run a suite of one module in a project of its own, in a process of its own, with no plugin but those named."""
    environment = _environment(empty_database_url)

    def run(module: str, *arguments: str, **options: str) -> Outcome:
        return run_suite(tmp_path, environment, module, *arguments, **options)

    return run


@pytest.fixture(scope="module")
def suite_often(tmp_path_factory: pytest.TempPathFactory, sessionproof_clones: Clones) -> Iterator[SuiteOften]:
    """Run a suite with the arguments of each call, in one process: for tests that ask one thing of many such runs."""
    with empty_database(sessionproof_clones, "suite_often") as url:

        def run(module: str, *calls: Sequence[str], project: str = "", **others: str) -> list[Outcome]:
            folder = tmp_path_factory.mktemp("suite")
            for name, content in others.items():
                (folder / f"{name}.json").write_text(content, encoding="utf-8")
            return run_suite_often(folder, _environment(url), module, calls, project=project)

        yield run
