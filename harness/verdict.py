"""What the evidence means: findings, verdicts, and what was expected of them.

A check that finds nothing wrong has `passed` only if it had evidence to look at; without evidence its verdict is
`unknown`. `failed` beats `unknown` beats `passed`, so that nothing passes because something was not looked at.
A finding is not an exception: it is a value with a kind, so that a scenario can *expect* it. A shared session is
expected to fail with named findings; not seeing them is a failure of the harness.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

__all__ = [
    "CheckResult",
    "Damage",
    "Expectation",
    "Finding",
    "FindingKind",
    "Judgement",
    "ModelChoices",
    "Share",
    "Verdict",
    "judge",
    "kinds_of",
    "merge",
]


class Verdict(StrEnum):
    """The outcome of a check, a cell or a run."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"


_PRECEDENCE = (Verdict.FAILED, Verdict.UNKNOWN, Verdict.PASSED)


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of the whole: failed beats unknown beats passed, and nothing at all is unknown."""
    seen = set(verdicts)
    return next((verdict for verdict in _PRECEDENCE if verdict in seen), Verdict.UNKNOWN)


class FindingKind(StrEnum):
    """Every kind of thing that a check can find wrong."""

    # errors
    CONCURRENT_OPERATION = "concurrent_operation"
    """SQLAlchemy refused two operations on one session (`exc.code == "isce"`)."""
    ILLEGAL_STATE = "illegal_state"
    """Two tasks changed the state of one session or connection at once: closed, already flushing, not allowed here."""
    DRIVER_BUSY = "driver_busy"
    """The driver refused a second operation on one connection that is in use in the same event loop."""
    FOREIGN_LOOP = "foreign_loop"
    """A connection was used from another event loop than its own: an engine shared between loops."""
    ABORTED_TRANSACTION = "aborted_transaction"
    """A statement ran in a transaction that another statement's failure had aborted."""
    POOL_EXHAUSTED = "pool_exhausted"
    """No connection became free in time."""
    POISONED_CONNECTION = "poisoned_connection"
    """A connection came back from the pool inside a transaction that nobody owns any more."""
    FOREIGN_ERROR = "foreign_error"
    """A tool, or the tracker, got the database's refusal of another tool's row, through a session that they share."""
    UNEXPECTED_ERROR = "unexpected_error"
    """Any other error: raised, logged, traced, or given to the event loop's exception handler."""
    TURN_FAILED = "turn_failed"
    """The turn gave no answer."""
    TURN_TIMED_OUT = "turn_timed_out"
    """The turn gave no answer in the time allowed; the tasks' stacks are in the evidence."""
    FOREIGN_REQUEST = "foreign_request"
    """The application tried to send a request to another machine, where only local models may answer."""
    UNRECORDED_REQUEST = "unrecorded_request"
    """The application asked a recorded model what it was not asked when it was recorded."""
    # ledger
    MISSING_ROW = "missing_row"
    """The provider served a request, and no row bills it."""
    DUPLICATE_ROW = "duplicate_row"
    """More than one row bills the same."""
    FOREIGN_ROW = "foreign_row"
    """A row bills another tenant, agent, session or turn than the one that was served."""
    WRONG_TOKENS = "wrong_tokens"
    """A row's tokens are not those that the provider counted."""
    WRONG_MODEL = "wrong_model"
    """A row names another provider, model or completion status than was served."""
    WRONG_COST = "wrong_cost"
    """A row's cost is not the price of its tokens."""
    ZERO_COST = "zero_cost"
    """A row of a model that has a price costs nothing."""
    NULL_PRICED_AS_ZERO = "null_priced_as_zero"
    """A row of a model without a known price costs 0, where it must be NULL: nobody would ask what it costs."""
    BROKEN_TOTAL = "broken_total"
    """A row's total is not the sum of its parts."""
    UNBILLED_RESPONSE = "unbilled_response"
    """The answer names no ledger row (`llm_request_id` is `None`), or one that does not exist."""
    NIL_IDENTIFIER = "nil_identifier"
    """A row, or the row that an answer names, has the nil UUID for its identifier."""
    UNSEEN_RESPONSE = "unseen_response"
    """What the provider served and what the client received differ."""
    # timing
    SERIALISED = "serialised"
    """Tools that were called together did not run in the database together."""
    NO_SPEEDUP = "no_speedup"
    """Parallel turns took no less time than the same turns with their tools one by one."""
    LOOP_BLOCKED = "loop_blocked"
    """A tool held the event loop: nothing else could run meanwhile."""
    # sessions
    SESSION_OVERLAP = "session_overlap"
    """A tool used a session, or its connection, while an operation of another on it was in flight."""
    SESSION_UNORDERED = "session_unordered"
    """Two tools used one session, and nothing orders them: they did not overlap this time, and can another time."""
    SESSION_FOREIGN_THREAD = "session_foreign_thread"
    """A session was used in a thread that does not run its event loop."""
    SESSION_FOREIGN_LOOP = "session_foreign_loop"
    """A session, or its connection, was used in another event loop than its own."""
    BLEED = "bleed"
    """A commit or rollback of one tool covered unfinished writes of another."""
    LOST_WRITE = "lost_write"
    """A tool reported success, and its write was rolled back."""
    # pool
    CONNECTION_LEAK = "connection_leak"
    """A connection was still checked out when the turn was over."""
    IDLE_IN_TRANSACTION = "idle_in_transaction"
    """A server process still held a transaction open when the turn was over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    `message` is one sentence; `where` names the turn, tool or row; `stack` has application frames, innermost last;
    `reproduce` is the exact command that shows it again, filled in by the engine.
    """

    kind: FindingKind
    message: str
    check: str
    where: str = ""
    turn: str | None = None
    tool_call_id: str | None = None
    stack: tuple[str, ...] = ()
    reproduce: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What one check says of one evidence: `unknown` carries its reason, and `notes` what was seen without judging."""

    check: str
    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, check: str, findings: Sequence[Finding], *, notes: Sequence[str] = ()) -> Self:
        """The result of a check that had its evidence: passed exactly when it found nothing."""
        verdict = Verdict.FAILED if findings else Verdict.PASSED
        return cls(check=check, verdict=verdict, findings=tuple(findings), notes=tuple(notes))

    @classmethod
    def unknown(cls, check: str, reason: str) -> Self:
        """The result of a check that could not look."""
        return cls(check=check, verdict=Verdict.UNKNOWN, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What a fault did in one cell: ledger rows that are missing, twice there or wrong, and what failed with it.

    Those of the ledger are `None` if it could not be reconciled, those of the tools if the tools were not recorded.
    """

    missing: int | None
    duplicate: int | None
    wrong: int | None
    tools: int | None
    failed_tools: int | None
    turns: int
    failed_turns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part (0…1) of something, with its interval, which encloses the true one with a confidence of 0.95."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoices:
    """What a model that decides by itself did in the turns of one cell.

    `outcomes` counts the turns by how they ended, `calls` the tool calls that ran, by tool, and `refused` those that
    did not. In `called_together` turns one response called several tools; in `together` of them these came to the
    database together, which is the `share` of all turns that can show anything; in `wrong` of those something was
    found. `at_most` is which share (0…1) of such turns can be wrong, with a confidence of 0.95, if none
    was, nothing was found outside of them either, and every check could decide.
    """

    turns: int
    outcomes: Mapping[str, int]
    calls: Mapping[str, int]
    refused: int
    called_together: int
    together: int
    share: Share
    wrong: int
    at_most: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a cell is expected to show.

    `required`: kinds that must all appear (empty: the cell must be clean). `one_of`: at least one of them must appear.
    `allowed`: kinds that may appear beside them, because they follow from the same cause. Anything else is
    unexpected, in any cell. `undecided`: the checks that may be unable to decide where it reproduces, because tools
    fail before they can be compared. `optional`: nothing of this has to appear; a cell without it must be clean.
    """

    required: frozenset[FindingKind] = field(default_factory=frozenset)
    one_of: frozenset[FindingKind] = field(default_factory=frozenset)
    allowed: frozenset[FindingKind] = field(default_factory=frozenset)
    undecided: frozenset[str] = field(default_factory=frozenset)
    optional: bool = False

    def beside(self, seen: Collection[FindingKind]) -> Self:
        """What is expected of a cell that shows these kinds: what is optional, and not there, is not expected."""
        named = self.required | self.one_of
        if not self.optional or named.intersection(seen):
            return self
        return replace(self, required=frozenset(), one_of=frozenset(), allowed=self.allowed | named)

    @property
    def clean(self) -> bool:
        """Whether nothing has to be found: what is not allowed is an objection."""
        return not (self.required or self.one_of)

    @property
    def label(self) -> str:
        """`clean` or `reproduced`, as the report calls it."""
        return "clean" if self.clean else "reproduced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Whether a cell's verdict is what was expected, and if not, the sentences that say why."""

    verdict: Verdict
    as_expected: bool
    objections: tuple[str, ...] = ()


