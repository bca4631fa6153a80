"""Tasks that take one of several sessions by a number, or by turns: sometimes two of them get the same one."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import codes, findings

BROKEN = {
    "what is left of a division": """
        async def f(jobs):
            sessions = [factory() for _ in range(3)]
            async with asyncio.TaskGroup() as group:
                for i, job in enumerate(jobs):
                    group.create_task(use(sessions[i % 3]))
        """,
    "more rounds than sessions": """
        async def f():
            sessions = [factory(), factory()]
            await asyncio.gather(*(use(sessions[i % 2]) for i in range(4)))
        """,
    "many more rounds than sessions": """
        async def f():
            sessions = [factory() for _ in range(8)]
            await asyncio.gather(*(use(sessions[i % 8]) for i in range(100)))
        """,
    "more jobs than there are in the list of sessions": """
        async def f(jobs):
            sessions = [factory() for _ in range(8)]
            await asyncio.gather(*(use(sessions[i % len(sessions)]) for i, job in enumerate(jobs)))
        """,
    "the worker divides": """
        async def f(jobs: list[str]):
            sessions = [factory() for _ in range(3)]

            async def work(number: int):
                session = sessions[number % len(sessions)]
                await use(session)

            await asyncio.gather(*[work(number) for number in range(len(jobs))])
        """,
    "by a hash": """
        async def f(jobs):
            sessions = [factory() for _ in range(3)]
            async with anyio.create_task_group() as group:
                for job in jobs:
                    group.start_soon(use, sessions[hash(job) % 3])
        """,
    "shards by a number": """
        async def f(users):
            shards = {n: factory() for n in range(4)}
            await asyncio.gather(*(use(shards[user.id % 4]) for user in users))
        """,
    "a list that is doubled": """
        async def f(session: AsyncSession):
            await asyncio.gather(*map(use, [session] * 2))
        """,
    "a number before the list": """
        async def f(n):
            session = factory()
            await asyncio.gather(*(use(each) for each in n * [session]))
        """,
    "cycle beside jobs": """
        import itertools

        async def f(jobs):
            sessions = [factory() for _ in range(3)]
            async with asyncio.TaskGroup() as group:
                for job, session in zip(jobs, itertools.cycle(sessions)):
                    group.create_task(use(session))
        """,
    "the next of a cycle": """
        from itertools import cycle

        async def f(jobs):
            sessions = cycle([factory(), factory()])
            await asyncio.gather(*[use(next(sessions)) for job in jobs])
        """,
    "repeat": """
        from itertools import repeat

        async def work(session, job):
            await use(session)

        async def f(session: AsyncSession, jobs):
            await asyncio.gather(*map(work, repeat(session), jobs))
        """,
    "threads beside repeat": """
        from concurrent.futures import ThreadPoolExecutor
        from itertools import repeat

        def work(session, job):
            session.execute("x")

        def f(session: Session, jobs):
            with ThreadPoolExecutor() as pool:
                list(pool.map(work, repeat(session), jobs))
        """,
    "each with the one before it": """
        async def copy(source, target):
            await use(source)
            await use(target)

        async def f():
            sessions = [factory() for _ in range(3)]
            await asyncio.gather(*(copy(a, b) for a, b in zip(sessions, sessions[1:])))
        """,
    "there and back": """
        async def copy(source, target):
            await use(source)
            await use(target)

        async def f():
            sessions = [factory(), factory()]
            await asyncio.gather(*(copy(a, b) for a, b in zip(sessions, reversed(sessions))))
        """,
    "one key for all": """
        async def f():
            sessions = dict.fromkeys(("a", "b"), factory())
            await asyncio.gather(*(use(each) for each in sessions.values()))
        """,
    "futures as keys": """
        from concurrent.futures import ThreadPoolExecutor

        def work(session, job):
            session.execute("x")

        def f(session: Session, jobs):
            with ThreadPoolExecutor() as pool:
                futures = {pool.submit(work, session, job): job for job in jobs}
        """,
    "what is left after the first": """
        async def f():
            first, *others = [factory(), factory(), factory()]
            await asyncio.gather(use(first), use(others[0]), *(use(each) for each in others))
        """,
}
RIGHT = {
    "an index of its own": """
        async def f(jobs):
            sessions = [factory() for _ in jobs]
            await asyncio.gather(*(use(sessions[i]) for i, job in enumerate(jobs)))
        """,
    "no more rounds than sessions": """
        async def f():
            sessions = [factory(), factory()]
            await asyncio.gather(*(use(sessions[i % 2]) for i in range(2)))
        """,
    "no more than many sessions": """
        N = 20

        async def f():
            sessions = [factory() for _ in range(N)]
            await asyncio.gather(*(use(sessions[i % N]) for i in range(N)))
        """,
    "as many as the list is long": """
        async def f(n: int):
            sessions = [factory() for _ in range(n)]
            await asyncio.gather(*(use(sessions[(i + 1) % len(sessions)]) for i in range(len(sessions))))
        """,
    "a batch as long as the list": """
        async def f(jobs):
            sessions = [factory() for _ in range(3)]
            for start in range(0, len(jobs), 3):
                async with asyncio.TaskGroup() as group:
                    for i, job in enumerate(jobs[start : start + 3]):
                        group.create_task(use(sessions[i % 3]))
        """,
    "a range of a batch": """
        async def f(jobs):
            sessions = [factory() for _ in range(3)]
            for start in range(0, len(jobs), 3):
                await asyncio.gather(*(use(sessions[i % 3]) for i in range(start, start + 3)))
        """,
    "one after the other": """
        async def f(jobs):
            sessions = [factory() for _ in range(3)]
            for i, job in enumerate(jobs):
                await use(sessions[i % 3])
        """,
    "both of two": """
        async def f(turn):
            sessions = [factory(), factory()]
            await asyncio.gather(use(sessions[turn % 2]), use(sessions[(turn + 1) % 2]))
        """,
    "a lock for each": """
        async def work(session, lock):
            async with lock:
                await session.execute("x")
                await session.commit()

        async def f(jobs):
            sessions = [factory() for _ in range(3)]
            locks = [asyncio.Lock() for _ in range(3)]
            await asyncio.gather(*(work(sessions[i % 3], locks[i % 3]) for i, job in enumerate(jobs)))
        """,
    "factories by turns": """
        async def work(make):
            async with make() as session:
                await use(session)

        async def f(jobs):
            makers = [async_sessionmaker(engine), async_sessionmaker(engine)]
            await asyncio.gather(*(work(makers[i % 2]) for i, job in enumerate(jobs)))
        """,
    "factories in a cycle": """
        from itertools import cycle

        async def work(make):
            async with make() as session:
                await use(session)

        async def f(jobs):
            await asyncio.gather(*(work(make) for make, job in zip(cycle([factory]), jobs)))
        """,
    "a cycle that is not longer": """
        from itertools import cycle

        async def f():
            sessions = [factory(), factory()]
            await asyncio.gather(*(use(session) for session, job in zip(cycle(sessions), ["a", "b"])))
        """,
    "an iterator": """
        async def f(jobs):
            free = iter([factory() for _ in jobs])
            await asyncio.gather(*[use(next(free)) for job in jobs])
        """,
    "a list of factories that is doubled": """
        async def work(make):
            async with make() as session:
                await use(session)

        async def f():
            await asyncio.gather(*map(work, [factory] * 2))
        """,
    "zip": """
        async def work(job, session):
            await use(session)

        async def f(jobs):
            sessions = [factory() for _ in jobs]
            await asyncio.gather(*(work(job, session) for job, session in zip(jobs, sessions)))
        """,
    "two halves": """
        async def f():
            sessions = [factory(), factory(), factory(), factory()]
            await asyncio.gather(*(use(each) for each in sessions[:2]), *(use(each) for each in sessions[2:]))
        """,
    "the first, those between and the last": """
        async def f():
            first, *others, last = [factory(), factory(), factory(), factory()]
            await asyncio.gather(use(first), use(last), *(use(each) for each in others))
        """,
    "items": """
        async def f():
            sessions = {"reads": factory(), "writes": factory()}
            async with asyncio.TaskGroup() as group:
                for name, session in sessions.items():
                    group.create_task(use(session))
        """,
    "one for each key": """
        async def f(names):
            sessions = {name: factory() for name in names}
            async with asyncio.TaskGroup() as group:
                for name in names:
                    group.create_task(use(sessions[name]))
        """,
    "sorted": """
        async def f():
            first, second = sorted([factory(), factory()], key=id)
            await asyncio.gather(use(first), use(second))
        """,
    "a text with a percent sign": """
        async def f(session: AsyncSession, names):
            for name in names:
                await session.execute("SELECT %s" % name)
        """,
}


@pytest.mark.parametrize("name", BROKEN)
def test_two_tasks_get_the_same_session(tmp_path: Path, name: str) -> None:
    """It is found, and nothing else is."""
    found = codes(tmp_path, BROKEN[name])

    assert found <= {Code.GATHER, Code.TASK_GROUP, Code.THREAD}
    assert len(found) == 1


@pytest.mark.parametrize("name", RIGHT)
def test_each_task_gets_its_own_session(tmp_path: Path, name: str) -> None:
    """Then nothing is said."""
    assert [(each.place.line, each.message) for each in findings(tmp_path, RIGHT[name])] == []
