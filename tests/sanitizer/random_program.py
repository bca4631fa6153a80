"""Programs that a generator can write: tasks with scripts of steps, which run for real on asyncio.

Problem: a generated program must use sessions, tasks and primitives as they are, tell what it did, and never hang.

Mechanism: a step does the real thing, and tells a `History` of it: what happened, and which events caused that. A
program that comes to a halt is stopped, and so is one whose next events would have causes that cannot be told, because
a task was woken and cancelled in the same moment, or was still to be cancelled by its group when it began to wait: what
was executed until then counts. A program in which something crashes raises what crashed.

Guarantee: no database, no time and no chance; the history is told in the order in which things happened.
"""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for_threads
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from sqlalchemy import event, text
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, ORMExecuteState, Session, mapped_column
from sqlalchemy.util import await_only, greenlet_spawn

from tests.sanitizer.happens_before import Access, Actor, Episode, Event, History

__all__ = [
    "BARRIERS",
    "CALLBACKS",
    "IS_EAGER_POSSIBLE",
    "JOINS",
    "LOCKS",
    "POINTS",
    "QUEUES",
    "WIDTH",
    "Act",
    "Barriers",
    "Callback",
    "Cancel",
    "CloseGroup",
    "Conditions",
    "DoneCallback",
    "Events",
    "Flight",
    "FutureCallback",
    "Futures",
    "Join",
    "JoinFirst",
    "Locks",
    "OpenGroup",
    "Pause",
    "Poll",
    "Program",
    "Queues",
    "Script",
    "Sessions",
    "Signals",
    "Spawn",
    "Step",
    "Thread",
    "Touch",
    "run",
]

POINTS = 9
"""At most so many access points has a program."""

_HALTED = 12
"""A program that has told nothing for so many turns of its event loop has come to a halt."""

WIDTH = 3
"""So many futures and events has a program."""

QUEUES = 3
"""It has a queue of any size, one of size one, and one that is last in, first out."""

LOCKS = ("lock", "semaphore of one", "bounded semaphore of one", "semaphore of two")
"""Its locks and semaphores."""

BARRIERS = (2, 3)
"""The parties of its barriers."""

CALLBACKS = ("call_soon", "call_soon_threadsafe", "call_later")
"""How something is called back."""

IS_EAGER_POSSIBLE = sys.version_info >= (3, 12)
"""Whether tasks can begin at once."""


# -- sessions ---------------------------------------------------------------------------------------------------------


class Base(DeclarativeBase):
    """The mapped classes."""


class Note(Base):
    """Something to add to a session."""

    __tablename__ = "random_notes"

    id: Mapped[int] = mapped_column(primary_key=True)


class UnboundSession(Session):
    """A session without a database, whose statements do what the option `within` says, and return nothing."""


@event.listens_for(UnboundSession, "do_orm_execute")
def _execute(state: ORMExecuteState) -> IteratorResult[Any]:
    within = state.execution_options.get("within")
    if within is not None:
        within()
    return IteratorResult(SimpleResultMetaData(["nothing"]), iter([]))


_STATEMENT = text("SELECT")

_OPERATIONS: dict[str, Callable[[Session], object]] = {
    "stage": lambda session: session.expire_all(),
    "write": lambda session: session.add(Note()),
    "ask": lambda session: session.execute(_STATEMENT),
    "decide": lambda session: session.rollback(),
}


class Sessions:
    """The sessions of a program: one for each pair of access points, used at both; or one for all."""

    def __init__(self, points: int, *, one_for_all: bool) -> None:
        self.point: int | None = None
        self.first = UnboundSession()
        if one_for_all:
            self._of = [[UnboundSession()]] * points
            return
        self._of = [[] for _ in range(points)]
        for one in range(points):
            for other in range(one):
                session = UnboundSession()
                self._of[one].append(session)
                self._of[other].append(session)

    def touch(self, point: int, kind: str) -> None:
        """An operation that is over at once."""
        self.point = point
        for session in self._of[point]:
            _OPERATIONS[kind](session)
        self.point = None

    async def fly(self, point: int, turns: int) -> None:
        """An operation that is in flight for some turns of the event loop."""
        await greenlet_spawn(self._fly, point, turns)

    def _fly(self, point: int, turns: int) -> None:
        sessions = iter(self._of[point])

        def within() -> None:
            session = next(sessions, None)
            if session is not None:
                session.execute(_STATEMENT, execution_options={"within": within})
                return
            self.point = None
            for _ in range(turns):
                await_only(asyncio.sleep(0))

        self.point = point
        within()


