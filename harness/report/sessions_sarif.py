"""A watched test suite in SARIF 2.1.0: each pair of places that race is a result.

It stands beside its second access; those that are repaired together have one number, in their property `rootCause`.

A race has both accesses, where their tasks were created and where the session was made as related locations, and both
stacks as the two threads of a code flow. What is suppressed is a result with an accepted suppression and its
justification, as the standard has it (3.35), so that viewers hide it and can show why.

Guarantee: a fingerprint is made of kind, files, functions and operations, not of lines. A finding without a place, and
a sanitizer that failed, are notifications; one of level `error` says that an empty list of results proves nothing.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from sarif_pydantic.sarif import (
    Invocation,
    Level,
    Message,
    Notification,
    ReportingConfiguration,
    ReportingDescriptor,
    Result,
    Run,
    Sarif,
)

from harness.evidence import PlaceSeen, RaceKind
from harness.report import sessions_words as words
from harness.report.places import Roots, innermost, is_pseudo, race_kind
from harness.report.sarif_parts import SCHEMA, flows_of, location_of, message_of, places_of_race, run_of
from harness.report.sessions_causes import CauseShown
from harness.report.sessions_document import RaceDocument, SessionsDocument, SuppressedDocument
from harness.report.text import block, inline
from harness.sanitizer import WatchMode
from harness.sanitizer.reports import CAUSES, REPAIRS
from harness.verdict import Verdict

__all__ = ["sessions_sarif"]

_LONG = 4000
_TESTS = 50
_FAILING = frozenset({WatchMode.RAISE, WatchMode.COLLECT})


def sessions_sarif(document: SessionsDocument, *, root: str = "") -> str:
    """The log, indented; `root` is where the sources are, pytest's root by default."""
    roots = Roots(directory=document.environment.directory, root=root)
    log = Sarif(schema_uri=SCHEMA, runs=[_run(document, roots)])
    return f"{log.model_dump_json(by_alias=True, exclude_none=True, indent=1)}\n"


def _run(document: SessionsDocument, roots: Roots) -> Run:
    found = [(each, place) for each in (*document.races, *document.suppressed) if (place := _place(each, roots))]
    kinds = sorted({each.race.kind for each, _ in found})
    return run_of(
        "sessionproof-sessions/",
        version=document.environment.packages.get("sessionproof"),
        source=document.environment.source,
        rules=[_rule(kind) for kind in kinds],
        invocation=_invocation(document, roots),
        results=[_result(document, each, place, kinds, roots) for each, place in found],
    )


def _place(each: RaceDocument, roots: Roots) -> PlaceSeen | None:
    """The second access, or else the first, as long as it is in a file."""
    places = (innermost(access.stack, roots) for access in (each.race.second, each.race.first))
    return next((place for place in places if place is not None and not is_pseudo(place.file)), None)


def _rule(kind: RaceKind) -> ReportingDescriptor:
    words_of = race_kind(kind).value.split("_")
    return ReportingDescriptor(
        id=race_kind(kind).value,
        name="".join(word.capitalize() for word in words_of),
        short_description=Message(text=" ".join(words_of).capitalize()),
        full_description=Message(text=CAUSES[kind]),
        help=Message(text=f"{CAUSES[kind]}\n\nRepair: {REPAIRS[kind]}"),
        default_configuration=ReportingConfiguration(level=Level.ERROR.value),
    )


def _result(
    document: SessionsDocument, each: RaceDocument, place: PlaceSeen, kinds: Sequence[RaceKind], roots: Roots
) -> Result:
    race = each.race
    alone = CauseShown(pairs=(each,))
    tests = words.seen(alone, most=_TESTS)
    said = f"{words.pair(document, each)}: {each.means}.\nRepair: {each.repair}.\nSeen in {tests[0]}"
    stacks = [(said_of, innermost(stack, roots)) for said_of, stack in places_of_race(race)]
    related = [(said_of, found) for said_of, found in stacks if found is not None]
    return Result(
        rule_id=race_kind(race.kind).value,
        rule_index=kinds.index(race.kind),
        level=Level.ERROR if document.mode in _FAILING else Level.WARNING,
        message=message_of(block(f"{said}{f' and {len(each.seen) - 1} more' if len(each.seen) > 1 else ''}.")),
        locations=[location_of(place, roots)],
        related_locations=[
            location_of(found, roots, number=number, message=said_of)
            for number, (said_of, found) in enumerate(related, 1)
        ],
        code_flows=flows_of(race, roots),
        partial_fingerprints={"sessionproof/v1": _fingerprint(each, roots)},
        occurrenceCount=max(1, race.count),
        properties={"tests": tests, "testCount": len(each.seen), "rootCause": each.cause},
        **_suppressions(document, each),
    )


def _suppressions(document: SessionsDocument, each: RaceDocument) -> dict[str, Any]:
    if not isinstance(each, SuppressedDocument):
        return {}
    reasons = words.reasons(document, CauseShown(pairs=(each,)))
    return {"suppressions": [{"kind": "external", "status": "accepted", "justification": said} for said in reasons]}


def _fingerprint(each: RaceDocument, roots: Roots) -> str:
    parts = [race_kind(each.race.kind).value]
    for access in (each.race.first, each.race.second):
        place = innermost(access.stack, roots)
        parts += [access.operation, f"{roots.stable(place.file)} {place.function}" if place is not None else ""]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "backslashreplace")).hexdigest()[:32]


def _invocation(document: SessionsDocument, roots: Roots) -> Invocation:
    told = [*_notifications(document, roots)]
    ended = document.started_at + timedelta(seconds=document.seconds) if document.seconds >= 0 else None
    return Invocation(
        command_line=inline(document.command, limit=_LONG),
        start_time_utc=document.started_at,
        end_time_utc=ended,
        execution_successful=not any(each.level is Level.ERROR for each in told),
        toolExecutionNotifications=told,
    )


def _notifications(document: SessionsDocument, roots: Roots) -> Iterator[Notification]:
    """What an empty list of results would hide; errors are what keeps the results from being complete."""
    for said in (*document.problems, *document.unwatched):
        yield Notification(level=Level.ERROR, message=message_of(block(said, limit=_LONG)))
    if document.verdict is Verdict.UNKNOWN and not (document.problems or document.unwatched):
        yield Notification(level=Level.ERROR, message=message_of(words.answer(document)))
    for each in document.races:
        if _place(each, roots) is None:
            yield Notification(level=Level.WARNING, message=message_of(words.pair(document, each)))
    for said in (*document.limits, *words.complaints(document)):
        yield Notification(level=Level.NOTE, message=message_of(inline(said, limit=_LONG)))
