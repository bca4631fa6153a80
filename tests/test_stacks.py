"""Stacks name the application's lines, and nobody else's."""

import asyncio
import json
from pathlib import Path

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from harness.stacks import (
    application_stack,
    capture,
    format_stack,
    is_application,
    is_harness,
    of_exception,
)

HERE = str(Path(__file__).relative_to(Path.cwd()))


async def test_a_capture_crosses_the_greenlet_to_the_caller(engine: AsyncEngine) -> None:
    """Inside an engine event, the stack ends at the application's line that ran the statement."""
    stacks: list[tuple[str, ...]] = []
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *_: stacks.append(format_stack(capture())))

    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))

    (stack,) = stacks
    functions = [line.rsplit(" in ", 1)[1] for line in stack]
    assert functions[0] == "test_a_capture_crosses_the_greenlet_to_the_caller"
    assert all(line.startswith(f"{HERE}:") for line in stack)


async def test_what_started_the_loop_is_not_shown() -> None:
    """A stack begins at the task, not at the code that runs the event loop."""

    async def tool() -> tuple[str, ...]:
        return format_stack(capture())

    stack = await asyncio.create_task(tool())

    assert [line.rsplit(".", 1)[1] for line in stack] == ["tool"]


async def test_an_exception_s_stack_ends_where_the_application_called(engine: AsyncEngine) -> None:
    """An error that is raised deep inside the driver is placed at the application's line."""

    async def tool() -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT nothing"))

    with pytest.raises(DBAPIError) as raised:
        await tool()

    stack = format_stack(of_exception(raised.value))
    assert stack[-1].endswith("tool")
    assert all(line.startswith(HERE) for line in stack)


def test_libraries_python_and_the_harness_are_no_application() -> None:
    """What the application's author did not write is left out, but the bundled backend is an application."""
    harness = Path(format_file(capture)).parent

    assert is_application(__file__)
    assert not is_application(json.__file__)
    assert not is_application(pytest.__file__)
    assert not is_application(str(harness / "engine.py"))
    assert not is_application("<frozen importlib._bootstrap>")
    assert is_application(str(harness / "_bundled" / "backend" / "app" / "main.py"))
    assert is_harness(str(harness / "engine.py"))


def test_a_stack_without_the_application_can_fall_back_to_its_innermost_frames() -> None:
    """Where nothing is the application's, a few foreign frames say more than nothing."""
    foreign = ((json.dumps.__code__, 1), (json.loads.__code__, 2))

    assert application_stack(foreign) == ()
    assert application_stack(foreign, fallback=1) == foreign[1:]


def format_file(function: object) -> str:
    return str(function.__code__.co_filename)  # type: ignore[attr-defined]  # a function has code
