"""Calls of what libraries give: sessions, tasks, locks, and the functions that hand things on.

Guarantee: a session that is given to something unknown, which is awaited, is used by it; nothing else is made up.
"""

from abc import ABC
from collections.abc import Callable, Mapping
from functools import partial

from harness.scan.iterators import ITERATORS, Iterators
from harness.scan.known import is_synchronous, key_of, kind_of, short
from harness.scan.trace import Child, Nature, Spawn
from harness.scan.values import (
    UNKNOWN,
    Arguments,
    ClassValue,
    External,
    FunctionValue,
    Kind,
    Method,
    Pending,
    Place,
    Step,
    Thing,
    Value,
    Values,
    joined,
)

__all__ = ["External_"]

_HOLDERS = frozenset({Kind.SEQUENCE, Kind.MAPPING})
_SAME_SECOND = frozenset({"cast", "assert_type"})
_Handler = Callable[["External_", External, Arguments], Values]


class External_(Iterators, ABC):  # noqa: N801  # a part of the interpreter, beside the value of that name
    """Knows what libraries do."""

    __slots__ = ()

    def call_external(self, callee: External, given: Arguments) -> Values:
        """What a function or class of a library gives."""
        key = key_of(callee.name)
        handler = _HANDLERS.get(key)
        if handler is not None:
            return handler(self, callee, given)
        kind = kind_of(callee.name)
        if kind is not None and (made := self._made(kind, callee, given)):
            return made
        return self._unknown(callee, given)

    def _made(self, kind: Kind, callee: External, given: Arguments) -> Values:
        name = short(callee.name)
        thing = self.make(kind, Step(place=given.place, words=f"`{name}` is made here"), name=name)
        thing.synchronous = is_synchronous(callee.name)
        thing.carried = [*given.get(0, "bind")] if kind in {Kind.SESSION, Kind.FACTORY} else []
        if kind is Kind.SCOPED and not self._by_task(given):
            thing.kind = Kind.SESSION
        if kind is Kind.FACTORY:
            classes = [each.name for each in given.get(2, "class_") if isinstance(each, External)]
            thing.synchronous = is_synchronous(classes[0]) if classes else thing.synchronous
        if kind is Kind.DEPENDS:
            thing.attributes["dependency"] = given.get(0, "dependency")
            thing.data = "each" if self.constant(given.get(9, "use_cache")) is False else None
        if name == "create_memory_object_stream":
            return (self.sequence(given.place, [(thing,), (thing,)]),)
        return (thing,)

    def _by_task(self, given: Arguments) -> bool:
        """Whether a scoped session is one for each task, or each thread."""
        scopes = given.get(1, "scopefunc")
        names = [key_of(each.name) for each in scopes if isinstance(each, External)]
        return not scopes or any(name[1] in {"current_task", "get_current_task", "get_ident"} for name in names)

    def _unknown(self, callee: External, given: Arguments) -> Values:
        name = short(callee.name)
        carried = [each for each in self.inside(given.all()) if _matters(each)]
        made = Step(place=given.place, words=f"`{name}` gets it here")
        for each in carried:
            if isinstance(each, Thing) and each.kind is Kind.SESSION and each.synchronous and name[:1].islower():
                self.use(each, name, Nature.AWAITED, given.place)
            elif isinstance(each, Thing) and each.kind is Kind.TASK:
                each.data.escaped = True
        thing = self.make(Kind.OPAQUE, made, name=name)
        thing.carried = carried
        thing.data = callee.name
        return (thing,)

    def inside(self, values: Values) -> Values:
        """The values, and those in lists and mappings among them."""
        holders = [each for each in values if isinstance(each, Thing) and each.kind in _HOLDERS]
        if not holders:
            return values
        return (*values, *(inner for each in holders for inner in joined(*each.items, *each.attributes.values())))

    def spawn(self, values: Values, spawn: Spawn, place: Place, *, group: int = 0) -> Values:
        """Start coroutines as tasks; what is a task already stays one."""
        found: list[Value] = []
        for value in values:
            if isinstance(value, Thing) and value.kind is Kind.TASK:
                found.append(value)
            elif isinstance(value, Pending | Thing | FunctionValue):
                work = partial(self.settle, (value,), place)
                found.append(self.task(_label(value), work, spawn, place, group))
        return tuple(found)

    def task(self, label: str, work: Callable[[], Values], spawn: Spawn, place: Place, group: int = 0) -> Thing:
        """Start something, and return the task."""
        given: list[Values] = []
        child = self.start(label, spawn, place, lambda: given.append(work()), group=group)
        thing = self.make(Kind.TASK, Step(place=place, words="the task is started here"), name=label)
        thing.data = child
        thing.items = given[:1]
        return thing

    def await_task(self, thing: Thing) -> Values:
        """Await a task."""
        if isinstance(thing.data, Child):
            self.join(thing.data)
        for each in thing.carried:
            if isinstance(each, Thing) and each.kind is Kind.TASK:
                self.await_task(each)
        return thing.items[0] if thing.items else UNKNOWN

    def called(self, callees: Values, given: Arguments) -> Values:
        """Call whatever may be called, and await what it gives."""
        return joined(*[self.settle(self.call(callee, given), given.place) for callee in callees])

    def later(self, callees: Values, given: Arguments, label: str = "") -> Pending:
        """A call that is carried out when it is awaited, or started."""
        name = label or next((_label(each) for each in callees), "a function")
        return Pending(label=name, run=self.from_here(lambda: self.called(callees, given)), place=given.place)

    # the handlers of single functions

    def _gather(self, _: External, given: Arguments) -> Values:
        group = self.next_serial()
        tasks: list[Value] = []
        values = [self.inside(each) for each in given.positional]
        for each in values:
            tasks += self.spawn(each, Spawn.GATHER, given.place, group=group)
        thing = self.make(Kind.TASK, Step(place=given.place, words="all are started here"), name="gather")
        thing.carried = tasks
        results = [each.items[0] if isinstance(each, Thing) and each.items else UNKNOWN for each in tasks]
        thing.items = [(self.sequence(given.place, results),)]
        return (thing,)

    def _create_task(self, _: External, given: Arguments) -> Values:
        return self.spawn(given.get(0, "coro"), Spawn.TASK, given.place)

    def _same(self, callee: External, given: Arguments) -> Values:
        position = 1 if short(callee.name) in _SAME_SECOND else 0
        found = given.get(position)
        if position == 0 and not found and len(given.named) == 1:
            return next(iter(given.named.values()))
        return found

    def _to_thread(self, _: External, given: Arguments) -> Values:
        rest = Arguments(positional=given.positional[1:], named=given.named, place=given.place)
        return (self.later(given.get(0), rest),)

    def _run(self, _: External, given: Arguments) -> Values:
        rest = Arguments(positional=given.positional[1:], place=given.place)
        found: Values = UNKNOWN
        for value in given.get(0):
            if isinstance(value, FunctionValue | Method):
                value_given = self.call(value, rest)
                found = joined(found, self.settle(value_given, given.place))
            else:
                found = joined(found, self.settle((value,), given.place))
        return found

    def _thread(self, _: External, given: Arguments) -> Values:
        elements = self.elements(given.get(3, "args"))
        inner = Arguments(positional=elements, place=given.place)
        pending = self.later(given.get(1, "target"), inner)
        thing = self.make(Kind.OPAQUE, Step(place=given.place, words="the thread is made here"), name="Thread")
        thing.attributes["target"] = (pending,)
        thing.carried = [pending]
        return (thing,)

    def _background(self, _: External, given: Arguments) -> Values:
        rest = Arguments(positional=given.positional[1:], named=given.named, place=given.place)
        return self.spawn((self.later(given.get(0), rest),), Spawn.BACKGROUND, given.place)

    def _partial(self, _: External, given: Arguments) -> Values:
        found: list[Value] = []
        for callee in given.get(0):
            rest = Arguments(positional=given.positional[1:], named=given.named, place=given.place)
            if isinstance(callee, FunctionValue):
                found.append(self._partially(callee, rest))
            else:
                found.append(callee)
        return tuple(found)

    def _partially(self, function: FunctionValue, given: Arguments) -> FunctionValue:
        return FunctionValue(
            node=function.node,
            name=function.name,
            environment=function.environment,
            class_=function.class_,
            first=[*function.first, *given.positional],
            named={**function.named, **given.named},
            defaults=function.defaults,
            bound=function.bound,
            manager=function.manager,
            plain=function.plain,
        )

    def _variable(self, _: External, given: Arguments) -> Values:
        thing = self.make(Kind.VARIABLE, Step(place=given.place, words="the context variable is made here"))
        thing.attributes["default"] = given.get(9, "default")
        name = self.constant(given.get(0, "name"))
        thing.name = name if isinstance(name, str) else "a context variable"
        return (thing,)

    def _getattr(self, _: External, given: Arguments) -> Values:
        name = self.constant(given.get(1))
        if not isinstance(name, str):
            return UNKNOWN
        return joined(UNKNOWN, *(self.attribute(value, name, given.place) for value in given.get(0)))

    def _replace(self, _: External, given: Arguments) -> Values:
        found: list[Value] = []
        for value in given.get(0):
            if isinstance(value, Thing):
                self.fill_all(value)
                copy = self.make(value.kind, Step(place=given.place, words="it is copied here"), name=value.name)
                copy.class_, copy.data, copy.fields = value.class_, value.data, value.fields
                copy.symbolic = value.symbolic
                copy.attributes = {**value.attributes, **given.named}
                found.append(copy)
        return tuple(found)

    def fill_all(self, thing: Thing) -> None:
        """Look at every field, so that a copy has the same things inside."""
        if thing.class_ is not None:
            for name in self.project.fields(thing.class_):
                self.attribute(thing, name, thing.made.place)

    def _connect(self, callee: External, given: Arguments) -> Values:
        """A new connection, when it is awaited."""
        made = Step(place=given.place, words="the connection is opened here")

        blocking = key_of(callee.name) == ("psycopg", "connect") and ".AsyncConnection." not in callee.name

        def run() -> Values:
            thing = self.make(Kind.SESSION, made, name="connection")
            thing.synchronous = blocking
            return (thing,)

        if blocking:
            return run()
        return (Pending(label="connect", run=self.from_here(run), place=given.place),)

    def _session_of(self, _: External, given: Arguments) -> Values:
        """The session that an object was loaded by."""
        lazy = [self.attribute(each, "awaitable_attrs", given.place) for each in given.get(0)]
        found = [each for values in lazy for each in values if isinstance(each, Thing) and each.kind is Kind.LAZY]
        return joined(UNKNOWN, *(tuple(each.carried) for each in found))

    def _sequential(self, _: External, given: Arguments) -> Values:
        thing = self.make(Kind.GUARD, Step(place=given.place, words="how tools run is set here"))
        thing.data = self.constant(given.get(0, "mode")) == "sequential"
        return (thing,)

    def _semaphore(self, _: External, given: Arguments) -> Values:
        """One that lets in one at a time is a lock."""
        count = self.constant(given.get(0, "value"))
        kind = Kind.LOCK if count in {1, None} and len(given.get(0, "value")) < 2 else Kind.OPAQUE  # noqa: PLR2004  # several
        return (self.make(kind, Step(place=given.place, words="the semaphore is made here")),)

    def _dict(self, _: External, given: Arguments) -> Values:
        thing = self.make(Kind.MAPPING, Step(place=given.place, words="it is put together here"))
        for value in given.get(0):
            if isinstance(value, Thing):
                thing.attributes.update(value.attributes)
        thing.attributes.update(given.named)
        return (thing,)


