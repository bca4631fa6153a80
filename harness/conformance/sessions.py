"""Whose session each tool uses: is a session mode what it is called?

Problem: a factory may hand one session to everybody: a global one, a cached one, one whose scope is no scope, a
container's singleton. Each turn by itself then works, and so may all of them, until they meet.

Mechanism: an ordinary turn, and two in which the model calls two tools at once. `session_uses` knows which objects each
of them used. In a mode with sessions of their own no two tool calls, and no two turns, may have used one session or one
connection; in the mode of one session, two tool calls of a turn that have nothing in common are wrong.

Guarantee: what is told does not depend on how the tools' statements fell, nor on whether anything failed. What was not
seen to use a session is not judged, and is said to be undecided.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.backend import Application, Tenant, Violation
from harness.conformance.conversing import Conversing, Heard
from harness.conformance.session_uses import SessionUse, Used
from harness.observe.observation import Observation
from harness.observe.tools import ToolsRecorder
from harness.scenario import SessionMode, ToolRole

__all__ = ["OWN_SESSIONS", "Told", "heard_with_tools", "told_of_one", "told_of_own"]

OWN_SESSIONS = (SessionMode.PER_OPERATION, SessionMode.DURABLE)
"""The modes in which each tool has a session of its own."""

_ROLES = (ToolRole.READ, ToolRole.SEARCH, ToolRole.SERIES, ToolRole.COMMIT, ToolRole.FLUSH)
"""Roles whose tools use a session, and fail at nothing; those that write no row first."""
_NOTHING_SEEN = "no two tool calls of a turn were seen to use a session of SQLAlchemy's"
_WORDS = {Used.SESSION: "session", Used.CONNECTION: "database connection"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is to be said of one mode; `turns` says whether turns have something in common, and so fail together."""

    violation: Violation | None = None
    undecided: str = ""
    turns: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deed:
    """That a tool call, or a turn's own code (`call` is empty), used something, first at this `place`."""

    turn: str
    call: str
    who: str
    place: str

    def __str__(self) -> str:
        return f"{self.who} at {self.place}" if self.place else self.who


async def heard_with_tools(application: Application, conversing: Conversing, tenant: Tenant) -> list[Heard]:
    """An ordinary turn, and two that each call two tools at once; the same one twice, if there is no other.

    After a turn that did not end, no other is sent.
    """
    async with Observation(application.engine, recorders=[ToolsRecorder()]):
        heard = [await conversing.send(tenant)]
        offered = {name for request in conversing.provider.of(heard[0].turn) for name in request.tools}
        roles = [role for role in _ROLES if role in tenant.tools and tenant.tools[role].tool in offered]
        other = (role for role in roles if tenant.tools[role].tool != tenant.tools[roles[0]].tool)
        pair = (roles[0], next(other, roles[0])) if roles else ()
        while pair and len(heard) <= 2 and not heard[-1].hung:  # noqa: PLR2004  # two turns with tools
            heard.append(await conversing.send(tenant, *pair))
    return heard


def told_of_own(uses: Sequence[SessionUse], heard: Sequence[Heard], mode: SessionMode, *, change: str) -> Told:
    """What is wrong in a mode in which each tool, and whoever writes the bill, has a session of its own."""
    for used in Used:
        shared = [pair for deeds in _deeds(uses, heard, used).values() for pair in _apart(deeds)]
        if not shared:
            continue
        calls = [pair for pair in shared if pair[0].turn == pair[1].turn]
        turns = len(calls) < len(shared)
        who = " and ".join(["two tool calls of a turn"] * bool(calls) + ["two turns"] * turns)
        first, second = (calls or shared)[0]
        violation = Violation(
            part="modes",
            seen=f"in the mode {mode.value!r} {who} used one {_WORDS[used]}: {first}, {second}",
            asked=f"in {mode} each tool, and whoever writes the bill, has a session of its own",
            change=change,
            place=second.place or first.place,
        )
        return Told(violation=violation, turns=turns)
    return Told(undecided="" if _pairs(uses, heard) else _NOTHING_SEEN)


def told_of_one(uses: Sequence[SessionUse], heard: Sequence[Heard], mode: SessionMode, *, place: str) -> Told:
    """What is wrong in a mode in which all tools of a turn use one session.

    It is told at the line where the second tool's session is used, or at `place`, if it has none of the ORM's.
    """
    pairs = _pairs(uses, heard)
    for first, second in pairs:
        if _objects(first).isdisjoint(_objects(second)):
            sessions = [use for use in second if use.used is Used.SESSION]
            violation = Violation(
                part="modes",
                seen=f"in the mode {mode.value!r} two tool calls of a turn had "
                f"{_WORDS[Used.SESSION if sessions else Used.CONNECTION]}s of their own",
                asked=f"in {mode} all tools of a turn use one session",
                change=f"use `settings.session_mode` where sessions are made, or leave out SessionMode.{mode.name}",
                place=next((use.place for use in sessions if use.place), place),
            )
            return Told(violation=violation)
    return Told(undecided="" if pairs else _NOTHING_SEEN)


def _deeds(uses: Iterable[SessionUse], heard: Sequence[Heard], used: Used) -> dict[int, list[_Deed]]:
    """By object, who used it: each tool call and each turn's own code once, turn by turn and as the model called."""
    order = {heard_turn.turn: number for number, heard_turn in enumerate(heard)}
    names = {call: (turn.turn, f"{turn.tenant.tools[role].tool!r}") for turn in heard for role, call in turn.calls}
    found: dict[int, dict[tuple[str, str], _Deed]] = {}
    for use in uses:
        turn, who = names.get(use.call or "", (use.turn, "the turn's own code"))
        if use.used is used and turn in order:
            call = use.call if use.call in names and use.call else ""
            deed = _Deed(turn=turn, call=call, who=who, place=use.place)
            found.setdefault(use.number, {}).setdefault((turn, call), deed)
    return {
        number: sorted(deeds.values(), key=lambda deed: (order[deed.turn], deed.call))
        for number, deeds in found.items()
    }


def _apart(deeds: Sequence[_Deed]) -> list[tuple[_Deed, _Deed]]:
    """The pairs that should have had nothing in common: two tool calls, or anything of two turns."""
    return [
        (first, second)
        for first, second in combinations(deeds, 2)
        if first.turn != second.turn or (first.call and second.call)
    ]


def _pairs(uses: Sequence[SessionUse], heard: Sequence[Heard]) -> list[tuple[list[SessionUse], list[SessionUse]]]:
    """The uses of the two tool calls of each turn in which both used something."""
    by_turn = [[[use for use in uses if use.call == call] for _, call in turn.calls] for turn in heard if turn.calls]
    return [(first, second) for first, second in by_turn if first and second]


def _objects(uses: Iterable[SessionUse]) -> set[tuple[Used, int]]:
    return {(use.used, use.number) for use in uses}
