"""Tool calls of one round, held until all of them are there.

Problem: whether two tools meet in the database must not depend on which of them happened to be quicker.

Mechanism: a planned call that arrives waits until every other call of its round has arrived or has ended
without ever arriving. Then all go on in the order of the plan: the event loop runs woken tasks in the
order in which they were woken, so that each reaches its first wait inside the library before the next
begins.

Guarantee: the same plan gives the same order in every run. Nobody waits for longer than the timeout: then
the round is open, for those who wait and those who come later. What is done to let them go stands within
`unseen`, so that whoever watches what orders the tools can leave it out.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from harness.evidence import Arrival

__all__ = ["Barrier", "Unseen"]

Unseen = Callable[[], AbstractContextManager[object]]
"""Makes a context manager around what is not the program's own doing; nothing is awaited in it."""

TOGETHER = "together"
TIMEOUT = "timeout"


@dataclass(slots=True, kw_only=True)
class _Round:
    order: tuple[str, ...]
    missing: set[str]
    waiting: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None
    released: str | None = None

    def open(self, released: str) -> None:
        """Let everybody go on, in the order of the plan."""
        if self.released is not None:
            return
        self.released = released
        if self.timer is not None:
            self.timer.cancel()
        for tool_call_id in self.order:
            future = self.waiting.get(tool_call_id)
            if future is not None and not future.done():
                future.set_result(None)


class Barrier:
    """Rounds of tool calls; `timeout` in seconds from a round's first arrival."""

    def __init__(self, *, timeout: float, clock: Callable[[], float], unseen: Unseen = nullcontext) -> None:
        self._timeout = timeout
        self._clock = clock
        self._unseen = unseen
        self._rounds: dict[tuple[str, str], _Round] = {}
        self._arrivals: list[Arrival] = []

    def expect(self, turn: str, tool_call_ids: Sequence[str]) -> None:
        """These calls of one turn are made together, and go on in this order."""
        together = _Round(order=tuple(tool_call_ids), missing=set(tool_call_ids))
        self._rounds.update({(turn, tool_call_id): together for tool_call_id in tool_call_ids})

    async def arrive(self, turn: str, tool_call_id: str) -> None:
        """A call is about to enter; returns at once if it was not expected, or has arrived before."""
        round_ = self._rounds.get((turn, tool_call_id))
        if round_ is None or tool_call_id not in round_.missing:
            return
        round_.missing.discard(tool_call_id)
        at = self._clock()
        if round_.released is None:
            await self._wait(round_, tool_call_id)
        self._arrivals.append(
            Arrival(tool_call_id=tool_call_id, turn=turn, at=at, released=round_.released or TOGETHER)
        )

    def leave(self, turn: str, tool_call_id: str) -> None:
        """A call has ended; if it never arrived, nobody waits for it any more."""
        round_ = self._rounds.get((turn, tool_call_id))
        if round_ is not None and tool_call_id in round_.missing:
            round_.missing.discard(tool_call_id)
            if round_.waiting and not round_.missing:
                self._open(round_, TOGETHER)

    @property
    def arrivals(self) -> tuple[Arrival, ...]:
        """Who arrived and went on, in the order of going on."""
        return tuple(self._arrivals)

    async def _wait(self, round_: _Round, tool_call_id: str) -> None:
        """The last to come waits too, until the loop's next round: otherwise it would overtake the others."""
        loop = asyncio.get_running_loop()
        future = round_.waiting[tool_call_id] = loop.create_future()
        with self._unseen():
            if round_.timer is None:
                round_.timer = loop.call_later(self._timeout, self._open, round_, TIMEOUT)
            if not round_.missing:
                loop.call_soon(self._open, round_, TOGETHER)
        await future

    def _open(self, round_: _Round, released: str) -> None:
        with self._unseen():
            round_.open(released)
