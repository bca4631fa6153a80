"""Was every connection given back, and every transaction ended?

A connection that stays checked out is lost to the application, and one that lies idle in a transaction holds
locks and old row versions on the server. The first is read from the pool's events: a checkout that no
check-in, invalidation or close follows on that connection. The second is what `pg_stat_activity` showed after
the turns.
"""

from dataclasses import dataclass

from harness.checks.conclusion import Conclusion, Plan, seconds, sentence, turns_of
from harness.evidence import Evidence, PoolEvent, PoolEventKind
from harness.verdict import CheckResult, FindingKind

__all__ = ["Pool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """`CONNECTION_LEAK` and `IDLE_IN_TRANSACTION`; unknown without the records of either."""

    name: str = "pool"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A finding for each connection still out, and for each process idle in a transaction."""
        turns = turns_of(evidence)
        began = min(turn.interval.start for turn in turns)
        plan = Plan(turns)
        conclusion = Conclusion(self.name)
        for event in _still_out(evidence.pool.items):
            if event.turn is None and event.at < began:
                conclusion.notes.append(
                    f"connection {event.connection} was checked out before the first turn, and still was at the end"
                )
            else:
                _leaked(event, plan, conclusion)
        for idle in evidence.idle_transactions:
            conclusion.find(
                FindingKind.IDLE_IN_TRANSACTION,
                f"backend {idle.backend_pid} was {idle.state!r} for {seconds(idle.seconds)} after the turns; "
                f"its last statement was {sentence(idle.query)!r}",
                where=f"backend {idle.backend_pid}",
            )
        return conclusion.result


def _still_out(events: tuple[PoolEvent, ...]) -> list[PoolEvent]:
    """The checkout of each connection that was not returned, invalidated or closed after it."""
    out: dict[int, PoolEvent] = {}
    for event in sorted(events, key=lambda event: event.at):
        if event.kind is PoolEventKind.CHECKOUT:
            out[event.connection] = event
        elif event.kind is not PoolEventKind.CONNECT:
            out.pop(event.connection, None)
    return list(out.values())


def _leaked(event: PoolEvent, plan: Plan, conclusion: Conclusion) -> None:
    backend = "" if event.backend_pid is None else f" (backend {event.backend_pid})"
    place = plan.place(event.turn, event.tool_call_id)
    conclusion.find(
        FindingKind.CONNECTION_LEAK,
        f"connection {event.connection}{backend}, checked out by task {event.task!r}, was never given back",
        where=place,
        turn=event.turn,
        tool_call_id=event.tool_call_id,
        stack=event.stack,
    )
