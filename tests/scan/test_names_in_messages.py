"""Names in messages: those that are equal are told apart by their places."""

from pathlib import Path

from inline_snapshot import snapshot

from tests.scan.programs import findings


def _messages(folder: Path, source: str | dict[str, str]) -> list[str]:
    return [each.message.replace(f"{folder}/", "") for each in findings(folder, source)]


def test_names_that_differ_stand_alone(tmp_path: Path) -> None:
    """A reader finds them by their names."""
    source = """
        async def count(session):
            await session.execute("x")

        async def f(session: AsyncSession):
            await asyncio.gather(use(session), count(session))
        """

    assert _messages(tmp_path, source) == snapshot(
        ["What `gather` runs at the same time shares a session. Users: `use` and `count`."]
    )


def test_tasks_of_one_function_have_their_places(tmp_path: Path) -> None:
    """Each where it is started."""
    source = """
        async def f(session: AsyncSession):
            async with asyncio.TaskGroup() as group:
                group.create_task(use(session))
                group.create_task(use(session))
        """

    assert _messages(tmp_path, source) == snapshot(
        ["Tasks of one task group share a session. Users: `use` (program.py:24) and `use` (program.py:25)."]
    )


def test_what_a_loop_starts_is_told_once(tmp_path: Path) -> None:
    """With its place, and that it is started again and again."""
    source = """
        async def f(session: AsyncSession, jobs):
            await asyncio.gather(*(use(session) for job in jobs))
        """

    assert _messages(tmp_path, source) == snapshot(
        ["What `gather` runs at the same time shares a session. Users: `use` (program.py:23, again and again)."]
    )


def test_what_stands_twice_in_one_line_is_counted(tmp_path: Path) -> None:
    """It is not started again and again."""
    source = """
        async def f(session: AsyncSession):
            await asyncio.gather(use(session), use(session))

        async def g(session: AsyncSession):
            await asyncio.gather(use(session), use(session), use(session))
        """

    assert _messages(tmp_path, source) == snapshot(
        [
            "What `gather` runs at the same time shares a session. Users: `use` (program.py:23, 2 times).",
            "What `gather` runs at the same time shares a session. Users: `use` (program.py:26, 3 times).",
        ]
    )


def test_tools_of_one_name_in_two_files_have_their_places(tmp_path: Path) -> None:
    """Each where it is defined."""
    tool = """
        from pydantic_ai import FunctionToolset, RunContext
        from sqlalchemy.ext.asyncio import AsyncSession

        tools = FunctionToolset()

        @tools.tool
        async def search(ctx: RunContext[AsyncSession]) -> int:
            return await ctx.deps.scalar("x")
        """
    agent = """
        from pydantic_ai import Agent
        from sqlalchemy.ext.asyncio import AsyncSession
        import books
        import films

        agent = Agent("test", deps_type=AsyncSession, toolsets=[books.tools.prefixed("b"), films.tools.prefixed("f")])
        """

    assert _messages(tmp_path, {"books.py": tool, "films.py": tool, "app.py": agent}) == snapshot(
        [
            (
                "Tools that run in parallel share a session that they get from the deps. "
                "Tools: `search` (books.py:8) and `search` (films.py:8); by `deps`."
            )
        ]
    )
