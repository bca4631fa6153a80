"""What compound statements do: they branch, repeat, catch, enter and leave."""

import ast
import re
from abc import ABC
from collections.abc import Sequence

from harness.project.kept import kept
from harness.project.module import below
from harness.scan.calls import Entered
from harness.scan.choices import End, crossed
from harness.scan.counting import FEW_ROUNDS
from harness.scan.environment import Environment
from harness.scan.expressions import Expressions
from harness.scan.trace import Child, Nature, Spawn
from harness.scan.values import UNKNOWN, Constant, Kind, Pending, Step, Thing, Values, joined, key_in

__all__ = ["Blocks", "merged"]

_STARTING = frozenset(
    {"create_task", "ensure_future", "start_soon", "append", "add", "add_task", "submit", "start", "run_in_executor"}
)
_ONCE = frozenset({Kind.SESSION, Kind.FACTORY, Kind.ENGINE, Kind.POOL, Kind.INSTANCE, Kind.AGENT})
_TWO = 2
_LOCKS = re.compile(r"(?i)lock|mutex|semaphore|guard")


class Blocks(Expressions, ABC):
    """Follows the statements that have others inside; each handler says whether what follows is never reached."""

    __slots__ = ()

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
        ends: list[End] = []
        for side, body in enumerate(bodies):
            if test is not None and (visit, 1 - (side ^ turned)) in arms:
                continue  # here the test is known to be on the other side
            scope.names, self.held, self.crossings = dict(before), held, []
            self.arms = arms | {(visit, side ^ turned)}
            if not self.execute(body, scope):
                ends += self._ends(scope)
        self.held = held
        self.arms = ends[0].arms if len(ends) == 1 else arms
        scope.names = merged([each.names for each in ends]) if ends else before
        self.crossings = ends if crossed(ends) else []
        return not ends

    def _ends(self, scope: Environment) -> list[End]:
        """What the names are now, or at each of the ends that the last statement has."""
        return [End(names=each.names, arms=each.arms | self.arms) for each in self.crossings] or [
            End(names=scope.names, arms=self.arms)
        ]

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
        if _counts(node.iter) and not _may_start(node):
            rows = rows[:1]
        rounds = rows[:FEW_ROUNDS] or [UNKNOWN]
        if len(rounds) == 1 and _may_start(node):
            rounds = [*rounds, rounds[0] if rows else UNKNOWN]
        for order, row in enumerate(rounds):
            before = dict(scope.names)
            with self.in_round(order):
                self.assign(node.target, row, scope)
                self.execute(node.body, scope)
            scope.names = merged([scope.names, before])
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
            scope.names = merged([scope.names, before])
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
        ends: list[End] = []
        self.crossings = []
        if not self.execute(node.body, scope):
            self.arms |= {(visit, 0)}
            if not self.execute(node.orelse, scope):
                ends += self._ends(scope)
        held = self.held
        for side, handler in enumerate(node.handlers, start=1):
            scope.names = merged([before, scope.names])
            self.arms, self.crossings = arms | {(visit, side)}, []
            if handler.name:
                scope.names[handler.name] = UNKNOWN
            if not self.execute(handler.body, scope):
                ends += self._ends(scope)
            self.held = held
        scope.names = merged([each.names for each in ends]) if ends else scope.names
        self.arms = ends[0].arms if len(ends) == 1 else arms
        return self._finally(node.finalbody, ends, scope) or not ends

    def _finally(self, body: Sequence[ast.stmt], ends: Sequence[End], scope: Environment) -> bool:
        """Follow what is done at each end, once: what it binds is bound at all of them."""
        before = dict(scope.names)
        ended = self.execute(body, scope)
        bound = {name: values for name, values in scope.names.items() if values is not before.get(name)}
        self.crossings = [End(names={**each.names, **bound}, arms=each.arms) for each in ends] if crossed(ends) else []
        return ended

    def _with(self, node: ast.stmt, scope: Environment) -> bool:
        assert isinstance(node, ast.With | ast.AsyncWith)  # noqa: S101  # for the type checker
        held, sequential = self.held, self.sequential
        children: list[Child] = []
        left: list[Entered] = []
        for item in node.items:
            values = self.evaluate(item.context_expr, scope) or self._named_lock(item.context_expr, scope)
            given: Values = UNKNOWN
            before, locks = self.held, []
            for value in values:
                if isinstance(value, Pending) and value.spans:
                    children.append(self._span(value))
                    continue
                entered = self.enter(value, self.place(item.context_expr, scope))
                left.append(entered)
                locks.append((*self.held[len(before) :], *entered.held))
                self.held = before
                given = joined(given, entered.given)
                if isinstance(value, Thing) and value.kind is Kind.GUARD and value.data is True:
                    self.sequential += 1
            self.held = (*before, *_held_by_all(locks))
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


def _held_by_all(locks: Sequence[tuple[Thing, ...]]) -> tuple[Thing, ...]:
    """What is held whichever of several managers is entered: a lock in one of them keeps nobody apart in the others."""
    return tuple(each for each in locks[0] if all(each in others for others in locks)) if locks else ()


def _takes_all(case: ast.match_case) -> bool:
    return case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None


def merged(ends: Sequence[dict[str, Values]]) -> dict[str, Values]:
    """What names are after any of these."""
    if len(ends) == 1:
        return ends[0]
    if len(ends) == _TWO:
        first, second = ends
        both = {name: joined(values, second[name]) if name in second else values for name, values in first.items()}
        return both | {name: values for name, values in second.items() if name not in first}
    names = dict.fromkeys(name for end in ends for name in end)
    return {name: joined(*(end[name] for end in ends if name in end)) for name in names}


def _counts(node: ast.expr) -> bool:
    """Whether it gives numbers alone."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"


@kept
def _may_start(node: ast.AST) -> bool:
    """Whether something in it may start a task, or collect something to start."""
    for each in below(node):
        if isinstance(each, ast.Call):
            function = each.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            if name in _STARTING:
                return True
    return False
