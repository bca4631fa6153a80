"""What a backend lacks for a cell: said in a sentence, and never passed over.

A cell that a backend cannot run is *not verified*. Nothing is tried out to find that: a backend says what it can do by
its modes, its capabilities, its tenants' tools, and the name of its ledger table.
"""

from collections.abc import Iterator

from harness.backend import Backend, Capability
from harness.conversation import tenant_of
from harness.evidence import LedgerGrain
from harness.fault import Target
from harness.scenario import Cell, ToolRole

__all__ = ["first_gap"]


def first_gap(cell: Cell, backend: Backend) -> str:
    """The first thing that the backend lacks for the cell, in a sentence; empty if nothing."""
    return next(_gaps(cell, backend), "")


def _gaps(cell: Cell, backend: Backend) -> Iterator[str]:
    if cell.mode not in backend.modes:
        yield f"backend {backend.name!r} has no session mode {cell.mode.value!r}"
    for capability, lack in _needs(cell):
        if capability not in backend.capabilities:
            yield f"backend {backend.name!r} {lack}"
    strikes_ledger = any(fault.target is Target.LEDGER for fault in cell.scenario.database_faults)
    if strikes_ledger and getattr(backend, "ledger_table", None) is None:
        yield f"backend {backend.name!r} does not name its ledger_table, so that no fault can strike who writes it"
    for message in cell.scenario.messages:
        tenant = tenant_of(message, backend)
        who = f"tenant {tenant.account!r} of backend {backend.name!r}"
        roles = {step.role for steps in message.plan.rounds for step in steps}
        if missing := sorted(roles - tenant.tools.keys()):
            yield f"{who} has no tool for the role {missing[0].value!r}"
        elif ToolRole.SERIES in roles and not (use := tenant.tools[ToolRole.SERIES]).operations:
            yield f"{who} names no argument of {use.tool!r} for the operations to do"
        if message.plan.rejected_answers and not tenant.rejected_answer:
            yield f"{who} names no answer that its agent rejects"


def _needs(cell: Cell) -> Iterator[tuple[Capability, str]]:
    """Each capability that the cell needs, with the end of a sentence about a backend without it."""
    scenario = cell.scenario
    if scenario.streams:
        yield Capability.STREAMING, "does not stream its answers"
    if scenario.fault:
        yield Capability.LEDGER, "has no ledger that a fault could harm"
    if scenario.ledger_grain == LedgerGrain.REQUEST.value:
        yield Capability.LEDGER_PER_REQUEST, "cannot write a ledger row for each model request"
    if scenario.fallback:
        yield Capability.FALLBACK, "has no second model to turn to"
    if any(message.leave_after is not None for message in scenario.messages):
        yield Capability.DISCONNECT, "cannot close a connection in the middle of an answer"
