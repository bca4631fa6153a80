"""Scenarios in which one thing goes wrong, and whose question is always the same: is the ledger right all the same?

They run on a warm pool, against the wire provider, whose invoice is the witness, with three ways of billing: on the
turn's shared session, in a session per operation, and durably. What each is expected to lose is named; what is not
named must not be lost. Only the ledger is judged, because what else fails may be the fault itself: it is counted.

What is named is what the reference backend loses, which shows that the fault struck and that the loss is seen. Another
backend may lose it, and need not.
"""

from dataclasses import replace
from typing import Any

from harness.scenario import Message, ModelTier, PoolState, Scenario, SessionMode
from harness.verdict import Expectation, FindingKind

__all__ = ["LOST", "fault_scenario", "for_any_backend"]

LOST = frozenset({FindingKind.MISSING_ROW})
"""A bill that never reaches the ledger."""

_MODES = (SessionMode.SHARED, SessionMode.PER_OPERATION, SessionMode.DURABLE)
_FOLLOWS = frozenset({FindingKind.UNBILLED_RESPONSE})
"""An answer that names no row says only what is missing anyway."""


def fault_scenario(
    name: str,
    fault: str,
    *messages: Message,
    shared: frozenset[FindingKind] = frozenset(),
    per_operation: frozenset[FindingKind] = frozenset(),
    plain_may: frozenset[FindingKind] = frozenset(),
    **fields: Any,
) -> Scenario:
    """The scenario `ledger_{name}`, with the kinds of findings that the reference backend shows in each plain way.

    The durable one must show none. `fault` says in a few words what goes wrong; what the plain ways of billing lose in
    one run and not in another is what they `plain_may`. `fields` are further fields of the scenario.
    """
    return Scenario(
        name=f"ledger_{name}",
        question=f"Is every request billed once, and rightly: {fault}?",
        fault=fault,
        messages=messages,
        expectations={
            (SessionMode.SHARED, PoolState.WARM): _expected(shared, plain_may),
            (SessionMode.PER_OPERATION, PoolState.WARM): _expected(per_operation, plain_may),
            (SessionMode.DURABLE, PoolState.WARM): Expectation(),
        },
        pool_states=dict.fromkeys(_MODES, (PoolState.WARM,)),
        tiers=(ModelTier.WIRE,),
        **fields,
    )


def _expected(kinds: frozenset[FindingKind], allowed: frozenset[FindingKind]) -> Expectation:
    follows = _FOLLOWS if (kinds | allowed) & LOST else frozenset()
    return Expectation(required=kinds, allowed=(allowed | follows) - kinds)


def for_any_backend(scenario: Scenario) -> Scenario:
    """The scenario for a backend that is not the reference: what that must lose under a fault, this one may lose."""
    if not scenario.fault:
        return scenario
    expectations = {each: replace(expected, optional=True) for each, expected in scenario.expectations.items()}
    return replace(scenario, expectations=expectations)
