"""Turns in which tools write beside two that read: only there is `deferred` another mode than `per_operation`."""

from dataclasses import dataclass

import pytest
from sqlalchemy import text

from fixtures.backend.adapter import backend
from harness.bench.arm import Arm
from harness.bench.curves import Point, curves
from harness.postgres.clones import Clones
from tests.bench.conftest import Measure

pytestmark = pytest.mark.processes

WRITES = 4
REPETITIONS = 3
READS_FOR = 0.05
APART = ("per_operation", "durable", "deferred")
"""The modes in which tools can write while others read."""

# the default of `created_at` is the time at which the transaction began: one for all that it wrote
_WRITTEN = text("SELECT count(*), count(DISTINCT created_at) FROM callbacks GROUP BY conversation_id")


@dataclass(frozen=True, slots=True)
class Written:
    """What one turn left behind."""

    rows: int
    transactions: int


def point() -> Point:
    (curve,) = (curve for curve in curves(backend, full=False) if curve.name == "writes_per_turn")
    return next(point for point in curve.points if point.x == WRITES)


async def written(mode: str, clones: Clones) -> list[Written]:
    """What each of some turns of one arm wrote."""
    template = await clones.template(backend.name, backend.prepare)
    async with Arm.started(point().settings[mode], backend, clones, template) as arm:
        for _ in range(REPETITIONS):
            await arm()
        async with arm.application.engine.connect() as connection:
            return [Written(rows, transactions) for rows, transactions in await connection.execute(_WRITTEN)]


async def test_deferred_writes_are_there_and_are_one_transaction_a_turn(sessionproof_clones: Clones) -> None:
    """In each repetition: a row may be added again and again."""
    assert await written("deferred", sessionproof_clones) == [Written(WRITES, 1)] * REPETITIONS


async def test_in_the_other_modes_each_write_is_a_transaction(sessionproof_clones: Clones) -> None:
    """The same tools and rows."""
    turns = await written("per_operation", sessionproof_clones)

    assert [turn.rows for turn in turns] == [WRITES] * REPETITIONS
    assert all(turn.transactions > 1 for turn in turns)


async def test_every_mode_in_which_tools_have_sessions_of_their_own_answers(measure_case: Measure) -> None:
    """And works for as long as the tools that read: the writes have no planned time. Whether they do is known."""
    case = await measure_case(point().settings)

    arms = {arm.name: arm for arm in case.arms}
    assert case.yardstick == "yardstick"
    assert case.tools == WRITES + 2
    assert {name: arms[name].failure for name in APART} == dict.fromkeys(APART)
    for name in APART:
        assert arms[name].parts["work"] == pytest.approx(READS_FOR)
        assert arms[name].gained is not None
