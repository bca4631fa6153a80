"""A fresh world for each program: a clone of a template with authors and notes, and an engine with a warm pool."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from harness.postgres.clones import Clones
from tests.sanitizer.world import World

MakeWorld = Callable[..., AbstractAsyncContextManager[World]]


@pytest.fixture
def make_world(request: pytest.FixtureRequest, sessionproof_clones: Clones, notes_template: str) -> MakeWorld:
    """Make a program's world, in the loop in which the program runs."""

    @asynccontextmanager
    async def make(*, warm: int = 2, label: str = "program") -> AsyncIterator[World]:
        async with sessionproof_clones.clone(notes_template, label=label) as database:
            engine = create_async_engine(database.url)
            world = World(url=database.url, engine=engine)
            try:
                await world.warm(warm)
                yield world
            finally:
                world.close()
                await engine.dispose()

    return make
