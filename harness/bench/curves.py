"""How it grows: with the tools of a turn, with the turns at once, and with the size of the pool.

Each point of a curve is a measurement of its own, with its own arms; pools of several sizes are the arms of a single
one, because there they are compared with each other. Tools work for a short time, so that what grows beside their work
shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.backend import Backend, PoolSettings
from harness.bench.arm import Setting
from harness.scenario import Message, SessionMode, TokenUsage, ToolPlan, ToolRole, ToolStep

__all__ = ["Curve", "Point", "Pools", "curves", "message", "pools", "smallest_pool"]

TOOL_SECONDS = 0.05
_USAGE = TokenUsage(prompt_tokens=431, completion_tokens=62)
_PATIENCE = 5.0
"""For how many seconds a pool that is too small lets somebody wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One place on a curve, and what is compared there, the reference first."""

    x: int
    settings: Mapping[str, Setting]

    @property
    def connections(self) -> int:
        """How many connections all arms together hold."""
        return sum(setting.connections for setting in self.settings.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points by what grows: `axis` says what that is."""

    name: str
    question: str
    axis: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pools:
    """Pools to compare, the largest first, and the size that is predicted to be enough for the turns' tools."""

    settings: Mapping[str, Setting]
    predicted: int
    turns: int
    tools: int


def curves(backend: Backend, *, full: bool) -> Iterator[Curve]:
    """All curves, in quick form or in full, for the session modes that the backend has."""
    yield Curve(
        name="tools_per_turn",
        question=f"What does a turn cost whose tools, of {TOOL_SECONDS:g} s each, are called together?",
        axis="tools",
        points=tuple(
            Point(x=tools, settings=_modes(backend, (message(tools),)))
            for tools in ((1, 2, 4, 8, 16, 32) if full else (1, 2, 4, 8))
        ),
    )
    yield Curve(
        name="turns_at_once",
        question=f"What do turns of two tools of {TOOL_SECONDS:g} s cost that are sent at the same time?",
        axis="turns",
        points=tuple(
            Point(x=turns, settings=_modes(backend, (message(2),) * turns))
            for turns in ((1, 2, 4, 8, 16, 32, 64) if full else (1, 4, 8))
        ),
    )


def pools(*, full: bool) -> Pools:
    """Pools of several sizes, for two turns of two tools at once; in full, for four of four."""
    turns = tools = 4 if full else 2
    messages = (message(tools),) * turns
    sizes = (32, 16, 12, 8, 4, 2, 1) if full else (8, 4, 3, 2, 1)
    settings = {
        f"pool of {size}": Setting(
            name=f"pool of {size}",
            mode=SessionMode.PER_OPERATION,
            messages=messages,
            pool=PoolSettings(size=size, max_overflow=0, timeout=_PATIENCE),
        )
        for size in sizes
    }
    return Pools(settings=settings, predicted=smallest_pool(turns=turns, tools=tools), turns=turns, tools=tools)


def smallest_pool(*, turns: int, tools: int) -> int:
    """The smallest pool in which no tool waits for a connection: one for each tool that is at work at once.

    A session per operation holds nothing between operations: no connection of the turn's own comes on top.
    """
    return max(1, turns * tools)


def message(tools: int, *, seconds: float = TOOL_SECONDS) -> Message:
    """A message to which the model answers by calling so many tools together, each of which takes so many seconds."""
    roles = (ToolRole.READ, ToolRole.SEARCH)
    steps = tuple(ToolStep(role=roles[number % 2], database_seconds=seconds) for number in range(tools))
    return Message(plan=ToolPlan(rounds=(steps,), usages=(_USAGE, _USAGE)))


def _modes(backend: Backend, messages: Sequence[Message]) -> dict[str, Setting]:
    """The reference and every other mode that the backend has, with pools in which nobody waits."""
    widest = sum(message.plan.widest_round for message in messages)
    others = [mode for mode in SessionMode if mode is not SessionMode.PER_OPERATION]
    return {
        mode.value: Setting(
            name=mode.value,
            mode=mode,
            messages=tuple(messages),
            pool=PoolSettings(size=widest + len(messages), max_overflow=0),
        )
        for mode in (SessionMode.PER_OPERATION, *others)
        if mode in backend.modes
    }
