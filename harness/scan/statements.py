"""What statements do: they bind names, branch, repeat, enter and leave."""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from harness.project.classes import Class
from harness.project.module import Module, below, import_bindings
from harness.scan.arms import NOWHERE, Arms
from harness.scan.calls import Entered
from harness.scan.environment import Environment
from harness.scan.expressions import Expressions, state_of
from harness.scan.known import key_of
from harness.scan.meetings import Meetings
from harness.scan.trace import Child, Nature, Spawn
from harness.scan.values import (
    UNKNOWN,
    Arguments,
    ClassValue,
    Constant,
    External,
    FunctionValue,
    Kind,
    Method,
    Pending,
    Place,
    Step,
    Thing,
    Values,
    joined,
    key_in,
)

__all__ = ["Interpreter"]

_Handler = Callable[["Interpreter", ast.stmt, Environment], bool]
_STARTING = frozenset(
    {"create_task", "ensure_future", "start_soon", "append", "add", "add_task", "submit", "start", "run_in_executor"}
)
_ONCE = frozenset({Kind.SESSION, Kind.FACTORY, Kind.ENGINE, Kind.POOL, Kind.INSTANCE, Kind.AGENT})
_LOCKS = re.compile(r"(?i)lock|mutex|semaphore|guard")
_MANAGERS = frozenset({"contextmanager", "asynccontextmanager"})
_CACHES = frozenset({"cache", "lru_cache"})


