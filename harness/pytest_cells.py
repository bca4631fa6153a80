"""The cells of one process inside pytest: planned for the backend under test, and run against it.

Problem: this loads the engine, Pydantic AI and the backend, which take seconds; the process that only starts a server
and pytest-xdist's workers, and collects what they saw, needs none of it.

Mechanism: `harness.pytest_run`, which every process has, asks for `Cells` where cells are collected.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

import pytest

from harness.backend import Backend, load_backend
from harness.config import Config
from harness.engine import Engine, NotVerified, repeats
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.document import CellDocument, NotVerifiedDocument
from harness.scenario import Cell, Scenario, SessionMode

__all__ = ["Cells"]


class Cells:
    """Plans and runs cells; `config` gives the settings, `before_turns` is called whenever turns are about to be sent.

    What cannot be read or loaded raises its `ConfigurationError` or `UsageError` wherever it is needed.
    """

    def __init__(self, config: Callable[[], Config], *, purse: Path, before_turns: Callable[[], None]) -> None:
        self._config = config
        self._purse = purse
        self._before_turns = before_turns

    @cached_property
    def backend(self) -> Backend:
        """The backend under test."""
        return load_backend(self._config().backend)

    @cached_property
    def _engine(self) -> Engine:
        return Engine(backend=self.backend, config=self._config(), purse=self._purse, before_turns=self._before_turns)

    def plan(self, scenarios: Iterable[Scenario]) -> list[tuple[Scenario, str, object]]:
        """Every cell of the scenarios, or why it cannot be run, with its scenario and its name."""
        return [(each, name, planned) for each in scenarios for name, planned in self._engine.plan(each)]

    def gaps(self, cell: Cell) -> tuple[NotVerifiedDocument, ...]:
        """What is not verified of a cell that can be run."""
        return self._engine.gaps(cell)

    async def verify(self, cell: Cell, *, clones: Clones, running: RunningServer) -> CellDocument:
        """Run a cell, and judge what was seen."""
        return await self._engine.verify(cell, clones=clones, running=running)

    def is_asked_for(self, item: pytest.Item) -> bool:
        """Whether the settings admit the cell of a scenario's test."""
        cell = _cell_of(item)
        return cell is not None and self._config().admits(
            scenario=cell.scenario.name, mode=cell.mode, pool_state=cell.pool_state, tier=cell.tier
        )

    def is_short(self, item: pytest.Item) -> bool:
        """Whether a test is not one of those cells that repeat their turn, which last longest."""
        cell = _cell_of(item)
        return cell is None or not repeats(cell)

    def none_of(self, items: Sequence[pytest.Item]) -> str:
        """What is wrong with a selection that leaves none of these."""
        there = {cell.mode for item in items if (cell := _cell_of(item)) is not None}
        modes = ", ".join(mode for mode in SessionMode if mode in there)
        return (
            "there is no cell that is in all of the modes, pool states and tiers asked for; there are cells in the "
            f"session modes {modes or '(none)'}, and a scenario from a file (--scenario-file) names its own"
        )

    def lacking(self, planned: object) -> NotVerifiedDocument | None:
        """Why a planned cell cannot be run; `None` if it can."""
        return planned.document if isinstance(planned, NotVerified) else None


def _cell_of(item: pytest.Item) -> Cell | None:
    """The cell of a scenario's test, also if the backend cannot run it."""
    callspec = getattr(item, "callspec", None)
    planned = callspec.params.get("verify_cell") if callspec is not None else None
    if isinstance(planned, NotVerified):
        return planned.cell
    return planned if isinstance(planned, Cell) else None
