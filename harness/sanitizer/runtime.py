"""The sanitizer while it is at work: who runs now, and what the hooks call.

Problem: hooks stand in the hottest places of asyncio and SQLAlchemy, they are called from several threads and event
loops, and nothing that goes wrong in them may change what the watched program does.

Mechanism: one `Runtime` for the process, because what it instruments is the process's: asyncio's and SQLAlchemy's
classes. Hooks ask it for the actor that runs now, and tell it of accesses and of releases and acquisitions. A release
and an acquisition cost next to nothing as long as no actor has accessed anything (`clocks.live` is empty).

Guarantee: an error of the sanitizer's own is caught here, noted in `problems`, and turns the sanitizer off. Only
`SessionRaceError` leaves, and only if somebody asked for it.
"""

import asyncio
import inspect
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar
from weakref import ref

from harness.errors import SessionRaceError
from harness.evidence import RaceKind
from harness.sanitizer.actors import (
    AnonymousCallbacks,
    CallbackActor,
    Local,
    TaskActor,
    ThreadActor,
    completion,
    registration,
)
from harness.sanitizer.clocks import EMPTY, Actor, Clock, Clocks
from harness.sanitizer.ownership import AccessKind, Conflict, Shadow, Use
from harness.sanitizer.places import Sampler, capture, capture_foreign

__all__ = ["Listener", "Runtime", "runtime"]
__tracebackhide__ = True  # pytest shows the program's frames, not these

_current_task = asyncio.current_task
_NO_STACK: Any = ()

Found = TypeVar("Found")
Token = Any
"""What `enter` gives for `leave`: a shadow whose owner the actor is, a shadow and an access to it, or `None`."""


class Listener(Protocol):
    """Who is told of conflicts: a watch."""

    def report(self, conflict: Conflict) -> SessionRaceError | None:
        """Take note; returns the error to raise at the second access, if this watch asks for that."""
        ...

    def failed(self, problem: str) -> None:
        """The sanitizer has failed, and has stepped aside."""
        ...


