"""Findings, from what meets: one for each session and each group of those that share it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence

from harness.scan.codes import CODES, Code
from harness.scan.finding import Finding, User
from harness.scan.following import Followed
from harness.scan.routes import Route, route_of
from harness.scan.state import Meeting, Participant
from harness.scan.trace import Event, Spawn
from harness.scan.values import Place, Step

__all__ = ["judged"]

_USES = 3
_CODES = {
    Spawn.GATHER: Code.GATHER,
    Spawn.GROUP: Code.TASK_GROUP,
    Spawn.TASK: Code.TASK,
    Spawn.BACKGROUND: Code.BACKGROUND,
    Spawn.THREAD: Code.THREAD,
    Spawn.TOOL: Code.TASK,
}


def judged(followed: Followed) -> list[Finding]:
    """The findings in the order of their places, each root cause once."""
    found: dict[object, Finding] = {}
    for meeting in followed.meetings:
        for key, finding in _of_meeting(meeting, followed):
            before = found.get(key)
            if before is None or len(finding.path) > len(before.path):
                found[key] = finding
    return sorted(_without_doubles(found.values()), key=lambda each: (each.place, each.code))


def _of_meeting(meeting: Meeting, followed: Followed) -> Iterator[tuple[object, Finding]]:
    if meeting.kept:
        yield _held(meeting)
        return
    if meeting.writer is not None:
        yield _of_writer(meeting)
        return
    if meeting.agent:
        route = route_of(meeting, followed.interpreter)
        yield _of_tools(meeting, route)
        return
    code = Code.LOCKED if meeting.locked else _CODES[meeting.spawn]
    message = f"{CODES[code].sentence} Users: {_named(meeting.participants)}."
    yield (
        (code, meeting.place, meeting.thing.made.place),
        _finding(code, meeting, meeting.place, message, variable=meeting.thing.name, steps=[]),
    )


def _of_tools(meeting: Meeting, route: Route) -> tuple[object, Finding]:
    code = Code.LOCKED if meeting.locked else Code.ONE_TOOL if meeting.alone else route.code
    names = _named(meeting.participants)
    place = (route.field if code is Code.DEPS else None) or _in_tool(meeting.participants[0].events[0])
    which = "Tool" if meeting.alone else "Tools"
    message = f"{CODES[code].sentence} {which}: {names}; by `{route.variable}`."
    run = Step(place=meeting.place, words=f"`{meeting.agent}` is run here")
    key = (code, route.variable, route.field, tuple(sorted((each.label, each.place) for each in meeting.participants)))
    return key, _finding(code, meeting, place, message, variable=route.variable, steps=[*route.steps, run])


def _of_writer(meeting: Meeting) -> tuple[object, Finding]:
    writer, others = meeting.participants
    code = Code.TRACKER
    message = f"{CODES[code].sentence} It is `{writer.label}`; the tools use the session at {_line(others.events[0])}."
    return (
        (code, meeting.place, writer.label),
        _finding(code, meeting, meeting.place, message, variable=writer.label, steps=[]),
    )


def _line(event: Event) -> str:
    return f"{event.place.file}:{event.place.line}"


def _held(meeting: Meeting) -> tuple[object, Finding]:
    code = Code.HELD
    first = meeting.participants[0].events[0]
    message = f"{CODES[code].sentence} It was begun by `{first.operation}` in line {first.place.line}."
    return (
        (code, meeting.place, meeting.thing.made.place),
        _finding(code, meeting, meeting.place, message, variable=meeting.thing.name, steps=[]),
    )


def _finding(
    code: Code, meeting: Meeting, place: Place, message: str, *, variable: str, steps: Sequence[Step]
) -> Finding:
    users = [_user(each) for each in meeting.participants]
    uses = [step for user in meeting.participants for step in _way(user.label, user.events[0])] if users else []
    return Finding(
        code=code,
        place=place,
        message=message,
        variable=variable,
        users=users,
        path=_once([meeting.thing.made, *steps, *uses]),
        repair=CODES[code].repair,
    )


def _user(participant: Participant) -> User:
    uses = [Step(place=event.place, words=f"`{event.operation}`") for event in participant.events]
    return User(name=participant.label, place=participant.place, uses=_once(uses)[:_USES])


def _way(label: str, event: Event) -> list[Step]:
    return [*event.way[1:], Step(place=event.place, words=f"`{label}` uses it: `{event.operation}`")]


def _in_tool(event: Event) -> Place:
    """The line of the tool itself from which the session is used."""
    return event.way[1].place if len(event.way) > 1 else event.place


def _once(steps: Iterable[Step]) -> list[Step]:
    return list(dict.fromkeys(steps))


def _named(participants: Sequence[Participant]) -> str:
    """Their names; those that others have, too, with file and line, and what is started more than once, once."""
    labels = Counter(each.label for each in participants)
    seen: dict[tuple[str, str, int], list[Place]] = defaultdict(list)
    for each in participants:
        seen[each.label, each.place.file, each.place.line].append(_called_at(each))
    return _listed(
        f"`{label}`" if labels[label] == 1 else f"`{label}` ({file}:{line}{_how_often(called)})"
        for (label, file, line), called in seen.items()
    )


def _called_at(participant: Participant) -> Place:
    """Where the call is written by which it does what it does."""
    first = participant.events[0]
    return first.way[0].place if first.way else first.place


def _how_often(called: Sequence[Place]) -> str:
    """How often something is started in one line: as often as it is written there, or again and again."""
    if len(called) == 1:
        return ""
    return f", {len(called)} times" if len(set(called)) == len(called) else ", again and again"


def _listed(names: Iterable[str]) -> str:
    several = list(names)
    return several[0] if len(several) == 1 else f"{', '.join(several[:-1])} and {several[-1]}"


def _without_doubles(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out what is told at the same place with more users."""
    known = list(findings)
    for finding in known:
        beaten = any(
            other is not finding
            and other.code is finding.code
            and other.place == finding.place
            and other.variable == finding.variable
            and {each.name for each in finding.users} < {each.name for each in other.users}
            for other in known
        )
        if not beaten:
            yield finding
