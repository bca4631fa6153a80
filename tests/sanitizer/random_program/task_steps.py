"""Steps: accesses, tasks, callbacks, threads."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from tests.sanitizer.happens_before import Access, Actor, Event
from tests.sanitizer.random_program.programs import Act, Acting, Running, Waiting

__all__ = [
    "JOINS",
    "Callback",
    "Cancel",
    "CloseGroup",
    "DoneCallback",
    "Flight",
    "Join",
    "JoinFirst",
    "OpenGroup",
    "Pause",
    "Poll",
    "Spawn",
    "Thread",
    "Touch",
]


@dataclass(frozen=True, slots=True)
class Touch:
    """Use the sessions of an access point: `stage`, `write`, `ask` or `decide`."""

    point: int
    kind: str

    def act(self, me: Acting) -> None:
        me.touch(self.point, self.kind)

    async def run(self, me: Running) -> None:
        self.act(me)


@dataclass(frozen=True, slots=True)
class Flight:
    """Use the sessions of an access point for some turns of the event loop."""

    point: int
    turns: int

    async def run(self, me: Running) -> None:
        access = Access(self.point, me.actor, me.log(f"begins to ask at {self.point}"))
        me.world.history.accesses.append(access)
        try:
            await me.until(me.world.sessions.fly(self.point, self.turns))
        finally:
            if not me.world.is_stopped:
                access.ended = me.log(f"has asked at {self.point}", me.cancellation if me.is_cancelled else ())


@dataclass(frozen=True, slots=True)
class Pause:
    """Let others run; this orders nobody."""

    turns: int

    async def run(self, me: Running) -> None:
        for _ in range(self.turns):
            await me.until(asyncio.sleep(0))


@dataclass(frozen=True, slots=True)
class Spawn:
    """Create a task by `create_task`, `ensure_future`, or in a `group`: the innermost task group, if there is one."""

    number: int
    how: str

    async def run(self, me: Running) -> None:
        coroutine = me.world.perform(self.number, me.actor, me.log(f"creates task {self.number}"))
        child = me.world.tasks[self.number]
        if self.how == "ensure_future":
            handle = asyncio.ensure_future(coroutine)
        elif self.how == "group" and me.groups:
            group, members = me.groups[-1]
            members.append(child)
            handle = group.create_task(coroutine)
        else:
            handle = asyncio.create_task(coroutine)
        me.world.handles[self.number] = handle
        if child.actor.last is not None:
            me.log(f"has begun task {self.number}", [child.actor.last])


@dataclass(frozen=True, slots=True)
class OpenGroup:
    """Enter a task group."""

    async def run(self, me: Running) -> None:
        me.groups.append((await asyncio.TaskGroup().__aenter__(), []))


@dataclass(frozen=True, slots=True)
class CloseGroup:
    """Leave the innermost task group, if there is one."""

    async def run(self, me: Running) -> None:
        if me.groups:
            await me.leave_group()


Handles = list[asyncio.Task[None]]


async def _await(handles: Handles) -> None:
    await handles[0]


async def _gather(handles: Handles) -> None:
    await asyncio.gather(*handles, return_exceptions=True)


async def _wait(handles: Handles) -> None:
    await asyncio.wait(handles)


async def _as_completed(handles: Handles) -> None:
    for each in asyncio.as_completed(handles):
        with suppress(asyncio.CancelledError):
            await each


async def _shield(handles: Handles) -> None:
    await asyncio.shield(handles[0])


async def _timeout(handles: Handles) -> None:
    async with asyncio.timeout(3600):
        await handles[0]


async def _wait_for(handles: Handles) -> None:
    await asyncio.wait_for(handles[0], 3600)


_JOINS = {
    "await": _await,
    "gather": _gather,
    "wait": _wait,
    "as_completed": _as_completed,
    "shield": _shield,
    "timeout": _timeout,
    "wait_for": _wait_for,
}
_OF_ALL = frozenset({"gather", "wait", "as_completed"})
_PASSES_CANCELLATION_ON = frozenset({"await", "gather", "timeout", "wait_for"})
JOINS = tuple(_JOINS)


@dataclass(frozen=True, slots=True)
class Join:
    """Wait for tasks that were created after this one, as far as they exist: all of them, or only the first one."""

    numbers: tuple[int, ...]
    how: str

    async def run(self, me: Running) -> None:
        numbers = [each for each in dict.fromkeys(self.numbers) if each > me.number and each in me.world.handles]
        if self.how not in _OF_ALL:
            numbers = numbers[:1]
        if not numbers:
            return
        joined = [me.world.tasks[each] for each in numbers]
        me.log(f"joins {numbers} by {self.how}")
        try:
            await me.until(_JOINS[self.how]([me.world.handles[each] for each in numbers]), self._waiting(joined))
        except asyncio.CancelledError:
            if me.is_cancelled:
                if not me.world.is_stopped and self.how in _PASSES_CANCELLATION_ON:
                    me.cancellation += [each.end_of for each in joined]
                raise
        me.world.is_stopped |= me.is_cancelled  # some of Python's own functions swallow a cancellation that comes late
        me.log(f"has joined {numbers}", [each.end_of for each in joined])

    def _waiting(self, joined: list[Running]) -> Waiting:
        def reaches(moment: Event, actor: Actor) -> None:
            for each in joined:
                each.is_cancelled_by(moment, actor)

        if self.how in _PASSES_CANCELLATION_ON:
            return Waiting(reaches)
        some_are_enough = self.how == "as_completed"
        return Waiting(is_over=lambda: some_are_enough or all(each.actor.ended is not None for each in joined))


@dataclass(frozen=True, slots=True)
class JoinFirst:
    """Wait until the first of some tasks is done."""

    numbers: tuple[int, ...]

    async def run(self, me: Running) -> None:
        handles = {me.world.handles[each]: me.world.tasks[each] for each in self.numbers if each in me.world.handles}
        handles = {handle: task for handle, task in handles.items() if task.number > me.number}
        if not handles:
            return
        me.log(f"waits for the first of {[each.number for each in handles.values()]}")
        waiting = Waiting(is_over=lambda: any(each.actor.ended is not None for each in handles.values()))
        done, _ = await me.until(asyncio.wait(handles, return_when=asyncio.FIRST_COMPLETED), waiting)
        first = [handles[handle] for handle in done]
        me.log(f"sees that {sorted(each.number for each in first)} are done", [each.end_of for each in first])


@dataclass(frozen=True, slots=True)
class Poll:
    """See whether a task is done."""

    number: int

    async def run(self, me: Running) -> None:
        handle = me.world.handles.get(self.number)
        if handle is not None and self.number != me.number and handle.done():
            me.log(f"sees that task {self.number} is done", [me.world.tasks[self.number].end_of])


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel a task, if it exists; not the first one, and not itself."""

    number: int

    async def run(self, me: Running) -> None:
        handle = me.world.handles.get(self.number)
        if handle is None or self.number in {0, me.number}:
            return
        moment = me.log(f"cancels task {self.number}")
        me.world.tasks[self.number].is_cancelled_by(moment, me.actor)
        handle.cancel()