# -- programs ---------------------------------------------------------------------------------------------------------


class Step(Protocol):
    """One thing that a task does."""

    async def run(self, me: "Running") -> None:
        """Do it, and tell of it."""


class Act(Step, Protocol):
    """One thing that a callback or a thread can do, too."""

    def act(self, me: "Acting") -> None:
        """Do it, and tell of it."""


@dataclass(slots=True)
class Script:
    """What one task does; and the accesses that it makes when it was cancelled."""

    number: int
    steps: list[Step] = field(default_factory=list)
    cleanup: "list[Touch]" = field(default_factory=list)


@dataclass(slots=True)
class Program:
    """The scripts of its tasks, the first one's first, and the number of access points in them."""

    scripts: list[Script] = field(default_factory=lambda: [Script(0)])
    points: int = 0
    is_eager: bool = False

    def __str__(self) -> str:
        lines = ["eager tasks"] if self.is_eager else []
        for script in self.scripts:
            lines.append(f"task {script.number}:")
            lines += [f"    {step}" for step in script.steps]
            lines += [f"    when cancelled: {step}" for step in script.cleanup]
        return "\n".join(lines)


@dataclass(eq=False, slots=True)
class Waiting:
    """What a task waits for: whom else its cancellation reaches, and whether the wait is over already."""

    reaches: Callable[[Event, Actor], None] = lambda event, actor: None
    is_over: Callable[[], bool] = lambda: False


class Acting:
    """An actor that runs: a callback, a piece of work in a thread, or a task."""

    def __init__(self, world: "World", actor: Actor) -> None:
        self.world = world
        self.actor = actor

    def log(self, what: str, causes: Iterable[Event] = ()) -> Event:
        """Tell of one thing that it does now; a program that is stopped goes no further."""
        if self.world.is_stopped:
            raise asyncio.CancelledError
        return self.world.history.log(self.actor, what, causes)

    def touch(self, point: int, kind: str) -> None:
        """Access sessions."""
        moment = self.log(f"{kind} at {point}")
        self.world.sessions.touch(point, kind)
        stages = kind in {"stage", "write"}
        access = Access(point, self.actor, moment, stages, kind == "write", kind == "decide", moment)
        self.world.history.accesses.append(access)

    def end(self) -> None:
        """It does nothing more."""
        if not self.world.is_stopped:
            self.actor.ended = self.log("ends")


