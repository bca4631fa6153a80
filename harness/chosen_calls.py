"""What a model that decides by itself has decided: the tool calls of each turn, and its requests.

Problem: a scripted model's calls are planned before the turn, so that tools can be held until all of a round are there,
take as long as they are to, and be told apart afterwards; a real model's are known when it has answered.

Mechanism: `ChosenCalls` listens to the model (`harness.providers.choosing`). When a response with tool calls has come,
and before the agent runs them, they are planned: as a round of their own, in the model's order. The role of a tool is
the one that the tenant names it for. Calls that the agent refuses are taken out again.

Guarantee: the planned calls of a turn are those that its agent ran. Each request is recorded with its turn, its time,
the tool that made it if one did, and its error if it failed; one that nobody waits for any more has no end.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

from pydantic_ai.messages import ModelResponse

from harness.backend import Tenant
from harness.evidence import ModelRequestSeen, PlannedCall, Record
from harness.observe.attribution import attributed, current_turn
from harness.observe.error_log import qualified_name
from harness.scenario import INTENDED_FAILURES, ToolRole

__all__ = ["UNKNOWN_ROLE", "ChosenCalls"]

UNKNOWN_ROLE = "chosen"
"""The role of a tool that the tenant names for none."""

_NEVER_THE_ROLE = INTENDED_FAILURES | {ToolRole.RETRY}
"""The roles that a tool plays by the arguments that a script gives it."""


Planned = Callable[[str, Sequence[PlannedCall]], object]
"""Is given a turn, and the calls of a round."""


def _unheard(*_: object) -> None:
    """Nobody wants to know."""


@dataclass(slots=True, kw_only=True)
class _Choice:
    """One turn."""

    tenant: Tenant
    seconds: float
    calls: list[PlannedCall] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    rounds: int = 0
    responses: int = 0


@dataclass(slots=True, kw_only=True)
class ChosenCalls:
    """Listens to one model; `tell` says who is told of what it decides."""

    clock: Callable[[], float] = perf_counter
    _planned: Planned = _unheard
    _leave: Callable[[str], object] = _unheard
    _turns: dict[str, _Choice] = field(default_factory=dict)
    _requests: list[ModelRequestSeen] = field(default_factory=list)

    def tell(self, *, planned: Planned, leave: Callable[[str], object]) -> None:
        """From now on `planned` is told of each round before the agent runs it, and `leave` of each refused call."""
        self._planned, self._leave = planned, leave

    def expect(self, turn: str, tenant: Tenant, *, seconds: float) -> None:
        """In this turn the model chooses among the tenant's tools; each takes `seconds` longer in the database."""
        self._turns[turn] = _Choice(tenant=tenant, seconds=seconds)

    def begin(self) -> int:
        """A request begins."""
        who = attributed()
        self._requests.append(ModelRequestSeen(turn=who.turn, start=self.clock(), tool_call_id=who.tool_call_id))
        return len(self._requests) - 1

    def end(self, number: int, *, response: ModelResponse | None = None, error: BaseException | None = None) -> None:
        """A request has ended; what it chose is planned."""
        self._requests[number] = replace(
            self._requests[number],
            end=self.clock(),
            error_type=qualified_name(type(error)) if error is not None else None,
            status=getattr(error, "status_code", None),
        )
        choice = self._turns.get(current_turn.get() or "")
        if response is not None and choice is not None:
            choice.responses += 1
            self._plan(choice, response)

    def refuse(self, tool_call_id: str) -> None:
        """The agent does not run a call of the current turn."""
        choice = self._turns.get(current_turn.get() or "")
        if choice is not None:
            choice.refused.add(tool_call_id)
            self._leave(tool_call_id)

    def calls(self, turn: str) -> tuple[PlannedCall, ...]:
        """What the model called in the turn, but for what was refused."""
        choice = self._turns[turn]
        return tuple(call for call in choice.calls if call.tool_call_id not in choice.refused)

    def refused(self, turn: str) -> tuple[str, ...]:
        """The ids of its calls that were refused, in their order."""
        choice = self._turns[turn]
        return tuple(call.tool_call_id for call in choice.calls if call.tool_call_id in choice.refused)

    def responses(self, turn: str) -> int:
        """How many responses it gave."""
        return self._turns[turn].responses

    @property
    def record(self) -> Record[ModelRequestSeen]:
        """Every request."""
        return Record.of("requests", self._requests)

    def _plan(self, choice: _Choice, response: ModelResponse) -> None:
        calls = [
            PlannedCall(
                tool_call_id=part.tool_call_id,
                tool=part.tool_name,
                role=_role(choice.tenant, part.tool_name),
                round=choice.rounds,
                database_seconds=choice.seconds,
                may_fail=True,
            )
            for part in response.tool_calls
        ]
        if calls:
            choice.rounds += 1
            choice.calls += calls
            turn = current_turn.get()
            if turn is not None:
                self._planned(turn, calls)


def _role(tenant: Tenant, tool: str) -> str:
    roles: defaultdict[str, list[ToolRole]] = defaultdict(list)
    for role, use in tenant.tools.items():
        roles[use.tool].append(role)
    ordinary = [role for role in roles[tool] if role not in _NEVER_THE_ROLE]
    return next(iter(ordinary or roles[tool]), UNKNOWN_ROLE)
