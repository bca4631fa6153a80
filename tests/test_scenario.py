"""Scenarios: what is expected where, and which cells there are."""

import re
from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest

from harness.scenario import (
    Cell,
    Message,
    ModelTier,
    PoolState,
    Scenario,
    SessionMode,
    TokenUsage,
    ToolPlan,
    ToolRole,
    ToolStep,
    cells_of,
    when_shared,
)
from harness.verdict import Expectation, FindingKind

USAGE = TokenUsage(prompt_tokens=10, completion_tokens=2)
TOGETHER = ToolPlan(
    rounds=(
        (ToolStep(role=ToolRole.READ, database_seconds=0.2), ToolStep(role=ToolRole.COMMIT)),
        (ToolStep(role=ToolRole.FAIL, database_seconds=0.1),),
    ),
    usages=(USAGE,) * 3,
    model_seconds=0.5,
)
NOTHING = ToolPlan(rounds=(), usages=(USAGE,))
BLEEDS = Expectation(required=frozenset({FindingKind.BLEED}))


def _scenario(*messages: Message) -> Scenario:
    return Scenario(
        name="example",
        question="?",
        messages=messages or (Message(plan=TOGETHER),),
        expectations={(SessionMode.SHARED, PoolState.WARM): BLEEDS},
    )


def test_total_tokens_are_the_sum() -> None:
    """Of prompt and completion."""
    assert USAGE.total_tokens == 12


def test_a_cell_that_is_not_named_is_expected_to_be_clean() -> None:
    """Only the named one is expected to show something."""
    scenario = _scenario()

    assert scenario.expectation(SessionMode.SHARED, PoolState.WARM) is BLEEDS
    assert scenario.expectation(SessionMode.SHARED, PoolState.COLD).clean
    assert scenario.expectation(SessionMode.PER_OPERATION, PoolState.WARM).clean


def test_a_cell_knows_its_name_and_expectation() -> None:
    """The name is the test's parameter id."""
    cell = Cell(scenario=_scenario(), mode=SessionMode.SHARED, pool_state=PoolState.WARM, tier=ModelTier.WIRE)

    assert cell.id == "shared-warm-wire"
    assert cell.expectation is BLEEDS


def test_the_cells_are_all_pool_states_and_tiers_of_each_mode() -> None:
    """Each once, in a stable order: the compared repairs need two pool states only."""
    ids = [cell.id for cell in cells_of(_scenario())]

    assert len(ids) == len(set(ids)) == (4 + 4 + 2 + 2) * 2
    assert ids[:3] == ["shared-cold-scripted", "shared-cold-wire", "shared-warm-scripted"]
    assert ids[-1] == "sequential-warm-wire"


@pytest.mark.parametrize(
    ("plan", "widest", "parallel"), [(TOGETHER, 2, True), (NOTHING, 0, False)], ids=["two", "none"]
)
def test_the_widest_round_tells_whether_tools_run_in_parallel(plan: ToolPlan, widest: int, parallel: bool) -> None:
    """A plan without tools has none."""
    assert plan.widest_round == widest
    assert _scenario(Message(plan=plan)).parallel is parallel


def test_roles_and_streams_are_those_of_all_messages() -> None:
    """Whichever message has them."""
    scenario = _scenario(Message(plan=NOTHING, stream=True), Message(plan=TOGETHER))

    assert scenario.roles == {ToolRole.READ, ToolRole.COMMIT, ToolRole.FAIL}
    assert scenario.streams
    assert not _scenario().streams


def test_scaling_multiplies_every_latency_and_nothing_else() -> None:
    """The tools' and the model's; scaling back gives the same scenario."""
    scaled = _scenario().scaled(4)

    plan = scaled.messages[0].plan
    assert [step.database_seconds for steps in plan.rounds for step in steps] == [0.8, 0, 0.4]
    assert plan.model_seconds == 2.0
    assert scaled.scaled(0.25) == _scenario()


def test_scaling_a_step_leaves_its_operations() -> None:
    """What is multiplied is time: in the database, and at the provider."""
    series = ToolStep(role=ToolRole.SERIES, database_seconds=0.5, operations=3)
    asking = ToolStep(role=ToolRole.DELEGATE, database_seconds=0.5, provider_seconds=1.5)
    plan = ToolPlan(rounds=((series, asking),), usages=(USAGE,) * 2, delegated=USAGE)

    ((scaled, asked),) = plan.scaled(10).rounds

    assert scaled == replace(series, database_seconds=5)
    assert asked == replace(asking, database_seconds=5, provider_seconds=15)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"role": ToolRole.READ, "database_seconds": -0.1}, "'read' cannot take -0.1 s; give database_seconds from 0"),
        ({"role": ToolRole.READ, "database_seconds": inf}, "'read' cannot take inf s; give database_seconds from 0"),
        ({"role": ToolRole.DELEGATE, "provider_seconds": -1.0}, "'delegate' cannot take -1.0 s; give provider_seconds"),
        ({"role": ToolRole.DELEGATE, "provider_seconds": nan}, "'delegate' cannot take nan s; give provider_seconds"),
        ({"role": ToolRole.READ, "provider_seconds": 0.5}, "'read' asks no model, so that it cannot wait for one for"),
        ({"role": ToolRole.SERIES, "provider_seconds": 0.5}, "or use the role 'delegate'"),
        ({"role": ToolRole.SERIES, "operations": 0}, "'series' cannot do 0 operations; give at least 1"),
        ({"role": ToolRole.READ, "operations": -2}, "'read' cannot do -2 operations; give at least 1"),
        ({"role": ToolRole.READ, "operations": 2}, "'read' does not do 2 operations on demand; leave operations out"),
        ({"role": ToolRole.DELEGATE, "operations": 2}, "or use the role 'series'"),
    ],
)
def test_a_step_that_cannot_be_is_refused(given: dict[str, Any], said: str) -> None:
    """When it is written down, and not when it runs."""
    with pytest.raises(ValueError, match=re.escape(said)):
        ToolStep(**given)


def test_expectations_of_a_shared_session() -> None:
    """What is expected follows from whether a connection must be opened, and nothing is of sessions per operation."""
    collision = Expectation(required=frozenset({FindingKind.CONCURRENT_OPERATION}))
    serialised = Expectation(required=frozenset({FindingKind.SERIALISED}))

    expected = when_shared(opening=collision, warm=serialised, one_by_one=serialised)

    assert {state: expected[SessionMode.SHARED, state] for state in PoolState} == {
        PoolState.COLD: collision,
        PoolState.WARM: serialised,
        PoolState.PRE_PING: collision,
        PoolState.NULL: collision,
    }
    assert expected[SessionMode.LOCKED, PoolState.WARM] == serialised
    assert not any(mode is SessionMode.PER_OPERATION for mode, _ in expected)
    assert {mode for mode, _ in when_shared(opening=collision, warm=serialised)} == {SessionMode.SHARED}
