"""What the session sanitizer found, in the words of findings.

Each of its findings stands for two places in the application, and has a count. A finding names both tools with their
calls, both places, and the session; it belongs to whoever came second, and shows that one's stack.
"""

from collections.abc import Iterable

from harness.checks.conclusion import Conclusion, Plan
from harness.evidence import AccessSeen, RaceKind, SessionRace
from harness.verdict import FindingKind

__all__ = ["tell_races"]

_KINDS = {
    RaceKind.OVERLAP: FindingKind.SESSION_OVERLAP,
    RaceKind.UNORDERED: FindingKind.SESSION_UNORDERED,
    RaceKind.BLEED: FindingKind.BLEED,
    RaceKind.FOREIGN_THREAD: FindingKind.SESSION_FOREIGN_THREAD,
    RaceKind.FOREIGN_LOOP: FindingKind.SESSION_FOREIGN_LOOP,
}
_SENTENCES = {
    RaceKind.OVERLAP: "on {subject}, {second} began while {first} was in flight",
    RaceKind.UNORDERED: "on {subject}, nothing orders {first} and {second}: they did not overlap in this run, and can "
    "in another",
    RaceKind.BLEED: "on {subject}, {second} ended a transaction with unfinished writes of a task that is still at "
    "work: {first}",
    RaceKind.FOREIGN_THREAD: "on {subject}, {second} ran in a thread that does not run its event loop, to which it "
    "belongs since {first}",
    RaceKind.FOREIGN_LOOP: "on {subject}, {second} ran in another event loop than the one to which it belongs since "
    "{first}",
}


def tell_races(races: Iterable[SessionRace], plan: Plan, conclusion: Conclusion) -> None:
    """A finding for each race."""
    for race in races:
        first, second = race.first, race.second
        across = first.turn != second.turn
        message = _SENTENCES[race.kind].format(
            subject=race.subject,
            first=_access(first, plan, across=across),
            second=_access(second, plan, across=across),
        )
        conclusion.find(
            _KINDS[race.kind],
            message if race.count == 1 else f"{message} ({race.count} times)",
            where=plan.place(second.turn, second.tool_call_id),
            turn=second.turn,
            tool_call_id=second.tool_call_id,
            stack=tuple(str(place) for place in second.stack),
        )


def _access(access: AccessSeen, plan: Plan, *, across: bool) -> str:
    """`Session.commit of request_callback (call 'b') at service.py:3 in work`; with its turn, if they differ."""
    call = plan.call(access.turn, access.tool_call_id)
    tool = call.tool if call is not None else access.tool or "a tool"
    who = f"task {access.task!r}" if access.tool_call_id is None else f"{tool} (call {access.tool_call_id!r})"
    turn = f" in turn {access.turn!r}" if across and access.turn is not None else ""
    return f"{access.operation} of {who}{turn} at {access.place or 'an unknown place'}"
