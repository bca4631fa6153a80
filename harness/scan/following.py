"""A whole project, followed from wherever something may be started.

Problem: a function that starts tasks is called by others, which know more of its arguments.

Mechanism: following begins at each function in which something is started or an agent run, and at those that call them,
some levels up, the callers first. One that was entered from there, with arguments as it says they are, is no beginning
any more. Agents that nobody runs are run at the end. If context variables, states or attributes of classes were set on
the way, what has read them is followed once more, because that may have been before.

Guarantee: each beginning has the same number of steps; one that took more has found nothing, and is counted.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from harness.project.module import Function, Imported, Module, below
from harness.project.problem import Problem
from harness.project.project import Project
from harness.scan.agents import RUNS
from harness.scan.arms import NOWHERE, exclusive
from harness.scan.environment import Environment
from harness.scan.relevance import Importers
from harness.scan.state import STEPS, Beginning, Meeting, OutOfSteps, Participant
from harness.scan.statements import Interpreter
from harness.scan.trace import Event, Nature, Spawn, Trace
from harness.scan.values import Arguments, FunctionValue, Kind, Pending, Place, Thing, Values

__all__ = ["Followed", "follow"]

_LEVELS = 3
_STARTS = frozenset(
    {"gather", "create_task", "ensure_future", "start_soon", "add_task", "submit", "run_in_executor", "as_completed"}
    | {"BackgroundTask", "Thread", "ThreadPoolExecutor", "run_coroutine_threadsafe"}
)
_GOES_ON = frozenset({"call_next", "receive"})
_REGISTERS = re.compile(r"pydantic_ai|\.tool\b|\.tool_plain\b|__main__|asyncio\.run")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Followed:
    """What meets, the interpreter with all it learned, and how many beginnings were given up."""

    meetings: Sequence[Meeting]
    interpreter: Interpreter
    given_up: Sequence[Problem]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Root:
    """A function to begin at: `owner` is the class around it, if it is a method."""

    module: Module
    node: Function
    owner: ast.ClassDef | None

    @property
    def place(self) -> Place:
        """Where it is."""
        return Place(file=str(self.module.path), line=self.node.lineno, column=self.node.col_offset + 1)


def follow(project: Project) -> Followed:
    """Follow the project."""
    interpreter = Interpreter(project)
    roots = [*_roots(project, interpreter.relevant)]
    found = _once(interpreter, roots)
    if learned := _learned(interpreter):
        found = [
            _begin(interpreter, each.place, each.node, each.work) if each.asked & learned else each for each in found
        ]
        found += _left_over(interpreter)
    return Followed(
        meetings=[meeting for beginning in found for meeting in beginning.meetings],
        interpreter=interpreter,
        given_up=[_problem(each) for each in found if each.failure],
    )


def _once(interpreter: Interpreter, roots: Sequence[_Root]) -> list[Beginning]:
    found: list[Beginning] = []
    entered: set[int] = set()
    for module in interpreter.project.modules:
        if module in interpreter.relevant and _REGISTERS.search(module.text):
            place = Place(file=str(module.path), line=1)
            found.append(_begin(interpreter, place, None, partial(interpreter.module_environment, module)))
            entered |= found[-1].entered
    for root in roots:
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


def _call(interpreter: Interpreter, root: _Root) -> Values:
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


def _roots(project: Project, relevant: frozenset[Module]) -> Iterator[_Root]:
    """The functions in which something is started, and those that call them by name; the outermost callers first.

    A module that has nothing to do with sessions has no beginning, but what it starts may be given one by its callers.
    """
    everything = [root for module in project.modules if module in relevant for root in _functions(module)]
    helpers = [root for module in _others(project, relevant) for root in _functions(module)]
    known = [*everything, *helpers]
    importers = Importers(project, ((root.module, node) for root in known for node in _seen(root.node).imports))
    agents = frozenset().union(*(importers.of(module) for module in relevant if "pydantic_ai" in module.text))
    level = [
        root for root in known if (_STARTS | (RUNS if root.module in agents else frozenset())) & _called(root.node)
    ]
    if not level and not agents:
        return
    level += [root for root in everything if _keeps(root.node)]
    libraries = _Libraries(project)
    levels, chosen = [level], {id(root.node) for root in level}
    for _ in range(_LEVELS):
        others = [root for root in known if id(root.node) not in chosen]
        levels.append([*_callers(levels[-1], others, importers, libraries)])
        chosen |= {id(root.node) for root in levels[-1]}
    found = dict.fromkeys(root for level in reversed(levels) for root in level)
    yield from (root for root in found if root.module in relevant)


def _callers(
    called: Sequence[_Root], candidates: Sequence[_Root], importers: Importers, libraries: "_Libraries"
) -> Iterator[_Root]:
    """Those that name one that is called, and can have got it.

    A function is named by its name, a method by an attribute's that is not a library's, and one that Python calls by
    itself, such as `__call__`, by the name of its class, which may stand elsewhere in the class of the caller.
    """
    names: dict[str, set[Module]] = defaultdict(set)
    attributes: dict[str, set[Module]] = defaultdict(set)
    classes: dict[str, set[Module]] = defaultdict(set)
    for root in called:
        name = root.node.name
        if root.owner is None:
            names[name] |= importers.of(root.module)
        elif _is_special(name):
            classes[root.owner.name] |= importers.of(root.module)
        attributes[name] |= importers.of(root.module)
    for root in candidates:
        seen = _seen(root.node)
        around = _seen(root.owner).names if root.owner is not None and classes else seen.names
        if (
            any(root.module in names[name] for name in seen.names & names.keys())
            or any(root.module in classes[name] for name in (seen.names | around) & classes.keys())
            or any(
                root.module in attributes[name] and not seen.attributes[name] <= libraries.named_in(root.module)
                for name in seen.attributes.keys() & attributes.keys()
            )
        ):
            yield root


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


class _Libraries:
    """By which names modules have what is not the project's: `run` of `asyncio` is no method of the project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[Module, frozenset[str]] = {}

    def named_in(self, module: Module) -> frozenset[str]:
        """The names that a module binds to something of a library."""
        if module not in self._known:
            self._known[module] = frozenset(
                name
                for name, bound in module.bindings.items()
                if isinstance(bound, Imported) and self._is_foreign(bound.target, module)
            )
        return self._known[module]

    def _is_foreign(self, target: str, near: Module) -> bool:
        parts = target.split(".")
        return all(self._project.module(".".join(parts[:end]), near=near) is None for end in range(1, len(parts) + 1))


