"""Agents of Pydantic AI: which tools they have, and what their tools do in one run.

Mechanism: a run carries out each tool once, with the deps that the run was given, as tasks beside each other. Tools
that are `sequential` run by themselves, and so do all of an agent whose runs, or whose model, take them one by one. An
agent that is run nowhere in the project is run with deps of its `deps_type`.

Guarantee: hooks of the model and output functions are no tools: they do not run beside any.
"""

import ast
from abc import ABC
from collections.abc import Iterable, Iterator
from dataclasses import replace

from harness.scan.arms import NOWHERE, exclusive
from harness.scan.known import kind_of
from harness.scan.meetings import by_thing, meeting_of
from harness.scan.methods import Methods
from harness.scan.state import RESULT, Meeting, Participant, Run
from harness.scan.trace import Event, Nature, Spawn, under
from harness.scan.values import (
    UNKNOWN,
    Arguments,
    ClassValue,
    External,
    FunctionValue,
    Kind,
    Pending,
    Place,
    Step,
    Thing,
    Tool,
    Value,
    Values,
    joined,
)

__all__ = ["RUNS", "Agents"]

RUNS = frozenset({"run", "run_sync", "run_stream", "run_stream_sync", "run_stream_events", "iter"})
_REGISTER = frozenset({"tool", "tool_plain", "add_function"})
_TOOL_HOOKS = ("before_tool_execute", "wrap_tool_execute", "after_tool_execute", "on_tool_execute_error")
_MODEL_HOOKS = (
    "before_model_request",
    "wrap_model_request",
    "after_model_request",
    "on_model_request_error",
    "after_run",
)
_ENDS = frozenset({"commit", "rollback", "close", "aclose", "reset", "invalidate", "remove"})


