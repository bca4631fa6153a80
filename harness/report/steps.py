"""What each task of a turn did with the database, step by step, so that two runs of it can be laid side by side.

Problem: two runs of a turn have other identifiers and times, and tools that run at once come in another order each
time.

Mechanism: each tool call of a turn, and the turn's own code, is an actor with a name that is the same in every run: its
tool, and its number among the calls of that tool in the order of the plan. An actor's steps are its session operations
and statements in their order, and how it ended. Two runs are compared actor by actor; the difference that came first is
the first difference. Only where every actor did the same is the order among them compared. Steps are the same if they
do the same by the same SQL to a session that the same actors share; places in the code are shown, and not compared.

Guarantee: the answer depends on neither identifiers, times, numbers of sessions, nor lines of code.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TypeVar

from harness.evidence import OperationKind, SessionOperation, Statement, ToolRun, Turn
from harness.report.document import CellDocument, EvidenceDocument
from harness.report.turn_events import tool_names

__all__ = ["OWN_CODE", "Difference", "Step", "first_difference"]

_T = TypeVar("_T", SessionOperation, Statement, ToolRun)
_RECORDS = ("operations", "statements", "tools")
_ENDS = (OperationKind.COMMIT.value, OperationKind.ROLLBACK.value, OperationKind.CLOSE.value, "end")
OWN_CODE = "the turn's own code"
"""The actor for what no tool did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that an actor did: `operation` and `sql` say what, `session` who uses the same session.

    `around` tells of an operation without SQL of its own which statement of the actor came after it or, at the end of a
    transaction, before it. `place` is the innermost frame of the application, if one was recorded: for a statement, the
    one in which its transaction was begun.
    """

    actor: str
    operation: str
    at: float
    sql: str = ""
    session: str = ""
    around: str = ""
    place: str = ""

    @property
    def signature(self) -> tuple[str, str, str]:
        """What is compared."""
        return self.operation, self.sql, self.session


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first step of an actor that is not the same; a side without one had no further step.

    `turn` and `step` count from 1. `reason` is a sentence in place of steps, if there is no such pair.
    """

    turn: int = 0
    actor: str = ""
    step: int = 0
    before: Step | None = None
    after: Step | None = None
    reason: str = ""


def first_difference(before: CellDocument, after: CellDocument) -> Difference:
    """The first session operation in which two runs of a cell differ, or the reason why none is named."""
    for side, evidence in (("first", before.evidence), ("second", after.evidence)):
        for name in _RECORDS:
            if (missing := getattr(evidence, name).missing) is not None:
                return Difference(reason=f"the {side} run has no record of its {name}: {missing}")
    if not before.evidence.turns and not after.evidence.turns:
        return Difference(reason="neither run has a turn of it")
    turns = zip_longest(_turns(before.evidence), _turns(after.evidence))
    for number, (one, other) in enumerate(turns, 1):
        if one is None or other is None:
            return Difference(
                turn=number, reason=f"only the {'second' if one is None else 'first'} run has turn {number}"
            )
        if (found := _compared(one, other, number)) is not None:
            return found
    same = "every task did the same with the database, and in the same order"
    strayed = _strayed(before.evidence) + _strayed(after.evidence)
    return Difference(reason=f"{same}; not compared: {strayed} records that name no turn" if strayed else same)


def _strayed(evidence: EvidenceDocument) -> int:
    """How many records belong to none of the turns, so that no actor has them."""
    turns = {turn.id for turn in evidence.turns}
    return sum(item.turn not in turns for name in _RECORDS for item in getattr(evidence, name).items)


@dataclass(frozen=True, slots=True)
class _Script:
    """A turn's steps: by actor, and all in their order."""

    start: float
    by_actor: Mapping[str, Sequence[Step]]
    ordered: Sequence[Step]


