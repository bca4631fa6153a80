"""A time limit on each call into a backend, and words for what it did not do in that time.

Problem: a backend that hangs gives no error, and one that raises does so below many frames of libraries.

Mechanism: just before the limit every task's stack is looked at, while what is waited for still stands there; then the
call is cancelled, in the task that made it, because an application may have to be left by the task that entered it.

Guarantee: what is raised names the last line of the application's own.
"""

import asyncio
import os
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from harness.backend import Violation
from harness.conformance.outcome import StepFailed
from harness.evidence import StuckTask
from harness.observe.stuck import stuck_tasks
from harness.report.redact import masker
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


async def within(seconds: float, awaitable: Awaitable[T], *, part: str, asked: str, change: str) -> T:
    """The awaitable's result.

    Raises:
        StepFailed: it raises, or takes longer; the violation is of the `part`, of which so much was `asked`.
    """
    waiting: list[StuckTask] = []
    handle = asyncio.get_running_loop().call_later(seconds, lambda: waiting.extend(stuck_tasks()))
    try:
        async with asyncio.timeout(seconds + _AFTERWARDS):
            return await awaitable
    except TimeoutError as error:
        if not waiting:
            raise StepFailed(_raised(error, part, asked, change)) from error
        raise StepFailed(_stuck(waiting, seconds, part, asked)) from error
    except (Exception, SystemExit) as error:
        raise StepFailed(_raised(error, part, asked, change)) from error
    finally:
        handle.cancel()


def _raised(error: BaseException, part: str, asked: str, change: str) -> Violation:
    return Violation(
        part=part, seen=f"it raised {described(error)}", asked=asked, change=change, place=place_of_failure(error)
    )


def _stuck(waiting: list[StuckTask], seconds: float, part: str, asked: str) -> Violation:
    task, frame = _where(waiting)
    where = f"; task {task!r} waits at {frame}" if frame else ""
    return Violation(
        part=part,
        seen=f"it has not ended after {seconds:g} s{where}",
        asked=asked,
        change="let it end, or give it more time by --turn-timeout if it needs that",
        place=frame.partition(" in ")[0],
    )


def _where(waiting: list[StuckTask]) -> tuple[str, str]:
    """The task that waits, and the application's innermost frame of it: that of a tool, if any, or the turn's own."""
    found = [(task.name, own[-1]) for task in waiting if (own := _own_frames(task.stack))]
    tools = [each for each in found if not each[0].startswith(TURN_TASK)]
    return (tools or found or [("", "")])[0]


def _own_frames(stack: Sequence[str]) -> list[str]:
    """The frames in files of the application, which are told from the working directory."""
    return [frame for frame in stack if is_application(frame.rpartition(":")[0])]


def described(error: BaseException) -> str:
    """Type and text of an error, without SQLAlchemy's appendices and without secrets."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = " ".join(line for line in lines if line and not line.startswith(("[SQL:", "[parameters:", "(Background")))
    return masker(os.environ)(f"{type(error).__name__}: {said}"[:_LONGEST])


def place_of_failure(error: BaseException) -> str:
    """The application's innermost line on the way to an error, `path:line`; empty if there is none."""
    frames = format_stack(of_exception(error))
    return frames[-1].partition(" in ")[0] if frames else ""
