"""A fresh world for each program: a clone of a template with authors and notes, and an engine with a warm pool."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from harness.postgres.clones import Clones
from tests.sanitizer.world import SCHEMA, World

MakeWorld = Callable[..., AbstractAsyncContextManager[World]]


async def _prepare(database_url: str) -> None:
    url = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(url)
    for statement in SCHEMA:
        await connection.execute(statement)
    await connection.close()


@pytest.fixture(scope="session")
def notes_template(sessionproof_clones: Clones) -> str:
    """The name of a template with authors and notes."""
    return asyncio.run(sessionproof_clones.template("notes", _prepare))


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