class Running(Acting):
    """A task that runs."""

    def __init__(self, world: "World", actor: Actor, script: Script) -> None:
        super().__init__(world, actor)
        self.number = script.number
        self.coroutine = self.perform(script)
        self.cancellation: list[Event] = []
        self.waiting = Waiting()
        self.held: dict[str, tuple[Any, Episode | None]] = {}
        self.groups: list[tuple[asyncio.TaskGroup, list[Running]]] = []

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody wants this task to end."""
        task = asyncio.current_task()
        return task is not None and task.cancelling() > 0

    @property
    def end_of(self) -> Event:
        """The event of its end; nobody has told of that if it was cancelled before it began."""
        if self.actor.ended is None:
            self.actor.ended = self.log("never begins", self.cancellation)
        return self.actor.ended

    def is_cancelled_by(self, moment: Event, actor: Actor) -> None:
        """Somebody, or what somebody else has begun by cancelling, cancels it, if it is not done."""
        if inspect.getcoroutinestate(self.coroutine) != inspect.CORO_CLOSED:
            self.cancellation.append(moment)
            self.waiting.reaches(moment, actor)

    async def until(self, awaitable: Awaitable[Any], waiting: Waiting | None = None) -> Any:
        """Wait for it, such that others know what this task waits for."""
        self.waiting = waiting or Waiting()
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self.is_cancelled and self.waiting.is_over():
                self.world.is_stopped = True
            raise
        finally:
            self.waiting = Waiting()

    def hold(self, mutex: str, primitive: Any, *, is_mutex: bool) -> None:
        """It has acquired a lock or a semaphore; in a program that is stopped, others need it in order to end."""
        self.held[mutex] = (primitive, None)
        if self.world.is_stopped:
            self.let_go(mutex)
        moment = self.log(f"has acquired {mutex}")
        if is_mutex:
            episode = Episode(mutex, moment)
            self.held[mutex] = (primitive, episode)
            self.actor.episodes.append(episode)

    def let_go(self, mutex: str) -> None:
        """It releases what it has acquired."""
        primitive, episode = self.held.pop(mutex)
        if episode is not None and not self.world.is_stopped:
            episode.until = self.log(f"releases {mutex}")
        primitive.release()

    def let_all_go(self) -> None:
        """It releases all that it has acquired."""
        for mutex in list(self.held):
            self.let_go(mutex)

    async def leave_group(self, error: BaseException | None = None) -> None:
        """Wait for the tasks of the innermost group; when there is an error, they are cancelled."""
        group, members = self.groups.pop()

        def reaches(moment: Event, actor: Actor) -> None:  # it is this task that cancels its group
            for member in members:
                for cause in (moment, self.actor.last or 0):
                    member.is_cancelled_by(cause, self.actor)

        if error is not None and not self.world.is_stopped:
            reaches(self.log("cancels its group"), self.actor)
        try:
            await self.until(group.__aexit__(type(error) if error else None, error, None), Waiting(reaches))
        finally:
            if not self.world.is_stopped:
                ends = [member.end_of for member in members]
                self.log("has left its group", [*ends, *self.cancellation])

    async def perform(self, script: Script) -> None:
        """Do what the script says."""
        try:
            try:
                self.log("begins")
                for step in script.steps:
                    await step.run(self)
                while self.groups:
                    await self.leave_group()
            except asyncio.CancelledError as error:
                await self._clean_up(script, error)
                raise
        finally:
            self.let_all_go()
            self.end()

    async def _clean_up(self, script: Script, error: BaseException) -> None:
        if not self.world.is_stopped:
            self.log("is cancelled", self.cancellation)
        while self.groups:
            try:
                await self.leave_group(error)
            except asyncio.CancelledError:
                continue
        if not self.world.is_stopped:
            for step in script.cleanup:
                step.act(self)


class InlineExecutor(ThreadPoolExecutor):
    """Threads whose work is done before the event loop goes on, so that nothing depends on how fast they are."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> ThreadFuture[Any]:
        """Have it done."""
        future = super().submit(fn, *args, **kwargs)
        wait_for_threads([future])
        return future


