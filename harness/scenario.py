"""What to do: a turn or several, the model's scripted tool plan, latencies, and what each mode is expected to show.

A scenario is data. It names tools by *role* (`ToolRole`), not by name, so that one suite runs against any backend:
the backend says which of its tools plays which role. A role that a backend does not have makes the scenario *not
verified* for it, with a sentence, and never passed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import Literal

from harness.fault import DatabaseFault, WireFault
from harness.verdict import Expectation

__all__ = [
    "INTENDED_FAILURES",
    "Cell",
    "Message",
    "ModelTier",
    "PoolState",
    "Scenario",
    "SessionMode",
    "TokenUsage",
    "ToolPlan",
    "ToolRole",
    "ToolStep",
    "cells_of",
    "when_shared",
]


class SessionMode(StrEnum):
    """How the backend's tools get their sessions."""

    SHARED = "shared"
    PER_OPERATION = "per_operation"
    LOCKED = "locked"
    SEQUENTIAL = "sequential"
    DURABLE = "durable"
    """A session per operation, and a tracker that writes each bill ahead, so that no failure loses it."""
    DEFERRED = "deferred"
    """A session for each read, and writes that are carried out together at the end of the turn, in one transaction."""


class PoolState(StrEnum):
    """In which state the connection pool is when the turn begins."""

    COLD = "cold"
    WARM = "warm"
    PRE_PING = "pre_ping"
    NULL = "null"


class ModelTier(StrEnum):
    """Who answers the agent's model requests."""

    SCRIPTED = "scripted"
    WIRE = "wire"
    RECORDED = "recorded"
    LOCAL = "local"
    LIVE = "live"

    @property
    def chooses(self) -> bool:
        """Whether a model answers that decides by itself which tools it calls, now or when it was recorded."""
        return self in {ModelTier.RECORDED, ModelTier.LOCAL, ModelTier.LIVE}


class ToolRole(StrEnum):
    """What a tool does to the database; the backend names the tool that does it."""

    READ = "read"
    """Selects rows."""
    SEARCH = "search"
    """Selects rows by another tool than `READ`."""
    FLUSH = "flush"
    """Adds a row and flushes it, reads something else, and commits."""
    COMMIT = "commit"
    """Adds a row and commits at once."""
    ROLLBACK = "rollback"
    """Adds a row that violates a constraint, handles the error by a rollback, and returns normally."""
    FAIL = "fail"
    """Runs a statement that the database refuses, and raises."""
    RETRY = "retry"
    """Asks the model to try again (`ModelRetry`), without a statement."""
    DELEGATE = "delegate"
    """Hands a question to another agent, which asks the model in turn, and is billed with the turn."""
    SERIES = "series"
    """Selects rows several times, one after the other, each in an operation of its own."""


