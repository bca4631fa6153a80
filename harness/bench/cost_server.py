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
from harness.errors import EnvironmentMissing
from harness.postgres.choose import choose
from harness.postgres.server import Server

__all__ = ["server_ways"]


@asynccontextmanager
async def server_ways(ground: Ground) -> AsyncIterator[Ways]:
    """Start and stop of each kind of server that can be had here."""
    ways: dict[str, Way] = {}
    missing = []
    ways.update(_Cycle(lambda: choose("embedded")).ways("embedded"))
    try:
        image = await image_at_hand(ground.image)
    except EnvironmentMissing as error:
        missing.append(f"container: {error}")
    else:
        ways.update(_Cycle(lambda: choose("container", image=image)).ways("container"))
    yield Ways(ways=ways, missing=tuple(missing))


@dataclass(slots=True)
class _Cycle:
    """Starts and stops a server; each call of either way is one of its own."""

    server: Callable[[], Server]
    starts: deque[float] = field(default_factory=deque)
    stops: deque[float] = field(default_factory=deque)

    def ways(self, kind: str) -> dict[str, Way]:
        """Both ways by name."""
        return {f"{kind}: start": lambda: self._next(self.starts), f"{kind}: stop": lambda: self._next(self.stops)}

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
