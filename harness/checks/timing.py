"""Did tools that were called together run together?

Structure comes first: for every round of a parallel turn, each two tools must have been in the database at
the same time, on different server processes, for at least a tenth of the shorter one's planned database time: one
after the other they do not meet at all, and on a loaded machine they do not begin together.
Intervals alone prove nothing: on one shared connection statements wait for the driver's mutex, inside their
intervals, and seem to overlap. So the time that counts is the time that two tools spent on *different*
processes. A tool that had to leave the barrier alone, because the others had not come, shows the same thing.

Then the event loop: where one innermost frame held it for long, nothing can have run beside it. Then time, if
pairs of turns were asked for (`harness.checks.speedup`).

A tool that raised before it reached the database is for the errors check, and only noted here. A tool that
returned without any statement, or a statement whose server process is not known, leaves the question open. Where the
model decides which tools are called, one without a statement is only noted, and so is one that was not waited for any
longer, if its spans show that it did something else: nobody promised what it does, or how soon. If nothing is known of
it in that time, it may have waited for the others, and that leaves the question open.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.checks.conclusion import Conclusion, seconds, turns_of
from harness.checks.speedup import CONFIDENCE, compare_pairs, rounds_of
from harness.evidence import (
    Arrival,
    Evidence,
    Interval,
    LoopStall,
    PlannedCall,
    Statement,
    ToolOutcome,
    ToolRun,
    Turn,
)
from harness.verdict import CheckResult, FindingKind

__all__ = ["STALL_SAMPLES", "STALL_SHARE", "Timing", "is_held"]


STALL_SAMPLES = 10
STALL_SHARE = 0.8


def is_held(stall: LoopStall, *, share: float = STALL_SHARE, samples: int = STALL_SAMPLES) -> bool:
    """Whether one frame held the event loop: it was seen in at least `share` (0…1) of at least so many samples."""
    return stall.share >= share and stall.samples >= samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """`SERIALISED`, `LOOP_BLOCKED` and `NO_SPEEDUP`; unknown without each of the records it reads.

    `overlap_share`: the part of the shorter tool's database time that two tools must share. `stall_*`: how
    long, by how many samples, and by what share of them one frame must hold the loop. `required_speedup` and
    `confidence`: see `harness.checks.speedup.compare_pairs`.
    """

    name: str = "timing"
    overlap_share: float = 0.1
    stall_seconds: float = 0.1
    stall_samples: int = STALL_SAMPLES
    stall_share: float = STALL_SHARE
    required_speedup: float | None = None
    confidence: float = CONFIDENCE

    def __call__(self, evidence: Evidence) -> CheckResult:
        """A finding for each round that was serialised, each stall, and for a speed-up that is not there."""
        conclusion = Conclusion(self.name)
        for turn in turns_of(evidence):
            activity = _Activity.of(turn, evidence)
            for calls in rounds_of(turn):
                if turn.parallel and len(calls) > 1:
                    self._compare(turn, calls, activity, conclusion)
        self._find_stalls(evidence, conclusion)
        compare_pairs(evidence, conclusion, required=self.required_speedup, confidence=self.confidence)
        return conclusion.result

    def _compare(self, turn: Turn, calls: Sequence[PlannedCall], activity: "_Activity", conclusion: Conclusion) -> None:
        where = f"turn {turn.id!r}, round {calls[0].round}"
        timed = [call for call in calls if call.database_seconds > 0]
        present = [call for call in timed if activity.take_part(call, where, conclusion, promised=not turn.chosen)]
        if len(timed) > 1 and len(present) < len(timed):
            conclusion.notes.append(f"{where}: {len(present)} of {len(timed)} tools ran a statement")
        if turn.chosen and (late := activity.late(present)):
            told = f"{where}: {', '.join(call.tool for call in late)} came too late to be compared"
            (conclusion.notes if activity.explained(calls) else conclusion.doubts).append(told)
            present = [call for call in present if call not in late]
        reasons = self._reasons(present, activity) + ([] if turn.chosen else activity.left_alone(calls))
        if reasons:
            conclusion.find(FindingKind.SERIALISED, "; ".join(reasons), where=where, turn=turn.id)

    def _reasons(self, calls: Sequence[PlannedCall], activity: "_Activity") -> list[str]:
        """Why tools did not run together: those on one connection in one sentence, other pairs one by one."""
        on_one: dict[tuple[int, ...], list[str]] = {}
        apart: list[str] = []
        for one, other in combinations(calls, 2):
            mine, theirs = activity.hulls(one), activity.hulls(other)
            required = self.overlap_share * min(one.database_seconds, other.database_seconds)
            together = _together(mine, theirs)
            if together >= required:
                continue
            if common := tuple(sorted(mine.keys() & theirs.keys())):
                names = on_one.setdefault(common, [])
                names += [name for call in (one, other) if (name := _name(call, calls)) not in names]
            else:
                apart.append(
                    f"{_name(one, calls)} and {_name(other, calls)} were in the database together for "
                    f"{seconds(together)}, where {seconds(required)} were due "
                    f"(backends {_listed(mine)} and {_listed(theirs)})"
                )
        return [
            f"{', '.join(names[:-1])} and {names[-1]} ran on one connection (backend {_listed(common)}), "
            "where only one statement runs at a time"
            for common, names in on_one.items()
        ] + apart

    def _find_stalls(self, evidence: Evidence, conclusion: Conclusion) -> None:
        for stall in evidence.stalls:
            turn = next((turn for turn in evidence.turns if self._blocks(stall, turn)), None)
            if turn is not None:
                conclusion.find(
                    FindingKind.LOOP_BLOCKED,
                    f"the event loop ran nothing else for {seconds(stall.interval.seconds)}: in "
                    f"{stall.share:.0%} of {stall.samples} samples it was at "
                    f"{stall.stack[-1] if stall.stack else 'an unknown place'}",
                    where=f"turn {turn.id!r}",
                    turn=turn.id,
                    stack=stall.stack,
                )

    def _blocks(self, stall: LoopStall, turn: Turn) -> bool:
        held = is_held(stall, share=self.stall_share, samples=self.stall_samples)
        return held and stall.interval.overlap(turn.interval) >= self.stall_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Activity:
    """What the tools of one turn did, by tool call id."""

    answered: bool
    statements: dict[str, list[Statement]]
    runs: dict[str, list[ToolRun]]
    arrivals: dict[str, list[Arrival]]
    spans: dict[str, list[Interval]]

    @classmethod
    def of(cls, turn: Turn, evidence: Evidence) -> "_Activity":
        """The turn's part of the evidence; reads every record, so that a missing one is always noticed."""
        statements: dict[str, list[Statement]] = defaultdict(list)
        runs: dict[str, list[ToolRun]] = defaultdict(list)
        arrivals: dict[str, list[Arrival]] = defaultdict(list)
        for statement in evidence.statements:
            if statement.turn == turn.id and statement.tool_call_id is not None:
                statements[statement.tool_call_id].append(statement)
        for run in evidence.tools:
            if run.turn == turn.id:
                runs[run.tool_call_id].append(run)
        for arrival in evidence.arrivals:
            if arrival.turn == turn.id:
                arrivals[arrival.tool_call_id].append(arrival)
        spans: dict[str, list[Interval]] = defaultdict(list)
        for span in evidence.spans.entries:  # without them it is not known what a tool did outside of the database
            if span.turn == turn.id and span.tool_call_id is not None:
                spans[span.tool_call_id].append(span.interval)
        answered = turn.answer is not None
        return cls(answered=answered, statements=statements, runs=runs, arrivals=arrivals, spans=spans)

    def take_part(self, call: PlannedCall, where: str, conclusion: Conclusion, *, promised: bool = True) -> bool:
        """Whether the tool's time in the database can be compared; if not, why goes into notes or doubts.

        If it was not `promised` that it works there, doing nothing there raises no doubt.
        """
        statements = self._served(call)
        if any(statement.backend_pid is None for statement in statements):
            conclusion.doubts.append(f"{where}: the server process of a statement of {call.tool} is not known")
            return False
        if promised and not statements and not self._excused(call):
            conclusion.doubts.append(f"{where}: {call.tool} {self._ending(call)}")
        return bool(statements)

    def _served(self, call: PlannedCall) -> list[Statement]:
        """Its statements; only those that the database served, unless the tool returned in spite of them."""
        statements = self.statements.get(call.tool_call_id, [])
        served = [statement for statement in statements if not statement.failed]
        return statements if served or not self._raised(call) else []

    def _raised(self, call: PlannedCall) -> bool:
        return any(run.outcome is not ToolOutcome.RETURNED for run in self.runs.get(call.tool_call_id, []))

    def _excused(self, call: PlannedCall) -> bool:
        """Whether another check says why it did not reach the database: it raised, or its turn ended."""
        return self._raised(call) or not (self.answered or self.runs.get(call.tool_call_id))

    def _ending(self, call: PlannedCall) -> str:
        return "returned without a statement" if self.runs.get(call.tool_call_id) else "did not run"

    def hulls(self, call: PlannedCall) -> dict[int, Interval]:
        """From its first to its last statement on each server process."""
        by_backend: dict[int, list[Interval]] = defaultdict(list)
        for statement in self._served(call):
            if statement.backend_pid is not None:
                by_backend[statement.backend_pid].append(statement.interval)
        return {
            backend: Interval(start=min(part.start for part in parts), end=max(part.end for part in parts))
            for backend, parts in by_backend.items()
        }

    def late(self, calls: Iterable[PlannedCall]) -> list[PlannedCall]:
        """Who came to the barrier when it had been opened because somebody was missing, or after that."""
        held = {call.tool_call_id: self.arrivals.get(call.tool_call_id, []) for call in calls}
        return [call for call in calls if any(each.released == "timeout" for each in held[call.tool_call_id])]

    def explained(self, calls: Iterable[PlannedCall]) -> bool:
        """Whether it is known what kept tools from coming in time.

        Each that came after others had gone on did something else meanwhile, or no other came at all.
        """
        came = {call.tool_call_id: self.arrivals.get(call.tool_call_id, []) for call in calls}
        first = min((arrival.at for each in came.values() for arrival in each), default=0.0)
        opened = min((run.start for call in came for run in self._statement_times(call)), default=first)
        awaited = {call: arrival.at for call, each in came.items() for arrival in each if arrival.at >= opened}
        return all(
            any(span.overlap(Interval(start=first, end=at)) > 0 for span in self.spans.get(call, []))
            for call, at in awaited.items()
        )

    def _statement_times(self, tool_call_id: str) -> list[Interval]:
        return [statement.interval for statement in self.statements.get(tool_call_id, [])]

    def left_alone(self, calls: Iterable[PlannedCall]) -> list[str]:
        """Who left the barrier alone, unless another tool of the round had raised before it came there."""
        calls = list(calls)
        waited = [
            call.tool
            for call in calls
            if any(arrival.released == "timeout" for arrival in self.arrivals.get(call.tool_call_id, []))
        ]
        absent = [call for call in calls if not self.arrivals.get(call.tool_call_id)]
        if not waited or any(self._raised(call) for call in absent):
            return []
        return [f"{', '.join(waited)} waited in vain for the other tools of the round before the first statement"]


def _name(call: PlannedCall, calls: Sequence[PlannedCall]) -> str:
    """The tool's name, and the call's if the round calls the tool more than once."""
    once = sum(other.tool == call.tool for other in calls) == 1
    return call.tool if once else f"{call.tool} ({call.tool_call_id})"


def _together(mine: Mapping[int, Interval], theirs: Mapping[int, Interval]) -> float:
    """For how long two tools were in the database at the same time, on different server processes."""
    return max((mine[a].overlap(theirs[b]) for a in mine for b in theirs if a != b), default=0.0)


def _listed(backends: Iterable[int]) -> str:
    return ", ".join(str(backend) for backend in sorted(backends))
