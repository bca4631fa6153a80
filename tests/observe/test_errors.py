"""Errors are seen whoever handles them, and described alike."""

import asyncio
import gc
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import logfire
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SAWarning
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from harness.evidence import ErrorRecord, ErrorSource
from harness.observe.attribution import current_tool_call, current_turn
from harness.observe.observation import Observation


def by(observation: Observation, source: ErrorSource) -> list[ErrorRecord]:
    return [error for error in observation.records["errors"] if error.source is source]


async def test_a_refused_statement_is_seen_by_driver_and_server(engine: AsyncEngine, server_log: Path) -> None:
    """An error that the application swallows is in the record twice: from the driver, and from the server's log."""
    current_turn.set("t1")
    current_tool_call.set("c1")

    async with Observation(engine, server_log=server_log) as observation, AsyncSession(engine) as session:
        with pytest.raises(DBAPIError):
            await session.execute(text("INSERT INTO notes VALUES (1, NULL)"))

    (error,) = by(observation, ErrorSource.DATABASE)
    assert error.type == "sqlalchemy.exc.IntegrityError"
    assert error.sqlstate == "23502"
    assert error.chain[-1] == "asyncpg.exceptions.NotNullViolationError"
    assert (error.turn, error.tool_call_id) == ("t1", "c1")
    assert error.stack[-1].endswith("test_a_refused_statement_is_seen_by_driver_and_server")
    (logged,) = by(observation, ErrorSource.SERVER)
    assert logged.type == "postgresql.ERROR"
    assert logged.message.startswith("null value in column")
    assert "(detail: Failing row contains" in logged.message
    assert abs(logged.at - error.at) < 5


async def test_parameters_are_not_in_the_message(engine: AsyncEngine) -> None:
    """What the application binds is its users' data, and stays out of the record."""
    async with Observation(engine) as observation, engine.connect() as connection:
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT nothing, :own"), {"own": "a patient's name"})

    (error,) = by(observation, ErrorSource.DATABASE)
    assert "nothing" in error.message
    assert "patient" not in error.message


async def test_a_server_without_a_readable_log_is_a_note(engine: AsyncEngine, tmp_path: Path) -> None:
    """Not every server's log can be read: the record is made without it, and the observation says so."""
    async with Observation(engine) as without:
        pass
    async with Observation(engine, server_log=tmp_path / "none") as unreadable:
        pass

    assert without.records["errors"].items == unreadable.records["errors"].items == ()
    assert without.notes == ("the server's log was not read: this server keeps none that can be read from here",)
    assert unreadable.notes == ("the server's log was not read: No such file or directory",)


async def test_other_databases_are_not_in_the_record(engine: AsyncEngine, server_log: Path) -> None:
    """One server serves many clones: errors of another database are another cell's."""
    other = create_async_engine(engine.url.set(database="postgres"))

    async with Observation(engine, server_log=server_log) as observation, other.connect() as connection:
        with pytest.raises(DBAPIError):
            await connection.execute(text("SELECT nothing"))
    await other.dispose()

    assert observation.records["errors"].items == ()


@pytest.fixture
def silent_logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("tests.observe.silent")
    logger.propagate = False
    yield logger
    logger.propagate = True


async def test_every_logger_is_heard(engine: AsyncEngine, silent_logger: logging.Logger) -> None:
    """A logger that does not propagate is heard too, from the level ERROR, with the exception that it logs."""
    async with Observation(engine) as observation:
        silent_logger.warning("not so bad")
        silent_logger.error("bad %s", "thing")
        try:
            fail()
        except LookupError:
            logging.getLogger("tests.observe").exception("it went wrong")

    plain, exception = by(observation, ErrorSource.LOGGED)
    assert (plain.logger, plain.type, plain.message) == (
        "tests.observe.silent",
        "logging.ERROR",
        "bad thing",
    )
    assert plain.stack[-1].endswith("test_every_logger_is_heard")
    assert (exception.type, exception.message) == ("LookupError", "it went wrong: nobody looks")


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
async def test_a_connection_that_nobody_returned_is_an_error(engine: AsyncEngine) -> None:
    """The pool's complaint about a connection that the garbage collector found is recorded."""
    async with Observation(engine) as observation:
        connection = await engine.connect()
        await connection.execute(text("SELECT 1"))
        del connection
        gc.collect()

    (error,) = by(observation, ErrorSource.LOGGED)
    assert error.logger is not None
    assert error.logger.startswith("sqlalchemy.pool")
    assert "garbage collector" in error.message
    assert issubclass(SAWarning, RuntimeWarning)


