"""The gate makes tools meet in the database, and the recorders see what comes of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
import sqlmodel
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util.concurrency import greenlet_spawn
from sqlmodel.ext.asyncio.session import AsyncSession as SQLModelSession

from harness.evidence import ErrorSource, PlannedCall, Statement
from harness.explorer import latency
from harness.explorer.gate import Gate
from harness.explorer.pool_state import bring_into
from harness.observe import marks
from harness.observe.attribution import attributed, current_tool_call, current_turn
from harness.observe.observation import Observation
from harness.scenario import PoolState

SELECT = text("SELECT 1")
KILL_SLEEPING = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'"
)


def planned(*names: str, seconds: float = 0.0, round_: int = 0) -> tuple[PlannedCall, ...]:
    return tuple(
        PlannedCall(tool_call_id=name, tool=name, role="read", round=round_, database_seconds=seconds) for name in names
    )


async def tool(name: str, gate: Gate, work: Callable[[], Awaitable[object]]) -> object:
    """What a tool call is to the gate and the recorders: a task of its own, attributed, with an end."""
    current_turn.set("t1")
    current_tool_call.set(name)
    try:
        return await work()
    finally:
        gate.leave(name)


async def together(gate: Gate, work: Callable[[], Awaitable[object]], names: Sequence[str]) -> list[object]:
    calls = (asyncio.create_task(tool(name, gate, work), name=name) for name in names)
    return await asyncio.gather(*calls, return_exceptions=True)


async def own_session(engine: AsyncEngine) -> None:
    async with AsyncSession(engine) as session:
        await session.execute(SELECT)


def methods() -> dict[str, object]:
    return {
        f"{owner.__name__}.{name}": value
        for owner in (AsyncSession, AsyncConnection)
        for name, value in vars(owner).items()
    }


async def test_a_shared_session_on_a_cold_pool_collides_in_every_run(engine: AsyncEngine) -> None:
    """Twenty of twenty: the first of the plan gets the connection, the second is refused."""
    outcomes = []
    for _ in range(20):
        await bring_into(engine, PoolState.COLD, connections=0)
        async with Gate(engine, caller=attributed) as gate, AsyncSession(engine) as session:
            gate.expect("t1", planned("a", "b"))
            outcomes.append(await together(gate, lambda session=session: session.execute(SELECT), "ba"))  # type: ignore[misc]  # mypy cannot infer a lambda's default

    refused = [outcome[0] for outcome in outcomes]
    assert [type(error) for error in refused] == [InvalidRequestError] * 20
    assert {getattr(error, "code", None) for error in refused} == {"isce"}
    assert not any(isinstance(outcome[1], Exception) for outcome in outcomes)


async def test_a_shared_session_on_a_warm_pool_is_silent_and_takes_turns(engine: AsyncEngine) -> None:
    """No error at all; both tools' statements ran on one server process, one after the other."""
    await bring_into(engine, PoolState.WARM, connections=3)
    async with Gate(engine, caller=attributed) as gate, Observation(engine) as observation:
        gate.expect("t1", planned("a", "b", seconds=0.2))
        async with AsyncSession(engine) as session:
            await together(gate, lambda: session.execute(SELECT), "ab")

    delays = [statement for statement in observation.records["statements"] if statement.injected]
    assert observation.records["errors"].items == ()
    assert len({statement.backend_pid for statement in delays}) == 1
    assert max(each.interval.end for each in delays) - min(each.interval.start for each in delays) >= 0.4


async def test_own_sessions_are_in_the_database_at_the_same_time(engine: AsyncEngine) -> None:
    """Each tool's delay is on a server process of its own, and they overlap; in any pool state."""
    for state in (PoolState.COLD, PoolState.WARM):
        await bring_into(engine, state, connections=3)
        async with Gate(engine, caller=attributed) as gate, Observation(engine) as observation:
            gate.expect("t1", planned("a", "b", seconds=0.3))
            outcome = await together(gate, lambda: own_session(engine), "ab")

        one, two = (statement for statement in observation.records["statements"] if statement.injected)
        assert outcome == [None, None]
        assert one.backend_pid != two.backend_pid
        assert one.interval.overlap(two.interval) > 0.1
        assert {one.tool_call_id, two.tool_call_id} == {"a", "b"}


