"""The suite against backends that it was not written for: the minimal one, and one in another style."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from pydantic_ai.messages import ModelMessage

from fixtures.minimal import MinimalBackend, Shop
from harness.evidence import Answer
from harness.fault import DatabaseFault, DatabaseFaultKind, Moment, Target
from harness.fault_scenario import LOST, fault_scenario
from harness.report.document import CellDocument
from harness.scenario import ModelTier, PoolState, SessionMode
from harness.verdict import FindingKind
from scenarios.test_failing_tool import FAILING_TOOL
from scenarios.test_four_mixed_tools import FOUR_MIXED_TOOLS
from scenarios.test_ledger_database_faults import DATABASE_FAULTS, TURN
from scenarios.test_ledger_wire_faults import WIRE_FAULTS
from scenarios.test_no_tools import NO_TOOLS
from scenarios.test_two_parallel_tools import TWO_PARALLEL_TOOLS
from tests.engine.conftest import RunCell

ROOT = Path(__file__).parents[2]
INJECTED = "fixtures.injected.adapter:backend"
MINIMAL = "fixtures.minimal:backend"
SLOW = DatabaseFault(kind=DatabaseFaultKind.DELAY, target=Target.LEDGER, moment=Moment.COMMIT, seconds=0.05)
SCENARIOS = ("failing_tool", "no_tools", "two_users")
SESSION_MODES = ("locked", "per_operation", "sequential", "shared")
SHARED, PER_OPERATION = SessionMode.SHARED, SessionMode.PER_OPERATION


@pytest.mark.parametrize("scenario", [FAILING_TOOL, FOUR_MIXED_TOOLS], ids=lambda scenario: scenario.name)
@pytest.mark.parametrize("state", [PoolState.COLD, PoolState.WARM])
async def test_a_scope_that_is_too_wide_is_seen(run_cell: RunCell, scenario: object, state: PoolState) -> None:
    """A container that makes one session for a turn is told from one that makes one for each use of a tool."""
    wide = await run_cell(scenario, backend=INJECTED, mode=SHARED, pool_state=state)
    narrow = await run_cell(scenario, backend=INJECTED, mode=PER_OPERATION, pool_state=state)

    assert (wide.as_expected, wide.expected) == (True, "reproduced")
    assert (narrow.as_expected, narrow.findings) == (True, ())


async def test_shared_sessions_are_named_by_the_services_lines(run_cell: RunCell) -> None:
    """The race is told where the application uses the session, though a container made it, and psycopg carries it."""
    document = await run_cell(TWO_PARALLEL_TOOLS, backend=INJECTED, mode=SHARED)

    overlaps = [each for each in document.findings if each.kind is FindingKind.SESSION_OVERLAP]
    assert overlaps
    assert all("fixtures/injected/lending/services.py" in each.message for each in overlaps)


async def test_faults_on_connections_of_psycopg(run_cell: RunCell) -> None:
    """A connection is cut at the statement that writes the bill, also where the driver prepares it in another way."""
    (fault,) = [each for each in DATABASE_FAULTS if each.name == "ledger_bill_cut_before_statement"]

    document = await run_cell(fault, backend=INJECTED, tier=ModelTier.WIRE)

    assert document.as_expected, document.objections
    assert document.damage is not None
    assert document.damage.missing == 1


@pytest.mark.parametrize(
    ("backend", "seen"),
    [(MINIMAL, "clean"), (INJECTED, "reproduced"), ("fixtures.backend.adapter:backend", "reproduced")],
)
async def test_what_the_reference_loses_another_may_lose(run_cell: RunCell, backend: str, seen: str) -> None:
    """An answer that names no row though it is there: who gives no answer then has not lost what the reference has."""
    (fault,) = [each for each in DATABASE_FAULTS if each.name == "ledger_bill_cut_after_commit"]

    document = await run_cell(fault, backend=backend, tier=ModelTier.WIRE)

    assert (document.expected, document.objections) == (seen, ())


async def test_the_reference_must_lose_what_is_named(run_cell: RunCell) -> None:
    """A loss that does not appear any more is an objection to its cell, and to no other backend's."""
    kept = fault_scenario("kept", "nothing", TURN, database_faults=(SLOW,), per_operation=LOST)

    strict = await run_cell(kept, tier=ModelTier.WIRE)
    other = await run_cell(kept, backend=MINIMAL, tier=ModelTier.WIRE)

    assert strict.objections == ("expected finding 'missing_row' did not appear",)
    assert (other.objections, other.expected) == ((), "clean")


