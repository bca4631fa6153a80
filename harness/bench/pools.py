"""How small may the pool be: predicted by a formula, and measured.

A session per operation holds a connection while a tool works and none in between, so that as many are enough as tools
are at work at once: turns times tools. A session for the whole turn holds one as long as the turn lasts. Pools of
several sizes are the arms of one measurement, the largest first, because they are compared with each other. Tools work
for long enough that one that has to wait for another shows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.backend import Backend, PoolSettings
from harness.bench.arm import Setting
from harness.bench.messages import message
from harness.report.bench_document import ArmDocument, CaseDocument, PoolsDocument
from harness.scenario import SessionMode

__all__ = ["HOLDS", "PATIENCE_SECONDS", "Pools", "describe_pools", "pools", "smallest_pool"]

TOOL_SECONDS = 0.1
PATIENCE_SECONDS = 1.0
"""How long somebody waits for a connection: ten times a tool's work. Applications wait longer, with longer tools."""

HOLDS = 1.15
"""Up to how many times the time of the largest pool a smaller one is said to hold it."""

SIZES = (1, 2, 4, 8, 16, 32)
QUICK_LOADS = ((1, 2), (2, 2))
FULL_LOADS = ((1, 2), (2, 2), (4, 2), (2, 8), (8, 4))
"""Turns at once, and tools of each."""
OTHER_LOAD = (2, 2)
"""That of the other modes than `per_operation`."""

_A_TURN = frozenset({SessionMode.SHARED, SessionMode.LOCKED, SessionMode.SEQUENTIAL})
"""The modes in which a turn has one session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """Pools to compare, the largest first, for so many `turns` of so many `tools` at once in a session mode."""

    mode: SessionMode
    turns: int
    tools: int
    settings: Mapping[str, Setting]

    @property
    def name(self) -> str:
        """What it is called in reports."""
        load = f"pool_size, {self.turns} x {self.tools}"
        return load if self.mode is SessionMode.PER_OPERATION else f"{load}, {self.mode.value}"

    @property
    def predicted(self) -> int:
        """The size that is to be enough."""
        return smallest_pool(self.mode, turns=self.turns, tools=self.tools)

    @property
    def question(self) -> str:
        """What a reader learns from it."""
        return (
            f"How small may the pool be for {self.turns} {'turn' if self.turns == 1 else 'turns'} of {self.tools} "
            f"tools of {TOOL_SECONDS:g} s at once? (predicted: {self.predicted}, one connection for each "
            f"{'turn' if self.mode in _A_TURN else 'tool'})"
        )


def pools(backend: Backend, *, full: bool) -> Iterator[Pools]:
    """All loads for the session modes that the backend has, `per_operation` first; in quick form, and `shared`.

    Each has pools up to twice the size that is predicted for it, and one smaller by one connection.
    """
    others = [mode for mode in SessionMode if mode is not SessionMode.PER_OPERATION] if full else [SessionMode.SHARED]
    loads = [(SessionMode.PER_OPERATION, *load) for load in (FULL_LOADS if full else QUICK_LOADS)]
    for mode, turns, tools in (*loads, *((mode, *OTHER_LOAD) for mode in others)):
        if mode in backend.modes:
            yield _pools(mode, turns, tools)


def smallest_pool(mode: SessionMode, *, turns: int, tools: int) -> int:
    """The smallest pool in which nobody waits for a connection longer than for another's work that it must wait for.

    With a session per operation that is one for each tool that is at work at once: it holds nothing between operations,
    and no connection of the turn's own comes on top. With a session for the turn it is one for each turn.
    """
    return turns if mode in _A_TURN else max(1, turns * tools)


def describe_pools(compared: Pools, case: CaseDocument) -> PoolsDocument:
    """What the intervals say of each size: nothing of those that do not lie on one side."""
    held = [arm.pool_size for arm in case.arms if arm.pool_size is not None and _holds(arm, case)]
    return PoolsDocument(
        turns=compared.turns,
        tools=compared.tools,
        predicted=compared.predicted,
        measured=min(held, default=None),
        saturated=_sizes(arm for arm in case.arms if arm.ratio is not None and arm.ratio.low > HOLDS),
        timed_out=_sizes(arm for arm in case.arms if arm.failure is not None and "TimeoutError" in arm.failure),
        case=case,
    )


def _holds(arm: ArmDocument, case: CaseDocument) -> bool:
    if arm.name == case.reference:
        return arm.seconds is not None
    return arm.ratio is not None and arm.ratio.high <= HOLDS


def _sizes(arms: Iterator[ArmDocument]) -> tuple[int, ...]:
    return tuple(sorted(arm.pool_size for arm in arms if arm.pool_size is not None))


def _pools(mode: SessionMode, turns: int, tools: int) -> Pools:
    predicted = smallest_pool(mode, turns=turns, tools=tools)
    sizes = {predicted, predicted - 1} | {size for size in SIZES if size <= 2 * predicted}
    settings = _settings(mode, turns, tools, sorted(sizes - {0}, reverse=True))
    return Pools(mode=mode, turns=turns, tools=tools, settings=settings)


def _settings(mode: SessionMode, turns: int, tools: int, sizes: list[int]) -> dict[str, Setting]:
    messages = (message(tools, seconds=TOOL_SECONDS),) * turns
    return {
        f"pool of {size}": Setting(
            name=f"pool of {size}",
            mode=mode,
            messages=messages,
            pool=PoolSettings(size=size, max_overflow=0, timeout=PATIENCE_SECONDS),
            judged=False,
        )
        for size in sizes
    }
