"""Tasks that share a session, and tasks that look as if they did."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import codes, findings

BROKEN = {
    "a list that is put together first": (
        Code.GATHER,
        """
        async def f(session: AsyncSession, ids):
            waiting = []
            for each in ids:
                waiting.append(use(session))
            await asyncio.gather(*waiting)
        """,
    ),
    "operations themselves": (
        Code.GATHER,
        """
        async def f(session: AsyncSession):
            await asyncio.gather(session.execute("a"), session.execute("b"))
        """,
    ),
    "a comprehension of tasks": (
        Code.TASK,
        """
        async def f(session: AsyncSession, ids):
            tasks = [asyncio.create_task(use(session)) for each in ids]
            for task in tasks:
                await task
        """,
    ),
    "start_soon": (
        Code.TASK_GROUP,
        """
        async def f():
            async with factory() as session:
                async with anyio.create_task_group() as group:
                    group.start_soon(use, session)
                    group.start_soon(use, session)
        """,
    ),
    "a group beside its own body": (
        Code.TASK_GROUP,
        """
        async def f():
            async with factory() as session:
                async with asyncio.TaskGroup() as group:
                    group.create_task(use(session))
                    await use(session)
        """,
    ),
    "a task that nobody awaits": (
        Code.TASK,
        """
        async def f():
            async with factory() as session:
                asyncio.create_task(use(session))
        """,
    ),
    "a repository": (
        Code.GATHER,
        """
        class Repository:
            def __init__(self, session: AsyncSession):
                self._session = session
            async def all(self):
                return await self._session.scalars("a")
        async def f():
            async with factory() as session:
                await asyncio.gather(Repository(session).all(), Repository(session).all())
        """,
    ),
    "a generator's session": (
        Code.GATHER,
        """
        @contextlib.asynccontextmanager
        async def opened():
            async with factory() as session:
                yield session
        async def f():
            async with opened() as session:
                await asyncio.gather(use(session), use(session))
        """,
    ),
    "a driver's connection": (
        Code.GATHER,
        """
        async def f():
            connection = await asyncpg.connect()
            await asyncio.gather(connection.fetch("a"), connection.fetch("b"))
        """,
    ),
    "cursors of one connection": (
        Code.GATHER,
        """
        async def read(connection):
            async with connection.cursor() as cursor:
                await cursor.execute("a")
        async def f():
            async with await psycopg.AsyncConnection.connect() as connection:
                await asyncio.gather(read(connection), read(connection))
        """,
    ),
    "threads": (
        Code.GATHER,
        """
        def read(session):
            session.execute("a")
        async def f(session: Session):
            await asyncio.gather(asyncio.to_thread(read, session), asyncio.to_thread(read, session))
        """,
    ),
    "a dependency twice": (
        Code.GATHER,
        """
        async def get_session():
            async with factory() as session:
                yield session
        SessionDep = Annotated[AsyncSession, Depends(get_session)]
        async def f(one: SessionDep, other: SessionDep):
            await asyncio.gather(use(one), use(other))
        """,
    ),
}
RIGHT = {
    "one after the other": """
        async def f(session: AsyncSession):
            await use(session)
            await use(session)
        """,
    "a session each": """
        async def own():
            async with factory() as session:
                await use(session)
        async def f():
            await asyncio.gather(own(), own())
        """,
    "two sessions": """
        async def f(one: AsyncSession, other: AsyncSession):
            await asyncio.gather(use(one), use(other))
        """,
    "a session made for each of many": """
        async def f(ids):
            await asyncio.gather(*(use(AsyncSession(engine)) for each in ids))
        """,
    "awaited before": """
        async def f():
            async with factory() as session:
                task = asyncio.create_task(use(session))
                await task
                await use(session)
        """,
    "awaited in the loop": """
        async def f(session: AsyncSession, ids):
            for each in ids:
                await asyncio.create_task(use(session))
        """,
    "the group is over": """
        async def f():
            async with factory() as session:
                async with asyncio.TaskGroup() as group:
                    group.create_task(use(session))
                await use(session)
        """,
    "only one of them": """
        async def f(session: AsyncSession):
            await asyncio.gather(use(session), asyncio.sleep(1))
        """,
    "a lock": """
        async def locked(session, lock):
            async with lock:
                await use(session)
        async def f(session: AsyncSession):
            lock = asyncio.Lock()
            await asyncio.gather(locked(session, lock), locked(session, lock))
        """,
    "a session of each task": """
        scoped = async_scoped_session(factory, scopefunc=asyncio.current_task)
        async def f():
            await asyncio.gather(use(scoped), use(scoped))
        """,
    "somebody else's session": """
        import aiohttp
        async def f():
            async with aiohttp.ClientSession() as session:
                await asyncio.gather(session.get("a"), session.get("b"))
        """,
    "only looking": """
        async def f(session: AsyncSession):
            async def look():
                return session.in_transaction()
            await asyncio.gather(look(), use(session))
        """,
    "staging alone": """
        async def f(session: AsyncSession):
            async def stage():
                session.add(1)
            await asyncio.gather(stage(), stage())
        """,
    "its own class with a known name": """
        class AsyncSession:
            async def execute(self, text): ...
        async def f(session: AsyncSession):
            await asyncio.gather(session.execute("a"), session.execute("b"))
        """,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_shared_session_is_found(name: str, tmp_path: Path) -> None:
    """By the code of what runs at the same time."""
    code, source = BROKEN[name]

    assert code in codes(tmp_path, source)


@pytest.mark.parametrize("name", RIGHT)
def test_of_legal_tasks_nothing_is_said(name: str, tmp_path: Path) -> None:
    """However much they look like others."""
    assert not codes(tmp_path, RIGHT[name])


SIDE_BY_SIDE = """
import asyncio
async def _start(group, work):
    async def run():
        return await work
    return group.create_task(run())
async def together(*work):
    async with asyncio.TaskGroup() as group:
        tasks = [await _start(group, each) for each in work]
    return [task.result() for task in tasks]
"""
IN_TURN = """
async def together(*work):
    async def run(each):
        return await each
    return [await run(each) for each in work]
"""
CALLER = """
from sqlalchemy.ext.asyncio import AsyncSession
from helper import together
async def use(session): await session.commit()
async def both(session: AsyncSession):
    await together(use(session), use(session))
"""


def test_a_helper_that_knows_nothing_of_sessions_starts_them(tmp_path: Path) -> None:
    """What is wrong is told of whoever gives it one session twice."""
    (finding,) = findings(tmp_path, {"helper.py": SIDE_BY_SIDE, "program.py": CALLER})

    assert (finding.code, Path(finding.place.file).name, finding.place.line) == (Code.TASK_GROUP, "program.py", 6)


def test_a_helper_that_runs_one_after_the_other_is_right(tmp_path: Path) -> None:
    """Whatever it is called."""
    assert not codes(tmp_path, {"helper.py": IN_TURN, "program.py": CALLER})