async def test_the_loop_s_handler_is_chained_and_restored(engine: AsyncEngine) -> None:
    """What nobody awaits is recorded, and the application's own handler still gets it."""
    loop, handled = asyncio.get_running_loop(), list[dict[str, Any]]()

    def own(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        handled.append(context)

    loop.set_exception_handler(own)
    async with Observation(engine) as observation:
        loop.call_soon(fail)
        await asyncio.sleep(0)
    restored = loop.get_exception_handler()
    loop.set_exception_handler(None)

    (error,) = by(observation, ErrorSource.LOOP)
    assert error.type == "LookupError"
    assert error.stack[-1].endswith("in fail")
    assert len(handled) == 1
    assert restored is own


def fail() -> None:
    raise LookupError("nobody looks")


async def test_a_replaced_loop_handler_makes_the_record_absent(engine: AsyncEngine) -> None:
    """If the application takes the handler away, errors may have been missed; its handler stays."""
    loop = asyncio.get_running_loop()

    def own(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take it and say nothing."""

    async with Observation(engine) as observation:
        loop.set_exception_handler(own)
    kept = loop.get_exception_handler()
    loop.set_exception_handler(None)

    assert "exception handler" in (observation.records["errors"].missing or "")
    assert kept is own


async def test_a_turn_s_own_exception_can_be_noted(engine: AsyncEngine) -> None:
    """What a turn raises to its user is an error of that turn, with its causes."""

    async def turn(observation: Observation) -> None:
        current_turn.set("t1")
        try:
            try:
                fail()
            except LookupError as error:
                raise RuntimeError("no answer") from error
        except RuntimeError as error:
            observation.note(error)

    async with Observation(engine) as observation:
        await asyncio.create_task(turn(observation))

    (error,) = by(observation, ErrorSource.RAISED)
    assert (error.type, error.chain, error.turn) == ("RuntimeError", ("LookupError",), "t1")


async def test_what_the_application_tells_logfire_is_an_error(engine: AsyncEngine) -> None:
    """Messages at error level, and spans that an exception left, with the exception's identity."""
    async with Observation(engine) as observation:
        logfire.info("all is well")
        logfire.error("search_failed", query="cardiology")
        with pytest.raises(DBAPIError), logfire.span("looking"):
            async with engine.connect() as connection:
                await connection.execute(text("SELECT nothing"))

    message, span = by(observation, ErrorSource.SPAN)
    assert (message.type, message.message, message.logger) == (
        "logfire.search_failed",
        "search_failed",
        "logfire",
    )
    assert (span.type, span.sqlstate) == ("sqlalchemy.exc.ProgrammingError", "42703")


async def test_a_code_is_read_from_the_text_where_there_is_no_exception(engine: AsyncEngine) -> None:
    """SQLAlchemy's messages end with a link that names their code."""
    async with Observation(engine) as observation:
        logging.getLogger("tests.observe").error("failed: Background on this error at: https://sqlalche.me/e/21/isce)")

    (error,) = by(observation, ErrorSource.LOGGED)
    assert error.code == "isce"


async def test_passwords_are_in_no_record(engine: AsyncEngine, server_log: Path) -> None:
    """The database's URL, logged, raised, traced and sent as SQL, appears without its password."""
    url = engine.url.render_as_string(hide_password=False).replace(str(engine.url.password), "hunter2-hunter2")
    own = create_async_engine(url)

    async with Observation(own, server_log=server_log) as observation:
        logging.getLogger("tests.observe").error("cannot use %s", url)
        logfire.error("cannot use {url}", url=url)
        observation.note(RuntimeError(url))
        async with engine.connect() as connection:
            with pytest.raises(DBAPIError):
                await connection.execute(text(f"SELECT '{url}'::int"))

    everything = repr(observation.records)
    assert url.split("@")[1] in everything
    assert "hunter2" not in everything
