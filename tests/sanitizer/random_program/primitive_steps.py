"""Steps: what asyncio's primitives do."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from tests.sanitizer.random_program.programs import Act, Acting, Running, Waiting
from tests.sanitizer.random_program.states import ConditionState, QueueState

__all__ = ["Barriers", "Conditions", "Events", "FutureCallback", "Futures", "Locks", "Queues", "Signals"]


@dataclass(frozen=True, slots=True)
class FutureCallback:
    """Have something called back when a future is done."""

    acts: tuple[Act, ...]
    which: int

    async def run(self, me: Running) -> None:
        future = me.world.futures[self.which]
        moment = me.log(f"adds a callback to future {self.which}")

        def act(real: object) -> None:
            me.world.is_stopped |= future.is_untold()
            if me.world.is_stopped or future.completed is None:
                return
            completed, by = future.completed, future.by
            parent, created = (me.actor, moment) if completed < moment else (by, completed)
            actor = me.world.history.create(f"callback {moment}", parent, created)
            me.world.act(actor, self.acts, [moment, completed])

        future.real.add_done_callback(act)


@dataclass(frozen=True, slots=True)
class Futures:
    """A future: `set` it, `await` it, or see whether it is `done`."""

    which: int
    what: str

    def act(self, me: Acting) -> None:
        future = me.world.futures[self.which]
        me.world.is_stopped |= future.is_untold()
        if self.what == "set" and future.completed is None:
            future.complete(me.log(f"sets future {self.which}"), me.actor)
            future.real.set_result(None)
        elif self.what == "done" and future.real.done():
            me.log(f"sees that future {self.which} is done", future.causes())

    async def run(self, me: Running) -> None:
        if self.what != "await":
            self.act(me)
            return
        future = me.world.futures[self.which]
        me.log(f"awaits future {self.which}")

        def is_over() -> bool:
            return future.completed not in {None, *me.cancellation}

        try:
            await me.until(future.real, Waiting(future.complete, is_over))
        except asyncio.CancelledError:
            if me.is_cancelled:
                raise
        me.world.is_stopped |= future.is_untold()
        me.log(f"has awaited future {self.which}", future.causes())


@dataclass(frozen=True, slots=True)
class Events:
    """An event: `set`, `wait`, `is_set` or `clear`."""

    which: int
    what: str

    def act(self, me: Acting) -> None:
        happening = me.world.events[self.which]
        if self.what == "set":
            moment = me.log(f"sets event {self.which}")
            if not happening.real._value:  # type: ignore[attr-defined]  # asking it would order this after who set it
                happening.sets.append(moment)
            happening.real.set()
        elif self.what == "clear":
            me.log(f"clears event {self.which}")
            happening.real.clear()
        elif self.what == "is_set" and happening.real.is_set():
            me.log(f"sees that event {self.which} is set", happening.sets[-1:])

    async def run(self, me: Running) -> None:
        if self.what != "wait":
            self.act(me)
            return
        happening = me.world.events[self.which]
        me.log(f"waits for event {self.which}")
        before = len(happening.sets)
        await me.until(happening.real.wait(), Waiting(is_over=lambda: len(happening.sets) > before))
        me.log(f"has waited for event {self.which}", [*happening.sets[before : before + 1], *happening.sets[-1:]])


@dataclass(frozen=True, slots=True)
class Queues:
    """A queue, see `QUEUES`: `put` and `get`, each also `_nowait`; `task_done` and `join`."""

    which: int
    what: str

    def act(self, me: Acting) -> None:
        queue = me.world.queues[self.which]
        if self.what.startswith("put") and not queue.real.full():
            item = object()
            queue.real.put_nowait(item)
            self._put(me, queue, item)
        elif self.what.startswith("get") and not queue.real.empty():
            self._got(me, queue, queue.real.get_nowait())
        elif self.what == "task_done" and queue.unfinished:
            queue.unfinished -= 1
            queue.done.append(me.log(f"has done an item of queue {self.which}"))
            queue.real.task_done()

    async def run(self, me: Running) -> None:
        queue = me.world.queues[self.which]
        if self.what == "put":
            item = object()
            me.log(f"puts into queue {self.which}")
            await me.until(queue.real.put(item))
            self._put(me, queue, item)
        elif self.what == "get":
            me.log(f"gets from queue {self.which}")
            self._got(me, queue, await me.until(queue.real.get()))
        elif self.what == "join":
            me.log(f"joins queue {self.which}")
            await me.until(queue.real.join(), Waiting(is_over=lambda: not queue.unfinished))
            me.log(f"has joined queue {self.which}", queue.done)
        else:
            self.act(me)

    def _put(self, me: Acting, queue: QueueState, item: object) -> None:
        queue.unfinished += 1
        size = queue.real.maxsize
        freed = queue.gets[queue.puts - size : queue.puts - size + 1] if size and queue.puts >= size else []
        queue.puts += 1
        queue.items[item] = me.log(f"has put into queue {self.which}", freed)

    def _got(self, me: Acting, queue: QueueState, item: object) -> None:
        queue.gets.append(me.log(f"has got from queue {self.which}", [queue.items[item]]))


@dataclass(frozen=True, slots=True)
class Locks:
    """A lock or a semaphore: `acquire`, or `release` what was acquired."""

    kind: str
    what: str

    async def run(self, me: Running) -> None:
        if self.what == "release":
            if self.kind in me.held:
                me.let_go(self.kind)
        elif self.kind not in me.held:
            primitive = me.world.locks[self.kind]
            await me.until(primitive.acquire())
            me.hold(self.kind, primitive, is_mutex=self.kind != "semaphore of two")


@dataclass(frozen=True, slots=True)
class Conditions:
    """A condition: `enter`, `leave`; and within it, `notify`, `wait`, and `wait_for` that somebody has notified."""

    what: str

    async def run(self, me: Running) -> None:
        condition = me.world.condition
        if self.what == "leave":
            if "condition" in me.held:
                me.let_go("condition")
            return
        if "condition" not in me.held:
            await me.until(condition.real.__aenter__())
            me.hold("condition", condition.real, is_mutex=True)
            me.log("has entered the condition", condition.notified)
        if self.what == "notify":
            condition.notified.append(me.log("notifies the condition"))
            condition.real.notify_all()
        elif self.what == "wait" or (self.what == "wait_for" and not condition.notified):
            await self._wait(me, condition)

    def _waits(self, condition: ConditionState) -> Coroutine[Any, Any, Any]:
        if self.what == "wait":
            return condition.real.wait()
        return condition.real.wait_for(lambda: condition.notified)

    async def _wait(self, me: Running, condition: ConditionState) -> None:
        _, episode = me.held.pop("condition")
        assert episode is not None
        episode.until = me.log("waits for the condition")
        before = len(condition.notified)
        try:
            await me.until(self._waits(condition), Waiting(is_over=lambda: len(condition.notified) > before))
        finally:
            me.hold("condition", condition.real, is_mutex=True)
        me.log("has waited for the condition", condition.notified)


@dataclass(frozen=True, slots=True)
class Barriers:
    """A barrier of some parties: `wait`, unless those who have passed it are still about to go on."""

    parties: int

    async def run(self, me: Running) -> None:
        barrier = me.world.barriers[self.parties]
        if barrier.is_filled():
            if barrier.inside:
                return
            barrier.arrived = []
        moment = me.log(f"arrives at the barrier of {self.parties}")
        arrived = barrier.arrived
        arrived.append(moment)
        barrier.inside += 1
        try:
            await me.until(barrier.real.wait(), Waiting(is_over=barrier.is_filled))
        except asyncio.CancelledError:
            arrived.remove(moment)
            raise
        finally:
            barrier.inside -= 1
        me.log(f"has passed the barrier of {self.parties}", arrived)


@dataclass(frozen=True, slots=True)
class Signals:
    """A semaphore that starts at zero: `release` is the signal, and `acquire` waits for one."""

    what: str

    def act(self, me: Acting) -> None:
        signal = me.world.signal
        signal.released.append(me.log("gives a signal"))
        signal.real.release()

    async def run(self, me: Running) -> None:
        signal = me.world.signal
        if self.what == "release":
            self.act(me)
            return
        me.log("waits for a signal")
        await me.until(signal.real.acquire())
        me.log("has a signal", signal.released)
