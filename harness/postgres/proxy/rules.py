"""Which fault strikes which batch.

Mechanism: every fault is compared with the steps of a batch (`harness.postgres.proxy.session`) and with the caller
whose connection it came on, in the order in which the faults were given; the first that fits strikes. Each strikes
`times` times, all in the turn in which it struck first, and independently of the others.

The ledger is found by what is written, but what a transaction is for is not known when it begins. A fault at its
`BEGIN` strikes the first transaction that begins, once a turn is expected, on a connection that somebody uses outside
of every tool call; or a batch that writes the ledger table in a transaction of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import UsageError
from harness.fault import DatabaseFault, DatabaseFaultKind, Moment, Target
from harness.postgres.proxy.session import Caller, Step
from harness.postgres.proxy.statements import Table

__all__ = ["Rules", "Strike", "ledger_of"]


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault that is to be carried out now; `position` is its place among the faults."""

    position: int
    fault: DatabaseFault
    turn: str | None


class Rules:
    """The faults of one run, and how often each may still strike.

    Raises:
        UsageError: a fault can never be carried out.
    """

    def __init__(self, faults: Sequence[DatabaseFault], *, ledger_table: str | None, can_restart: bool) -> None:
        for fault in faults:
            _check(fault, ledger_table=ledger_table, can_restart=can_restart)
        self._faults = tuple(faults)
        self._left = [fault.times for fault in faults]
        self._bound: dict[int, str] = {}
        self._plans: dict[str, tuple[str, ...]] = {}
        self._healed = False

    def expect(self, turn: str, calls: Sequence[str]) -> None:
        """The turn's planned tool calls, in the order in which `DatabaseFault.call` counts them."""
        self._plans[turn] = tuple(calls)

    def heal(self) -> None:
        """Nothing strikes any more."""
        self._healed = True

    def strike(self, steps: Sequence[Step], caller: Caller | None) -> Strike | None:
        """The fault that strikes a batch with these steps; it is used up by one."""
        if not steps or self._healed:
            return None
        turn = caller[0] if caller is not None else None
        for position, fault in enumerate(self._faults):
            bound = self._bound.get(position, turn)
            if self._left[position] and bound == turn and self._fits(fault, steps, caller):
                self._left[position] -= 1
                if turn is not None:
                    self._bound[position] = turn
                return Strike(position, fault, turn)
        return None

    def refund(self, strike: Strike) -> None:
        """The fault could not be carried out: it may strike once more."""
        self._left[strike.position] += 1

    def _fits(self, fault: DatabaseFault, steps: Sequence[Step], caller: Caller | None) -> bool:
        steps = [step for step in steps if step.moment is fault.moment]
        if fault.target is Target.TOOL:
            numbered = fault.moment is Moment.STATEMENT
            return _owns(self._plans, fault.call, caller) and any(
                not numbered or step.nth == fault.nth for step in steps
            )
        match fault.moment:
            case Moment.STATEMENT:
                return any(step.writes == fault.nth for step in steps)
            case Moment.COMMIT:
                return any(step.ledger for step in steps)
            case Moment.BEGIN:
                by_nobody = bool(self._plans) and caller is not None and caller[1] is None
                return any(step.ledger if step.implicit else by_nobody for step in steps)


def _owns(plans: Mapping[str, Sequence[str]], call: int, caller: Caller | None) -> bool:
    """Whether the caller is the planned call at that position of its turn."""
    if caller is None or caller[0] is None:
        return False
    return caller[1] in plans.get(caller[0], ())[call : call + 1]


def ledger_of(name: str | None) -> Table | None:
    """The ledger table by its name; raises `UsageError` if that is no name of a table."""
    table = Table.parse(name) if name is not None else None
    if name is not None and table is None:
        raise UsageError(
            f"{name!r} is no name of a table; name the ledger table as SQL does, as in 'llm_requests' or "
            "'billing.llm_requests'"
        )
    return table


def _check(fault: DatabaseFault, *, ledger_table: str | None, can_restart: bool) -> None:
    where = f"the fault {fault.label!r}"
    if fault.target is Target.LEDGER and ledger_table is None:
        raise UsageError(
            f"{where} strikes whoever writes ledger rows, and the ledger table is not known; "
            "name it (`ledger_table` of the backend), or strike a tool"
        )
    if fault.kind is DatabaseFaultKind.RESTART and not can_restart:
        raise UsageError(
            f"{where} stops and starts the server, and nobody said how; give `restart`, or run on the embedded server"
        )
    if fault.kind is DatabaseFaultKind.DELAY and fault.seconds <= 0:
        raise UsageError(f"{where} delays an answer by {fault.seconds} seconds; give `seconds`, more than 0")
    for name, value, least in (("times", fault.times, 1), ("nth", fault.nth, 1), ("call", fault.call, 0)):
        if value < least:
            raise UsageError(f"{where} has {name}={value}; it must be at least {least}")