class World:
    """A program that runs."""

    def __init__(self, program: Program, sessions: Sessions) -> None:
        self.program = program
        self.sessions = sessions
        self.history = History()
        self.is_stopped = False
        self.crashes: list[BaseException] = []
        self.tasks: dict[int, Running] = {}
        self.handles: dict[int, asyncio.Task[None]] = {}
        self.futures = [_Future() for _ in range(WIDTH)]
        self.events = [_Event() for _ in range(WIDTH)]
        self.queues = [_Queue(make()) for make in _MAKE_QUEUE]
        self.locks = {name: make() for name, make in _MAKE_LOCK.items()}
        self.condition = _Condition()
        self.barriers = {parties: _Barrier(parties) for parties in BARRIERS}
        self.signal = _Signal()

    def perform(self, number: int, parent: Actor | None, moment: Event) -> Coroutine[Any, Any, None]:
        """The coroutine of a task that is created at that event."""
        actor = self.history.create(f"task {number}", parent, moment)
        self.tasks[number] = running = Running(self, actor, self.program.scripts[number])
        return running.coroutine

    def act(self, actor: Actor, acts: Iterable[Act], causes: Iterable[Event] = ()) -> None:
        """Run a callback, or a piece of work in a thread."""
        acting = Acting(self, actor)
        try:
            acting.log("begins", causes)
            for each in acts:
                each.act(acting)
            acting.end()
        except asyncio.CancelledError:
            pass

    async def drive(self) -> None:
        """Run the program to its end, or until it comes to a halt or is stopped.

        Callbacks that were scheduled before anything was accessed are one anonymous actor, so something is.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._note_crash)
        self.sessions.first.rollback()
        loop.set_default_executor(InlineExecutor(max_workers=1))
        if self.program.is_eager:
            loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined, unused-ignore]  # since 3.12
        self.handles[0] = asyncio.create_task(self.perform(0, None, -1))
        told, turns = 0, 0
        while turns < _HALTED and not self.is_stopped:
            await asyncio.sleep(0)
            turns = turns + 1 if len(self.history.causes) == told else 0
            told = len(self.history.causes)
        self.is_stopped = True
        await self._end()

    async def _end(self) -> None:
        """Cancel what is left; whoever waits for a condition ends only when it has got back in.

        What crashed did not do what it told of, so nothing can be said of the program.
        """
        for running in self.tasks.values():
            running.let_all_go()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            _, pending = await asyncio.wait(tasks, timeout=10)
            assert not pending, "the program did not end"
        crashes = [handle.exception() for handle in self.handles.values() if not handle.cancelled()]
        for crash in (*crashes, *self.crashes):
            if crash is not None:
                raise crash

    def _note_crash(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.crashes.append(context.get("exception", RuntimeError(context["message"])))


def run(program: Program, sessions: Sessions) -> History:
    """Run a program in an event loop of its own; returns what happened."""

    async def main() -> History:
        world = World(program, sessions)
        await world.drive()
        return world.history

    return asyncio.run(main())


# -- steps: accesses, tasks, callbacks, threads ----------------------------------------------------------------------


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


# -- steps: primitives -----------------------------------------------------------------------------------------------


class _Future:
    def __init__(self) -> None:
        self.real: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.completed: Event | None = None
        self.by: Actor | None = None

    def complete(self, moment: Event, actor: Actor) -> None:
        if self.completed is None:
            self.completed, self.by = moment, actor

    def causes(self) -> list[Event]:
        """What completed it, if that has happened."""
        return [] if self.completed is None else [self.completed]

    def is_untold(self) -> bool:
        """Whether it was cancelled by way of a task that had not yet waited for it when that was told of.

        Only then is the future asked: asking it would order this after who completed it.
        """
        return self.completed is None and self.real.done()


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


class _Event:
    def __init__(self) -> None:
        self.real = asyncio.Event()
        self.sets: list[Event] = []


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


class _Queue:
    def __init__(self, real: "asyncio.Queue[object]") -> None:
        self.real = real
        self.items: dict[object, Event] = {}
        self.puts = 0
        self.gets: list[Event] = []
        self.done: list[Event] = []
        self.unfinished = 0


_MAKE_QUEUE: tuple[Callable[[], "asyncio.Queue[object]"], ...] = (
    asyncio.Queue,
    partial(asyncio.Queue, 1),
    asyncio.LifoQueue,
)


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

    def _put(self, me: Acting, queue: _Queue, item: object) -> None:
        queue.unfinished += 1
        size = queue.real.maxsize
        freed = queue.gets[queue.puts - size : queue.puts - size + 1] if size and queue.puts >= size else []
        queue.puts += 1
        queue.items[item] = me.log(f"has put into queue {self.which}", freed)

    def _got(self, me: Acting, queue: _Queue, item: object) -> None:
        queue.gets.append(me.log(f"has got from queue {self.which}", [queue.items[item]]))


_MAKE_LOCK: dict[str, Callable[[], Any]] = {
    "lock": asyncio.Lock,
    "semaphore of one": partial(asyncio.Semaphore, 1),
    "bounded semaphore of one": partial(asyncio.BoundedSemaphore, 1),
    "semaphore of two": partial(asyncio.Semaphore, 2),
}


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


class _Condition:
    def __init__(self) -> None:
        self.real = asyncio.Condition()
        self.notified: list[Event] = []


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

    def _waits(self, condition: _Condition) -> Coroutine[Any, Any, Any]:
        if self.what == "wait":
            return condition.real.wait()
        return condition.real.wait_for(lambda: condition.notified)

    async def _wait(self, me: Running, condition: _Condition) -> None:
        _, episode = me.held.pop("condition")
        assert episode is not None
        episode.until = me.log("waits for the condition")
        before = len(condition.notified)
        try:
            await me.until(self._waits(condition), Waiting(is_over=lambda: len(condition.notified) > before))
        finally:
            me.hold("condition", condition.real, is_mutex=True)
        me.log("has waited for the condition", condition.notified)


class _Barrier:
    def __init__(self, parties: int) -> None:
        self.real = asyncio.Barrier(parties)
        self.arrived: list[Event] = []
        self.inside = 0

    def is_filled(self) -> bool:
        return len(self.arrived) == self.real.parties


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


class _Signal:
    def __init__(self) -> None:
        self.real = asyncio.Semaphore(0)
        self.released: list[Event] = []


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
