"""Runs of tools, seen from two sides.

Problem: where a tool's function is called one sees what it raised, but not the hooks around it, nor tools
that are no functions; a tool's span sees those, but not an error that a hook turned into a result.

Mechanism: both sides report here. `record` prefers the call over the span of the same tool call.

Guarantee: whoever asked by `on_end` is told the end of each tool call at least once, in the tool's own
task.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.evidence import Interval, Record, ToolOutcome, ToolRun
from harness.observe.attribution import attributed

__all__ = ["OpenRun", "ToolLog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A run of a tool that has not ended."""

    run: ToolRun
    from_span: bool


class ToolLog:
    """Collects tool runs."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: list[OpenRun] = []
        self._ended: list[OpenRun] = []
        self._listeners: list[Callable[[str], None]] = []

    def on_end(self, listener: Callable[[str], None]) -> None:
        """Have `listener` called with the `tool_call_id` of each tool call that ends, however it ends."""
        self._listeners.append(listener)

    def begin(self, tool: str, tool_call_id: str, *, from_span: bool = False) -> OpenRun:
        """A tool starts, in the caller's task."""
        who = attributed()
        now = self._clock()
        opened = OpenRun(
            run=ToolRun(
                tool=tool,
                tool_call_id=tool_call_id,
                turn=who.turn,
                task=who.task,
                interval=Interval(start=now, end=now),
                outcome=ToolOutcome.UNFINISHED,
            ),
            from_span=from_span,
        )
        self._open.append(opened)
        return opened

    def end(self, opened: OpenRun, outcome: ToolOutcome, *, error_type: str | None = None) -> None:
        """It ends."""
        self._open.remove(opened)
        self._ended.append(self._closed(opened, outcome, error_type))
        for listener in self._listeners:
            listener(opened.run.tool_call_id)

    def calls_without_span(self) -> tuple[str, ...]:
        """Tool calls that were seen where the function is called, and by no span."""
        everything = [*self._ended, *self._open]
        spans = {each.run.tool_call_id for each in everything if each.from_span}
        return tuple(each.run.tool_call_id for each in everything if each.run.tool_call_id not in spans)

    def record(self) -> Record[ToolRun]:
        """Every run once, in the order in which they started; those still open last until now."""
        everything = self._ended + [self._closed(opened, ToolOutcome.UNFINISHED, None) for opened in self._open]
        called = {each.run.tool_call_id for each in everything if not each.from_span}
        runs = [each.run for each in everything if not each.from_span or each.run.tool_call_id not in called]
        return Record.of("tools", sorted(runs, key=lambda run: run.interval.start))

    def _closed(self, opened: OpenRun, outcome: ToolOutcome, error_type: str | None) -> OpenRun:
        interval = Interval(start=opened.run.interval.start, end=self._clock())
        return replace(opened, run=replace(opened.run, interval=interval, outcome=outcome, error_type=error_type))