@pytest.mark.parametrize("state", [PoolState.COLD, PoolState.PRE_PING, PoolState.NULL])
async def test_the_pool_states_in_which_a_shared_session_raises(database_url: str, state: PoolState) -> None:
    """Whatever makes the first checkout wait shows the collision, also as an error that the recorders saw."""
    engine = create_engine(database_url, state)
    await bring_into(engine, state, connections=2)
    async with Gate(engine, caller=attributed) as gate, Observation(engine) as observation:
        gate.expect("t1", planned("a", "b"))

        async def noted() -> None:
            try:
                await session.execute(SELECT)
            except InvalidRequestError as error:
                observation.note(error)

        async with AsyncSession(engine) as session:
            await together(gate, noted, "ab")
    await engine.dispose()

    (error,) = observation.records["errors"].items
    assert (error.source, error.code, error.tool_call_id) == (ErrorSource.RAISED, "isce", "b")
    assert error.stack[-1].endswith("noted")


class Adding(AsyncSession):
    """What libraries and applications add to a session."""

    async def exec(self) -> object:
        """Go to the database without any method of `AsyncSession`, as SQLModel's `exec` does."""
        return await greenlet_spawn(self.sync_session.execute, SELECT)

    async def execute_twice(self) -> None:
        """Go there by methods that are entrances themselves."""
        await self.execute(SELECT)
        await self.execute(SELECT)


@pytest.mark.parametrize("session_class", [Adding, SQLModelSession])
async def test_what_a_subclass_adds_is_an_entrance(
    engine: AsyncEngine, session_class: type[Adding | SQLModelSession]
) -> None:
    """Tools that enter by a method which `AsyncSession` does not have meet as others do, and the class is put back."""
    before = dict(vars(session_class))
    await bring_into(engine, PoolState.WARM, connections=3)
    async with Gate(engine, caller=attributed) as gate:
        gate.expect("t1", planned("a", "b"))

        async def read() -> None:
            async with session_class(engine) as session:
                await (session.exec() if isinstance(session, Adding) else session.exec(sqlmodel.select(1)))

        assert vars(session_class)["exec"] is not before["exec"]
        assert vars(session_class).get("execute_twice") is before.get("execute_twice")
        await together(gate, read, "ba")

    assert [(each.tool_call_id, each.released) for each in gate.record] == [("a", "together"), ("b", "together")]
    assert dict(vars(session_class)) == before


def create_engine(url: str, state: PoolState) -> AsyncEngine:
    if state is PoolState.NULL:
        return create_async_engine(url, poolclass=NullPool)
    return create_async_engine(url, pool_pre_ping=state is PoolState.PRE_PING)


class Entered:
    """On whose behalf an event happened, each time it did."""

    def __init__(self) -> None:
        self.names: list[str | None] = []

    def __call__(self, *_: object) -> None:
        self.names.append(attributed().tool_call_id)


async def test_tools_go_in_the_order_of_the_plan(engine: AsyncEngine) -> None:
    """On a warm pool the first statements reach the driver in the planned order, however the tools start."""
    await bring_into(engine, PoolState.WARM, connections=3)
    entered = Entered()
    event.listen(engine.sync_engine, "before_cursor_execute", entered)
    async with Gate(engine, caller=attributed) as gate:
        gate.expect("t1", planned("a", "b", "c"))
        await together(gate, lambda: own_session(engine), "cab")

    assert entered.names == ["a", "b", "c"]
    assert [(arrival.tool_call_id, arrival.released) for arrival in gate.record] == [
        ("a", "together"),
        ("b", "together"),
        ("c", "together"),
    ]


async def test_core_connections_are_held_before_their_checkout(engine: AsyncEngine) -> None:
    """A tool that uses no ORM session enters by connecting; all hold before any takes a connection."""
    checkouts = Entered()
    event.listen(engine.sync_engine, "checkout", checkouts)
    seen: list[int] = []

    async def core() -> None:
        async with engine.connect() as connection:
            seen.append(len(gate.record.items))
            await connection.execute(SELECT)

    async with Gate(engine, caller=attributed) as gate:
        gate.expect("t1", planned("a", "b"))
        await together(gate, core, "ab")

    assert seen == [2, 2]
    assert sorted(map(str, checkouts.names)) == ["a", "b"]


async def test_a_tool_that_never_comes_is_not_waited_for(engine: AsyncEngine) -> None:
    """A tool that fails before its first operation ends, and the other goes on at once."""

    async def work() -> None:
        if current_tool_call.get() == "a":
            raise LookupError
        await own_session(engine)

    async with Gate(engine, caller=attributed, timeout=60) as gate:
        gate.expect("t1", planned("a", "b"))
        outcome = await together(gate, work, "ab")

    assert [type(each) for each in outcome] == [LookupError, type(None)]
    assert [arrival.released for arrival in gate.record] == ["together"]


async def test_tools_behind_a_lock_are_held_for_the_timeout_only(engine: AsyncEngine) -> None:
    """A backend that lets only one tool in at a time cannot hang; the record says how it went."""
    lock = asyncio.Lock()

    async def locked() -> None:
        async with lock:
            await own_session(engine)

    async with Gate(engine, caller=attributed, timeout=0.1) as gate:
        gate.expect("t1", planned("a", "b"))
        await together(gate, locked, "ab")

    assert [arrival.released for arrival in gate.record] == ["timeout", "timeout"]


