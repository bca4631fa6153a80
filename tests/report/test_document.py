"""The document's verdict, what is unexpected in it, and its exit status."""

import pytest

from harness.report import digest
from harness.report.document import RunDocument, exit_status
from harness.scenario import ModelTier, SessionMode
from harness.verdict import FindingKind, Verdict
from tests.report import documents


@pytest.mark.parametrize(
    ("made", "verdict", "status"),
    [
        (documents.as_expected(), Verdict.PASSED, 0),
        (documents.troubled(), Verdict.FAILED, 1),
        (documents.empty(), Verdict.UNKNOWN, 3),
        (documents.document([]), Verdict.UNKNOWN, 3),
        (documents.document(documents.as_expected().cells, problems=["x"]), Verdict.UNKNOWN, 3),
        (documents.document([documents.cell("s", SessionMode.LOCKED, unknown="no log")]), Verdict.UNKNOWN, 3),
    ],
)
def test_the_exit_status_follows_from_the_cells(made: RunDocument, verdict: Verdict, status: int) -> None:
    """0 only if something was verified, all of it as expected, and nothing stood in the way."""
    assert made.verdict is verdict
    assert exit_status(made) == status


def test_a_finding_knows_whether_its_cell_may_show_it() -> None:
    """What is expected, and what follows from it, is not unexpected."""
    kinds = {
        (finding.kind, finding.unexpected)
        for made in (documents.as_expected(), documents.troubled())
        for cell in made.cells
        for finding in cell.findings
    }

    assert kinds == {
        (FindingKind.CONCURRENT_OPERATION, False),
        (FindingKind.UNBILLED_RESPONSE, False),
        (FindingKind.MISSING_ROW, True),
    }


def test_a_traceback_is_told_in_one_line() -> None:
    """Where it comes from and what it says."""
    text = "test_x.py::test_y (setup):\nTraceback (most recent call last):\n  File 'x'\n\nValueError: no"

    assert digest.in_one_line(text) == "test_x.py::test_y (setup): ... ValueError: no"
    assert digest.in_one_line(" \n") == "no reason was given"


def test_of_a_worker_that_was_ended_it_is_told_why() -> None:
    """What stands before the stacks of its threads, and none of their frames."""
    text = (
        "test_x.py::test_y: [gw1] linux\nworker 'gw1' crashed; the event loop was held too long, at:\n"
        'Timeout (0:01:30)!\nThread 0x1 (most recent call first):\n  File "a.py", line 3 in wait\n  ... File'
    )

    assert digest.in_one_line(text) == (
        "test_x.py::test_y: [gw1] linux ... worker 'gw1' crashed; the event loop was held too long, at:"
    )


def test_cells_that_fail_alike_are_told_together() -> None:
    """One defect breaks many cells of a scenario in a mode; it is told once, with the others' names."""
    made = documents.document(documents.troubled_cells("two_users", SessionMode.PER_OPERATION))

    (surprise,) = digest.surprises(made)

    assert surprise.cell.pool_state == "cold"
    assert surprise.also == "warm scripted, pre_ping scripted, null scripted"
    assert "NOT AS EXPECTED: 4 of 4 cells" in digest.conclusion(made)


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ((ModelTier.SCRIPTED, ModelTier.WIRE), "No real model answered: which tools"),
        ((ModelTier.SCRIPTED, ModelTier.RECORDED), "No real model answered: what one once called was played again"),
        ((ModelTier.SCRIPTED, ModelTier.LOCAL), ""),
    ],
)
def test_what_answered_in_place_of_a_real_model_is_said(tiers: tuple[ModelTier, ...], said: str) -> None:
    """A recording is no answer of today."""
    (cell, *_) = documents.as_expected().cells
    document = documents.document([cell.model_copy(update={"tier": tier}) for tier in tiers])

    told = [limit for limit in digest.limits(document) if "model" in limit]

    assert [limit.startswith(said) for limit in told] == ([True] if said else [])