class Interpreter(Meetings, Expressions):
    """Follows statements."""

    def execute(self, body: Sequence[ast.stmt], scope: Environment) -> bool:
        """Follow the statements; whether what comes after them is never reached."""
        for node in body:
            self.spend()
            handler = _HANDLERS.get(type(node))
            if handler is not None and handler(self, node, scope):
                return True
        return False

    def module_environment(self, module: object) -> Environment:
        """The names of a module, which is followed when it is first asked for."""
        assert isinstance(module, Module)  # noqa: S101  # for the type checker
        if module not in self.modules:
            scope = self.modules[module] = Environment(module=module)
            before = self.held, self.way, self.sequential, self.active, self.age, self.arms, self.round
            self.held, self.way, self.sequential, self.active, self.age = (), (), 0, [], 0
            self.arms, self.round = NOWHERE, None
            try:
                self.carry_out(lambda: self.execute(module.tree.body, scope))
            finally:
                self.held, self.way, self.sequential, self.active, self.age, self.arms, self.round = before
        return self.modules[module]

    def function_value(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: Environment) -> FunctionValue:
        """A function that is defined now, without its decorators."""
        defaults = self.defaults(node.args, scope)
        return FunctionValue(node=node, name=node.name, environment=scope, defaults=defaults, arms=self.arms)

    def defined(self, node: ast.stmt, scope: Environment, *, class_: Class | None = None) -> Values:
        """A function with its decorators; a method's are applied once."""
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)  # noqa: S101  # for the type checker
        if class_ is not None and id(node) in self.cached:
            return self.cached[id(node)]
        found: Values = (replace(self.function_value(node, scope), class_=class_),)
        for decorator in reversed(node.decorator_list):
            found = self._decorated(decorator, found, scope)
        if class_ is not None:
            self.cached[id(node)] = found
        return found

    def _decorated(self, node: ast.expr, functions: Values, scope: Environment) -> Values:
        place = self.place(node, scope)
        for decorator in self.evaluate(node, scope):
            name = _decorator_name(decorator)
            if name in _MANAGERS | _CACHES:
                flag = {"manager": True} if name in _MANAGERS else {"cached": True}
                return tuple(replace(each, **flag) if isinstance(each, FunctionValue) else each for each in functions)  # type: ignore[arg-type]  # a field
            if isinstance(decorator, FunctionValue | Method | Thing):
                given = self.call(decorator, Arguments(positional=[functions], place=place))
                functions = tuple(each for each in given if isinstance(each, FunctionValue)) or functions
        return functions

    def assign(self, target: ast.expr, values: Values, scope: Environment) -> None:
        """Bind a target: a name, an attribute, an item, or several."""
        match target:
            case ast.Name(id=name):
                scope.bind(name, values)
            case ast.Attribute(value=owner, attr=name):
                self._assign_attribute(owner, name, values, scope)
            case ast.Subscript(value=owner, slice=key):
                item = self.constant(self.evaluate(key, scope))
                for each in self.evaluate(owner, scope):
                    if isinstance(each, Thing):
                        each.attributes[key_in(item) or self.unknown_key()] = values
                self._escape(values)
            case ast.Starred(value=inner):
                self.assign(inner, values, scope)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                self._unpack(targets, values, scope)

    def _assign_attribute(self, owner: ast.expr, name: str, values: Values, scope: Environment) -> None:
        if (kept := state_of(owner)) is not None:
            self.learn((kept, name), values)
        for each in self.evaluate(owner, scope):
            if isinstance(each, Thing):
                self._set(each, name, values, self.place(owner, scope))
            elif isinstance(each, ClassValue):
                key = each.class_.name, name
                self.class_attributes[key] = joined(values, self.class_attributes.get(key, UNKNOWN))
                self.learned.add(key)

    def learn(self, key: tuple[str, str], values: Values) -> None:
        """Something is kept in the state of an application, or of a request."""
        self.kept_states[key] = joined(values, self.kept_states.get(key, UNKNOWN))
        self.learned.add(key)

    def _set(self, thing: Thing, name: str, values: Values, place: Place) -> None:
        before = thing.attributes.get(name, UNKNOWN)
        thing.attributes[name] = joined(values, before) if self.active and thing.symbolic else values
        thing.fields.setdefault(name, place)
        self._escape(values)

    def _escape(self, values: Values) -> None:
        """A task that is kept somewhere may be awaited there."""
        for value in self.inside(values):
            if isinstance(value, Thing) and isinstance(value.data, Child):
                value.data.escaped = True

    def _unpack(self, targets: Sequence[ast.expr], values: Values, scope: Environment) -> None:
        for order, target in enumerate(targets):
            found = [
                self._part_of(each, order, self.place(target, scope)) for each in values if isinstance(each, Thing)
            ]
            self.assign(target, joined(UNKNOWN, *found), scope)

    def _part_of(self, thing: Thing, order: int, place: Place) -> Values:
        """An item of a sequence, or a field of a named tuple."""
        if thing.kind is Kind.SEQUENCE:
            return self.item(thing, order)
        names = list(self.project.fields(thing.class_)) if thing.class_ is not None else []
        return self.attribute(thing, names[order], place) if order < len(names) else UNKNOWN

    # the handlers of statements; each says whether what follows is never reached

    def _define(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)  # noqa: S101  # for the type checker
        scope.bind(node.name, self.defined(node, scope))
        return False

    def _define_class(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.ClassDef)  # noqa: S101  # for the type checker
        scope.bind(node.name, (self.class_value(node, scope),))
        return False

    def _return(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Return)  # noqa: S101  # for the type checker
        values = self.evaluate(node.value, scope)
        if len(self.active) == 1:
            self._escape(values)
        scope.returned += values
        return True

    def _assign(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Assign)  # noqa: S101  # for the type checker
        values = self.evaluate(node.value, scope)
        for target in node.targets:
            self.assign(target, values, scope)
        return False

    def _assign_annotated(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.AnnAssign)  # noqa: S101  # for the type checker
        values = self.evaluate(node.value, scope)
        place = self.place(node, scope)
        made = Step(place=place, words="it is declared here")
        if not any(not isinstance(each, Thing) or each.kind is not Kind.OPAQUE for each in values):
            values = self.symbolic(node.annotation, scope, made, self.next_serial()) or values
        self._fill_variable(values, node.annotation, scope, made)
        if node.value is not None or values:
            self.assign(node.target, values, scope)
        return False

    def _fill_variable(self, values: Values, annotation: ast.expr, scope: Environment, made: Step) -> None:
        """What a context variable holds is what it is annotated with, if nobody is seen to set it."""
        for value in values:
            if isinstance(value, Thing) and value.kind is Kind.VARIABLE:
                for node, there in self.arguments_of(annotation, scope):
                    value.attributes.setdefault("content", self.symbolic(node, there, made, value.born))

    def _assign_more(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.AugAssign)  # noqa: S101  # for the type checker
        more = self.evaluate(node.value, scope)
        if isinstance(node.target, ast.Name):
            before = scope.find(node.target.id) or UNKNOWN
            scope.bind(node.target.id, self._added(before, more, self.place(node, scope)) or before)
        return False

    def _expression(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Expr)  # noqa: S101  # for the type checker
        self.evaluate(node.value, scope)
        return False

    def _stop(self, node: ast.stmt, scope: Environment) -> bool:
        if isinstance(node, ast.Raise):
            self.evaluate(node.exc, scope)
        return True

    def _if(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.If)  # noqa: S101  # for the type checker
        self.evaluate(node.test, scope)
        known = self._known(node.test, scope)
        if known is not None:
            return self.execute(node.body if known else node.orelse, scope)
        return self._branches([node.body, node.orelse], scope, test=node.test)

    def _known(self, test: ast.expr, scope: Environment) -> bool | None:
        """Whether something is there, where a test asks for that and it is known; what was made once is there."""
        match test:
            case ast.Compare(
                left=left, ops=[ast.Is() | ast.IsNot() as operator], comparators=[ast.Constant(value=None)]
            ):
                there = self._is_there(self.evaluate(left, scope))
                return there if there is None else there is isinstance(operator, ast.IsNot)
            case ast.Compare(left=left, ops=[ast.In() | ast.NotIn() as operator], comparators=[owner]):
                kept = self._kept(self.constant(self.evaluate(left, scope)), self.evaluate(owner, scope))
                return isinstance(operator, ast.In) if self._is_there(kept) else None
            case ast.UnaryOp(op=ast.Not(), operand=ast.Name() | ast.Attribute() as operand):
                there = self._is_there(self.evaluate(operand, scope))
                return None if there is None else not there
            case _:
                return None

    def _kept(self, key: object, owners: Values) -> Values:
        """What mappings have under a key that is known."""
        mappings = [each for each in owners if isinstance(each, Thing) and each.kind is Kind.MAPPING]
        return joined(UNKNOWN, *(self.item(each, key) for each in mappings if key_in(key) is not None))

    def _is_there(self, values: Values) -> bool | None:
        if any(isinstance(each, Thing) and each.kind in _ONCE for each in values):
            return True
        return False if values and all(isinstance(each, Constant) and each.value is None for each in values) else None

    def _branches(
        self, bodies: Sequence[Sequence[ast.stmt]], scope: Environment, *, test: ast.expr | None = None
    ) -> bool:
        """Follow each from the same names; afterwards a name is what any of them that goes on made of it.

        If only one goes on, what comes after them is in that one's arms.
        """
        before = dict(scope.names)
        held, arms = self.held, self.arms
        visit, turned = self.visit(test, scope)
        left: list[Arms] = []
        ends: list[dict[str, Values]] = []
        for side, body in enumerate(bodies):
            scope.names, self.held = dict(before), held
            self.arms = arms | {(visit, side ^ turned)}
            if not self.execute(body, scope):
                ends.append(scope.names)
                left.append(self.arms)
        self.held = held
        self.arms = left[0] if len(left) == 1 else arms
        scope.names = _merged(ends) if ends else before
        return not ends

    def _match(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Match)  # noqa: S101  # for the type checker
        self.evaluate(node.subject, scope)
        others: list[list[ast.stmt]] = [] if _takes_all(node.cases[-1]) else [[]]
        return self._branches([*(case.body for case in node.cases), *others], scope)

    def _for(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.For | ast.AsyncFor)  # noqa: S101  # for the type checker
        values = self.evaluate(node.iter, scope)
        for value in values:
            if isinstance(value, Thing) and value.kind is Kind.SIGNAL:
                self.use(value, "next", Nature.TAKE, self.place(node.iter, scope))
        spanning = [each for each in values if isinstance(each, Pending) and each.spans]
        child = self._span(spanning[0]) if spanning else None
        rows = [] if spanning else self.elements(values)
        rounds = rows[:6] or [UNKNOWN]
        if len(rounds) == 1 and _may_start(node):
            rounds = [*rounds, rounds[0] if rows else UNKNOWN]
        for order, row in enumerate(rounds):
            before = dict(scope.names)
            with self.in_round(order):
                self.assign(node.target, row, scope)
                self.execute(node.body, scope)
            scope.names = _merged([scope.names, before])
        if child is not None:
            self.join(child)
        self.execute(node.orelse, scope)
        return False

    def _span(self, pending: Pending) -> Child:
        return self.start(pending.label, Spawn.TOOL, pending.place, pending.run)

    def _while(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.While)  # noqa: S101  # for the type checker
        self.evaluate(node.test, scope)
        for order in range(2 if _may_start(node) else 1):
            before = dict(scope.names)
            with self.in_round(order):
                self.execute(node.body, scope)
            scope.names = _merged([scope.names, before])
        self._done_after(node, scope)
        self.execute(node.orelse, scope)
        return False

    def _done_after(self, node: ast.While, scope: Environment) -> None:
        """A loop that goes on until a task is done ends with that task, if nothing else ends it."""
        match node.test:
            case ast.UnaryOp(op=ast.Not(), operand=ast.Call(func=ast.Attribute(value=owner, attr="done"), args=[])):
                if not any(isinstance(each, ast.Break) for each in ast.walk(node)):
                    self.settle(self._tasks_in(self.evaluate(owner, scope)), self.place(node, scope))

    def _tasks_in(self, values: Values) -> Values:
        return tuple(each for each in values if isinstance(each, Thing) and each.kind is Kind.TASK)

    def _try(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Try | ast.TryStar)  # noqa: S101  # for the type checker
        before, arms, visit = dict(scope.names), self.arms, self.next_visit()
        ends: list[dict[str, Values]] = []
        left: list[Arms] = []
        if not self.execute(node.body, scope):
            self.arms |= {(visit, 0)}
            if not self.execute(node.orelse, scope):
                ends.append(scope.names)
                left.append(self.arms)
        held = self.held
        for side, handler in enumerate(node.handlers, start=1):
            scope.names = _merged([before, scope.names])
            self.arms = arms | {(visit, side)}
            if handler.name:
                scope.names[handler.name] = UNKNOWN
            if not self.execute(handler.body, scope):
                ends.append(scope.names)
                left.append(self.arms)
            self.held = held
        scope.names = _merged(ends) if ends else scope.names
        self.arms = left[0] if len(left) == 1 else arms
        return self.execute(node.finalbody, scope) or not ends

    def _with(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.With | ast.AsyncWith)  # noqa: S101  # for the type checker
        held, sequential = self.held, self.sequential
        children: list[Child] = []
        left: list[Entered] = []
        for item in node.items:
            values = self.evaluate(item.context_expr, scope) or self._named_lock(item.context_expr, scope)
            given: Values = UNKNOWN
            for value in values:
                if isinstance(value, Pending) and value.spans:
                    children.append(self._span(value))
                    continue
                entered = self.enter(value, self.place(item.context_expr, scope))
                left.append(entered)
                self.held = (*self.held, *entered.held)
                given = joined(given, entered.given)
                if isinstance(value, Thing) and value.kind is Kind.GUARD and value.data is True:
                    self.sequential += 1
            if item.optional_vars is not None:
                self.assign(item.optional_vars, given, scope)
        ended = self.execute(node.body, scope)
        self._leave(left, children)
        self.held, self.sequential = held, sequential
        return ended

    def _named_lock(self, node: ast.expr, scope: Environment) -> Values:
        """Something unknown that is called a lock is taken for one: that nothing is known of it proves no race."""
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if not _LOCKS.search(name):
            return UNKNOWN
        key = f"{scope.module.name} {ast.unparse(node)}"
        if key not in self.named_locks:
            made = Step(place=self.place(node, scope), words="it is entered here")
            self.named_locks[key] = self.make(Kind.LOCK, made, name=name)
        return (self.named_locks[key],)

    def _leave(self, left: Sequence[Entered], children: Sequence[Child]) -> None:
        for child in children:
            self.join(child)
        for entered in reversed(left):
            for value in entered.given:
                if isinstance(value, Thing) and value.kind in {Kind.TASK_GROUP, Kind.EXECUTOR}:
                    for task in value.carried:
                        if isinstance(task, Thing):
                            self.await_task(task)
            self.trace.events += entered.after

    def _import(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Import | ast.ImportFrom)  # noqa: S101  # for the type checker
        for name, bound in import_bindings(node, scope.module):
            dotted = self.project.resolve(scope.module, name) if scope.function is None else None
            scope.bind(name, self._imported(dotted or bound.target, bound.target, scope.module))
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            self._import_all(scope.module.absolute(node), scope)
        return False

    def _imported(self, dotted: str, target: str, near: Module) -> Values:
        """The value where it is defined; if that is an alias's, what the module that was named has."""
        return self.imported(target, near) or self.imported(dotted, near)

    def _import_all(self, name: str, scope: Environment) -> None:
        module = self.project.module(name, near=scope.module)
        if module is not None and module is not scope.module:
            there = self.module_environment(module)
            for each, values in there.names.items():
                if not each.startswith("_"):
                    scope.names.setdefault(each, values)

    def _elsewhere(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.Global | ast.Nonlocal)  # noqa: S101  # for the type checker
        for name in node.names:
            there = self.module_environment(scope.module)
            if isinstance(node, ast.Nonlocal) and scope.outer is not None:
                there = scope.outer
            scope.elsewhere[name] = there
            scope.names.pop(name, None)
        return False


