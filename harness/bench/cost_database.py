"""How long it takes until a test has a database of its own in a known state.

Problem: what a copy costs shows only beside the other ways of having one, and work in the background for one of them
must not be in the time of the others.

Mechanism: the copies of the harness, one that is ready and one that is made when it is asked for, and the rivals
(`harness.bench.rivals`). What the pool does in the background is waited for before the next way's turn. So a ready copy
costs here what it costs a test that lasts longer than one is made; who asks faster pays up to what a copy on demand
costs.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

from harness.bench import rivals
from harness.bench.cost import Ground, Way, Ways
from harness.bench.interleave import Sample
from harness.bench.rivals import CONTAINER, CREATE_ALL, JANITOR, Seen
from harness.errors import SessionproofError
from harness.postgres.clones import Clones, Database
from harness.postgres.ready import ReadyClones

__all__ = ["CLONE", "READY", "database_ways", "module_ways"]

READY = "ready clone"
CLONE = "clone"


async def _unseen(database: Database) -> None:
    """Nobody looks."""


@asynccontextmanager
async def database_ways(ground: Ground, *, seen: Seen = _unseen) -> AsyncIterator[Ways]:
    """A database for each test: a ready copy, a copy on demand, and the rivals that can be had."""
    async with AsyncExitStack() as stack:
        ways: dict[str, Way] = {
            READY: await stack.enter_async_context(_ready(ground, seen)),
            CLONE: lambda: _sample(ground.clones, ground.template, seen),
        }
        missing = []
        for name, rival in {JANITOR: rivals.janitor, CREATE_ALL: rivals.create_all}.items():
            try:
                ways[name] = await stack.enter_async_context(rival(ground, seen=seen))
            except SessionproofError as error:
                missing.append(str(error))
        yield Ways(ways=ways, missing=tuple(missing))


@asynccontextmanager
async def module_ways(ground: Ground, *, seen: Seen = _unseen) -> AsyncIterator[Ways]:
    """A container for a module of tests, beside a ready copy for each of them.

    Raises:
        EnvironmentMissing: no container can be had.
    """
    async with rivals.container(ground, seen=seen) as container, _ready(ground, seen) as ready:
        yield Ways(ways={READY: ready, CONTAINER: container})


@asynccontextmanager
async def _ready(ground: Ground, seen: Seen) -> AsyncIterator[Way]:
    async with ReadyClones(ground.clones) as pool:
        pool.expect(ground.template)
        await pool.settled()

        async def once() -> Sample:
            sample = await _sample(pool, ground.template, seen)
            await pool.settled()
            return sample

        yield once


async def _sample(clones: Clones | ReadyClones, template: str, seen: Seen) -> Sample:
    start = perf_counter()
    async with clones.clone(template, label="cost") as database:
        seconds = perf_counter() - start
        await seen(database)
    return Sample(seconds=seconds)
