"""Tells the author of a backend which part of the `Backend` protocol it violates, part by part, on a real database.

`check` is the front door; what can be told without a database is `harness.backend.contract`.
"""

from harness.conformance.check import check_backend
from harness.conformance.outcome import Conformance, Step

__all__ = ["Conformance", "Step", "check_backend"]