async def test_a_failed_turn_that_is_not_billed_is_no_allowed_loss(
    run_cell: RunCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the reference does not lose, no backend may."""
    (fault,) = [each for each in WIRE_FAULTS if each.name == "ledger_server_error_for_good"]
    billed = await run_cell(fault, backend=MINIMAL, tier=ModelTier.WIRE)
    monkeypatch.setattr(Shop, "_bill", _after_the_answer)

    unbilled = await run_cell(fault, backend=MINIMAL, tier=ModelTier.WIRE)

    assert (billed.objections, billed.expected) == ((), "clean")
    assert unbilled.objections == ("unexpected finding 'missing_row'",)


BILL = Shop._bill  # what is replaced is called, but for turns that failed


async def _after_the_answer(shop: Shop, conversation: str, messages: Sequence[ModelMessage]) -> UUID | None:
    return None if sys.exception() is not None else await BILL(shop, conversation, messages)


async def test_a_backend_whose_tools_read_nothing(run_cell: RunCell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it is warmed up with asks for no role that it does not have."""
    monkeypatch.setattr(MinimalBackend, "tenants", (replace(MinimalBackend.tenants[0], tools={}),))

    document = await run_cell(NO_TOOLS, backend=MINIMAL)

    assert document.as_expected, document.objections


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("from nine to five", "send() returned a str, and no Answer"),
        (None, "send() returned None, and no Answer"),
        (Answer(text="yes", llm_request_id="1"), "an Answer whose llm_request_id is a str"),  # type: ignore[arg-type]  # so it is
    ],
)
async def test_an_answer_that_is_none_is_a_failed_turn(
    run_cell: RunCell, monkeypatch: pytest.MonkeyPatch, answer: object, told: str
) -> None:
    """What send() returns in place of an answer is told, and breaks no report."""

    async def send(_shop: Shop, _request: object) -> object:
        return answer

    monkeypatch.setattr(Shop, "send", send)

    document = await run_cell(NO_TOOLS, backend=MINIMAL)

    assert not document.as_expected
    assert any(told in each.message for each in document.findings if each.kind is FindingKind.TURN_FAILED)
    assert CellDocument.model_validate_json(document.model_dump_json()) == document


@pytest.mark.processes
@pytest.mark.parametrize(
    ("spec", "not_verified"),
    [
        (INJECTED, {"locked", "sequential"}),
        (MINIMAL, {"locked", "sequential", "shared"}),
    ],
)
def test_the_command_verifies_other_backends(
    tmp_path: Path, spec: str, not_verified: set[str], server_url: str
) -> None:
    """Status 0, nothing that is not as expected; the modes that a backend does not have are told, with the reason."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "harness.cli",
        "verify",
        "--backend",
        spec,
        "--postgres",
        server_url,
        "-n",
        "0",
    ]
    command += ["--output", str(tmp_path), "--tier", "scripted", "--pool-state", "warm", "--pool-state", "null"]
    command += [word for name in SCENARIOS for word in ("--scenario", name)]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    document = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    reasons = [each for each in document["not_verified"] if "has no session mode" in each["reason"]]
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert all(cell["as_expected"] for cell in document["cells"])
    assert {cell["session_mode"] for cell in document["cells"]} == set(SESSION_MODES) - not_verified
    assert {each["session_mode"] for each in reasons} == not_verified
