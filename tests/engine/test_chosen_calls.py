"""A model that decides by itself: what it called is found afterwards, held together, and judged by structure."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from harness.backend import load_backend
from harness.checks.choice import LEAST_TOGETHER
from harness.config import Config
from harness.engine import Engine
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.providers.scripted import ScriptedProvider
from harness.report.document import CellDocument
from harness.scenario import Cell, Message, ModelTier, PoolState, Scenario, SessionMode, ToolPlan
from harness.verdict import FindingKind, Verdict
from tests.engine.choosing import READ, SEARCH, Decide, DecidingProvider, answers, calls, refuses

Run = Callable[..., Awaitable[CellDocument]]

BOTH = calls(("search_directory", READ), ("search_documents", SEARCH))


def scenario(turns: int, *, seconds: float = 0.05) -> Scenario:
    plan = ToolPlan(rounds=(), usages=(), chosen=True, chosen_seconds=seconds)
    messages = tuple(Message(plan=plan, question=number, wave=number) for number in range(turns))
    return Scenario(name="free", question="?", messages=messages, tiers=(ModelTier.LOCAL,))


@pytest.fixture
def run(sessionproof_clones: Clones, sessionproof_server: RunningServer) -> Run:
    """Run turns with a model that decides like this."""

    async def run(
        decide: Decide,
        *,
        turns: int = 1,
        mode: SessionMode = SessionMode.PER_OPERATION,
        pool_state: PoolState = PoolState.WARM,
        turn_seconds: float | None = None,
        seconds: float = 0.0,
    ) -> CellDocument:
        spec = "fixtures.backend.adapter:backend"
        engine = Engine(
            backend=load_backend(spec),
            config=Config(backend=spec),
            provider_of=lambda cell: (
                DecidingProvider(decide=decide, seconds=seconds) if cell.scenario.chosen else ScriptedProvider()
            ),
        )
        asked = replace(scenario(turns), turn_seconds=turn_seconds)
        cell = Cell(scenario=asked, mode=mode, pool_state=pool_state, tier=ModelTier.LOCAL)
        return await engine.verify(cell, clones=sessionproof_clones, running=sessionproof_server)

    return run


async def test_tools_that_were_called_together_meet_and_leave_each_other_alone(run: Run) -> None:
    """Enough turns, none of which has a finding, say how many can be wrong at most."""
    document = await run(BOTH, turns=LEAST_TOGETHER)

    assert (document.verdict, document.objections) == (Verdict.PASSED, ())
    assert document.choices is not None
    assert document.choices.calls == {"search_directory": LEAST_TOGETHER, "search_documents": LEAST_TOGETHER}
    assert (document.choices.together, document.choices.wrong) == (LEAST_TOGETHER, 0)
    assert document.choices.outcomes == {"answered": LEAST_TOGETHER}
    assert document.choices.at_most == pytest.approx(0.26, abs=0.01)
    assert [len(turn.planned) for turn in document.evidence.turns] == [2] * LEAST_TOGETHER
    assert all(turn.chosen for turn in document.evidence.turns)


@pytest.mark.parametrize(
    ("pool_state", "expected"),
    [
        (PoolState.COLD, FindingKind.CONCURRENT_OPERATION),
        (PoolState.WARM, FindingKind.SERIALISED),
    ],
)
async def test_a_shared_session_is_found_in_every_turn(pool_state: PoolState, expected: FindingKind, run: Run) -> None:
    """Also in the second one: each has a pool of its own in the state that was asked for."""
    document = await run(BOTH, turns=3, mode=SessionMode.SHARED, pool_state=pool_state)

    assert document.choices is not None
    assert (document.choices.together, document.choices.wrong) == (3, 3)
    assert FindingKind.SESSION_OVERLAP in {finding.kind for finding in document.findings}
    for turn in document.evidence.turns:
        assert expected in {finding.kind for finding in document.findings if finding.turn == turn.id}


@pytest.mark.parametrize("decide", [answers(), calls(("search_directory", READ), rounds=2)], ids=["none", "one by one"])
async def test_tools_that_are_not_called_together_show_nothing(decide: Decide, run: Run) -> None:
    """Neither that sessions are shared, nor that they are not."""
    document = await run(decide, turns=2, mode=SessionMode.SHARED)

    assert document.findings == ()
    assert document.verdict is Verdict.UNKNOWN
    assert any("tools came to the database together in 0 of 2 turns" in reason for reason in document.objections)


async def test_calls_that_the_agent_refuses_keep_nobody_waiting(run: Run) -> None:
    """The tool that runs is not held for one that there is not; it is no round of two."""
    wrong = calls(("search_directory", READ), ("search_the_stars", {}), ("search_documents", {"limit": 3}))
    document = await run(wrong)

    (turn,) = document.evidence.turns
    assert turn.answer is not None
    assert ([call.tool for call in turn.planned], turn.refused) == (["search_directory"], tuple(turn.refused))
    assert len(turn.refused) == 2
    assert {arrival.released for arrival in document.evidence.arrivals.items} == {"together"}
    assert turn.interval.seconds < 4  # the barrier's patience is five seconds
    assert document.findings == ()
    assert document.choices is not None
    assert (document.choices.refused, document.choices.called_together, document.choices.together) == (2, 0, 0)


@pytest.mark.parametrize(
    ("decide", "outcome"),
    [
        (refuses(401), "wrong key"),
        (refuses(429), "rate limited"),
        (refuses(500), "provider failed"),
        (calls(("search_directory", READ), rounds=100), "looped"),
        (calls(("search_the_stars", {}), rounds=100), "refused calls"),
        (calls(("search_documents", {"limit": 3}), rounds=100), "refused calls"),
        (answers(""), "no answer"),
    ],
    ids=["401", "429", "500", "no end", "unknown tool", "unfit arguments", "empty"],
)
async def test_what_a_model_does_wrong_is_no_finding(decide: Decide, outcome: str, run: Run) -> None:
    """It is told, and leaves open how sessions are shared."""
    document = await run(decide)

    assert document.choices is not None
    assert document.choices.outcomes == {outcome: 1}
    assert [finding.message for finding in document.findings] == []
    assert document.verdict is Verdict.UNKNOWN


async def test_a_model_that_is_slower_than_the_turn_may_be_is_told_from_an_application_that_hangs(run: Run) -> None:
    """The turn ends in its time."""
    document = await run(BOTH, seconds=60.0, turn_seconds=3.0)

    assert document.choices is not None
    assert document.choices.outcomes == {"too slow": 1}
    assert document.findings == ()