def _takes_all(case: ast.match_case) -> bool:
    return case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None


def _decorator_name(value: object) -> str:
    match value:
        case External(name=name):
            return key_of(name)[1]
        case Thing(kind=Kind.OPAQUE, name=name):
            return name
        case _:
            return ""


def _merged(ends: Sequence[dict[str, Values]]) -> dict[str, Values]:
    if len(ends) == 1:
        return ends[0]
    names = dict.fromkeys(name for end in ends for name in end)
    return {name: joined(*(end[name] for end in ends if name in end)) for name in names}


@lru_cache(maxsize=65536)
def _may_start(node: ast.AST) -> bool:
    """Whether something in it may start a task, or collect something to start."""
    for each in below(node):
        if isinstance(each, ast.Call):
            function = each.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name in _STARTING:
                return True
    return False


_I = Interpreter
_HANDLERS: Mapping[type[ast.stmt], _Handler] = {
    ast.FunctionDef: _I._define,
    ast.AsyncFunctionDef: _I._define,
    ast.ClassDef: _I._define_class,
    ast.Return: _I._return,
    ast.Assign: _I._assign,
    ast.AnnAssign: _I._assign_annotated,
    ast.AugAssign: _I._assign_more,
    ast.Expr: _I._expression,
    ast.Raise: _I._stop,
    ast.Break: _I._stop,
    ast.Continue: _I._stop,
    ast.If: _I._if,
    ast.Match: _I._match,
    ast.For: _I._for,
    ast.AsyncFor: _I._for,
    ast.While: _I._while,
    ast.Try: _I._try,
    ast.TryStar: _I._try,
    ast.With: _I._with,
    ast.AsyncWith: _I._with,
    ast.Import: _I._import,
    ast.ImportFrom: _I._import,
    ast.Global: _I._elsewhere,
    ast.Nonlocal: _I._elsewhere,
}
