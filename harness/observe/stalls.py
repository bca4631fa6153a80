"""Times in which one piece of code held the event loop.

Problem: a tool that computes, or calls something that blocks, stops every other tool and every other
user. A loaded machine looks much the same from outside: the loop does nothing for a while.

Mechanism: a thread asks the loop for a sign of life every few milliseconds. While it is late, the thread
samples the loop thread's stack and the task that runs. The function of the application that was on most
samples, in one and the same task, is the one that held the loop, so that many short steps of the same
code are not mistaken for one long one. Time in which the loop's thread was ready but got no processor
(the kernel's run delay, on Linux), or in which the samples themselves were late, is not counted.

Guarantee: a stall is reported only if the loop was held for the threshold by that reckoning, and never
for code of the harness. A loop that blocks on a machine so busy that its share of the processor stays
below the threshold is missed.
"""

import asyncio
import os
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from harness.evidence import Interval, LoopStall, Record
from harness.observe.recorder import Context
from harness.stacks import RawStack, format_stack, is_application, is_harness, is_loop_step

__all__ = ["StallsRecorder"]

BEAT_SECONDS: Final = 0.02
SAMPLE_SECONDS: Final = 0.005
LATEST_SAMPLE_SECONDS: Final = 4 * SAMPLE_SECONDS
_DEPTH_WITHOUT_APPLICATION: Final = 5
_LONGEST_SCHEDSTAT: Final = 128
_Task = weakref.ref[asyncio.Task[Any]]
"""A task is told apart from one that later gets its address, and is not kept alive."""
_Frame = tuple[_Task | None, CodeType, int]
"""The task that runs, the frame's code, and its line."""


@dataclass(slots=True)
class _Samples:
    """Stacks of the loop's thread, each with its innermost frame last, and for how long they speak."""

    stacks: list[tuple[_Frame, ...]] = field(default_factory=list)
    seconds: float = 0.0
    last: float | None = None

    def add(self, stack: tuple[_Frame, ...], now: float) -> None:
        self.seconds += min(now - self.last, LATEST_SAMPLE_SECONDS) if self.last is not None else 0.0
        self.last = now
        self.stacks.append(stack)


class StallsRecorder:
    """Records `stalls`; `threshold` in seconds."""

    name = "stalls"
    fields = ("stalls",)

    def __init__(self, *, threshold: float = 0.1) -> None:
        self._threshold = threshold
        self._context: Context | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._answered = 0
        self._answered_at = 0.0
        self._loop_thread = 0
        self._run_delay = _RunDelay()
        self._stalls: list[LoopStall] = []
        self._failure: str | None = None

    def start(self, context: Context) -> None:
        """Start the thread that watches the loop.

        Raises:
            RuntimeError: the system has no thread for it; then nothing is open.
        """
        self._context = context
        self._loop_thread = threading.get_ident()
        self._run_delay = _RunDelay(Path(f"/proc/self/task/{threading.get_native_id()}/schedstat"))
        thread = threading.Thread(target=self._watch, args=(context,), name="sessionproof-stalls", daemon=True)
        try:
            thread.start()
        except BaseException:  # interrupted, too, it leaves no file open
            self._run_delay.close()
            raise
        self._thread = thread

    def stop(self) -> None:
        """Stop the thread and wait for its end."""
        try:
            if self._thread is not None:
                self._stop.set()
                self._thread.join()
                self._thread = None
        finally:
            self._run_delay.close()

    def records(self) -> Mapping[str, Record[Any]]:
        """The `stalls`, in their order."""
        if self._failure is not None:
            return {"stalls": Record.absent("stalls", self._failure)}
        return {"stalls": Record.of("stalls", self._stalls)}

    def _watch(self, context: Context) -> None:
        try:
            number = 0
            while not self._stop.is_set():
                number += 1
                self._beat(context, number)
        except Exception as error:  # noqa: BLE001  # whatever it is, the watching ended, and the record must say so
            self._failure = f"its thread ended by {type(error).__name__}: {error}"

    def _beat(self, context: Context, number: int) -> None:
        asked, delayed = context.clock(), self._run_delay.seconds()
        try:
            context.loop.call_soon_threadsafe(self._answer, context, number)
        except RuntimeError:  # the loop is closed: there is nothing left to watch
            self._stop.set()
            return
        self._stop.wait(BEAT_SECONDS)
        if self._answered == number:
            return
        samples = _Samples()
        while self._answered != number and not self._stop.is_set():
            samples.add(self._sample(context.loop), context.clock())
            self._stop.wait(SAMPLE_SECONDS)
        ended = self._answered_at if self._answered == number else context.clock()
        held = ended - asked - (self._run_delay.seconds() - delayed)
        if min(held, samples.seconds + BEAT_SECONDS) >= self._threshold:
            self._add(Interval(start=asked, end=ended), samples)

    def _answer(self, context: Context, number: int) -> None:
        self._answered_at = context.clock()
        self._answered = number

    def _sample(self, loop: asyncio.AbstractEventLoop) -> tuple[_Frame, ...]:
        """What the loop runs now, innermost last; nothing if it waits for events. No frame is kept."""
        frame: FrameType | None = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  # the only way to another thread's stack
        reference = _reference(asyncio.current_task(loop))
        found: list[_Frame] = []
        while frame is not None and not is_loop_step(frame.f_code):
            if _is_loop(frame.f_code):
                return ()
            found.append((reference, frame.f_code, frame.f_lineno))
            frame = frame.f_back
        found.reverse()
        return tuple(found)

    def _add(self, interval: Interval, samples: _Samples) -> None:
        stalled = _stalled(samples.stacks)
        if stalled is not None:
            stack, count = stalled
            total = len(samples.stacks)
            self._stalls.append(
                LoopStall(interval=interval, stack=format_stack(stack), samples=total, share=count / total)
            )


