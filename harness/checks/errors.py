"""Was anything raised, logged, traced, left to the event loop, or seen by the driver or the server?

Problem: one error is seen by up to six sources, several times by some (the tool's span, its parents', a log
line at each level), and it must be one finding. Some errors are part of the experiment, and must be none.

Mechanism: records are classified by cause (`harness.checks.classification`), then grouped. Those that name a
tool call come first and open groups; those that know only their turn join a group of that turn, and those
that know nothing (the server's log) join any, if they show the same cause: the same kind of collision, or for
other errors the same SQLSTATE, the same text, or one in the other's chain of causes. What joins nothing is a
finding of its own.

A row that the database is to refuse may be sent by another than the tool that made it, if they share a session: by
a sibling's autoflush, or by the tracker's commit. That is a `FOREIGN_ERROR` where it is certain enough: the turn's
tools collided, or used one session; the refusal is one of data (SQLSTATE classes 22 and 23); and a tool of the turn
that was to be refused, and ran, was not.

Guarantee: every record ends in exactly one group, and every group is a finding unless it is *intended* (a
call that may fail, refused by the database for its own statement), *control flow* (`ModelRetry`, or a
cancellation that follows from something else that is found), or *of the model*, in a turn whose model decides by
itself; those are told in the notes.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.checks.classification import Classifier, core, is_of_data, is_refusal, names
from harness.checks.conclusion import Conclusion, Plan, sentence, turns_of
from harness.checks.model_outcomes import is_of_the_model, is_own_mistake
from harness.evidence import ErrorRecord, ErrorSource, Evidence, ToolOutcome, Turn
from harness.scenario import ToolRole
from harness.verdict import CheckResult, FindingKind

__all__ = ["Errors"]

_RICHEST_FIRST = (
    ErrorSource.RAISED,
    ErrorSource.DATABASE,
    ErrorSource.SPAN,
    ErrorSource.LOGGED,
    ErrorSource.LOOP,
    ErrorSource.SERVER,
)
_SHORTEST_QUOTE = 8
_COLLISIONS = frozenset({FindingKind.CONCURRENT_OPERATION, FindingKind.ILLEGAL_STATE, FindingKind.DRIVER_BUSY})
_RETRIES = frozenset({"ModelRetry", "ToolRetryError"})
_INVALID = _RETRIES | {"ValidationError"}
"""What says that arguments do not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """One finding per cause of error, of the kinds from `CONCURRENT_OPERATION` to `UNEXPECTED_ERROR`."""

    name: str = "errors"

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A finding for each group of records that is neither intended nor control flow."""
        turns = turns_of(evidence)
        records = evidence.errors.items
        plan = Plan(turns)
        conclusion = Conclusion(self.name, notes=list(evidence.notes))
        groups = _group(records, Classifier.of(records))
        disturbed = _disturbed(turns, groups)
        chosen = {turn.id: turn for turn in turns if turn.chosen}
        for group in groups:
            if _is_intended(group, plan):
                place = plan.place(group.turn, group.tool_call_id)
                conclusion.notes.append(f"intended error at {place}: {_summary(group.richest)}")
            elif group.turn in chosen and _is_of_the_model(group, chosen[group.turn], evidence):
                cause, mistakes = group.parted
                conclusion.notes.append(f"of the model: {_summary(cause.richest)} in {_place(cause, plan)}")
                if mistakes.records:
                    _report(mistakes, plan, conclusion, owners=())
            elif _is_control_flow(group, disturbed):
                conclusion.notes.append(f"control flow: {_summary(group.richest)} in {_place(group, plan)}")
            else:
                owners = _owners_of_foreign(group, groups, evidence, plan)
                _report(group, plan, conclusion, owners)
        _note_intended_failures_that_did_not_happen(evidence, plan, conclusion)
        return conclusion.result


@dataclass(slots=True)
class _Group:
    """The records of one cause."""

    records: list[tuple[ErrorRecord, FindingKind]] = field(default_factory=list)

    @property
    def kind(self) -> FindingKind:
        """The kind of its richest record that has one; one that only wraps the cause has none."""
        kinds = [kind for _, kind in self._sorted() if kind is not FindingKind.UNEXPECTED_ERROR]
        return kinds[0] if kinds else FindingKind.UNEXPECTED_ERROR

    @property
    def richest(self) -> ErrorRecord:
        """The record that tells most about the cause."""
        kind = self.kind
        return next(record for record, own in self._sorted() if own is kind)

    @property
    def turn(self) -> str | None:
        """The turn that any of its records names."""
        return next((record.turn for record, _ in self.records if record.turn is not None), None)

    @property
    def tool_call_id(self) -> str | None:
        """The tool call that any of its records names."""
        return next((record.tool_call_id for record, _ in self.records if record.tool_call_id is not None), None)

    @property
    def stack(self) -> tuple[str, ...]:
        """The stack of the richest record that has one."""
        return next((record.stack for record, _ in self._sorted() if record.stack), ())

    @property
    def sources(self) -> list[str]:
        """Who saw it."""
        seen = {record.source for record, _ in self.records}
        return [source.value for source in _RICHEST_FIRST if source in seen]

    @property
    def parted(self) -> tuple["_Group", "_Group"]:
        """The cause itself, and what went wrong while it was handled, and so has it among its own causes."""
        mistakes = [(record, kind) for record, kind in self.records if is_own_mistake(record)]
        return _Group([each for each in self.records if each not in mistakes]), _Group(mistakes)

    def _sorted(self) -> list[tuple[ErrorRecord, FindingKind]]:
        return sorted(self.records, key=lambda item: _richness(item[0]))

    def admits(self, record: ErrorRecord, kind: FindingKind) -> bool:
        """Whether the record shows the same cause as one of the group, and nothing that contradicts it."""
        if not (_agree(self.turn, record.turn) and _agree(self.tool_call_id, record.tool_call_id)):
            return False
        if _happened_outside_tools(record) and self.tool_call_id is not None:
            return False
        return any(_same_cause(own, own_kind, record, kind) for own, own_kind in self.records)


def _richness(record: ErrorRecord) -> tuple[int, int, int]:
    identified = record.code is not None or record.sqlstate is not None
    return (_RICHEST_FIRST.index(record.source), -int(identified), -len(record.stack))


def _happened_outside_tools(record: ErrorRecord) -> bool:
    """Whether it is no repetition of a tool's error: the driver tells each failure once, and where it happened."""
    outside = record.turn is not None and record.tool_call_id is None
    return outside and record.source is ErrorSource.DATABASE


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _group(records: Sequence[ErrorRecord], classifier: Classifier) -> list[_Group]:
    groups: list[_Group] = []
    for record in sorted(records, key=_attribution):
        kind = classifier.kind(record)
        homes = [group for group in groups if group.admits(record, kind)]
        nearest = [group for group in homes if group.tool_call_id == record.tool_call_id]
        home = next(iter(nearest or homes), None)
        if home is None:
            home = _Group()
            groups.append(home)
        home.records.append((record, kind))
    return groups


