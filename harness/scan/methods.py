"""What the methods of libraries' objects do: sessions, factories, engines, pools, tasks, locks, context variables."""

from abc import ABC
from collections.abc import Callable, Mapping, Sequence

from harness.scan.calls import Entered
from harness.scan.counting import Round, Turn
from harness.scan.external import External_
from harness.scan.known import GIVES, LOADS, TAKES, nature_of
from harness.scan.state import RESULT, UNKNOWN_KEY
from harness.scan.trace import Nature, Spawn
from harness.scan.values import (
    UNKNOWN,
    Arguments,
    Constant,
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
    key_in,
)

__all__ = ["Methods"]

_ALIASES = frozenset({"sync_session", "sync_connection", "get_raw_connection", "get_transaction", "cursor"})
_Handler = Callable[["Methods", Thing, str, Arguments], Values]


class Methods(External_, ABC):
    """Knows what the methods of things do."""

    __slots__ = ()

    def call_method(self, method: Method, given: Arguments) -> Values:
        """What a method of a library's object gives."""
        handler = _HANDLERS.get(method.thing.kind)
        return handler(self, method.thing, method.name, given) if handler is not None else self._opaque(method, given)

    def call_thing(self, thing: Thing, given: Arguments) -> Values:
        """What calling an object gives: a factory gives a session."""
        if thing.kind is Kind.FACTORY:
            return (self._new_session(thing, given.place),)
        if thing.kind in {Kind.SCOPED, Kind.LOADED}:
            return (thing,)
        if thing.kind is Kind.GIVER:
            used = self._unknown_carried(given) and not self.is_made(thing)
            return self._unknown(External(name="something"), given) if used else self.given_by(thing, given)
        own = self.attribute(thing, "__call__", given.place) if thing.class_ is not None else UNKNOWN
        found = [self.call(each, given) for each in own if isinstance(each, FunctionValue)]
        if not found:
            return self._opaque(Method(thing=thing, name="__call__"), given)
        return joined(UNKNOWN, *found)

    def enter(self, value: Value, place: Place) -> Entered:
        """What `with` gives, and what it does at its end."""
        match value:
            case Pending(manager=True):
                return self.entered(value)
            case Pending():
                given = value.run()
                return self._all_entered(given, place) if not value.spans else Entered(given=given)
            case Thing(kind=Kind.SESSION):
                return self._enter_session(value, place)
            case Thing(kind=Kind.LOCK):
                return Entered(given=(value,), held=(value,))
            case Thing(kind=Kind.INSTANCE | Kind.OPAQUE):
                return self._enter_instance(value, place)
            case _:
                return Entered(given=(value,))

    def _all_entered(self, values: Values, place: Place) -> Entered:
        """What is entered when an awaitable gives a context manager, or is one."""
        sessions = [each for each in values if isinstance(each, Thing) and each.kind is Kind.SESSION]
        if not sessions:
            return Entered(given=values)
        entered = [self._enter_session(each, place) for each in sessions]
        return Entered(given=values, after=[event for each in entered for event in each.after])

    def _enter_session(self, thing: Thing, place: Place) -> Entered:
        start = len(self.trace.events)
        self.use(thing, "close", Nature.BOUNDARY, place)
        after = self.trace.events[start:]
        del self.trace.events[start:]
        return Entered(given=(thing,), after=after)

    def _enter_instance(self, thing: Thing, place: Place) -> Entered:
        if thing.data == "transaction":
            start = len(self.trace.events)
            self.use(thing.carried[0], "commit", Nature.BOUNDARY, place)  # type: ignore[arg-type]  # its session
            after = self.trace.events[start:]
            del self.trace.events[start:]
            return Entered(given=tuple(thing.carried[:1]), after=after)
        enter = [*self.attribute(thing, "__aenter__", place), *self.attribute(thing, "__enter__", place)]
        leave = [*self.attribute(thing, "__aexit__", place), *self.attribute(thing, "__exit__", place)]
        given = self.called(tuple(enter), Arguments(place=place))
        start, held = len(self.trace.events), self.held
        self.called(tuple(leave), Arguments(place=place))
        self.held = held  # what it releases is released at the end
        after = self.trace.events[start:]
        del self.trace.events[start:]
        return Entered(given=given or ((thing,) if not enter or thing.carried else UNKNOWN), after=after)

    def _new_session(self, factory: Thing, place: Place) -> Thing:
        words = "the session is opened here"
        thing = self.make(Kind.SESSION, Step(place=place, words=words), name="session")
        thing.synchronous = factory.synchronous
        return thing

    def _session(self, thing: Thing, name: str, given: Arguments) -> Values:
        if name in _ALIASES:
            return (self._part(thing, name),) if name == "cursor" else (thing,)
        nature = nature_of(name)
        if nature is None:
            return (thing,) if name == "execution_options" else UNKNOWN
        if name in {"begin", "begin_nested", "transaction"}:
            self.use(thing, name, nature, given.place)
            manager = self.make(Kind.OPAQUE, thing.made, name="transaction")
            manager.carried, manager.data = [thing], "transaction"
            return (manager,)
        if name in {"add", "add_all"}:
            self._belongs(thing, given)
        if thing.synchronous or nature is Nature.STAGING:
            self.use(thing, name, nature, given.place)
            return UNKNOWN
        work = lambda: self._operation(thing, name, nature, given)  # noqa: E731  # a coroutine
        return (Pending(label=f"{thing.name}.{name}", run=self.from_here(work), place=given.place),)

    def _belongs(self, session: Thing, given: Arguments) -> None:
        """What is added to a session loads lazily by it."""
        for each in self.inside(given.get(0)):
            if isinstance(each, Thing) and each.kind is Kind.INSTANCE:
                each.attributes["awaitable_attrs"] = (self.lazy(session, each.made),)

    def _operation(self, thing: Thing, name: str, nature: Nature, given: Arguments) -> Values:
        self.use(thing, name, nature, given.place)
        if name == "run_sync":
            inner = Arguments(positional=[(thing,), *given.positional[1:]], named=given.named, place=given.place)
            return self.called(given.get(0), inner)
        if name in LOADS and not thing.synchronous:
            return self.loaded(thing, given)
        return (thing,) if name == "connection" else UNKNOWN

    def _part(self, thing: Thing, name: str) -> Thing:
        """Something that works on the session, such as a cursor."""
        part = self.make(Kind.OPAQUE, thing.made, name=name)
        part.carried, part.synchronous = [thing], thing.synchronous
        return part

    def _factory(self, thing: Thing, name: str, given: Arguments) -> Values:
        if name == "begin":
            session = self._new_session(thing, given.place)
            return (self._begun(session, given.place),)
        return (self._new_session(thing, given.place),) if name == "__call__" else UNKNOWN

    def _begun(self, session: Thing, place: Place) -> Pending:
        def run() -> Values:
            self.use(session, "begin", Nature.BOUNDARY, place)
            return (session,)

        return Pending(label="begin", run=self.from_here(run), place=place)

    def _engine(self, thing: Thing, name: str, given: Arguments) -> Values:
        if name in {"connect", "raw_connection", "begin", "acquire", "connection", "getconn"}:
            session = self.make(
                Kind.SESSION, Step(place=given.place, words="the connection is opened here"), name="connection"
            )
            session.synchronous = thing.synchronous
            if name == "begin":
                return (self._begun(session, given.place),)
            return (session,)
        return (thing,) if name in {"execution_options", "sync_engine"} else UNKNOWN

    def _lock(self, thing: Thing, name: str, given: Arguments) -> Values:
        if name == "acquire":
            self.held = (*self.held, thing)
        elif name in {"wait", "wait_for", "notify", "notify_all"}:
            self.use(thing, name, Nature.TAKE if name.startswith("wait") else Nature.GIVE, given.place)
        elif name == "release" and thing in self.held:
            self.held = tuple(each for each in self.held if each is not thing)
        return (thing,) if name in {"acquire", "acquire_nowait"} and not given.positional else UNKNOWN

    def _signal(self, thing: Thing, name: str, given: Arguments) -> Values:
        if name in GIVES or thing.name == "Barrier":
            self.use(thing, name, Nature.GIVE, given.place)
        if name in TAKES:
            self.use(thing, name, Nature.TAKE, given.place)
        if name == "result":
            return joined(UNKNOWN, *thing.items)
        if name == "set_result":  # what is put into a queue goes to one taker each: nobody knows which
            thing.items = [given.get(0)]
        return (thing,) if name == "clone" else UNKNOWN

    def _variable_method(self, thing: Thing, name: str, given: Arguments) -> Values:
        if name == "set":
            self.trace.context[thing] = given.get(0)
            self.set_somewhere[thing] = joined(self.set_somewhere.get(thing, UNKNOWN), given.get(0))
            return UNKNOWN
        if name != "get":
            return UNKNOWN
        self.beginning.asked.add(thing)
        self.done += 1  # whoever reads it may get something another time
        if thing in self.trace.context:
            return self.trace.context[thing]
        if thing in self.set_around:
            return self.set_around[thing]
        return given.get(0) or thing.attributes.get("default") or thing.attributes.get("content", UNKNOWN)

    def _group(self, thing: Thing, name: str, given: Arguments) -> Values:
        place = given.place
        if name == "create_task":
            tasks = self.spawn(given.get(0, "coro"), Spawn.GROUP, place, group=id(thing))
        elif name in {"start_soon", "start"}:
            status = self.make(Kind.SIGNAL, Step(place=place, words="it is started here"))
            named: dict[str, Values] = {"task_status": (status,)} if name == "start" else {}
            rest = Arguments(positional=given.positional[1:], named=named, place=place)
            tasks = self.spawn((self.later(given.get(0), rest),), Spawn.GROUP, place, group=id(thing))
            if name == "start":
                thing.carried += tasks
                self.use(status, "start", Nature.TAKE, place)
                return UNKNOWN
        else:
            return UNKNOWN
        thing.carried += tasks
        return tasks

    def _loop(self, thing: Thing, name: str, given: Arguments) -> Values:
        place = given.place
        if name == "create_task":
            return self.spawn(given.get(0), Spawn.TASK, place)
        if name == "create_future":
            return (self.make(Kind.SIGNAL, Step(place=place, words="the future is made here")),)
        if name == "run_in_executor":
            rest = Arguments(positional=given.positional[2:], place=place)
            return self.spawn((self.later(given.get(1), rest),), Spawn.THREAD, place)
        return self.settle(given.get(0), place) if name in {"run", "run_until_complete"} else (thing,)

    def _executor(self, thing: Thing, name: str, given: Arguments) -> Values:
        place = given.place
        rest = Arguments(positional=given.positional[1:], named=given.named, place=place)
        if name == "submit":
            tasks = self.spawn((self.later(given.get(0), rest),), Spawn.THREAD, place)
        elif name == "map":
            rows = self.side_by_side(given.positional[1:])
            tasks = UNKNOWN
            for row in rows:
                inner = Arguments(positional=row, place=place)
                tasks = joined(tasks, self.spawn((self.later(given.get(0), inner),), Spawn.THREAD, place))
        else:
            return UNKNOWN
        thing.carried += tasks
        return tasks

    def _tasks(self, thing: Thing, name: str, given: Arguments) -> Values:
        if name == "add_task":
            rest = Arguments(positional=given.positional[1:], named=given.named, place=given.place)
            self.spawn((self.later(given.get(0), rest),), Spawn.BACKGROUND, given.place)
        return UNKNOWN if name != "result" else self.await_task(thing)

    def _task(self, thing: Thing, name: str, given: Arguments) -> Values:
        return self.await_task(thing) if name in {"result", "exception"} and not given.positional else UNKNOWN

    def _stack(self, _: Thing, name: str, given: Arguments) -> Values:
        if name not in {"enter_async_context", "enter_context"}:
            return UNKNOWN
        found: Values = UNKNOWN
        for value in given.get(0):
            entered = self.enter(value, given.place)
            self.after += entered.after
            found = joined(found, entered.given)
        return found

    def _sequence(self, thing: Thing, name: str, given: Arguments) -> Values:
        if name in {"append", "add", "put", "put_nowait", "appendleft", "extend", "update", "insert"}:
            thing.data = None
        if name in {"append", "add", "put", "put_nowait", "appendleft"}:
            thing.items = [*thing.items, given.get(0)][-24:]
        elif name in {"extend", "update"}:
            thing.items = [*thing.items, *self.elements(given.get(0))][-24:]
        elif name == "insert":
            thing.items = [*thing.items, given.get(1)][-24:]
        return (thing,) if name == "copy" else UNKNOWN

    def _mapping(self, thing: Thing, name: str, given: Arguments) -> Values:
        if name in {"get", "pop", "setdefault"}:
            return self._taken(thing, name, given)
        if name == "values":
            return (self.sequence(given.place, [*thing.attributes.values()]),)
        if name == "items":
            rows: list[Values] = [
                (self.sequence(given.place, [(Constant(value=key),), each]),) for key, each in thing.attributes.items()
            ]
            return (self.sequence(given.place, rows),)
        if name == "update":
            thing.attributes.update(given.named)
            for value in given.get(0):
                thing.attributes.update(value.attributes if isinstance(value, Thing) else {})
        return (thing,) if name == "copy" else UNKNOWN

    def _taken(self, thing: Thing, name: str, given: Arguments) -> Values:
        """What is under a key; it is gone after `pop`, and stays after `setdefault`."""
        key = self.constant(given.get(0))
        found = self.item(thing, key) or given.get(1)
        if (known := key_in(key)) is not None and name == "setdefault":
            thing.attributes[known] = found
        elif known is not None and name == "pop":
            thing.attributes.pop(known, None)
        return found

    def item(self, thing: Thing, key: object) -> Values:
        """What is in a mapping or a sequence under a key; with an unknown key, one of what is in it."""
        if isinstance(key, Turn) and self.round is not None:
            return self._by_turns(thing, key)
        key = None if isinstance(key, Round | Turn) else key
        if thing.kind is Kind.SEQUENCE:
            whole = isinstance(key, int) and -len(thing.items) <= key < len(thing.items)
            return thing.items[key] if whole and isinstance(key, int) else self._some_entry(thing.items)
        if (known := key_in(key)) is not None:
            return thing.attributes.get(known, UNKNOWN)
        if key is not None:
            return UNKNOWN
        here = self.unknown_key()
        if here in thing.attributes:
            return thing.attributes[here]
        made_in_rounds = [each for each in thing.attributes if each.startswith(UNKNOWN_KEY)]
        return UNKNOWN if made_in_rounds and self.round else self._some_entry([*thing.attributes.values()])

    def _by_turns(self, thing: Thing, number: Turn) -> Values:
        """What another round will get, too."""
        entries = thing.items if thing.kind is Kind.SEQUENCE else [*thing.attributes.values()]
        return entries[self.turn(number) % len(entries)] if entries else UNKNOWN

    def _some_entry(self, entries: Sequence[Values]) -> Values:
        """What is under a key that is not known: in a round of a loop the round's own; of several sessions none."""
        found = joined(UNKNOWN, *entries)
        things = [each for each in found if isinstance(each, Thing) and each.kind in {Kind.SESSION, Kind.INSTANCE}]
        if len(entries) > 1 and len(things) > 1 and self.round is not None:
            return entries[self.round % len(entries)]
        return UNKNOWN if sum(each.kind is Kind.SESSION for each in things) > 1 else found

    def _opaque(self, method: Method, given: Arguments) -> Values:
        thing = method.thing
        if "target" in thing.attributes:
            return self._thread_method(thing, method.name, given)
        if thing.data == "transaction":
            session = next(each for each in thing.carried if isinstance(each, Thing))
            ends = method.name in {"commit", "rollback", "start"}
            return self._session(session, method.name, given) if ends else (thing,)
        if thing.data == RESULT:
            return (thing,)
        if thing.synchronous:
            for each in thing.carried:
                if isinstance(each, Thing) and each.kind is Kind.SESSION:
                    self.use(each, method.name, Nature.AWAITED, given.place)
        made = self.make(Kind.OPAQUE, thing.made, name=method.name)
        made.synchronous = thing.synchronous
        made.carried = list(joined(tuple(thing.carried), tuple(self._unknown_carried(given))))
        return (made,) if made.carried else UNKNOWN

    def _thread_method(self, thing: Thing, name: str, given: Arguments) -> Values:
        if name == "start":
            thing.attributes["started"] = self.spawn(thing.attributes["target"], Spawn.THREAD, given.place)
        elif name == "join":
            for task in thing.attributes.get("started", UNKNOWN):
                self.settle((task,), given.place)
        return UNKNOWN

    def _unknown_carried(self, given: Arguments) -> list[Value]:
        return [
            each
            for each in self.inside(given.all())
            if isinstance(each, Pending) or (isinstance(each, Thing) and each.kind is Kind.SESSION)
        ]


_M = Methods
_HANDLERS: Mapping[Kind, _Handler] = {
    Kind.SESSION: _M._session,
    Kind.FACTORY: _M._factory,
    Kind.ENGINE: _M._engine,
    Kind.POOL: _M._engine,
    Kind.LOCK: _M._lock,
    Kind.VARIABLE: _M._variable_method,
    Kind.SIGNAL: _M._signal,
    Kind.TASK_GROUP: _M._group,
    Kind.LOOP: _M._loop,
    Kind.EXECUTOR: _M._executor,
    Kind.BACKGROUND: _M._tasks,
    Kind.TASK: _M._task,
    Kind.STACK: _M._stack,
    Kind.SEQUENCE: _M._sequence,
    Kind.MAPPING: _M._mapping,
}