@dataclass(frozen=True, slots=True)
class Callback:
    """Have the event loop call something back: by `call_soon`, `call_soon_threadsafe` or `call_later`."""

    acts: tuple[Act, ...]
    how: str

    async def run(self, me: Running) -> None:
        moment = me.log(f"schedules a callback by {self.how}")
        actor = me.world.history.create(f"callback {moment}", me.actor, moment)
        loop = asyncio.get_running_loop()
        act = partial(me.world.act, actor, self.acts)
        if self.how == "call_later":
            loop.call_later(0, act)
        elif self.how == "call_soon_threadsafe":
            loop.call_soon_threadsafe(act)
        else:
            loop.call_soon(act)


@dataclass(frozen=True, slots=True)
class DoneCallback:
    """Have something called back when a task is done."""

    acts: tuple[Act, ...]
    number: int

    async def run(self, me: Running) -> None:
        handle = me.world.handles.get(self.number)
        if handle is None:
            return
        moment = me.log(f"adds a callback to task {self.number}")
        task = me.world.tasks[self.number]

        def act(handle: object) -> None:
            if me.world.is_stopped:
                return
            ended = task.end_of
            parent, created = (me.actor, moment) if ended < moment else (task.actor, ended)
            actor = me.world.history.create(f"callback {moment}", parent, created)
            me.world.act(actor, self.acts, [moment, ended])

        handle.add_done_callback(act)


@dataclass(frozen=True, slots=True)
class Thread:
    """Have something done in a thread, and wait for it."""

    acts: tuple[Act, ...]

    async def run(self, me: Running) -> None:
        moment = me.log("hands work to a thread")
        actor = me.world.history.create(f"thread {moment}", me.actor, moment)
        work = asyncio.to_thread(me.world.act, actor, self.acts)
        await me.until(work, Waiting(is_over=lambda: True))
        me.log("has the thread's result", [] if actor.last is None else [actor.last])