def _reference(task: asyncio.Task[Any] | None) -> _Task | None:
    if task is None:
        return None
    reference = weakref.ref(task)
    hash(reference)  # it can be hashed later only if it was while the task lived
    return reference


def _stalled(stacks: list[tuple[_Frame, ...]]) -> tuple[RawStack, int] | None:
    """The stack up to the frame that most samples have, and how many; `None` if it is the harness's."""
    seen = Counter(each for stack in stacks for each in {frame[:2] for frame in _application(stack)})
    if not seen:
        return _without_application([stack for stack in stacks if stack])
    most = max(seen.values())
    candidates = {frame for frame, count in seen.items() if count == most}
    stack = next(stack for stack in reversed(stacks) if any(frame[:2] in candidates for frame in stack))
    frames = _application(stack)
    deepest = max(index for index, frame in enumerate(frames) if frame[:2] in candidates)
    return _raw(frames[: deepest + 1]), most


def _without_application(stacks: list[tuple[_Frame, ...]]) -> tuple[RawStack, int] | None:
    if not stacks or any(is_harness(frame[1].co_filename) for frame in stacks[-1]):
        return None
    (code, count) = Counter(stack[-1][1] for stack in stacks).most_common(1)[0]
    stack = next(stack for stack in reversed(stacks) if stack[-1][1] is code)
    return _raw(stack[-_DEPTH_WITHOUT_APPLICATION:]), count


def _application(stack: tuple[_Frame, ...]) -> tuple[_Frame, ...]:
    return tuple(frame for frame in stack if is_application(frame[1].co_filename))


def _raw(frames: tuple[_Frame, ...]) -> RawStack:
    return tuple((code, line) for _, code, line in frames)


def _is_loop(code: CodeType) -> bool:
    return code.co_name == "_run_once" and code.co_filename.endswith("base_events.py")


class _RunDelay:
    """For how long a thread was ready to run, and no processor was free, as far as the system tells.

    The file is kept open: opening it for every sign of life would cost more than all that else is done for one.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._file: int | None = None
        with suppress(OSError):
            self._file = None if path is None else os.open(path, os.O_RDONLY)

    def seconds(self) -> float:
        """In total; 0.0 where the system does not tell."""
        if self._file is None:
            return 0.0
        try:
            return int(os.pread(self._file, _LONGEST_SCHEDSTAT, 0).split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            return 0.0

    def close(self) -> None:
        """Tell no more; harmless when called twice."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
