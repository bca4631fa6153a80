"""The bug is reproduced by construction, not by luck: every cell that expects it shows it, 20 times out of 20.

`tox run -e repeat` runs this; it takes minutes.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from harness.report.document import CellDocument
from harness.scenario import Cell, ModelTier, SessionMode, cells_of
from scenarios.test_bill_per_request import BILL_PER_REQUEST
from scenarios.test_failing_tool import FAILING_TOOL
from scenarios.test_four_mixed_tools import FOUR_MIXED_TOOLS
from scenarios.test_rollback_beside_write import ROLLBACK_BESIDE_WRITE
from scenarios.test_streaming import STREAMING
from scenarios.test_two_parallel_tools import TWO_PARALLEL_TOOLS
from scenarios.test_two_users import TWO_USERS

RunCell = Callable[..., Awaitable[CellDocument]]

pytestmark = [pytest.mark.repeated, pytest.mark.timeout(300)]

REPETITIONS = 20
SUITE = [
    BILL_PER_REQUEST,
    FAILING_TOOL,
    FOUR_MIXED_TOOLS,
    ROLLBACK_BESIDE_WRITE,
    STREAMING,
    replace(TWO_PARALLEL_TOOLS, paired_repetitions=0, expectations=TWO_USERS.expectations),
    TWO_USERS,
]


MODES = (SessionMode.SHARED, SessionMode.PER_OPERATION)
CELLS = [
    cell for scenario in SUITE for cell in cells_of(scenario) if cell.mode in MODES and cell.tier is ModelTier.SCRIPTED
]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.scenario.name}-{cell.id}")
async def test_cell_is_as_expected_every_time(run_cell: RunCell, cell: Cell) -> None:
    """Whatever a cell is expected to show, it shows in every repetition, with the same kinds of findings."""
    seen = [
        await run_cell(
            cell.scenario,
            mode=cell.mode,
            pool_state=cell.pool_state,
            tier=cell.tier,
        )
        for _ in range(REPETITIONS)
    ]

    assert [document.objections for document in seen] == [()] * REPETITIONS