def _others(project: Project, relevant: frozenset[Module]) -> list[Module]:
    """The project's own modules that do not matter, if any does."""
    own = [module for module in project.modules if module.name.partition(".")[0] not in project.foreign]
    return [module for module in own if module not in relevant] if relevant else []


def _functions(module: Module) -> Iterator[_Root]:
    for node in ast.iter_child_nodes(module.tree):
        yield from _of_statement(module, node, None)


def _of_statement(module: Module, node: ast.AST, owner: ast.ClassDef | None) -> Iterator[_Root]:
    waiting = [(node, owner)]  # and no recursion: an `elif` is an `if` inside of the one before it
    while waiting:
        each, class_ = waiting.pop()
        if isinstance(each, Function):
            yield _Root(module=module, node=each, owner=class_)
        elif isinstance(each, ast.ClassDef):
            waiting += [(inner, each) for inner in reversed(each.body)]
        elif isinstance(each, ast.If | ast.Try | ast.With):
            waiting += [(inner, class_) for inner in reversed([*ast.iter_child_nodes(each)])]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Seen:
    """What a function or class has in it, also in functions inside of it: names, attributes, imports.

    `attributes` are with the names that they are attributes of; `""` stands for what is not imported at the top.
    """

    names: frozenset[str]
    attributes: Mapping[str, frozenset[str]]
    imports: Sequence[ast.Import | ast.ImportFrom]
    keeps: bool


@cache
def _seen(node: Function | ast.ClassDef) -> _Seen:
    names: set[str] = set()
    attributes: dict[str, set[str]] = defaultdict(set)
    imports: list[ast.Import | ast.ImportFrom] = []
    keeps = False
    own: set[str] = set()
    for each in below(node):
        if isinstance(each, ast.Name):
            names.add(each.id)
            if isinstance(each.ctx, ast.Store):
                own.add(each.id)
        elif isinstance(each, ast.Attribute):
            attributes[each.attr].add(each.value.id if isinstance(each.value, ast.Name) else "")
            keeps = keeps or (isinstance(each.ctx, ast.Store) and _is_state(each.value))
        elif isinstance(each, ast.Import | ast.ImportFrom):
            imports.append(each)
        elif isinstance(each, ast.Global):
            keeps = True
        elif isinstance(each, ast.arg):
            own.add(each.arg)
    keeps = keeps or bool(names & _GOES_ON)
    return _Seen(
        names=frozenset(names - _parameters(node)),
        attributes={
            name: frozenset("" if each in own else each for each in owners) for name, owners in attributes.items()
        },
        imports=imports,
        keeps=keeps,
    )


def _parameters(node: Function | ast.ClassDef) -> set[str]:
    if isinstance(node, ast.ClassDef):
        return set()
    return {each.arg for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}


def _keeps(node: Function) -> bool:
    """Whether it sets something that others read: names of modules, an application's state, a request's context."""
    return _seen(node).keeps


def _is_state(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "state"


def _called(node: Function) -> frozenset[str]:
    """The last parts of the names of what a function calls or hands on."""
    seen = _seen(node)
    return seen.names | seen.attributes.keys()