def _compared(one: _Script, other: _Script, number: int) -> Difference | None:
    found: list[tuple[float, Difference]] = []
    for actor in dict.fromkeys([*one.by_actor, *other.by_actor]):
        pairs = zip_longest(one.by_actor.get(actor, ()), other.by_actor.get(actor, ()))
        for step, (left, right) in enumerate(pairs, 1):
            if left is None or right is None or left.signature != right.signature:
                since = min(each.at - script.start for each, script in ((left, one), (right, other)) if each)
                difference = Difference(turn=number, actor=actor, step=step, before=left, after=right)
                found.append((since, difference))
                break
    if found:
        return min(found, key=lambda pair: pair[0])[1]
    for step, (left, right) in enumerate(zip(one.ordered, other.ordered, strict=False), 1):
        if left.actor != right.actor:
            reason = "every task did the same, and in another order"
            return Difference(turn=number, step=step, before=left, after=right, reason=reason)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What was seen of one turn."""

    turn: Turn
    operations: Sequence[SessionOperation]
    statements: Sequence[Statement]
    runs: Sequence[ToolRun]


def _turns(evidence: EvidenceDocument) -> Iterator[_Script]:
    operations = _by_turn(evidence.operations.items)
    statements = _by_turn(evidence.statements.items)
    runs = _by_turn(evidence.tools.items)
    for turn in evidence.turns:
        yield _script(
            _Seen(
                turn=turn,
                operations=operations.get(turn.id, ()),
                statements=statements.get(turn.id, ()),
                runs=runs.get(turn.id, ()),
            )
        )


def _by_turn(items: Iterable[_T]) -> Mapping[str | None, Sequence[_T]]:
    found: dict[str | None, list[_T]] = defaultdict(list)
    for item in items:
        found[item.turn].append(item)
    return found


def _script(seen: _Seen) -> _Script:
    actors = tool_names(seen.turn, seen.runs)
    users: dict[int, set[str]] = defaultdict(set)
    for operation in seen.operations:
        users[operation.session].add(_actor(actors, operation.tool_call_id))
    begun: dict[str, str] = {}
    steps = []
    happened: list[SessionOperation | Statement] = [*seen.operations, *seen.statements]
    for each in sorted(happened, key=_moment):
        actor = _actor(actors, each.tool_call_id)
        if isinstance(each, SessionOperation):
            place = each.stack[-1] if each.stack else ""
            if each.kind is OperationKind.BEGIN:
                begun[actor] = place
            steps.append(_operation(each, actor, users[each.session] - {actor}, place))
        elif not each.injected:
            steps.append(_statement(each, actor, begun.get(actor, "")))
    steps += [_ending(run, actors[run.tool_call_id]) for run in seen.runs]
    steps.sort(key=lambda step: step.at)
    by_actor = {
        actor: _with_statements([step for step in steps if step.actor == actor])
        for actor in [*actors.values(), OWN_CODE]
    }
    return _Script(seen.turn.interval.start, by_actor, steps)


def _with_statements(steps: Sequence[Step]) -> list[Step]:
    """One actor's steps, its operations with the statement that they belong to."""
    made = []
    for number, step in enumerate(steps):
        before = next((each.sql for each in reversed(steps[:number]) if each.sql), "")
        after = next((each.sql for each in steps[number:] if each.sql), "")
        ends = step.operation.startswith(_ENDS)
        around = f"after {before}" if ends and before else f"before {after}" if not ends and after else ""
        made.append(replace(step, around="" if step.sql else around))
    return made


def _moment(each: SessionOperation | Statement) -> float:
    return each.at if isinstance(each, SessionOperation) else each.interval.start


def _actor(actors: Mapping[str, str], call: str | None) -> str:
    return OWN_CODE if call is None else actors.get(call, OWN_CODE)


def _operation(each: SessionOperation, actor: str, others: set[str], place: str) -> Step:
    session = f"a session shared with {', '.join(sorted(others))}" if others else "a session of its own"
    rows = "" if not each.rows else " of 1 row" if each.rows == 1 else f" of {each.rows} rows"
    return Step(actor=actor, operation=f"{each.kind}{rows}", at=each.at, session=session, place=place)


def _statement(each: Statement, actor: str, begun: str) -> Step:
    operation = "statement that failed" if each.failed else "statement"
    return Step(actor=actor, operation=operation, at=each.interval.start, sql=" ".join(each.sql.split()), place=begun)


def _ending(run: ToolRun, actor: str) -> Step:
    how = f"end: {run.outcome} {run.error_type or ''}".strip()
    return Step(actor=actor, operation=how, at=run.interval.end)
