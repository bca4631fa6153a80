"""A time limit on each call into a backend, and words for what it did not do in that time.

Problem: a backend that hangs gives no error, and one that raises does so below many frames of libraries.

Mechanism: just before the limit every task's stack is looked at, while what is waited for still stands there; then the
call is cancelled, in the task that made it, because an application may have to be left by the task that entered it.
Who swallows that, and ends all the same, is told so; who does not end is left to whoever watches
`harness.conformance.calls`.

Guarantee: whatever the backend raises, in being called or in being awaited, is a violation, and names the last line of
the application's own. Only who ends the check itself passes.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from inspect import isawaitable
from typing import TypeVar

from harness.backend import Violation
from harness.backend.reading import described_error, is_interrupt
from harness.conformance.calls import Calls, current_calls, going_on
from harness.conformance.outcome import StepFailed
from harness.evidence import StuckTask
from harness.observe.stuck import awaited, stuck_tasks
from harness.report.redact import masker
from harness.report.text import clip
from harness.scenario import ModelTier
from harness.stacks import format_stack, is_application, of_exception

__all__ = ["GUARDED", "TURN_TASK", "described", "place_of_failure", "within"]

GUARDED = ModelTier.WIRE
"""As what the guard takes the scripted model: in this tier it tells the host of every other one."""

TURN_TASK = "turn "
"""How the names of tasks begin in which a turn is sent."""

_AFTERWARDS = 0.2
"""For how many seconds longer a call may go on while its stack is looked at."""
_LONGEST = 400
T = TypeVar("T")


async def within(
    seconds: float,
    call: Callable[[], Awaitable[T]],
    *,
    part: str,
    asked: str,
    change: str,
    place: str = "",
    generator: object = None,
) -> T:
    """What is awaited of the call.

    Args:
        seconds: how long it may take.
        call: what calls the backend; it is called here, because that may raise, too.
        part: of which part a violation is.
        asked: what is asked of it.
        change: what to do if it raises.
        place: where that part is written, for want of a better line.
        generator: an async generator of the application's that the call goes on with, whose frames are looked at, too.

    Raises:
        StepFailed: it raises, or takes longer.
    """
    calls = current_calls.get(Calls())
    loop = asyncio.get_running_loop()
    violated = Violation(part=part, seen="", asked=asked, change=change, place=place)
    with calls.pend(seconds) as pending:

        def look() -> None:
            pending.late = _stuck(stuck_tasks(), generator, seconds, violated)

        handle = loop.call_later(seconds, look)
        limit = asyncio.timeout(seconds + _AFTERWARDS)
        try:
            async with limit:
                result = await _awaitable(call(), violated)
        except StepFailed:
            raise
        except BaseException as error:
            if calls.stopped or is_interrupt(error):
                raise
            late = pending.late if isinstance(error, TimeoutError) or limit.expired() else None
            raise StepFailed(late or _raised(error, violated)) from error
        finally:
            handle.cancel()
        if limit.expired() and pending.late is not None:
            raise StepFailed(going_on(pending.late)) from TimeoutError()
        return result


def _awaitable(returned: Awaitable[T], violated: Violation) -> Awaitable[T]:
    """What the call returned; raises `StepFailed` if an application has returned something else."""
    given: object = returned
    if isawaitable(given):
        return returned
    seen = f"it returned a {type(returned).__name__}, which cannot be awaited"
    raise StepFailed(replace(violated, seen=seen, change="write it as `async def`, or return what can be awaited"))


def _raised(error: BaseException, violated: Violation) -> Violation:
    place = place_of_failure(error) or violated.place
    if isinstance(error, asyncio.CancelledError):
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        change = "let nobody cancel it but its caller"
        return replace(violated, seen="its task was cancelled by somebody else", change=change, place=place)
    return replace(violated, seen=f"it raised {described(error)}", place=place)


def _stuck(waiting: Sequence[StuckTask], generator: object, seconds: float, violated: Violation) -> Violation:
    if own := _own_frames(format_stack(tuple(awaited(generator)))):
        frame = own[-1]
        where = f"; it waits at {frame}"
    else:
        task, frame = _where(waiting)
        where = f"; task {task!r} waits at {frame}" if frame else ""
    return replace(
        violated,
        seen=f"it has not ended after {seconds:g} s{where}",
        change="let it end, or give it more time by --turn-timeout if it needs that",
        place=frame.partition(" in ")[0] or violated.place,
    )


def _where(waiting: Sequence[StuckTask]) -> tuple[str, str]:
    """The task that waits, and the application's innermost frame of it: that of a tool, if any, or the turn's own."""
    found = [(task.name, own[-1]) for task in waiting if (own := _own_frames(task.stack))]
    tools = [each for each in found if not each[0].startswith(TURN_TASK)]
    return (tools or found or [("", "")])[0]


def _own_frames(stack: Sequence[str]) -> list[str]:
    """The frames in files of the application, which are told from the working directory."""
    return [frame for frame in stack if is_application(frame.rpartition(":")[0])]


def described(error: BaseException) -> str:
    """Type and text of an error, without SQLAlchemy's appendices and without secrets."""
    kind, _, text = described_error(error).partition(": ")
    lines = [line.strip() for line in text.splitlines()]
    said = " ".join(line for line in lines if line and not line.startswith(("[SQL:", "[parameters:", "(Background")))
    return clip(masker(os.environ)(f"{kind}: {said}"), _LONGEST)


def place_of_failure(error: BaseException) -> str:
    """The application's innermost line on the way to an error, `path:line`; empty if there is none."""
    frames = format_stack(of_exception(error))
    return frames[-1].partition(" in ")[0] if frames else ""
