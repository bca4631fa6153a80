"""How it grows: with the tools of a turn, the turns at once, the operations of a tool, writes, and the pool's state.

Each point of a curve is a measurement of its own, with its own arms. Tools work for a short time, so that what grows
beside their work shows.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.backend import Backend, PoolSettings
from harness.bench.arm import Setting
from harness.bench.messages import message, series, writes
from harness.bench.yardstick import NAME as YARDSTICK
from harness.scenario import Message, PoolState, SessionMode, ToolRole

__all__ = ["Curve", "Point", "curves"]

TOOL_SECONDS = 0.05
AT_ONCE = 16
"""How many turns at once are measured in the time of a point; with more it takes longer in proportion."""
READS = frozenset({ToolRole.READ, ToolRole.SEARCH})
"""The roles that the yardstick's tools play."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One place on a curve, and what is compared there, the reference first; `label` names what is no number.

    `longer` is how many times as long as at other points the measurement may take.
    """

    x: int
    settings: Mapping[str, Setting]
    label: str | None = None
    longer: float = 1.0

    @property
    def connections(self) -> int:
        """How many connections all arms together hold."""
        return sum(setting.connections for setting in self.settings.values())

    def place(self, axis: str) -> str:
        """Where it is on a curve along this axis."""
        return f"{self.x} {axis}" if self.label is None else f"{axis} {self.label}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Points by what grows: `axis` says what that is."""

    name: str
    question: str
    axis: str
    points: tuple[Point, ...]


def curves(backend: Backend, *, full: bool) -> Iterator[Curve]:
    """All curves, in quick form or in full, for the session modes that the backend has."""
    yield Curve(
        name="tools_per_turn",
        question=f"What does a turn cost whose tools, of {TOOL_SECONDS:g} s each, are called together?",
        axis="tools",
        points=tuple(
            Point(x=tools, settings=_modes(backend, (_message(tools),)))
            for tools in ((1, 2, 4, 8, 16, 32) if full else (1, 2, 4, 8))
        ),
    )
    yield Curve(
        name="turns_at_once",
        question=f"What do turns of two tools of {TOOL_SECONDS:g} s cost that are sent at the same time?",
        axis="turns",
        points=tuple(
            Point(x=turns, settings=_modes(backend, (_message(2),) * turns), longer=max(1.0, turns / AT_ONCE))
            for turns in ((1, 2, 4, 8, 16, 32, 64) if full else (1, 4, 8))
        ),
    )
    yield Curve(
        name="operations_per_tool",
        question=f"What does a turn cost whose two tools, of {TOOL_SECONDS:g} s each, then do so many operations each?",
        axis="operations",
        points=tuple(
            Point(x=operations, settings=_modes(backend, (_series(operations),)))
            for operations in ((1, 3, 10, 30, 100) if full else (1, 10, 100))
        ),
    )
    yield Curve(
        name="writes_per_turn",
        question=f"What does a turn cost whose tools add so many rows, beside two that read for {TOOL_SECONDS:g} s?",
        axis="writes",
        points=tuple(
            Point(x=rows, settings=_modes(backend, (_writes(rows),))) for rows in ((1, 2, 4, 8, 16) if full else (1, 4))
        ),
    )
    yield Curve(
        name="pool_states",
        question=f"What does the state of the pool cost a turn of two tools of {TOOL_SECONDS:g} s?",
        axis="pool",
        points=tuple(
            Point(x=number, label=state.value, settings=_modes(backend, (_message(2),), state=state))
            for number, state in enumerate(PoolState)
        ),
    )


def _message(tools: int) -> Message:
    return message(tools, seconds=TOOL_SECONDS)


def _series(operations: int) -> Message:
    return series(2, operations=operations, seconds=TOOL_SECONDS)


def _writes(tools: int) -> Message:
    return writes(tools, seconds=TOOL_SECONDS)


def _modes(backend: Backend, messages: Sequence[Message], *, state: PoolState = PoolState.WARM) -> dict[str, Setting]:
    """The reference, every other mode that the backend has, and the yardstick, with pools in which nobody waits.

    The yardstick's tools do one operation each, and only read: where others do more, it sends the turn of two tools, so
    that what becomes of the machine is known there too.
    """
    widest = sum(message.plan.widest_round for message in messages)
    reference = Setting(
        name=SessionMode.PER_OPERATION.value,
        mode=SessionMode.PER_OPERATION,
        messages=tuple(messages),
        pool_state=state,
        pool=PoolSettings.for_state(state, size=widest + len(messages), max_overflow=0),
        judged=False,
    )
    others = [replace(reference, name=mode.value, mode=mode) for mode in SessionMode if mode is not reference.mode]
    arms = {each.name: each for each in (reference, *others) if each.mode in backend.modes}
    simple = all(step.role in READS for message in messages for steps in message.plan.rounds for step in steps)
    measured = messages if simple else (_message(2),)
    machine = replace(reference, name=YARDSTICK, messages=tuple(measured), yardstick=True)
    return {**arms, YARDSTICK: machine} if arms else arms
