"""A time limit on each call into a backend, and words for what it did not do in that time.

Problem: a backend that hangs gives no error, and one that raises does so below many frames of libraries.

Mechanism: just before the limit every task's stack is looked at, while what is waited for still stands there; then the
call is cancelled, in the task that made it, because an application may have to be left by the task that entered it.

Guarantee: what is raised names the last line of the application's own.
"""

import asyncio
import os
from collections.abc import Awaitable
from typing import TypeVar

from harness.backend import Violation
from harness.conformance.outcome import StepFailed
from harness.evidence import StuckTask
from harness.observe.stuck import stuck_tasks
from harness.report.redact import masker
from harness.scenario import ModelTier
from harness.stacks import format_stack, of_exception

__all__ = ["GUARDED", "described", "place_of_failure", "within"]

GUARDED = ModelTier.WIRE
"""As what the guard takes the scripted model: in this tier it tells the host of every other one."""

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
    stacks = [task for task in waiting if task.stack]
    deepest = max(stacks, key=lambda task: len(task.stack), default=None)
    frames = deepest.stack if deepest is not None else ()
    own = [frame for frame in frames if "/asyncio/" not in frame]
    where = f"; task {deepest.name!r} waits at {own[-1]}" if deepest is not None and own else ""
    return Violation(
        part=part,
        seen=f"it has not ended after {seconds:g} s{where}",
        asked=asked,
        change="let it end, or give it more time by --turn-timeout if it needs that",
        place=own[-1].partition(" in ")[0] if own else "",
    )


def described(error: BaseException) -> str:
    """Type and text of an error, without SQLAlchemy's appendices and without secrets."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = " ".join(line for line in lines if line and not line.startswith(("[SQL:", "[parameters:", "(Background")))
    return masker(os.environ)(f"{type(error).__name__}: {said}"[:_LONGEST])


def place_of_failure(error: BaseException) -> str:
    """The application's innermost line on the way to an error, `path:line`; empty if there is none."""
    frames = format_stack(of_exception(error))
    return frames[-1].partition(" in ")[0] if frames else ""