def kinds_of(results: Iterable[CheckResult]) -> set[FindingKind]:
    """The kinds of everything that the checks found."""
    return {finding.kind for result in results for finding in result.findings}


def judge(results: Sequence[CheckResult], expectation: Expectation) -> Judgement:
    """Compare what the checks found with what was expected.

    A cell that is expected to be clean is as expected only if every check passed. A cell that is expected to
    reproduce is as expected if it shows what is required and nothing beyond what is allowed, and no check was
    unable to decide but those that the expectation names.
    """
    verdict = merge(result.verdict for result in results)
    seen = kinds_of(results)
    expectation = expectation.beside(seen)
    objections = [f"expected finding {kind.value!r} did not appear" for kind in sorted(expectation.required - seen)]
    if expectation.one_of and not expectation.one_of & seen:
        names = ", ".join(repr(kind.value) for kind in sorted(expectation.one_of))
        objections.append(f"none of the expected findings {names} appeared")
    surplus = seen - expectation.required - expectation.one_of - expectation.allowed
    objections += [f"unexpected finding {kind.value!r}" for kind in sorted(surplus)]
    undecided = [result for result in results if result.verdict is Verdict.UNKNOWN]
    objections += [
        f"check {result.check!r} could not decide: {result.reason}"
        for result in undecided
        if expectation.clean or result.check not in expectation.undecided
    ]
    if not results:
        objections.append("no check ran")
    return Judgement(verdict=verdict, as_expected=not objections, objections=tuple(objections))