async def test_rounds_are_held_each_for_itself(engine: AsyncEngine) -> None:
    """The second round waits for its own calls, not for the first's."""
    async with Gate(engine, caller=attributed) as gate:
        gate.expect("t1", planned("a", "b") + planned("c", "d", round_=1))
        await together(gate, lambda: own_session(engine), "ba")
        await together(gate, lambda: own_session(engine), "dc")

    assert [arrival.tool_call_id for arrival in gate.record] == ["a", "b", "c", "d"]


async def test_without_a_barrier_the_delay_remains(engine: AsyncEngine) -> None:
    """For tools that run one by one only the latency is used, and no arrivals are claimed."""
    async with Gate(engine, caller=attributed, barrier=False) as gate, Observation(engine) as observation:
        gate.expect("t1", planned("a", "b", seconds=0.05))
        for name in "ab":
            await tool(name, gate, lambda: own_session(engine))
        current_turn.set(None)
        current_tool_call.set(None)

    assert [each.injected for each in observation.records["statements"]] == [True, False] * 2
    assert gate.record.missing


async def test_only_the_first_statement_of_a_planned_tool_is_delayed(engine: AsyncEngine) -> None:
    """Later statements, and statements outside tools, take their own time; the delay comes first."""

    async def twice() -> None:
        async with AsyncSession(engine) as session:
            await session.execute(SELECT)
            await session.execute(SELECT)

    async with Gate(engine, caller=attributed) as gate, Observation(engine) as observation:
        gate.expect("t1", planned("a", seconds=0.1))
        await own_session(engine)
        outcome = await together(gate, twice, "a")

    assert outcome == [None]
    outside, delay, first, second = observation.records["statements"].items
    assert [each.injected for each in (outside, delay, first, second)] == [False, True, False, False]
    assert delay.interval.seconds >= 0.1
    assert delay.interval.end <= first.interval.start


async def test_in_an_aborted_transaction_the_tool_s_own_statement_tells_it(engine: AsyncEngine) -> None:
    """The delay does not put its own name on an error that the tool's statement meets as well."""
    async with AsyncSession(engine) as session:
        with pytest.raises(DBAPIError):
            await session.execute(text("SELECT nothing"))
        async with Gate(engine, caller=attributed) as gate, Observation(engine) as observation:
            gate.expect("t1", planned("a", seconds=0.1))
            (error,) = await together(gate, lambda: session.execute(SELECT), "a")

    assert isinstance(error, DBAPIError)
    assert error.statement == "SELECT 1"
    assert [(each.type, each.sqlstate) for each in observation.records["errors"]] == [
        ("sqlalchemy.exc.DBAPIError", "25P02")
    ]


async def test_a_backend_that_is_killed_during_the_delay_fails_the_tool(engine: AsyncEngine) -> None:
    """What happens to the connection meanwhile happens to the tool, and no statement is left running."""
    killer = create_async_engine(engine.url)
    sleeping = asyncio.Event()
    loop = asyncio.get_running_loop()
    async with Observation(engine) as observation, Gate(engine, caller=attributed) as gate:
        event.listen(
            engine.sync_engine,
            "before_cursor_execute",
            lambda *arguments: loop.call_later(0.1, sleeping.set),
        )
        gate.expect("t1", planned("a", seconds=30))
        call = asyncio.create_task(together(gate, lambda: own_session(engine), "a"))
        await sleeping.wait()
        async with killer.connect() as connection:
            await connection.execute(KILL_SLEEPING)
        (error,) = await call
    await killer.dispose()

    assert isinstance(error, DBAPIError)
    statements: Sequence[Statement] = observation.records["statements"].items
    assert all(statement.failed for statement in statements)
    assert {statement.injected for statement in statements} == {True, False}
    ends = [statement.interval.end for statement in statements]
    assert max(ends) - min(ends) < 0.5


async def test_nothing_is_left_behind(engine: AsyncEngine) -> None:
    """After the block the classes and the engine are what they were, also after an error, also nested."""
    before = methods()

    async with Gate(engine, caller=attributed), Gate(engine, caller=attributed):
        assert methods() != before
    with pytest.raises(ZeroDivisionError):
        async with Gate(engine, caller=attributed):
            raise ZeroDivisionError

    assert methods() == before
    assert len(engine.sync_engine.dispatch.before_cursor_execute) == 0


def test_recorders_know_the_delay_by_its_option() -> None:
    """Two modules that may not import each other agree on a name."""
    assert latency.INJECTED_OPTION == marks.INJECTED_OPTION
