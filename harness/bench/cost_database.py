"""How long it takes until a test has a database of its own in a known state, and until it has given it back.

Problem: what a copy costs shows only beside the other ways of having one, and work in the background for one of them
must not be in the time of the others. A copy that was made before anybody asked takes no time at all to take: that is
what a pool is for, and says nothing about what it costs to make one.

Mechanism: the copies of the harness, one that is ready and one that is made when it is asked for, and the rivals
(`harness.bench.rivals`). What the pool does in the background is waited for before the next way's turn. So a ready copy
costs here what it costs a test that lasts longer than one is made. What it costs who asks faster is a way of its own,
back to back: a copy is taken and given back, nothing is left on the shelf, and the next one is asked for at once. Its
time has the whole of making that one, while the first one is dropped beside it.

Guarantee: taking and giving back are measured by the same means, each in a cost of its own, so that their sum is what a
test pays.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from time import perf_counter

from harness.bench import rivals
from harness.bench.cost import SERVER_ERRORS, Ground, Way, Ways, reason_of
from harness.bench.interleave import Sample
from harness.bench.rivals import CONTAINER, CREATE_ALL, JANITOR, Half, Seen
from harness.errors import SessionproofError
from harness.postgres.clones import Clones, Database
from harness.postgres.ready import ReadyClones

__all__ = ["BACK_TO_BACK", "CLONE", "READY", "database_ways", "given_back_ways", "module_ways"]

READY = "ready clone"
BACK_TO_BACK = "ready clone, back to back"
CLONE = "clone"


async def _unseen(database: Database) -> None:
    """Nobody looks."""


@asynccontextmanager
async def database_ways(ground: Ground, *, seen: Seen = _unseen) -> AsyncIterator[Ways]:
    """A database for each test: a ready copy, two in a row, a copy on demand, and the rivals that can be had."""
    async with _pool(ground) as pool, _rivals(ground, Half.TAKEN, seen) as others:

        async def back_to_back() -> Sample:
            try:
                async with pool.clone(ground.template, label="cost"):
                    pass
                return await _sample(pool, ground.template, Half.TAKEN, seen)
            finally:
                await pool.settled()

        ways: dict[str, Way] = {
            READY: _ready(pool, ground, Half.TAKEN, seen),
            BACK_TO_BACK: back_to_back,
            CLONE: lambda: _sample(ground.clones, ground.template, Half.TAKEN, seen),
        }
        yield Ways(ways={**ways, **others.ways}, missing=others.missing)


@asynccontextmanager
async def given_back_ways(ground: Ground, *, seen: Seen = _unseen) -> AsyncIterator[Ways]:
    """The other half of the same ways; a ready copy is given back in the same way whoever asks next."""
    async with _pool(ground) as pool, _rivals(ground, Half.GIVEN_BACK, seen) as others:
        ways: dict[str, Way] = {
            CLONE: lambda: _sample(ground.clones, ground.template, Half.GIVEN_BACK, seen),
            READY: _ready(pool, ground, Half.GIVEN_BACK, seen),
        }
        yield Ways(ways={**ways, **others.ways}, missing=others.missing)


@asynccontextmanager
async def module_ways(ground: Ground, *, seen: Seen = _unseen) -> AsyncIterator[Ways]:
    """A container for a module of tests, beside a ready copy for each of them.

    Raises:
        EnvironmentMissing: no container can be had.
    """
    async with rivals.container(ground, seen=seen) as container, _pool(ground) as pool:
        yield Ways(ways={READY: _ready(pool, ground, Half.TAKEN, seen), CONTAINER: container})


@asynccontextmanager
async def _rivals(ground: Ground, half: Half, seen: Seen) -> AsyncIterator[Ways]:
    """Those that can be had, and why not the others."""
    async with AsyncExitStack() as stack:
        ways: dict[str, Way] = {}
        missing: list[str] = []
        for name, rival in {JANITOR: rivals.janitor, CREATE_ALL: rivals.create_all}.items():
            try:
                ways[name] = await stack.enter_async_context(rival(ground, half=half, seen=seen))
            except SessionproofError as error:
                missing.append(str(error))
            except SERVER_ERRORS as error:
                missing.append(f"{name}: {reason_of(error)}")
        yield Ways(ways=ways, missing=tuple(missing))


@asynccontextmanager
async def _pool(ground: Ground) -> AsyncIterator[ReadyClones]:
    """A pool that keeps one copy: who asks for two in a row waits for the second."""
    async with ReadyClones(ground.clones, ready=1) as pool:
        pool.expect(ground.template)
        await pool.settled()
        yield pool


def _ready(pool: ReadyClones, ground: Ground, half: Half, seen: Seen) -> Way:
    async def once() -> Sample:
        try:
            return await _sample(pool, ground.template, half, seen)
        finally:
            await pool.settled()

    return once


async def _sample(clones: Clones | ReadyClones, template: str, half: Half, seen: Seen) -> Sample:
    start = perf_counter()
    async with clones.clone(template, label="cost") as database:
        taken = perf_counter() - start
        await seen(database)
        start = perf_counter()
    given_back = perf_counter() - start
    return Sample(seconds=taken if half is Half.TAKEN else given_back)
