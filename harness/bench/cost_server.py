"""How long a server takes to start, until it accepts a connection, and to stop.

A start and a stop cannot be measured one without the other: whichever of the two has its turn first does both, and
keeps the other one's time for it.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import perf_counter

from harness.bench.cost import Ground, Way, Ways
from harness.bench.interleave import Sample
from harness.bench.rivals import image_at_hand
from harness.postgres.choose import choose
from harness.postgres.embedded import EmbeddedServer
from harness.postgres.server import Server

__all__ = ["START", "STOP", "container_ways", "embedded_ways"]

START = "start"
STOP = "stop"


@asynccontextmanager
async def embedded_ways() -> AsyncIterator[Ways]:
    """Start and stop of embedded PostgreSQL."""
    yield Ways(ways=_Cycle(EmbeddedServer).ways())


@asynccontextmanager
async def container_ways(ground: Ground) -> AsyncIterator[Ways]:
    """Start and stop of a container.

    Raises:
        EnvironmentMissing: none can be had without fetching an image.
    """
    image = await image_at_hand(ground.image)
    yield Ways(ways=_Cycle(lambda: choose("container", image=image)).ways())


@dataclass(slots=True)
class _Cycle:
    """Starts and stops a server; each call of either way is one of its own."""

    server: Callable[[], Server]
    starts: deque[float] = field(default_factory=deque)
    stops: deque[float] = field(default_factory=deque)

    def ways(self) -> dict[str, Way]:
        """Both ways by name."""
        return {START: lambda: self._next(self.starts), STOP: lambda: self._next(self.stops)}

    async def _next(self, times: deque[float]) -> Sample:
        if not times:
            server = self.server()
            start = perf_counter()
            await server.start()
            started = perf_counter()
            await server.stop()
            self.stops.append(perf_counter() - started)
            self.starts.append(started - start)
        return Sample(seconds=times.popleft())