def _attribution(record: ErrorRecord) -> tuple[bool, bool, tuple[int, int, int], float]:
    return (record.tool_call_id is None, record.turn is None, _richness(record), record.at)


def _same_cause(one: ErrorRecord, one_kind: FindingKind, other: ErrorRecord, other_kind: FindingKind) -> bool:
    unexpected = FindingKind.UNEXPECTED_ERROR
    if one_kind is other_kind:
        return one_kind is not unexpected or _same_error(one, other)
    if unexpected not in {one_kind, other_kind}:
        return False
    wrapper, collision = (one, other) if one_kind is unexpected else (other, one)
    return _wraps(wrapper, collision) or (_same_place(one, other) and _chained(one, other))


def _same_error(one: ErrorRecord, other: ErrorRecord) -> bool:
    if one.sqlstate and other.sqlstate:
        return one.sqlstate == other.sqlstate
    return _quotes(one, other) or _chained(one, other)


def _same_place(one: ErrorRecord, other: ErrorRecord) -> bool:
    return (one.turn, one.tool_call_id) == (other.turn, other.tool_call_id)


def _wraps(outer: ErrorRecord, inner: ErrorRecord) -> bool:
    """Whether an error repeats a collision; not the other way round: a collision that quotes is a new one."""
    text = core(inner.message)
    return (len(text) >= _SHORTEST_QUOTE and text in outer.message) or _causes(outer, inner)


def _quotes(one: ErrorRecord, other: ErrorRecord) -> bool:
    shorter, longer = sorted((core(one.message), core(other.message)), key=len)
    if shorter == longer and one.type == other.type:
        return True
    if len(shorter) < _SHORTEST_QUOTE:
        return False
    return shorter in one.message and shorter in other.message


def _chained(one: ErrorRecord, other: ErrorRecord) -> bool:
    return _causes(one, other) or _causes(other, one)


