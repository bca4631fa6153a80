"""What the application's threads and the proxy's thread know in common.

Mechanism: one lock around every piece of it. Nothing here waits for anything else.
"""

from collections.abc import Sequence
from threading import Lock

from harness.evidence import FaultSeen
from harness.fault import DatabaseFault
from harness.postgres.proxy.batches import Batch
from harness.postgres.proxy.rules import Rules, Strike, ledger_of
from harness.postgres.proxy.session import Caller, Look, Session

__all__ = ["Desk"]


class Desk:
    """Who owns which connection, which faults are left, what was carried out, and what could not be."""

    def __init__(self, faults: Sequence[DatabaseFault], *, ledger_table: str | None, can_restart: bool) -> None:
        self.ledger = ledger_of(ledger_table)
        self._rules = Rules(faults, ledger_table=ledger_table, can_restart=can_restart)
        self._lock = Lock()
        self._callers: dict[int, Caller] = {}
        self._struck: list[Strike] = []
        self._notes: list[str] = []

    @property
    def seen(self) -> tuple[FaultSeen, ...]:
        """The faults that were carried out, in their order."""
        with self._lock:
            return tuple(FaultSeen(label=strike.fault.label, turn=strike.turn) for strike in self._struck)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the proxy did not understand or could not carry out."""
        with self._lock:
            return tuple(self._notes)

    def assign(self, pid: int, caller: Caller | None) -> None:
        """The connection of that server process works for this caller, or for nobody."""
        with self._lock:
            if caller is None:
                self._callers.pop(pid, None)
            else:
                self._callers[pid] = caller

    def expect(self, turn: str, calls: Sequence[str]) -> None:
        """A turn begins, with these planned tool calls."""
        with self._lock:
            self._rules.expect(turn, calls)

    def decide(self, session: Session, batch: Batch) -> tuple[Look, Strike | None]:
        """What a batch would do, and the fault that strikes it."""
        with self._lock:
            caller = self._caller(session)
            look = session.look(batch, caller)
            return look, self._rules.strike(look.steps, caller)

    def look(self, session: Session, batch: Batch) -> Look:
        """What a batch would do, whatever might strike it."""
        with self._lock:
            return session.look(batch, self._caller(session))

    def carried_out(self, strike: Strike) -> None:
        """A fault has been carried out."""
        with self._lock:
            self._struck.append(strike)

    def not_carried_out(self, strike: Strike, why: str) -> None:
        """A fault could not be carried out, though it may have been said that it was; it may strike again."""
        with self._lock:
            self._struck = [each for each in self._struck if each is not strike]
            self._rules.refund(strike)
            self._notes.append(f"{strike.fault.label}: {why}")

    def note(self, text: str) -> None:
        """Something that the proxy did not understand."""
        with self._lock:
            self._notes.append(text)

    def heal(self) -> None:
        """No fault strikes any more."""
        with self._lock:
            self._rules.heal()

    def _caller(self, session: Session) -> Caller | None:
        return None if session.pid is None else self._callers.get(session.pid)
