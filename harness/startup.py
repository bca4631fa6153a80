"""A backend's own code, started, stopped and asked in a time allowed.

Problem: an adapter may raise whatever it likes, end the process, or wait for ever, and a run goes on with other cells.

Guarantee: what it raises, and that it took too long, is a `BackendError` that says what was tried, and where it failed;
cancellation from outside is not.
"""

import asyncio
import os
import traceback
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

from harness.backend import Application, Backend, BackendSettings
from harness.errors import BackendError
from harness.report.redact import masker

__all__ = ["in_time", "started"]

T = TypeVar("T")


@asynccontextmanager
async def started(backend: Backend, settings: BackendSettings, seconds: float) -> AsyncIterator[Application]:
    """The application, started and stopped in so many seconds each.

    Raises:
        BackendError: it does not start, or does not stop.
    """
    context = backend.start(settings)
    application = await in_time(context.__aenter__(), f"backend {backend.name!r} did not start", seconds)
    try:
        yield application
    finally:
        await in_time(context.__aexit__(None, None, None), f"backend {backend.name!r} did not stop", seconds)


async def in_time(awaitable: Awaitable[T], failure: str, seconds: float) -> T:
    """The awaitable's result; raises `BackendError` if it raises, or takes longer."""
    try:
        async with asyncio.timeout(seconds):
            return await awaitable
    except TimeoutError as error:
        raise BackendError(f"{failure} within {seconds:g} s") from error
    except (Exception, SystemExit) as error:
        raise BackendError(f"{failure}: {_described(error)}") from error


def _described(error: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    lines = [line.strip() for line in str(error).splitlines()]
    said = " ".join(line for line in lines if line and not line.startswith(("[SQL:", "[parameters:", "(Background")))
    return masker(os.environ)(f"{type(error).__name__}: {said}{place}")