def _causes(outer: ErrorRecord, inner: ErrorRecord) -> bool:
    return "." in inner.type and inner.type in outer.chain


def _is_intended(group: _Group, plan: Plan) -> bool:
    call = plan.call(group.turn, group.tool_call_id)
    if call is None or not call.may_fail or group.kind is not FindingKind.UNEXPECTED_ERROR:
        return False
    return any(is_refusal(record) for record, _ in group.records)


def _is_of_the_model(group: _Group, turn: Turn, evidence: Evidence) -> bool:
    """Whether the cause is the model's: refused calls, a request that failed, or answers that the agent gave up on."""
    if group.kind is not FindingKind.UNEXPECTED_ERROR:
        return False
    own = group.tool_call_id is None or group.tool_call_id in turn.refused
    if own and turn.refused and any(_INVALID & names(record) for record, _ in group.records):
        return True
    return any(is_of_the_model(record, turn, evidence, tool_call_id=group.tool_call_id) for record, _ in group.records)


def _is_retry(group: _Group) -> bool:
    """Whether the model was asked to try again, and no error is behind it."""
    return all(names(record) <= _RETRIES for record, _ in group.records)


def _is_cancellation(group: _Group) -> bool:
    return all(record.type.endswith("CancelledError") for record, _ in group.records)


def _disturbed(turns: Iterable[Turn], groups: Iterable[_Group]) -> set[str | None]:
    """The turns in which something else went wrong, that a cancellation may follow from."""
    found = {group.turn for group in groups if not (_is_cancellation(group) or _is_retry(group))}
    return found | {turn.id for turn in turns if turn.answer is None}


def _is_control_flow(group: _Group, disturbed: set[str | None]) -> bool:
    if group.kind is not FindingKind.UNEXPECTED_ERROR:
        return False
    return _is_retry(group) or (_is_cancellation(group) and group.turn in disturbed)


def _summary(record: ErrorRecord) -> str:
    return ": ".join(part for part in (record.type, sentence(core(record.message))) if part)


def _place(group: _Group, plan: Plan) -> str:
    return plan.place(group.turn, group.tool_call_id)


def _owners_of_foreign(group: _Group, groups: Iterable[_Group], evidence: Evidence, plan: Plan) -> list[str]:
    """The tools whose refusal this may be, though it met another; empty if it is nobody's but its own."""
    call = plan.call(group.turn, group.tool_call_id)
    if group.kind is not FindingKind.UNEXPECTED_ERROR or group.turn is None or (call is not None and call.may_fail):
        return []
    beside = [other for other in groups if other.turn == group.turn]
    if not (any(is_of_data(record) for record, _ in group.records) and _share_a_session(group.turn, beside, evidence)):
        return []
    ran = {run.tool_call_id for run in evidence.tools.entries if run.turn == group.turn}
    refused = {other.tool_call_id for other in beside if any(is_refusal(record) for record, _ in other.records)}
    return [
        call.tool for turn, call in plan if turn == group.turn and call.may_fail and call.tool_call_id in ran - refused
    ]


def _share_a_session(turn: str, groups: Iterable[_Group], evidence: Evidence) -> bool:
    """Whether the turn's tools collided, or one session did something for more than one of them."""
    users: dict[int, set[str | None]] = defaultdict(set)
    for operation in evidence.operations.entries:
        if operation.turn == turn:
            users[operation.session].add(operation.tool_call_id)
    return any(group.kind in _COLLISIONS for group in groups) or any(len(callers) > 1 for callers in users.values())


def _report(group: _Group, plan: Plan, conclusion: Conclusion, owners: Sequence[str]) -> None:
    whose = f"; the refused row is one of {', '.join(owners)}" if owners else ""
    conclusion.find(
        FindingKind.FOREIGN_ERROR if owners else group.kind,
        f"{_summary(group.richest)} (seen by: {', '.join(group.sources)}){whose}",
        where=_place(group, plan),
        turn=group.turn,
        tool_call_id=group.tool_call_id,
        stack=group.stack,
    )


def _note_intended_failures_that_did_not_happen(evidence: Evidence, plan: Plan, conclusion: Conclusion) -> None:
    returned = {(run.turn, run.tool_call_id) for run in evidence.tools.entries if run.outcome is ToolOutcome.RETURNED}
    for turn, call in plan:
        if call.role == ToolRole.FAIL and call.may_fail and (turn, call.tool_call_id) in returned:
            place = plan.place(turn, call.tool_call_id)
            conclusion.notes.append(f"an error was intended at {place}, and the tool returned normally")
