"""Programs, their tasks, and the world in which they run."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Future as ThreadFuture
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for_threads
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.sanitizer.happens_before import Access, Actor, Episode, Event, History
from tests.sanitizer.random_program.bounds import BARRIERS, WIDTH
from tests.sanitizer.random_program.sessions import Sessions
from tests.sanitizer.random_program.states import (
    MAKE_LOCK,
    MAKE_QUEUE,
    BarrierState,
    ConditionState,
    EventState,
    FutureState,
    QueueState,
    SignalState,
)

__all__ = ["Act", "Acting", "InlineExecutor", "Program", "Running", "Script", "Step", "Waiting", "World", "run"]


_HALTED = 12
"""A program that has told nothing for so many turns of its event loop has come to a halt."""


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
    cleanup: list[Act] = field(default_factory=list)


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
        self.futures = [FutureState() for _ in range(WIDTH)]
        self.events = [EventState() for _ in range(WIDTH)]
        self.queues = [QueueState(make()) for make in MAKE_QUEUE]
        self.locks = {name: make() for name, make in MAKE_LOCK.items()}
        self.condition = ConditionState()
        self.barriers = {parties: BarrierState(parties) for parties in BARRIERS}
        self.signal = SignalState()

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
