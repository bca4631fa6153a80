"""Waiting that a server cuts short when it begins to stop."""

import asyncio

__all__ = ["stopped_within"]


async def stopped_within(seconds: float, stopping: asyncio.Event) -> bool:
    """Let the time pass; true, and earlier, if the server begins to stop."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return False
    return True
