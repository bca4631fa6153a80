"""The harness's own costs: what it adds to a turn, and what its databases, servers and cells cost.

for cost in costs(ground, full=False):
    document = await measure(cost, progress=…)
"""

from functools import partial

from harness.bench.cost import Cost, Ground, measure
from harness.bench.cost_database import CLONE, READY, database_ways, given_back_ways, module_ways
from harness.bench.cost_server import container_ways, embedded_ways
from harness.bench.cost_turn import BARE, cell_ways, turn_ways
from harness.bench.headline import FULL_SECONDS, QUICK_SECONDS
from harness.bench.interleave import Limits

__all__ = ["Cost", "Ground", "costs", "measure"]

_CONTAINER = Limits(half_width=0.25, warm_up=0, least=5, most=5, seconds=120.0)
"""Starting one takes seconds: as few as an interval needs."""


def costs(ground: Ground, *, full: bool = False) -> tuple[Cost, ...]:
    """All of them, in the order of what a reader wants to know first; `full` is longer, and has narrower intervals."""
    tool_seconds = FULL_SECONDS if full else QUICK_SECONDS
    return (
        Cost(
            name="turn",
            question=f"What do recorders, gate and session sanitizer add to a turn of two tools of {tool_seconds:g} s?",
            reference=BARE,
            limits=_limits(full, half_width=0.02, least=10, most=40, seconds=25.0),
            ways=partial(turn_ways, ground, tool_seconds=tool_seconds),
        ),
        Cost(
            name="database",
            question=(
                "How long until a test has a database of its own in a known state? Not in the time: making the ready "
                "clone in the background, except back to back; connecting to it; and giving it back."
            ),
            reference=READY,
            limits=_limits(full, half_width=0.2, least=10, most=60, seconds=15.0),
            ways=partial(database_ways, ground),
        ),
        Cost(
            name="database given back",
            question=(
                "How long until a test has given its database back? Not in the time: dropping the ready clone, which "
                "is handed over and dropped in the background."
            ),
            reference=CLONE,
            limits=_limits(full, half_width=0.2, least=10, most=60, seconds=5.0),
            ways=partial(given_back_ways, ground),
        ),
        Cost(
            name="database for a module",
            question="How long until a module of tests has a container of its own with a prepared database?",
            reference=READY,
            limits=_CONTAINER,
            ways=partial(module_ways, ground),
        ),
        Cost(
            name="embedded server",
            question="How long until embedded PostgreSQL accepts a connection, and until it is gone?",
            reference=None,
            limits=_limits(full, half_width=0.1, least=5, most=8, seconds=10.0),
            ways=embedded_ways,
        ),
        Cost(
            name="server in a container",
            question="How long until PostgreSQL in a container accepts a connection, and until it is gone?",
            reference=None,
            limits=_CONTAINER,
            ways=partial(container_ways, ground),
        ),
        Cost(
            name="verify cell",
            question=f"How long does a cell of `verify` take, with two tools of {tool_seconds:g} s side by side?",
            reference=None,
            limits=_limits(full, half_width=0.05, least=8, most=20, seconds=10.0),
            ways=partial(cell_ways, ground, tool_seconds=tool_seconds),
        ),
    )


def _limits(full: bool, *, half_width: float, least: int, most: int, seconds: float) -> Limits:
    if not full:
        return Limits(half_width=half_width, least=least, most=most, seconds=seconds)
    return Limits(half_width=half_width / 2, least=least, most=2 * most, seconds=4 * seconds)
