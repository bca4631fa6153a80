"""What grows with what: which points there are, what they compare, and what a server is too small for."""

from dataclasses import replace

import pytest

from fixtures.backend.adapter import backend
from fixtures.minimal import backend as minimal
from harness.backend import load_backend
from harness.bench.curves import Curve, Point, curves, message, pools, smallest_pool
from harness.bench.run import Bench, free_connections
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.bench_document import CurveDocument
from tests.bench.conftest import FEW, Measure

LONGER_SECONDS = 0.24
"""Work beside which the stagger of tools on a busy processor is small."""


async def measured(curve: Curve, clones: Clones, *, room: int) -> CurveDocument:
    """The curve for the minimal backend."""
    loaded = load_backend("fixtures.minimal:backend")
    template = await clones.template(loaded.name, loaded.prepare)
    bench = Bench(backend=loaded, clones=clones, template=template)
    return await bench.curve(
        curve, limits=FEW, room=room, progress=lambda name, limits: lambda repetitions, width: None
    )


def test_each_point_compares_all_modes_that_the_backend_has() -> None:
    """The reference first."""
    (tools, turns) = curves(backend, full=True)

    assert (tools.name, tools.axis, [point.x for point in tools.points]) == (
        "tools_per_turn",
        "tools",
        [1, 2, 4, 8, 16, 32],
    )
    assert (turns.name, turns.axis, [point.x for point in turns.points]) == (
        "turns_at_once",
        "turns",
        [1, 2, 4, 8, 16, 32, 64],
    )
    for point in (*tools.points, *turns.points):
        assert list(point.settings) == ["per_operation", "shared", "locked", "sequential", "durable"]
    assert tools.points[-1].settings["shared"].widest == 32
    assert [len(point.settings["shared"].messages) for point in turns.points] == [1, 2, 4, 8, 16, 32, 64]


def test_a_session_per_operation_has_a_connection_for_each_tool_at_work_and_a_shared_one_one_a_turn() -> None:
    """Nobody waits for the pool, because that is another curve."""
    (_, turns) = curves(backend, full=True)
    settings = next(point.settings for point in turns.points if point.x == 8)

    assert {name: setting.connections for name, setting in settings.items()} == {
        "per_operation": 16,
        "shared": 8,
        "locked": 8,
        "sequential": 8,
        "durable": 24,
    }
    assert all(setting.pool is not None and setting.pool.size >= setting.connections for setting in settings.values())


async def test_our_own_servers_have_room_for_every_point(sessionproof_server: RunningServer) -> None:
    """Of the full curves too."""
    room = await free_connections(sessionproof_server)

    assert max(point.connections for curve in curves(backend, full=True) for point in curve.points) < room


async def test_a_point_for_which_the_server_has_no_room_is_skipped_with_the_reason(
    sessionproof_clones: Clones,
) -> None:
    """The others are measured."""
    settings = dict(pools(full=False).settings)
    few = {name: settings[name] for name in ("pool of 2", "pool of 1")}
    many = {name: settings[name] for name in ("pool of 4", "pool of 2")}
    curve = Curve(name="c", question="?", axis="things", points=(Point(x=1, settings=few), Point(x=2, settings=many)))

    document = await measured(curve, sessionproof_clones, room=4)

    assert [point.x for point in document.points] == [1]
    assert [arm.name for arm in document.points[0].case.arms] == ["pool of 2", "pool of 1"]
    assert document.points[0].case.name == "c, 1 things"
    assert document.skipped == (
        "2 things: all arms together want 6 connections, and the server has 4 left; give it a higher max_connections",
    )


async def test_the_predicted_pool_is_the_smallest_in_which_no_tool_waits(measure_case: Measure) -> None:
    """One connection for each tool at work; with one less some tool waits for as long as another one works."""
    compared = pools(full=False)
    names = [f"pool of {size}" for size in (8, compared.predicted, compared.predicted - 1)]
    messages = (message(compared.tools, seconds=LONGER_SECONDS),) * compared.turns

    case = await measure_case({name: replace(compared.settings[name], messages=messages) for name in names})

    large, enough, too_small = (arm.parts["pool"] + arm.parts["serial"] for arm in case.arms)
    assert compared.predicted == smallest_pool(turns=2, tools=2) == 4
    assert max(large, enough) < LONGER_SECONDS * 0.4
    assert too_small >= LONGER_SECONDS * 0.4  # of the mean turn: one of two turns waits for a whole tool
    assert [arm.failure for arm in case.arms] == [None] * 3


@pytest.mark.parametrize("tools", [1, 5])
def test_a_message_has_its_tools_in_one_round(tools: int) -> None:
    """And a response for the calls and for the answer."""
    plan = message(tools).plan

    assert (len(plan.rounds), plan.widest_round, len(plan.usages)) == (1, tools, 2)


def test_a_backend_of_one_mode_has_curves_of_one_arm() -> None:
    """How it grows is a question there too."""
    assert all(len(point.settings) == 1 for curve in curves(minimal, full=False) for point in curve.points)