INTENDED_FAILURES = frozenset({ToolRole.ROLLBACK, ToolRole.FAIL})
"""The roles whose own database error is part of the experiment, and no finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens of one model response, as the provider counts them.

    `cached_tokens` are a part of the prompt's, `reasoning_tokens` a part of the completion's: providers tell them in
    the usage's details only.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """The sum."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStep:
    """One tool call of the plan: its role, and how long it takes, in seconds.

    `database_seconds` are spent in the database by its first statement alone, also by that of a `SERIES`, which does
    `operations` one after the other. `provider_seconds` is how long the model takes for the answer to the question
    that a `DELEGATE` hands on; the plan's `delegated` says that there is such an answer.

    Raises:
        ValueError: a length of time is negative or without end, there is not one operation, or the role has no use
            for what is given.
    """

    role: ToolRole
    database_seconds: float = 0.0
    provider_seconds: float = 0.0
    operations: int = 1

    def __post_init__(self) -> None:
        for name, seconds in (("database_seconds", self.database_seconds), ("provider_seconds", self.provider_seconds)):
            if not 0 <= seconds < inf:
                raise ValueError(f"a tool of the role {self.role.value!r} cannot take {seconds} s; give {name} from 0")
        if self.provider_seconds and self.role is not ToolRole.DELEGATE:
            raise ValueError(
                f"a tool of the role {self.role.value!r} asks no model, so that it cannot wait for one for "
                f"{self.provider_seconds:g} s; leave provider_seconds out, or use the role {ToolRole.DELEGATE.value!r}"
            )
        if self.operations < 1:
            raise ValueError(
                f"a tool of the role {self.role.value!r} cannot do {self.operations} operations; give at least 1"
            )
        if self.operations != 1 and self.role is not ToolRole.SERIES:
            raise ValueError(
                f"a tool of the role {self.role.value!r} does not do {self.operations} operations on demand; leave "
                f"operations out, or use the role {ToolRole.SERIES.value!r}"
            )

    def scaled(self, factor: float) -> "ToolStep":
        """The same step with every latency multiplied."""
        return replace(
            self,
            database_seconds=self.database_seconds * factor,
            provider_seconds=self.provider_seconds * factor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPlan:
    """What the scripted model does in one turn: rounds of tool calls made together, then the answer.

    `usages` has one entry per model response: one per round, one for each answer that the agent rejects
    (`rejected_answers` of them come first), and one for the final answer. `model_seconds` is how long each response
    takes. `order` holds the tools of the first round step by step instead of letting them go together: each number is
    the position of a tool in the round, which takes one step (`harness.explorer.order`). `delegated` has the usage of
    the answer that a `DELEGATE` call's own agent gets. `served_model` is the model that the provider says it
    answered with, if that is not the one that was asked for. `faults` strike requests for single responses.

    A plan that is `chosen` has no rounds and no usages: the model decides by itself. The first statement of each tool
    that it calls takes `chosen_seconds` longer.

    Raises:
        ValueError: a plan that is chosen says what the model does, or one that is not says how long chosen tools take.
    """

    rounds: tuple[tuple[ToolStep, ...], ...]
    usages: tuple[TokenUsage, ...]
    answer: str = "Here is what I found."
    model_seconds: float = 0.0
    order: tuple[int, ...] = ()
    rejected_answers: int = 0
    delegated: TokenUsage | None = None
    served_model: str | None = None
    faults: tuple[WireFault, ...] = ()
    chosen: bool = False
    chosen_seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.chosen and (self.rounds or self.usages or self.order or self.faults):
            raise ValueError("a plan that the model chooses has no rounds, usages, order or faults; leave them out")
        if self.chosen_seconds and not self.chosen:
            raise ValueError("chosen_seconds is for tools that the model chooses; give the steps' database_seconds")
        if not 0 <= self.chosen_seconds < inf:
            raise ValueError(f"a tool cannot take {self.chosen_seconds} s; give chosen_seconds from 0")

    @property
    def widest_round(self) -> int:
        """How many tools are called together at most."""
        return max((len(steps) for steps in self.rounds), default=0)

    def scaled(self, factor: float) -> "ToolPlan":
        """The same plan with every latency multiplied."""
        rounds = tuple(tuple(step.scaled(factor) for step in steps) for steps in self.rounds)
        return replace(
            self,
            rounds=rounds,
            model_seconds=self.model_seconds * factor,
            chosen_seconds=self.chosen_seconds * factor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One user message: who sends it, and the plan that the model follows for it.

    Messages of one scenario are sent at the same time when they have the same `wave`, and waves one after the other.
    `tenant` is an index into the backend's tenants. `leave_after` is after how many events of the streamed answer the
    client goes away. `cancel_at` is at which await of the turn, from 1, its task is cancelled; 0 stands for each of
    them: the message is then sent once for every await, until a turn ends before its await comes. `question` is which
    of the tenant's questions it asks, again from the first, if the plan is chosen.
    """

    plan: ToolPlan
    tenant: int = 0
    stream: bool = False
    wave: int = 0
    leave_after: int | None = None
    cancel_at: int | None = None
    question: int = 0


_DEFAULT_POOL_STATES: Mapping[SessionMode, tuple[PoolState, ...]] = {
    SessionMode.SHARED: tuple(PoolState),
    SessionMode.PER_OPERATION: tuple(PoolState),
    SessionMode.LOCKED: (PoolState.COLD, PoolState.WARM),
    SessionMode.SEQUENTIAL: (PoolState.COLD, PoolState.WARM),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A named experiment.

    `question` is what a reader learns from it. `expectations` says what is expected per session mode and pool state;
    a cell that is not named there is expected to be clean. `paired_repetitions` > 0 asks, in the warm pool state, for
    at least that many interleaved pairs of parallel and sequential turns, and the ratio of their times.
    `ledger_grain` says whether the backend is to write one ledger row per turn or one per model response.

    `fault` names what goes wrong in it, for reports; a scenario with one is judged by its ledger, and what else fails
    is counted. `database_faults` strike the first turn that they fit, and are healed when the turns are over: before
    the application stops, or with `heals_after_stop` only then, so that it has to finish when it is started again.
    `client_retries` is how often the model's client
    sends a request again by itself, `client_seconds` for how long it waits for one. `fallback` gives the application a
    second model to turn to. `answered` says whether its turns must be answered, or must not be, for the fault to have
    been there. `turn_seconds` is how long a turn may take, if that is not for the command to say.
    """

    name: str
    question: str
    messages: tuple[Message, ...]
    expectations: Mapping[tuple[SessionMode, PoolState], Expectation] = field(default_factory=dict)
    pool_states: Mapping[SessionMode, tuple[PoolState, ...]] = field(default_factory=lambda: _DEFAULT_POOL_STATES)
    tiers: tuple[ModelTier, ...] = (ModelTier.SCRIPTED, ModelTier.WIRE)
    paired_repetitions: int = 0
    ledger_grain: Literal["turn", "request"] = "turn"
    fault: str = ""
    database_faults: tuple[DatabaseFault, ...] = ()
    heals_after_stop: bool = False
    client_retries: int = 0
    client_seconds: float = 600.0
    fallback: bool = False
    answered: bool | None = None
    turn_seconds: float | None = None

    def expectation(self, mode: SessionMode, pool_state: PoolState) -> Expectation:
        """What this scenario is expected to show; clean unless something is named."""
        return self.expectations.get((mode, pool_state), Expectation())

    @property
    def roles(self) -> frozenset[ToolRole]:
        """Every role that the plan uses."""
        return frozenset(step.role for message in self.messages for steps in message.plan.rounds for step in steps)

    @property
    def streams(self) -> bool:
        """Whether any message asks for a streamed answer."""
        return any(message.stream for message in self.messages)

    @property
    def parallel(self) -> bool:
        """Whether tools run in parallel in it, or can."""
        return self.chosen or any(message.plan.widest_round > 1 for message in self.messages)

    @property
    def chosen(self) -> bool:
        """Whether a model decides which tools are called, in any message."""
        return any(message.plan.chosen for message in self.messages)

    def scaled(self, factor: float) -> "Scenario":
        """The same scenario with every latency multiplied."""
        messages = tuple(replace(message, plan=message.plan.scaled(factor)) for message in self.messages)
        return replace(self, messages=messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One square of the matrix: a scenario in a session mode, a pool state and a model tier."""

    scenario: Scenario
    mode: SessionMode
    pool_state: PoolState
    tier: ModelTier

    @property
    def id(self) -> str:
        """A short name, used as the test's parameter id: `shared-warm-wire`."""
        return f"{self.mode}-{self.pool_state}-{self.tier}"

    @property
    def expectation(self) -> Expectation:
        """What this cell is expected to show."""
        return self.scenario.expectation(self.mode, self.pool_state)


def cells_of(scenario: Scenario) -> Iterator[Cell]:
    """Every cell of a scenario's own matrix, in a stable order."""
    for mode, pool_states in scenario.pool_states.items():
        for pool_state in pool_states:
            for tier in scenario.tiers:
                yield Cell(scenario=scenario, mode=mode, pool_state=pool_state, tier=tier)


def when_shared(
    *, opening: Expectation, warm: Expectation, one_by_one: Expectation | None = None
) -> dict[tuple[SessionMode, PoolState], Expectation]:
    """Expectations of a defect that a shared session has, and a session per operation has not.

    `opening` is for the pool states in which a connection must be opened or tested first, which SQLAlchemy refuses to
    do for two tasks at once; `warm` for the one in which nothing stands in the way of sharing; `one_by_one` for the
    modes that share without overlapping, `locked` and `sequential`.
    """
    shared = {(SessionMode.SHARED, state): warm if state is PoolState.WARM else opening for state in PoolState}
    apart = {
        (mode, state): one_by_one
        for mode in (SessionMode.LOCKED, SessionMode.SEQUENTIAL)
        for state in _DEFAULT_POOL_STATES[mode]
        if one_by_one is not None
    }
    return shared | apart
