"""Control over when tools meet in the database, by construction and not by luck.

Problem: an interleaving that shows a defect must come in every run, and a proof of its absence is none if
the tools never met.

Mechanism: two means, both only for calls that were announced by `expect`. The barrier holds each call of
a round before it enters SQLAlchemy for the first time, until all calls of the round are there. The
latency makes its first statement take longer in the database itself.

Guarantee: the same plan gives the same interleaving up to the first answer of the database. Nobody is
held for longer than the timeout. After the block nothing is left behind. The gate is outside the library,
so what it shows can happen to an application that awaits something just there.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from itertools import groupby
from types import TracebackType
from typing import Protocol, Self

from sqlalchemy.ext.asyncio import AsyncEngine

from harness.evidence import Arrival, PlannedCall, Record
from harness.explorer.barrier import Barrier, Unseen
from harness.explorer.entrances import Entrances
from harness.explorer.latency import Latency
from harness.explorer.order import Order
from harness.explorer.tool_starts import ToolStarts

__all__ = ["Caller", "Gate"]


class Caller(Protocol):
    """On whose behalf something runs; `harness.observe.attribution.attributed` gives it."""

    @property
    def turn(self) -> str | None:
        """The turn."""
        ...

    @property
    def tool_call_id(self) -> str | None:
        """The tool call."""
        ...


class Gate:
    """Holds and delays planned tool calls, as an async context manager.

    Enter it before the recorders: SQLAlchemy calls listeners in their order, and the delay is to come first.

    `caller` is asked in the task that enters. `barrier` is off for backends that run their tools one by
    one: those would wait for each other. `timeout` in seconds. `unseen`: see `harness.explorer.barrier`.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        caller: Callable[[], Caller],
        barrier: bool = True,
        timeout: float = 5.0,
        clock: Callable[[], float] = time.perf_counter,
        unseen: Unseen = nullcontext,
    ) -> None:
        self._caller = caller
        self._barrier = Barrier(timeout=timeout, clock=clock, unseen=unseen) if barrier else None
        self._order = Order(timeout=timeout, clock=clock, unseen=unseen)
        self._entrances = Entrances(self._entrance)
        self._tool_starts = ToolStarts(self._start)
        self._latency = Latency(engine.sync_engine, caller=self._key)

    async def __aenter__(self) -> Self:
        if self._barrier is not None:
            self._entrances.open()
            self._tool_starts.open()
        self._latency.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._latency.close()
        self._tool_starts.close()
        self._entrances.close()

    def expect(self, turn: str, planned: Sequence[PlannedCall], *, steps: Sequence[str] = ()) -> None:
        """Announce a turn's calls in the order in which they are to go; those of a round go together.

        With `steps` (see `harness.explorer.order`) they do not: the calls named there go step by step.
        """
        for call in planned:
            self._latency.expect(turn, call.tool_call_id, call.database_seconds)
        if self._barrier is not None and steps:
            self._order.expect(turn, steps)
        elif self._barrier is not None:
            rounds = groupby(sorted(planned, key=lambda call: call.round), key=lambda call: call.round)
            for _, calls in rounds:
                self._barrier.expect(turn, [call.tool_call_id for call in calls])

    def leave(self, tool_call_id: str) -> None:
        """A tool call of the caller's turn has ended, or is not run at all: nobody needs to wait for it."""
        turn = self._caller().turn
        if self._barrier is not None and turn is not None:
            self._barrier.leave(turn, tool_call_id)
            self._order.end(turn, tool_call_id)

    @property
    def record(self) -> Record[Arrival]:
        """Who arrived, in the order of going on; absent if the barrier is off."""
        if self._barrier is None:
            return Record.absent("arrivals", "the barrier is off in this session mode")
        return Record.of("arrivals", (*self._barrier.arrivals, *self._order.arrivals))

    @asynccontextmanager
    async def _entrance(self) -> AsyncIterator[None]:
        turn, tool_call_id = self._key()
        if self._barrier is None or turn is None or tool_call_id is None:
            yield
            return
        await self._barrier.arrive(turn, tool_call_id)
        await self._order.enter(turn, tool_call_id)
        try:
            yield
        finally:
            self._order.leave(turn, tool_call_id)

    async def _start(self, tool_call_id: str) -> None:
        await self._order.start(self._caller().turn, tool_call_id)

    def _key(self) -> tuple[str | None, str | None]:
        caller = self._caller()
        return caller.turn, caller.tool_call_id
