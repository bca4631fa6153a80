"""A whole project, followed from wherever something may be started.

Problem: what a function starts can be told from its callers, and from what others have kept in the meantime.

Mechanism: following begins at the roots (`harness.scan.roots`). One that was entered from another, with arguments as it
says they are, is no beginning any more. Agents that nobody runs are run at the end. If context variables, states or
attributes of classes were set on the way, what has read them is followed once more, because that may have been before.

Guarantee: each beginning has the same number of steps; one that took more has found nothing, and is counted.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from harness.project.module import Function
from harness.project.problem import Problem
from harness.project.project import Project
from harness.scan.arms import NOWHERE, exclusive
from harness.scan.environment import Environment
from harness.scan.functions import Root
from harness.scan.roots import roots
from harness.scan.state import STEPS, Beginning, Meeting, OutOfSteps, Participant
from harness.scan.statements import Interpreter
from harness.scan.trace import Event, Nature, Spawn, Trace
from harness.scan.values import Arguments, FunctionValue, Kind, Pending, Place, Thing, Values

__all__ = ["Followed", "follow"]

_REGISTERS = re.compile(r"pydantic_ai|\.tool\b|\.tool_plain\b|__main__|asyncio\.run")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Followed:
    """What meets, the interpreter with all it learned, and how many beginnings were given up."""

    meetings: Sequence[Meeting]
    interpreter: Interpreter
    given_up: Sequence[Problem]


def follow(project: Project) -> Followed:
    """Follow the project."""
    interpreter = Interpreter(project)
    chosen = [*roots(project, interpreter.relevance)]
    found = _once(interpreter, chosen)
    if learned := _learned(interpreter):
        interpreter.quiet.clear()
        found = [
            _begin(interpreter, each.place, each.node, each.work) if each.asked & learned else each for each in found
        ]
        found += _left_over(interpreter)
    return Followed(
        meetings=[meeting for beginning in found for meeting in beginning.meetings],
        interpreter=interpreter,
        given_up=[_problem(each) for each in found if each.failure],
    )


def _once(interpreter: Interpreter, chosen: Sequence[Root]) -> list[Beginning]:
    found: list[Beginning] = []
    entered: set[int] = set()
    for module in interpreter.project.modules:
        if module in interpreter.relevant and _REGISTERS.search(module.text):
            place = Place(file=str(module.path), line=1)
            found.append(_begin(interpreter, place, None, partial(interpreter.module_environment, module)))
            entered |= found[-1].entered
    for root in chosen:
        if id(root.node) not in entered:
            found.append(_begin(interpreter, root.place, root.node, partial(_call, interpreter, root)))
            entered |= set() if found[-1].failure else found[-1].entered
    return [*found, *_left_over(interpreter)]


def _left_over(interpreter: Interpreter) -> Iterator[Beginning]:
    """The agents that nobody runs."""
    for agent in interpreter.agents:
        if agent.kind is Kind.AGENT and agent not in interpreter.run:
            given = Arguments(place=agent.made.place)
            yield _begin(interpreter, agent.made.place, None, partial(interpreter.run_agent, agent, given))


def _problem(beginning: Beginning) -> Problem:
    what = f"`{beginning.node.name}`" if beginning.node is not None else "what begins here"
    place = beginning.place
    return Problem(file=place.file, line=place.line, message=f"{what} is {beginning.failure}")


def _learned(interpreter: Interpreter) -> set[object]:
    """What was set on the way; a context variable that was set to a session holds it where nobody is seen to set it."""
    for variable, values in interpreter.set_somewhere.items():
        if any(isinstance(value, Thing) and value.kind in {Kind.SESSION, Kind.INSTANCE} for value in values):
            variable.attributes["content"] = values
            interpreter.learned.add(variable)
    return interpreter.learned


def _begin(interpreter: Interpreter, place: Place, node: Function | None, work: Callable[[], object]) -> Beginning:
    beginning = interpreter.beginning = Beginning(node=node, place=place, work=work)
    interpreter.left = STEPS
    interpreter.dependencies, interpreter.after, interpreter.active = {}, [], []
    interpreter.sequential, interpreter.selves = 0, []
    interpreter.arms, interpreter.round = NOWHERE, None
    interpreter.chosen, interpreter.crossings, interpreter.ways = {}, [], 0
    trace = Trace()
    try:
        with interpreter.aside(trace):
            work()
            trace.events += interpreter.after
            trace.events += _endings(trace)
            interpreter.conclude(trace)
            beginning.meetings += _writers(trace, beginning)
    except (OutOfSteps, RecursionError):
        beginning.failure = "too long to be followed to its end"
    except Exception as error:  # noqa: BLE001  # what cannot be followed is told, and hides nothing else
        beginning.failure = f"not followed, because the scanner failed: {error!r}"
    return beginning


def _call(interpreter: Interpreter, root: Root) -> Values:
    scope = interpreter.module_environment(root.module)
    place = root.place
    class_ = None
    if root.owner is not None:
        class_ = interpreter.class_value(root.owner, scope).class_
    found: Values = ()
    for function in _undecorated(interpreter, root.node, scope):
        value = FunctionValue(
            node=function.node, name=function.name, environment=scope, class_=class_, defaults=function.defaults
        )
        for given in interpreter.call(value, Arguments(place=place)):
            found += (
                interpreter.entered(given).given
                if isinstance(given, Pending) and given.manager
                else interpreter.settle((given,), place)
            )
    return found


def _undecorated(interpreter: Interpreter, node: Function, scope: Environment) -> list[FunctionValue]:
    return [interpreter.function_value(node, scope)]


def _writers(trace: Trace, beginning: Beginning) -> Iterator[Meeting]:
    """Objects that bill or log by a session which tools use, too."""
    written: dict[tuple[Thing, Thing], list[Event]] = defaultdict(list)
    for event in trace.everything():
        if event.writer is not None:
            written[event.thing, event.writer].append(event)
    for (session, writer), events in written.items():
        for run in beginning.runs:
            others = [
                each
                for each in run.used
                if each.thing is session
                and each.writer is not writer
                and not all(exclusive(each.arms, event.arms) for event in events)
            ]
            if others:
                participants = [
                    Participant(label=writer.name, place=writer.made.place, events=events),
                    Participant(label="the tools", place=run.place, events=others),
                ]
                yield Meeting(
                    thing=session,
                    spawn=Spawn.TOOL,
                    place=writer.made.place,
                    participants=participants,
                    agent=run.agent,
                    deps=run.deps,
                    writer=writer,
                )
                break


def _endings(trace: Trace) -> Iterator[Event]:
    """The end of whoever was given a session, for tasks that nobody awaits."""
    for child in trace.children:
        if child.end is not None or child.escaped or child.spawn not in {Spawn.TASK, Spawn.THREAD}:
            continue
        for thing in {event.thing: None for event in child.events}:
            if thing.symbolic and "is a parameter" in thing.made.words and thing.born < child.born:
                yield Event(
                    thing=thing,
                    operation="the end of the function that was given it",
                    nature=Nature.BOUNDARY,
                    place=child.place,
                    way=(),
                    locks=frozenset(),
                )
