"""What the evidence of a cell says: pure functions from `Evidence` to `CheckResult`, one a module."""

from harness.checks.check import Check, run_checks
from harness.checks.choice import Choice, choices_of
from harness.checks.damage import damage_of
from harness.checks.errors import Errors
from harness.checks.exercise import Exercise
from harness.checks.faults import Faults
from harness.checks.ledger import Ledger
from harness.checks.pool import Pool
from harness.checks.replay import Replayed
from harness.checks.requests import Requests
from harness.checks.sessions import Sessions
from harness.checks.suite import default_checks, fault_checks
from harness.checks.timing import Timing
from harness.checks.turns import Turns

__all__ = [
    "Check",
    "Choice",
    "Errors",
    "Exercise",
    "Faults",
    "Ledger",
    "Pool",
    "Replayed",
    "Requests",
    "Sessions",
    "Timing",
    "Turns",
    "choices_of",
    "damage_of",
    "default_checks",
    "fault_checks",
    "run_checks",
]
