"""How fast source is scanned: measurements, not tests. `tox run -e scan-bench` runs them.

What is measured is the processor's time, because the machine may be shared. Trees of libraries are read, and not
followed where the scanner knows the library; the others are code full of tasks that is followed.
"""

from importlib.util import find_spec
from pathlib import Path
from time import process_time

import click
import pytest

from harness.scan.scan import scan

pytestmark = [pytest.mark.benchmark_suite, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
AT_LEAST = 10_000
"""Lines in a second."""
LIBRARIES = ("fastapi", "pydantic_ai", "sqlalchemy", "sqlmodel", "starlette", "logfire")


def _folder(library: str) -> Path:
    spec = find_spec(library)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def test_a_big_tree_is_scanned_fast() -> None:
    """At least so many lines in a second, without a finding; of some functions it is said that they are too long."""
    before = process_time()
    result = scan([_folder(library) for library in LIBRARIES])
    seconds = process_time() - before

    click.echo(
        f"{result.files:,} files, {result.lines:,} lines in {seconds:.1f} s: {result.lines / seconds:,.0f} lines/s"
    )
    assert not result.findings
    assert all("too long to be followed" in problem.message for problem in result.problems)
    assert result.lines / seconds >= AT_LEAST


@pytest.mark.parametrize("folder", ["harness", "harness/checks", "harness/observe", "fixtures", "tests/scan/corpus"])
def test_what_applications_are_like(folder: str) -> None:
    """No bound: how fast code is followed that is full of agents, sessions and tasks."""
    before = process_time()
    result = scan([ROOT / folder])
    seconds = process_time() - before

    click.echo(f"{folder}: {result.lines:,} lines in {seconds:.1f} s: {result.lines / seconds:,.0f} lines/s")
    assert result.lines
