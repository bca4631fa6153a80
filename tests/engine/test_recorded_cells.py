"""A cell that was recorded gets the same verdict again, without its model; one that asks otherwise never passes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from harness.backend import load_backend
from harness.bundled import default_backend
from harness.checks.choice import LEAST_TOGETHER
from harness.config import Config
from harness.engine import Engine
from harness.observe.attribution import current_turn
from harness.postgres.clones import Clones
from harness.postgres.server import RunningServer
from harness.providers.cassette import ModelKind, content_of, read_cassette
from harness.providers.recorded import RecordedProvider, cassette_of
from harness.providers.scripted import ScriptedProvider
from harness.report.document import CellDocument
from harness.scenario import Cell, Message, ModelTier, PoolState, Scenario, SessionMode, ToolPlan, cells_of
from harness.verdict import Expectation, FindingKind, Verdict
from scenarios import test_real_model
from tests.engine.recorded_cells import ModelElsewhere, record_cell

RunBoth = Callable[..., Awaitable[CellDocument]]

SHARED = Expectation(
    required=frozenset({FindingKind.SESSION_OVERLAP}),
    allowed=frozenset(FindingKind) - {FindingKind.UNRECORDED_REQUEST},
    undecided=frozenset({"choice", "timing", "exercise"}),
)


def answers(messages: Sequence[dict[str, Any]], number: int) -> dict[str, Any]:
    """Both tools at once, and then words."""
    if messages[-1]["role"] == "tool":
        return {"content": f"That is all I know, for the {number}th time."}
    called = [
        ("search_directory", '{"query": "cardiology", "schema_name": "people"}'),
        ("search_documents", '{"query": "before a visit"}'),
    ]
    return {
        "tool_calls": [
            {"id": f"call-{number}-{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for at, (name, arguments) in enumerate(called)
        ]
    }


def cell_of(mode: SessionMode, pool_state: PoolState, tier: ModelTier, *, turns: int, wave: int = 1) -> Cell:
    plan = ToolPlan(rounds=(), usages=(), chosen=True)
    messages = tuple(Message(plan=plan, question=number, wave=number // wave) for number in range(turns))
    scenario = Scenario(
        name="free",
        question="?",
        messages=messages,
        tiers=(ModelTier.LIVE, ModelTier.RECORDED),
        expectations={(SessionMode.SHARED, state): SHARED for state in PoolState},
    )
    return Cell(scenario=scenario, mode=mode, pool_state=pool_state, tier=tier)


@pytest.fixture
def record(tmp_path: Path, sessionproof_clones: Clones, sessionproof_server: RunningServer) -> RunBoth:
    async def record(cell: Cell) -> CellDocument:
        return await record_cell(
            cell,
            tmp_path,
            clones=sessionproof_clones,
            running=sessionproof_server,
            model="openai-chat:gpt-4o",
            provider_of=lambda recording: ModelElsewhere(answers=answers, recording=recording),
        )

    return record


@pytest.fixture
def replay(tmp_path: Path, sessionproof_clones: Clones, sessionproof_server: RunningServer) -> RunBoth:
    async def replay(cell: Cell, folder: Path = tmp_path) -> CellDocument:
        backend = default_backend()
        engine = Engine(
            backend=load_backend(backend),
            config=Config(backend=backend),
            provider_of=lambda asked: (
                RecordedProvider.of(asked, turn_of=current_turn.get, folder=folder)
                if asked.scenario.chosen
                else ScriptedProvider()
            ),
        )
        recorded = replace(cell, tier=ModelTier.RECORDED)
        return await engine.verify(recorded, clones=sessionproof_clones, running=sessionproof_server)

    return replay


async def test_a_recorded_cell_gets_its_verdict_again(record: RunBoth, replay: RunBoth) -> None:
    """With the same calls, and each of its answers billed."""
    cell = cell_of(SessionMode.PER_OPERATION, PoolState.WARM, ModelTier.LIVE, turns=LEAST_TOGETHER, wave=2)
    live = await record(cell)

    for _ in range(2):
        again = await replay(cell)

        assert (again.verdict, again.objections) == (live.verdict, live.objections) == (Verdict.PASSED, ())
        assert again.choices == live.choices
        assert again.evidence.replay.items == ()
        assert len(again.evidence.invoice.items) == 2 * LEAST_TOGETHER
        assert {charge.response_id for charge in again.evidence.invoice.items} == {
            charge.response_id for charge in live.evidence.invoice.items
        }


@pytest.mark.parametrize("pool_state", PoolState)
async def test_a_shared_session_is_found_again(record: RunBoth, replay: RunBoth, pool_state: PoolState) -> None:
    """In every pool state, whatever its tools return this time."""
    cell = cell_of(SessionMode.SHARED, pool_state, ModelTier.LIVE, turns=3)
    live, again = await record(cell), await replay(cell)

    assert (live.objections, again.objections) == ((), ())
    assert FindingKind.SESSION_OVERLAP in {finding.kind for finding in again.findings}
    assert again.evidence.replay.items == ()


async def test_an_application_that_asks_something_else_does_not_pass(record: RunBoth, replay: RunBoth) -> None:
    """What was asked instead is a finding, and says where; it is no defect of a session."""
    cell = cell_of(SessionMode.PER_OPERATION, PoolState.WARM, ModelTier.LIVE, turns=1)
    await record(cell)
    other = replace(cell, scenario=replace(cell.scenario, messages=(replace(cell.scenario.messages[0], tenant=1),)))
    document = await replay(other)

    (finding,) = document.findings
    assert (document.verdict, finding.kind, finding.unexpected) == (
        Verdict.FAILED,
        FindingKind.UNRECORDED_REQUEST,
        True,
    )
    told, *_ = finding.message.split("; messages[1]")
    assert told == snapshot(
        "POST /v1/chat/completions was sent, and was not recorded: the nearest is number 1 of 2 in "
        "'free/per_operation-warm.json', which differs at messages[0].content: recorded "
        "'…re the assistant of Wyckoff Hospital. Call all the tools tha…', sent "
        "'…re the assistant of AgroFresh Partners. Call all the tools t…'"
    )
    assert document.choices is not None
    assert (document.choices.outcomes, document.choices.wrong) == ({"provider failed": 1}, 0)


async def test_an_application_that_asks_less_does_not_pass(record: RunBoth, replay: RunBoth) -> None:
    """What was not asked for leaves it open."""
    cell = cell_of(SessionMode.PER_OPERATION, PoolState.WARM, ModelTier.LIVE, turns=LEAST_TOGETHER + 1)
    await record(cell)
    fewer = replace(cell, scenario=replace(cell.scenario, messages=cell.scenario.messages[:-1]))
    document = await replay(fewer)

    assert (document.verdict, document.findings) == (Verdict.UNKNOWN, ())
    (objection,) = document.objections
    assert objection == snapshot(
        "check 'replay' could not decide: 2 recorded requests were not sent; the first: recorded request 21 of 22 "
        "in 'free/per_operation-warm.json' was not sent: POST /v1/chat/completions"
    )


async def test_a_shared_session_does_not_excuse_other_requests(record: RunBoth, replay: RunBoth) -> None:
    """Also where findings are expected, this one is not."""
    cell = cell_of(SessionMode.SHARED, PoolState.WARM, ModelTier.LIVE, turns=2)
    await record(cell)
    turned = replace(
        cell,
        scenario=replace(
            cell.scenario, messages=(replace(cell.scenario.messages[0], tenant=1), cell.scenario.messages[1])
        ),
    )
    document = await replay(turned)

    assert "unexpected finding 'unrecorded_request'" in document.objections


async def test_the_recording_of_a_cell_is_small(record: RunBoth, tmp_path: Path) -> None:
    """What all turns have in common stands there once."""
    cell = cell_of(SessionMode.PER_OPERATION, PoolState.WARM, ModelTier.LIVE, turns=12)
    await record(cell)

    size = cassette_of(cell, folder=tmp_path).stat().st_size
    assert size < 12 * 10_000


@pytest.mark.parametrize(
    "cell",
    [
        cell
        for scenario in (test_real_model.REAL_MODEL, test_real_model.REAL_MODEL_STREAMED)
        for cell in cells_of(scenario)
        if cell.tier is ModelTier.RECORDED
    ],
    ids=lambda cell: f"{cell.scenario.name}-{cell.id}",
)
def test_the_suite_has_a_recording_of_each_cell(cell: Cell) -> None:
    """Of the model of this machine, plain or streamed, with what the provider itself counted in each answer."""
    cassette = read_cassette(cassette_of(cell))

    assert (cassette.kind, cassette.model) == (ModelKind.LOCAL, "smollm2-135m")
    assert len(cassette.exchanges) >= 2 * len(cell.scenario.messages)
    for exchange in cassette.exchanges:
        assert (exchange.status, exchange.complete) == (200, True)
        assert b'"usage":{' in b"".join(map(content_of, exchange.chunks))