def _matters(value: Value) -> bool:
    if isinstance(value, Pending):
        return True
    return isinstance(value, Thing) and (value.kind in {Kind.SESSION, Kind.TASK} or bool(value.carried))


def _label(value: Value) -> str:
    match value:
        case Pending(label=label):
            return label
        case FunctionValue(name=name) | Thing(name=name):
            return name
        case ClassValue(class_=class_):
            return class_.node.name
        case Method(name=name):
            return name
        case _:
            return "something"


_C = External_
_HANDLERS: Mapping[tuple[str, str], _Handler] = {
    **ITERATORS,
    ("asyncio", "gather"): _C._gather,
    ("asyncio", "wait"): _C._gather,
    ("asyncio", "as_completed"): _C._gather,
    ("asyncio", "create_task"): _C._create_task,
    ("asyncio", "ensure_future"): _C._create_task,
    ("asyncio", "run_coroutine_threadsafe"): _C._create_task,
    ("asyncio", "shield"): _C._same,
    ("asyncio", "wait_for"): _C._same,
    ("asyncio", "to_thread"): _C._to_thread,
    ("asyncio", "run"): _C._run,
    ("asyncio", "Semaphore"): _C._semaphore,
    ("asyncio", "BoundedSemaphore"): _C._semaphore,
    ("anyio", "Semaphore"): _C._semaphore,
    ("threading", "Semaphore"): _C._semaphore,
    ("anyio", "run"): _C._run,
    ("anyio", "run_sync"): _C._to_thread,
    ("starlette", "run_in_threadpool"): _C._to_thread,
    ("fastapi", "run_in_threadpool"): _C._to_thread,
    ("starlette", "BackgroundTask"): _C._background,
    ("threading", "Thread"): _C._thread,
    ("functools", "partial"): _C._partial,
    ("contextvars", "ContextVar"): _C._variable,
    ("contextlib", "nullcontext"): _C._same,
    ("contextlib", "aclosing"): _C._same,
    ("contextlib", "closing"): _C._same,
    ("typing", "cast"): _C._same,
    ("typing", "assert_type"): _C._same,
    ("types", "MappingProxyType"): _C._same,
    ("copy", "copy"): _C._replace,
    ("dataclasses", "replace"): _C._replace,
    ("builtins", "getattr"): _C._getattr,
    ("builtins", "dict"): _C._dict,
    ("sqlalchemy", "object_session"): _C._session_of,
    ("sqlalchemy", "async_object_session"): _C._session_of,
    ("asyncpg", "connect"): _C._connect,
    ("psycopg", "connect"): _C._connect,
    ("pydantic_ai", "parallel_execution_mode"): _C._sequential,
    ("pydantic_ai", "parallel_tool_call_execution_mode"): _C._sequential,
}