class Agents(Methods, ABC):
    """Registers tools, and runs agents."""

    __slots__ = ()

    def make_agent(self, thing: Thing, given: Arguments) -> None:
        """Give a new agent or toolset the tools that it is made with."""
        self.agents.append(thing)
        thing.arms = self.arms
        thing.attributes.update(given.named)
        names = ("tools", "toolsets") if thing.kind is Kind.AGENT else ("tools", "toolsets", "wrapped")
        positional = UNKNOWN if thing.kind is Kind.AGENT else given.get(0)
        for values in (positional, *(given.named.get(name, UNKNOWN) for name in names if name != "toolsets")):
            thing.tools += self.tools_in(values, given.place)
        for value in self.inside(given.named.get("toolsets", UNKNOWN)):
            if isinstance(value, FunctionValue):
                thing.carried.append(value)
            else:
                thing.tools += self.tools_in((value,), given.place)
        settings = [each for each in given.named.get("model_settings", UNKNOWN) if isinstance(each, Thing)]
        one_by_one = [self.constant(each.attributes.get("parallel_tool_calls", UNKNOWN)) is False for each in settings]
        thing.data = bool(one_by_one) and all(one_by_one)
        if self.constant(given.named.get("sequential", UNKNOWN)) is True:
            thing.data = True

    def make_tool(self, thing: Thing, given: Arguments) -> None:
        """A `Tool(function, …)`."""
        thing.tools = list(self._tools_of(given.get(0, "function"), given, _context_told(self, given)))

    def tools_in(self, values: Values, place: Place) -> list[Tool]:
        """The tools of lists of functions, tools and toolsets."""
        found: list[Tool] = []
        for value in values:
            if isinstance(value, Thing) and value.kind is Kind.SEQUENCE:
                for each in list(value.items):
                    found += self.tools_in(each, place)
            elif isinstance(value, Thing) and value.kind in {Kind.TOOL, Kind.TOOLSET}:
                found += [replace(each, sequential=True) for each in value.tools] if value.data is True else value.tools
            else:
                found += self._tools_of((value,), Arguments(place=place), None)
        return found

    def register(self, thing: Thing, name: str, given: Arguments) -> Values:
        """`agent.tool` and the like: at once, or by a decorator that is returned."""
        takes = {"tool": True, "tool_plain": False}.get(name)
        functions = given.get(0, "func")
        if functions:
            told = takes if thing.kind is Kind.AGENT or name != "add_function" else _context_told(self, given)
            thing.tools += self._tools_of(functions, given, told)
            return functions
        decorator = self.make(Kind.OPAQUE, thing.made, name="decorator")
        decorator.data = (thing, name, given)
        return (decorator,)

    def agent_method(self, thing: Thing, name: str, given: Arguments) -> Values:
        """What a method of an agent or toolset gives."""
        if name in _REGISTER:
            return self.register(thing, name, given)
        if name == "add_tool":
            thing.tools += self.tools_in(given.get(0, "tool"), given.place)
        elif name == "parallel_tool_call_execution_mode":
            return self.call_external(External(name=f"pydantic_ai.{name}"), given)
        elif thing.kind is Kind.TOOLSET:
            return (thing,)
        elif name in RUNS:
            return self._run_later(thing, name, given)
        elif name == "toolset" and not given.get(0):
            decorator = self.make(Kind.OPAQUE, thing.made, name="decorator")
            decorator.data = (thing, name, given)
            return (decorator,)
        elif name == "toolset":
            thing.carried += given.get(0)
        return given.get(0) if isinstance(next(iter(given.get(0)), None), FunctionValue) else UNKNOWN

    def _run_later(self, thing: Thing, name: str, given: Arguments) -> Values:
        self.run.add(thing)
        if name in {"run_sync", "run_stream_sync"}:
            return self.run_agent(thing, given)
        spans = name == "run_stream_events"
        label = f"{thing.name}.{name}"
        run = self.from_here(lambda: self.run_agent(thing, given))
        return (Pending(label=label, run=run, place=given.place, spans=spans),)

    def run_agent(self, thing: Thing, given: Arguments) -> Values:
        """One run: all tools once, beside each other where they may be."""
        with self.under_arms(thing.arms):
            return self._run_of(thing, given)

    def _run_of(self, thing: Thing, given: Arguments) -> Values:
        born = self.next_serial()
        deps = given.get(9, "deps") or self._symbolic_deps(thing)
        tools = [*thing.tools, *self.tools_in(given.get(9, "toolsets"), given.place)]
        for value in thing.carried:
            context = Arguments(positional=[(self._context(thing, deps, given.place),)], place=given.place)
            tools += self.tools_in(self.called((value,), context), given.place)
        self._look_for_kept(thing, given.place, deps)
        parallel: list[Participant] = []
        found: list[Participant] = []
        for tool in _once(tools):
            found.append(self._participant(thing, tool, deps, given.place))
            parallel += [] if tool.sequential else found[-1:]
        beside = self._beside_tools(thing, given, deps)
        if not self.sequential and thing.data is not True:
            self._look_for_meetings(thing, given.place, [*parallel, *beside], deps, born)
        found += beside
        for each in found:
            self.trace.events += under(each.events, frozenset(id(lock) for lock in self.held))
        used = [
            event
            for each in found
            for event in each.events
            if event.thing.kind is Kind.SESSION and event.thing.born < born
        ]
        self.beginning.runs.append(Run(agent=thing.name, place=given.place, deps=deps, used=used))
        result = self.make(Kind.OPAQUE, Step(place=given.place, words="the agent is run here"), name="result")
        result.data = RESULT
        self._hooks_of_model(thing, given, deps, result)
        return (result,)

    def _hooks_of_model(self, thing: Thing, given: Arguments, deps: Values, result: Thing) -> None:
        """What capabilities do with each response of the model, between the tools."""
        response = self.make(Kind.OPAQUE, result.made, name="usage")
        response.data = RESULT
        for value in self._capabilities(thing, given):
            for name in _MODEL_HOOKS:
                for hook in self.attribute(value, name, given.place):
                    if isinstance(hook, FunctionValue):
                        context = (self._context(thing, deps, given.place),)
                        named = {"response": (response,)}
                        self.called((hook,), Arguments(positional=[context], named=named, place=given.place))

    def _capabilities(self, thing: Thing, given: Arguments) -> list[Thing]:
        values = joined(given.get(9, "capabilities"), thing.attributes.get("capabilities", UNKNOWN))
        return [each for each in self.inside(values) if isinstance(each, Thing) and each.kind is Kind.INSTANCE]

    def _symbolic_deps(self, thing: Thing) -> Values:
        if "the deps" not in thing.attributes:
            made = Step(place=thing.made.place, words="the deps of the run")
            found: Values = UNKNOWN
            for value in thing.attributes.get("deps_type", UNKNOWN):
                found = joined(found, self.of_class(value, made, thing.born))
            thing.attributes["the deps"] = found or self._deps_of_tools(thing)
        return thing.attributes["the deps"]

    def of_class(self, value: Value, made: Step, born: int) -> Values:
        """A symbolic thing of a class that is given as a value."""
        if isinstance(value, ClassValue):
            return (self.instance_of(value, made, born),)
        kind = kind_of(value.name) if isinstance(value, External) else None
        if kind is None or not isinstance(value, External):
            return UNKNOWN
        return (Thing(kind=kind, made=made, born=born, name=value.name.rpartition(".")[2], symbolic=True),)

    def _deps_of_tools(self, thing: Thing) -> Values:
        for tool in thing.tools:
            function = tool.function
            if isinstance(function, FunctionValue) and (parameter := _context_parameter(function)) is not None:
                made = Step(place=thing.made.place, words="the deps of the run")
                for node, scope in self.arguments_of(parameter.annotation, function.environment):
                    return self.symbolic(node, scope, made, thing.born)
        return UNKNOWN

    def _participant(self, thing: Thing, tool: Tool, deps: Values, place: Place) -> Participant:
        with self.under_arms(tool.arms):
            events = self.carry_out(lambda: self._call_tool(thing, tool, deps, place)).everything()
        return Participant(label=tool.name, place=tool.place, events=events, function=tool.function)

    def _call_tool(self, thing: Thing, tool: Tool, deps: Values, place: Place) -> Values:
        context = self._context(thing, deps, place)
        takes = tool.takes_context
        if takes is None:
            takes = self._takes_context(tool.function)
        return self.called((tool.function,), Arguments(positional=[(context,)] if takes else [], place=tool.place))

    def _context(self, thing: Thing, deps: Values, place: Place) -> Thing:
        context = self.make(Kind.RUN_CONTEXT, Step(place=place, words="the run's context"))
        context.attributes["deps"] = deps
        context.attributes["agent"] = (thing,)
        return context

    def _takes_context(self, function: Value) -> bool:
        if not isinstance(function, FunctionValue):
            return False
        parameter = _context_parameter(function)
        return parameter is not None and Kind.RUN_CONTEXT in self.kinds_in(parameter.annotation, function.environment)

    def _beside_tools(self, thing: Thing, given: Arguments, deps: Values) -> list[Participant]:
        """What runs while tools do: handlers of the stream's events, and hooks around each tool."""
        found: list[Participant] = []
        handlers = joined(given.get(9, "event_stream_handler"), thing.attributes.get("event_stream_handler", UNKNOWN))
        hooks = [
            hook
            for value in self._capabilities(thing, given)
            for name in _TOOL_HOOKS
            for hook in self.attribute(value, name, given.place)
        ]
        for hook in (*handlers, *hooks, *hooks):
            if isinstance(hook, FunctionValue):
                context = Arguments(positional=[(self._context(thing, deps, given.place),)], place=given.place)
                events = self.carry_out(lambda each=hook, what=context: self.called((each,), what)).everything()  # type: ignore[misc]  # mypy cannot infer a lambda with a default
                found.append(Participant(label=hook.name, place=hook.place, events=events, function=hook))
        return found

    def _look_for_meetings(
        self, thing: Thing, place: Place, participants: list[Participant], deps: Values, born: int
    ) -> None:
        met: set[Thing] = set()
        for session, locked, those in meeting_of(participants):
            met.add(session)
            self.beginning.meetings.append(
                Meeting(
                    thing=session,
                    spawn=Spawn.TOOL,
                    place=place,
                    participants=those,
                    locked=locked,
                    agent=thing.name,
                    deps=deps,
                )
            )
        for each in participants:
            for session, events in by_thing(each.events).items():
                if session not in met and session.born < born and _awaits(events):
                    self.beginning.meetings.append(
                        Meeting(
                            thing=session,
                            spawn=Spawn.TOOL,
                            place=place,
                            participants=[
                                Participant(label=each.label, place=each.place, events=events, function=each.function)
                            ],
                            alone=True,
                            agent=thing.name,
                            deps=deps,
                        )
                    )

    def _look_for_kept(self, thing: Thing, place: Place, deps: Values) -> None:
        """Sessions that have begun a transaction which goes on while the model answers."""
        begun: dict[Thing, list[Event]] = {}
        for event in self.trace.events:
            if event.nature in {Nature.GIVE, Nature.TAKE} or exclusive(event.arms, self.arms):
                continue
            if event.operation in _ENDS:
                begun.pop(event.thing, None)
            elif event.nature is not Nature.STAGING:
                begun.setdefault(event.thing, []).append(event)
        for session, events in begun.items():
            if session.data == "unknown":
                continue
            who = Participant(label="the task that runs the agent", place=place, events=events)
            self.beginning.meetings.append(
                Meeting(
                    thing=session,
                    spawn=Spawn.TOOL,
                    place=place,
                    participants=[who],
                    kept=True,
                    agent=thing.name,
                    deps=deps,
                )
            )

    def _tools_of(self, values: Values, given: Arguments, takes: bool | None) -> Iterator[Tool]:
        sequential = self.constant(given.named.get("sequential", UNKNOWN)) is True
        named = self.constant(given.named.get("name", UNKNOWN))
        for value in values:
            if isinstance(value, FunctionValue):
                name, place = value.name, value.place
            elif (
                isinstance(value, Thing) and value.class_ is not None and self.attribute(value, "__call__", given.place)
            ):
                name, place = value.name, value.made.place
            else:
                continue
            yield Tool(
                name=named if isinstance(named, str) else name,
                function=value,
                place=place,
                takes_context=takes,
                sequential=sequential,
                arms=self.arms | (value.arms if isinstance(value, FunctionValue) else NOWHERE),
            )


def _context_told(state: Methods, given: Arguments) -> bool | None:
    told = state.constant(given.named.get("takes_ctx", UNKNOWN))
    return told if isinstance(told, bool) else None


def _context_parameter(function: FunctionValue) -> ast.arg | None:
    parameters = [*function.node.args.posonlyargs, *function.node.args.args][len(function.first) :]
    return parameters[0] if parameters else None


def _once(tools: Iterable[Tool]) -> list[Tool]:
    """Each tool once; twice if it is one in each of two branches, because others are in only one of them."""
    found: dict[object, Tool] = {}
    for each in tools:
        key = next((key for key, other in found.items() if _same(each, other)), len(found))
        arms = each.arms & found[key].arms if key in found else each.arms
        found[key] = replace(each, arms=arms)
    return [*found.values()]


def _same(one: Tool, other: Tool) -> bool:
    return (one.name, one.place) == (other.name, other.place) and not exclusive(one.arms, other.arms)


def _awaits(events: Iterable[Event]) -> bool:
    return any(event.nature is not Nature.STAGING for event in events)