class Runtime:
    """What the hooks work with. `active` is false while nothing is watched, and after an error of its own."""

    def __init__(self) -> None:
        self.clocks = Clocks()
        self.active = False
        self.generation = 0
        self.listeners: tuple[Listener, ...] = ()
        self.problems: list[str] = []
        self.limits: set[str] = set()
        self.blind_loops: set[Any] = set()
        self.local = Local()
        self.sampler = Sampler()
        self.attribute: Callable[[], Any] | None = None
        self.names: dict[str, int] = {}

    # -- life ---------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Nothing that was remembered before counts any more."""
        self.generation += 1
        self.clocks.forget()
        self.problems.clear()
        self.limits.clear()
        self.blind_loops.clear()
        self.names.clear()
        self.active = True

    def end(self) -> None:
        """Watch no more."""
        self.active = False
        self.clocks.forget()

    def fail(self, error: BaseException, where: str) -> None:
        """Step aside: an error of the sanitizer's own; those that follow from stepping aside are none."""
        if not self.active:
            return
        self.active = False
        self.clocks.forget()
        trace = "".join(traceback.format_exception(error)).strip()
        self.problems.append(f"the sanitizer failed in {where} and watched no further: {trace}")
        for listener in self.listeners:
            with suppress(Exception):  # what it says, or does not, must not reach the program either
                listener.failed(self.problems[-1])

    # -- actors -------------------------------------------------------------------------------------------------

    def current(self) -> Actor:
        """Who runs now."""
        try:
            task: Any = _current_task()
        except RuntimeError:
            return self._thread()
        if task is None:
            return self._callback()
        try:
            actor: Actor = task._sessionproof  # noqa: SLF001  # the slot of a tracked task, or the attribute of another
        except AttributeError:
            return self.adopt(task)
        return actor

    def actor_of(self, task: Any) -> Actor:
        """The actor of a task."""
        actor: Actor | None = getattr(task, "_sessionproof", None)
        return self.adopt(task) if actor is None else actor

    def adopt(self, task: Any) -> Actor:
        """Make the actor of a task that was not created under the sanitizer's eyes, or by another factory."""
        loop = task.get_loop()
        current = asyncio._get_running_loop()  # noqa: SLF001  # public in effect: documented for implementers
        parent = self.local.creating
        if parent is None and current is not None and asyncio.current_task() is not task:
            parent = self.current()
        actor = TaskActor(task, parent, self.clocks.moment())
        actor.opaque = True
        actor.loop = loop
        self._note_limits(actor, task)
        if self.local.creating is not None:
            self.clocks.acquire(actor, self.clocks.release(self.local.creating))
        task._sessionproof = actor  # noqa: SLF001  # tasks have a dictionary
        return actor

    def _note_limits(self, actor: TaskActor, task: Any) -> None:
        """What cannot be seen of a task of another class, or in a loop that offers no place to look."""
        if getattr(actor.loop.create_future(), "_sessionproof", None) is None:
            actor.blind = True
            self.blind_loops.add(actor.loop)
            _inherit(actor, task)
            self.limits.add(
                f"the event loop {_class_of(actor.loop)} shows nothing of what orders its tasks: only operations that "
                "overlap are found in it, and transactions that cover another's work, even if a future handed it over"
            )
        elif task.__class__ is not asyncio.Task:
            self.limits.add(
                f"tasks of {_class_of(task)} tell nobody what they did: it is compared only as long as they live"
            )

    def _thread(self) -> Actor:
        local = self.local
        if local.thread is None:
            thread = vars(threading.current_thread())
            local.thread = thread["_sessionproof_actor"] = ThreadActor(clock=thread.get("_sessionproof", EMPTY))
        return local.thread

    def _callback(self) -> Actor:
        local = self.local
        return local.callback if local.callback is not None else self._anonymous()

    def _anonymous(self) -> "AnonymousCallbacks":
        local = self.local
        if local.anonymous is None:
            local.anonymous = AnonymousCallbacks(name="a callback of the event loop")
        local.anonymous.loop = asyncio._get_running_loop()  # noqa: SLF001  # as above
        local.anonymous.blind = local.anonymous.loop in self.blind_loops
        return local.anonymous

    # -- order --------------------------------------------------------------------------------------------------

    def release(self) -> Clock:
        """What the current actor has seen and done so far."""
        if self.local.quiet:
            return EMPTY
        try:
            return self.clocks.release(self.current())
        except Exception as failure:  # noqa: BLE001  # whatever it is, it must not reach the program
            self.fail(failure, "a release")
            return EMPTY

    def acquire(self, clock: Clock) -> None:
        """Whatever was released with that clock happened before what the current actor does from now on."""
        if clock and not self.local.quiet and not self.local.deaf:
            try:
                actor = self.current()
                if actor.__class__ is not AnonymousCallbacks:
                    self.clocks.acquire(actor, clock)
            except Exception as failure:  # noqa: BLE001  # as above
                self.fail(failure, "an acquisition")

    def registers(self) -> None:
        """The current actor asks for callbacks by sockets, signals or notifications: they come after that."""
        try:
            clock = self.release()
            if clock:
                anonymous = self._anonymous()
                self.clocks.acquire(anonymous, clock)
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "the registration of a callback")

    def joined(self, ours: Clock, theirs: Clock) -> Clock:
        """The least clock that is not before either."""
        try:
            return self.clocks.join(ours, theirs)
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "a join")
            return EMPTY

    def done_by(self, future: Any) -> Clock:
        """What whoever completed a future or task had seen and done by then; empty if nobody saw that."""
        try:
            return completion(future)
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "a completion")
            return EMPTY

    def wakes(self, task: Any) -> None:
        """The current actor lets a task go on."""
        if self.local.quiet:
            return
        try:
            actor = self.current()
            clock = actor.clock
            if clock:
                target = self.actor_of(task)
                if target is not actor:
                    actor.released = True
                    self.clocks.acquire(target, clock)
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "a task's going on")

    def scheduled(self, loop: Any, callback: Callable[..., Any], args: tuple[Any, ...]) -> Callable[..., Any]:
        """A callback was handed to an event loop: what it will run as, which knows what its creator knows."""
        if self.local.quiet or callback.__class__ is CallbackActor:
            return callback
        try:
            return self._carried(loop, callback, args)
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "the scheduling of a callback")
            return callback

    def _carried(self, loop: Any, callback: Callable[..., Any], args: tuple[Any, ...]) -> Callable[..., Any]:
        if loop.get_debug() and not _is_plain(callback):
            return callback  # which the loop is going to refuse
        actor = self.current()
        clock = actor.clock
        if args and isinstance(args[0], asyncio.Future):
            clock = self.clocks.join(clock, completion(args[0]))
            clock = self.clocks.join(clock, registration(args[0], callback))
        actor.released = True
        carried = CallbackActor(callback, clock, actor, self.local)
        carried.loop = loop
        carried.born = self.clocks.moment()
        return carried

    # -- accesses -----------------------------------------------------------------------------------------------

    def enter(  # noqa: C901, PLR0911  # the hottest function of all: a call costs more than a line
        self, shadow: Shadow, kind: AccessKind, operation: str, *, cleans_up: bool = False
    ) -> Token:
        """An access begins; `None` if it is part of another one, or if nothing is watched.

        One that cleans up always goes on, and so does what belongs to it: their findings are told, and not raised.

        Raises:
            SessionRaceError: The access may not be, and a watch asks for that.
        """
        if not self.active:
            return None
        try:
            try:
                actor: Actor = _current_task()._sessionproof  # type: ignore[union-attr]  # noqa: SLF001  # see `current`
            except (AttributeError, RuntimeError):
                actor = self.current()
            use: Use | None = actor.use
            if use is not None and shadow.is_covered and actor.used is not shadow:
                return None
            if shadow.owner is actor:
                if shadow.pending is not None:
                    return None
            elif shadow.flying and shadow.is_used_by(actor):
                return None
            if use is None:
                clocks = self.clocks
                clocks.moments += 1
                who = None if self.attribute is None else self.attribute()
                sampler, stack = self.sampler, _NO_STACK
                if sampler.all or sampler.takes():
                    stack = capture(1) or actor.origin() or capture_foreign(1)
                use = (kind, operation, stack, who, clocks.moments)
                actor.use, actor.used, actor.cleans_up = use, shadow, cleans_up
            if shadow.owner is actor and actor.loop is shadow.loop and not actor.holdings and not actor.inherited:
                shadow.pending = use
                return shadow
            access, found = shadow.begin(actor, use)
            token = shadow if access is None else (shadow, access)
            if not found:
                return token
            error = self.tell(found)
        except Exception as failure:  # noqa: BLE001  # whatever it is, it must not reach the program
            self.fail(failure, operation)
            return None
        if error is not None and not cleans_up and not actor.cleans_up:
            self.leave(token)
            raise error
        return token

    def leave(self, token: Token) -> None:
        """An access ends."""
        try:
            if token.__class__ is Shadow:
                shadow: Shadow = token
                access = None
                actor = shadow.owner
                if actor is None or shadow.pending is None:  # somebody else has used it meanwhile
                    actor = self.current()
                    access = shadow.flying_of(actor)
            else:
                shadow, access = token
                actor = access.actor
            if actor.released or not actor.time:
                self.clocks.tick(actor)
            if access is not None:
                shadow.end(access)
            else:
                shadow.end_alone(actor)
            if actor.used is shadow:
                actor.use = actor.used = actor.told = None
                actor.is_driven = actor.cleans_up = False
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "the end of an access")

    def tell(self, conflicts: list[Conflict]) -> SessionRaceError | None:
        """Tell the listeners; returns the error to raise, if one asks for it.

        Two operations of the application are told of once, on whatever objects below them they meet.
        """
        errors = []
        for conflict in conflicts:
            actor, pair = conflict.second.actor, (conflict.kind is RaceKind.BLEED, conflict.first.use)
            if actor.told is None:
                actor.told = []
            if pair not in actor.told:
                actor.told.append(pair)
                errors += [listener.report(conflict) for listener in self.listeners]
        return next((error for error in errors if error is not None), None)

    def shadow(self, shadow_of: Callable[[Any], Shadow], subject: Any) -> Shadow | None:
        """The shadow of an object; `None` if that cannot be had."""
        try:
            return shadow_of(subject)
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "the look-up of an object")
            return None

    def looked_up(self, look: Callable[[Any], Found], subject: Any, otherwise: Found) -> Found:
        """What is remembered of an object, by a function that may fail; if it does, what is given for that case."""
        try:
            return look(subject)
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "the look-up of an object")
            return otherwise

    def creates(self) -> None:
        """The current actor is about to create a task by a factory of its own."""
        self.local.creating = self.current()

    def follow(self, task: Any) -> None:
        """What a task has done at once happened before what its creator does next."""
        self.acquire(self.clocks.release(self.actor_of(task)))

    def note(self, tell: Callable[[], None], where: str) -> None:
        """Take note of something by a function that may fail."""
        try:
            tell()
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, where)

    def drives(self) -> None:
        """The access that the current actor has just begun has got to the driver."""
        try:
            self.current().is_driven = True
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "a driver's operation")

    # -- writes -------------------------------------------------------------------------------------------------

    def wrote(self, shadow: Shadow) -> None:
        """The access that the current actor has just begun changes something that the transaction's end decides about.

        What is written through a session counts there, and not for the connection below it.
        """
        try:
            actor = self.current()
            if actor.used is shadow:
                shadow.wrote(actor)
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "a write")

    def decided(self, shadow: Shadow, *, since: int = 0) -> SessionRaceError | None:
        """The current actor ends the transaction: what it covers of others' unfinished writes is told."""
        if not self.active or (shadow.written is None and not shadow.work):
            return None
        try:
            actor = self.current()
            found = shadow.decide(actor, since=since)
            error = self.tell(found) if found else None
        except Exception as failure:  # noqa: BLE001  # as above
            self.fail(failure, "the end of a transaction")
            return None
        return None if actor.cleans_up else error

    def number(self, name: str) -> str:
        """A name for the next object of its kind: `Session 3`."""
        self.names[name] = self.names.get(name, 0) + 1
        return f"{name} {self.names[name]}"


_adopted: ContextVar["ref[TaskActor] | None"] = ContextVar("sessionproof_actor", default=None)


def _inherit(actor: TaskActor, task: Any) -> None:
    """Where no loop tells who created a task: tasks inherit the context of whoever did."""
    if asyncio.current_task() is task:
        creator = _adopted.get()
        actor.parent = creator() if creator is not None else None
        _adopted.set(ref(actor))


def _class_of(instance: object) -> str:
    return f"{type(instance).__module__}.{type(instance).__qualname__}"


def _is_plain(callback: object) -> bool:
    """Whether an event loop may call it; a coroutine function it must not."""
    return callable(callback) and not inspect.iscoroutinefunction(callback)


runtime = Runtime()
"""The process's one sanitizer: what it instruments is the process's, too."""
