"""The checks that every cell is asked, with their tolerances in one place."""

from harness.checks.check import Check
from harness.checks.choice import Choice
from harness.checks.errors import Errors
from harness.checks.exercise import Exercise
from harness.checks.faults import Faults
from harness.checks.ledger import Ledger
from harness.checks.pool import Pool
from harness.checks.replay import Replayed
from harness.checks.requests import Requests
from harness.checks.sessions import Sessions
from harness.checks.speedup import CONFIDENCE
from harness.checks.timing import Timing
from harness.checks.turns import Turns

__all__ = ["default_checks", "fault_checks"]


def default_checks(
    *,
    ledger: bool = True,
    chosen: bool = False,
    recorded: bool = False,
    overlap_share: float = 0.1,
    stall_seconds: float = 0.1,
    stall_samples: int = 10,
    stall_share: float = 0.8,
    required_speedup: float | None = None,
    confidence: float = CONFIDENCE,
) -> tuple[Check, ...]:
    """All checks, in the order in which a reader wants them.

    `ledger` is false for a backend that has none, `chosen` true if a model decides which tools are called, and
    `recorded` if it did so when it was recorded. The tolerances are those of `Timing`.
    """
    timing = Timing(
        overlap_share=overlap_share,
        stall_seconds=stall_seconds,
        stall_samples=stall_samples,
        stall_share=stall_share,
        required_speedup=required_speedup,
        confidence=confidence,
    )
    billing = (Ledger(),) if ledger else ()
    choice = (Choice(),) if chosen else ()
    replayed = (Replayed(),) if recorded else ()
    return (Turns(), *choice, *replayed, Exercise(), Errors(), Requests(), Sessions(), *billing, timing, Pool())


def fault_checks() -> tuple[Check, ...]:
    """The checks of a cell in which something is made to fail: that it did, and that the ledger is right all the same.

    What else fails is counted (`harness.checks.damage`), and no finding: it may be the fault itself.
    """
    return (Faults(), Requests(), Ledger())
