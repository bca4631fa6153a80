"""Connections are told by who uses them: by tools with their own sessions, and by tools that share one."""

import asyncio
from contextvars import ContextVar

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

from harness.fault import DatabaseFault, DatabaseFaultKind, Moment, Target
from harness.postgres.proxy import Owners, Proxy
from tests.postgres.proxy.conftest import House
from tests.postgres.proxy.world import TURN, fault

calling: ContextVar[str | None] = ContextVar("calling", default=None)
INSERT = text("INSERT INTO notes VALUES (:id, 'a')")


def caller() -> tuple[str | None, str | None]:
    return TURN, calling.get()


async def tools(house: House, proxy: Proxy, *, driver: str = "asyncpg", shared: bool = False) -> dict[str, str]:
    """Two tools write a row each, then somebody outside of a tool does; how each of them fared."""
    engine = create_async_engine(house.url(proxy).replace("asyncpg", driver), poolclass=NullPool)
    owners = Owners(engine, caller=caller, assign=proxy.assign)
    owners.open()
    fared: dict[str, str] = {}
    common = AsyncSession(engine)

    async def tool(name: str, number: int) -> None:
        calling.set(name if name != "tracker" else None)
        session = common if shared else AsyncSession(engine)
        try:
            await session.execute(INSERT, {"id": number})
            await session.commit()
            fared[name] = "wrote"
        except DBAPIError as error:
            fared[name] = str(getattr(error.orig, "sqlstate", None))
            await session.rollback()
        await session.close()

    for number, name in enumerate(["a", "b", "tracker"]):
        await asyncio.create_task(tool(name, number))
    owners.close()
    await engine.dispose()
    return fared


CASES = [
    (fault(DatabaseFaultKind.SERIALIZATION_FAILURE, Moment.STATEMENT, call=1), "b"),
    (fault(DatabaseFaultKind.SERIALIZATION_FAILURE, Moment.COMMIT, call=0), "a"),
    (fault(DatabaseFaultKind.SERIALIZATION_FAILURE, Moment.BEGIN, call=1), "b"),
    (fault(DatabaseFaultKind.SERIALIZATION_FAILURE, Moment.BEGIN, target=Target.LEDGER), "tracker"),
]


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("struck", "who"), CASES)
async def test_the_one_that_is_meant_is_struck(
    house: House, struck: DatabaseFault, who: str, driver: str, *, shared: bool
) -> None:
    """Whichever driver, and whether the tools share a session or not; the others write their rows."""
    proxy = await house.proxy(struck)
    fared = await tools(house, proxy, driver=driver, shared=shared)

    assert fared == {name: "40001" if name == who else "wrote" for name in ("a", "b", "tracker")}
    assert [seen.turn for seen in proxy.record] == [TURN]


async def test_one_that_is_out_changes_its_owner_with_each_statement(house: House) -> None:
    """A connection that two tools use in one transaction is at each statement the one's whose statement it is."""
    proxy = await house.proxy(fault(DatabaseFaultKind.SERIALIZATION_FAILURE, Moment.STATEMENT, call=1))
    engine = create_async_engine(house.url(proxy))
    owners = Owners(engine, caller=caller, assign=proxy.assign)
    owners.open()
    async with engine.connect() as connection:
        calling.set("a")
        await connection.execute(text("SELECT 1"))
        calling.set("b")
        with pytest.raises(DBAPIError, match="could not serialize"):
            await connection.execute(text("SELECT 1"))
    owners.close()
    await engine.dispose()


async def test_after_closing_there_are_no_listeners(house: House) -> None:
    """Nor is anybody told anything; closing twice does no harm."""
    told: list[object] = []
    engine = create_async_engine(house.url(await house.proxy()))
    owners = Owners(engine, caller=caller, assign=lambda *what: told.append(what))
    owners.open()
    async with engine.begin() as connection:
        await connection.execute(text("SELECT 1"))
    before = len(told)
    owners.close()
    owners.close()
    async with engine.begin() as connection:
        await connection.execute(text("SELECT 1"))
    await engine.dispose()

    assert before == 4  # out of the pool, a statement, a commit, back into the pool
    assert len(told) == before
    assert not [
        name for name, listener in owners._listeners.items() if event.contains(engine.sync_engine, name, listener)
    ]
