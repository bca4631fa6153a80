"""Whatever goes wrong in whatever turns: the durable ledger equals the invoice; the others have a smallest loss."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings

from harness.fault_scenario import LOST
from harness.report.document import CellDocument
from harness.scenario import ModelTier, Scenario, SessionMode
from harness.scenario_file import write_scenario
from harness.verdict import FindingKind, Verdict
from tests.engine.random_turns import conversations

RunCell = Callable[..., Coroutine[Any, Any, CellDocument]]
RunScenario = Callable[[Scenario, SessionMode], CellDocument]

QUICK = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
THOROUGH = settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
WRONG = LOST | {FindingKind.WRONG_TOKENS}


@pytest.fixture
def run(run_cell: RunCell) -> Iterator[RunScenario]:
    """Run a scenario's cell on a warm pool against the wire provider, in an event loop that lives for one test."""
    with asyncio.Runner() as runner:

        def run_one(scenario: Scenario, mode: SessionMode) -> CellDocument:
            return runner.run(run_cell(scenario, mode=mode, tier=ModelTier.WIRE))

        yield run_one


def check(scenario: Scenario, run: RunScenario, folder: Path) -> None:
    """No row is missing, twice there or wrong; otherwise the case is kept, and the command that shows it again."""
    document = run(scenario, SessionMode.DURABLE)
    if document.findings:
        path = folder / "case.json"
        write_scenario(scenario, path)
        told = "\n".join(finding.message for finding in document.findings)
        pytest.fail(f"{told}\n$ sessionproof verify --scenario-file {path} --mode durable", pytrace=False)
    checks = {result.check: (result.verdict, result.reason) for result in document.checks}
    assert checks.get("ledger", checks) == (Verdict.PASSED, "")  # undecided is no equality
    assert document.damage is not None
    assert (document.damage.missing, document.damage.duplicate, document.damage.wrong) == (0, 0, 0)


@pytest.mark.parametrize(
    "how_many",
    [
        pytest.param(QUICK, id="a few", marks=pytest.mark.searching),
        pytest.param(THOROUGH, id="many", marks=[pytest.mark.exhaustive, pytest.mark.timeout(5400)]),
    ],
)
def test_the_durable_ledger_equals_the_invoice(run: RunScenario, tmp_path: Path, how_many: settings) -> None:
    """For random turns of two customers: tools, faults, cancellation points, retries, both grains."""

    @how_many
    @given(conversations())
    def holds(scenario: Scenario) -> None:
        check(scenario, run, tmp_path)

    holds()


@pytest.mark.exhaustive
@pytest.mark.timeout(5400)
@pytest.mark.parametrize("mode", [SessionMode.SHARED, SessionMode.PER_OPERATION])
def test_the_smallest_loss_is_one_request(run: RunScenario, mode: SessionMode) -> None:
    """Hypothesis comes down to one message without tools, and one fault; `ledger_smallest_loss` keeps it."""

    def loses(scenario: Scenario) -> bool:
        return any(finding.kind in WRONG for finding in run(scenario, mode).findings)

    smallest = find(conversations(cancelled=False), loses, settings=settings(THOROUGH, database=None))

    (message,) = smallest.messages
    faults = [*message.plan.faults, *smallest.database_faults]
    assert message.plan.rounds == ()
    assert len(faults) == 1
