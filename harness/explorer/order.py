"""A fixed order of tool calls' steps, for defects that only one interleaving shows.

Problem: a row that one tool has written and not yet committed is lost when another tool rolls back just then. Tools
that set off together rarely do that, and often fail loudly instead.

Mechanism: the order names tool calls, one for each step. A step is a call into SQLAlchemy's asyncio API, the first one
together with all that the tool does before it. A call waits before each of its steps until it is next; when the step
has ended, the next one in the order may go. A call that has no step left in the order waits for the order's end, and
then all go on freely. The steps of a call that ends early are left out.

Guarantee: named steps never overlap, and every wait is outside the library. Nobody is held for longer than the timeout.
What is done to let them go stands within `unseen` (see `harness.explorer.barrier`): the program itself orders nobody.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from harness.evidence import Arrival
from harness.explorer.barrier import Unseen

__all__ = ["Order"]

TOGETHER = "together"
TIMEOUT = "timeout"


@dataclass(slots=True, kw_only=True)
class _Steps:
    ahead: deque[str]
    taking_part: frozenset[str]
    holder: str | None = None
    released: str = TOGETHER
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None

    def may_go(self, tool_call_id: str) -> bool:
        return not self.ahead or (self.holder is None and self.ahead[0] == tool_call_id)

    def wake(self) -> None:
        if not self.ahead and self.timer is not None:
            self.timer.cancel()
        waiting, self.waiting = self.waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def give_up(self) -> None:
        self.released = TIMEOUT
        self.ahead.clear()


class Order:
    """Orders of several turns; `timeout` in seconds from a turn's first wait."""

    def __init__(self, *, timeout: float, clock: Callable[[], float], unseen: Unseen = nullcontext) -> None:
        self._timeout = timeout
        self._clock = clock
        self._unseen = unseen
        self._turns: dict[str, _Steps] = {}
        self._arrivals: list[Arrival] = []

    def expect(self, turn: str, steps: Sequence[str]) -> None:
        """These tool calls of one turn take these steps, one after the other."""
        self._turns[turn] = _Steps(ahead=deque(steps), taking_part=frozenset(steps))

    async def start(self, turn: str | None, tool_call_id: str) -> None:
        """A tool begins: its first step, which ends with its first call into the library."""
        steps = self._steps(turn, tool_call_id)
        if steps is not None:
            at = self._clock()
            await self.enter(turn, tool_call_id)
            self._arrivals.append(Arrival(tool_call_id=tool_call_id, turn=turn, at=at, released=steps.released))

    async def enter(self, turn: str | None, tool_call_id: str) -> None:
        """A tool is about to call into the library; returns at once if the call belongs to a step that it is in."""
        steps = self._steps(turn, tool_call_id)
        if steps is None or steps.holder == tool_call_id:
            return
        loop = asyncio.get_running_loop()
        while not steps.may_go(tool_call_id):
            if steps.timer is None:
                with self._unseen():
                    steps.timer = loop.call_later(self._timeout, self._give_up, steps)
            future = loop.create_future()
            steps.waiting.append(future)
            await future
        if steps.ahead:
            steps.holder = tool_call_id

    def leave(self, turn: str | None, tool_call_id: str) -> None:
        """The call into the library has ended, and the step with it."""
        steps = self._steps(turn, tool_call_id)
        if steps is not None and steps.holder == tool_call_id:
            steps.holder = None
            if steps.ahead:
                steps.ahead.popleft()
            self._wake(steps)

    def end(self, turn: str | None, tool_call_id: str) -> None:
        """The tool has ended: its remaining steps will not come."""
        steps = self._steps(turn, tool_call_id)
        if steps is not None:
            if steps.holder == tool_call_id:
                steps.holder = None
            steps.ahead = deque(entry for entry in steps.ahead if entry != tool_call_id)
            self._wake(steps)

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """Which tools began, in the order of beginning."""
        return tuple(self._arrivals)

    def _wake(self, steps: _Steps) -> None:
        with self._unseen():
            steps.wake()

    def _give_up(self, steps: _Steps) -> None:
        steps.give_up()
        self._wake(steps)

    def _steps(self, turn: str | None, tool_call_id: str) -> _Steps | None:
        steps = self._turns.get(turn) if turn is not None else None
        return steps if steps is not None and tool_call_id in steps.taking_part else None
