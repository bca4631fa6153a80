"""What grows with what: which points there are, what they compare, and what a server is too small for."""

from dataclasses import replace

import pytest

from fixtures.backend.adapter import backend
from fixtures.minimal import backend as minimal
from harness.backend import PoolSettings, load_backend
from harness.bench.arm import Setting
from harness.bench.curves import Curve, Point, curves
from harness.bench.interleave import Limits
from harness.bench.messages import message
from harness.bench.run import TIME_IS_UP, Bench, free_connections
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.report.bench_document import CurveDocument
from harness.scenario import PoolState, SessionMode
from tests.bench.conftest import FEW

MODES = ("per_operation", "shared", "locked", "sequential", "durable", "deferred")


async def measured(curve: Curve, clones: Clones, *, room: int, limits: Limits = FEW) -> CurveDocument:
    """The curve for the minimal backend."""
    loaded = load_backend("fixtures.minimal:backend")
    template = await clones.template(loaded.name, loaded.prepare)
    bench = Bench(backend=loaded, clones=clones, template=template)
    kept: list[CurveDocument] = []
    await bench.curve(
        curve,
        limits=lambda _: limits,
        room=room,
        told=lambda name, limits: lambda repetitions, width: None,
        keep=kept.append,
    )
    assert [len(document.points) + len(document.skipped) for document in kept] == [*range(1, len(curve.points) + 1)]
    return kept[-1]


def one_pool(size: int) -> dict[str, Setting]:
    name = f"pool of {size}"
    pool = PoolSettings(size=size, max_overflow=0)
    messages = (message(2, seconds=0.01),)
    return {name: Setting(name=name, mode=SessionMode.PER_OPERATION, messages=messages, pool=pool)}


def test_each_point_compares_all_modes_that_the_backend_has() -> None:
    """The reference first."""
    (tools, turns, operations, writes_, states) = curves(backend, full=True)

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
    assert [(point.x, point.label) for point in states.points] == list(enumerate(map(str, PoolState)))
    assert [point.place("pool") for point in states.points][:2] == ["pool cold", "pool warm"]
    assert (operations.axis, [point.x for point in operations.points]) == ("operations", [1, 3, 10, 30, 100])
    assert (writes_.name, writes_.axis, [point.x for point in writes_.points]) == (
        "writes_per_turn",
        "writes",
        [1, 2, 4, 8, 16],
    )
    for point in (*tools.points, *turns.points, *operations.points, *writes_.points, *states.points):
        assert list(point.settings) == [*MODES, "yardstick"]
    assert {point.label: point.settings["shared"].pool_state for point in states.points} == {
        state.value: state for state in PoolState
    }
    assert [point.longer for point in turns.points] == [1, 1, 1, 1, 1, 2, 4]
    assert tools.points[-1].settings["shared"].widest == 32
    assert [len(point.settings["shared"].messages) for point in turns.points] == [1, 2, 4, 8, 16, 32, 64]


def test_a_session_per_operation_has_a_connection_for_each_tool_at_work_and_a_shared_one_one_a_turn() -> None:
    """Nobody waits for the pool, because that is another curve."""
    (_, turns, *_) = curves(backend, full=True)
    settings = next(point.settings for point in turns.points if point.x == 8)

    assert {name: setting.connections for name, setting in settings.items()} == {
        "per_operation": 16,
        "shared": 8,
        "locked": 8,
        "sequential": 8,
        "durable": 24,
        "deferred": 16,
        "yardstick": 16,
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
    few, many = one_pool(2) | one_pool(1), one_pool(4) | one_pool(3)
    curve = Curve(name="c", question="?", axis="things", points=(Point(x=1, settings=few), Point(x=2, settings=many)))

    document = await measured(curve, sessionproof_clones, room=3)

    assert [point.x for point in document.points] == [1]
    assert [arm.name for arm in document.points[0].case.arms] == ["pool of 2", "pool of 1"]
    assert document.points[0].case.name == "c, 1 things"
    assert document.skipped == (
        "2 things: all arms together want 4 connections, and the server has 3 left; give it a higher max_connections",
    )


@pytest.mark.parametrize("tools", [1, 5])
def test_a_message_has_its_tools_in_one_round(tools: int) -> None:
    """And a response for the calls and for the answer."""
    plan = message(tools, seconds=0.05).plan

    assert (len(plan.rounds), plan.widest_round, len(plan.usages)) == (1, tools, 2)


def test_a_backend_of_one_mode_has_curves_of_one_arm() -> None:
    """How it grows is a question there too; the yardstick is beside it."""
    places = [point for curve in curves(minimal, full=False) for point in curve.points]

    assert {tuple(point.settings) for point in places} == {("per_operation", "yardstick")}


def test_the_yardstick_does_what_it_can_where_the_others_do_more() -> None:
    """Its tools read once each: so many of them where the others only read, and else two."""
    tools, _, operations, writes_, _ = curves(backend, full=True)
    plans = {
        curve.name: [point.settings["yardstick"].messages[0].plan.widest_round for point in curve.points]
        for curve in (tools, operations, writes_)
    }

    assert plans == {
        "tools_per_turn": [1, 2, 4, 8, 16, 32],
        "operations_per_tool": [2] * 5,
        "writes_per_turn": [2] * 5,
    }


async def test_a_point_that_comes_when_the_time_is_up_is_skipped_with_the_reason(sessionproof_clones: Clones) -> None:
    """Nothing begins then."""
    curve = Curve(name="c", question="?", axis="things", points=(Point(x=1, settings=one_pool(1)),))

    document = await measured(curve, sessionproof_clones, room=100, limits=replace(FEW, seconds=0.0))

    assert document.points == ()
    assert document.skipped == (f"1 things: {TIME_IS_UP}",)
