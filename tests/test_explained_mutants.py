"""The gate behind the mutation run: what nobody explained fails it."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "explained-mutants"
EXPLAINED = "    harness.checks.ledger_costs.x__forms__mutmut_{}: survived\n"
ANOTHER = "    harness.checks.ledger.x__accounts__mutmut_7: {}\n"


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ("", 0),
        (EXPLAINED.format(1), 0),
        (EXPLAINED.format(1) + EXPLAINED.format(2), 1),
        (ANOTHER.format("survived"), 1),
        (ANOTHER.format("no tests"), 1),
        (ANOTHER.format("killed"), 0),
    ],
)
def test_a_mutant_that_is_left_must_be_explained(results: str, status: int) -> None:
    """One of the function that is named, and no other."""
    ended = subprocess.run([sys.executable, SCRIPT], input=results, capture_output=True, text=True, check=False)

    assert ended.returncode == status, ended.stderr
