"""A queue orders who puts before who gets, and its workers before who joins, but not the workers among each other."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import codes

WORKER = """
        async def worker(queue: asyncio.Queue[int], session: AsyncSession):
            while True:
                number = await queue.get()
                await use(session)
                queue.task_done()
        """
BROKEN = {
    "tasks in a list": f"""{WORKER}
        async def f(n: int):
            queue: asyncio.Queue[int] = asyncio.Queue()
            async with factory() as session:
                workers = [asyncio.create_task(worker(queue, session)) for _ in range(n)]
                for number in range(7):
                    queue.put_nowait(number)
                await queue.join()
                for each in workers:
                    each.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
        """,
    "a task group": f"""{WORKER}
        async def f():
            queue = asyncio.Queue()
            async with factory() as session, asyncio.TaskGroup() as group:
                group.create_task(worker(queue, session))
                group.create_task(worker(queue, session))
                await queue.put(1)
                await queue.join()
        """,
    "join with a time limit": f"""{WORKER}
        async def f():
            queue = asyncio.PriorityQueue()
            session = factory()
            tasks = set()
            for _ in range(3):
                tasks.add(asyncio.create_task(worker(queue, session)))
            await queue.put(1)
            await asyncio.wait_for(queue.join(), 5)
        """,
    "workers put more into the queue": """
        async def worker(queue: asyncio.Queue[str], session: AsyncSession):
            while True:
                page = await queue.get()
                try:
                    for link in await use(session):
                        await queue.put(link)
                finally:
                    queue.task_done()

        async def f():
            queue = asyncio.Queue()
            async with factory() as session, asyncio.TaskGroup() as group:
                tasks = [group.create_task(worker(queue, session)) for _ in range(3)]
                await queue.put("/")
                await queue.join()
        """,
    "workers that are methods": """
        class Pool:
            def __init__(self, session: AsyncSession) -> None:
                self.session = session
                self.queue: asyncio.Queue[int] = asyncio.Queue()

            async def work(self):
                while True:
                    await self.queue.get()
                    await use(self.session)
                    self.queue.task_done()

            async def run(self):
                async with asyncio.TaskGroup() as group:
                    for _ in range(4):
                        group.create_task(self.work())
                    self.queue.put_nowait(1)
                    await self.queue.join()
        """,
    "it says too early that it is done": """
        async def worker(queue, session):
            while True:
                await queue.get()
                queue.task_done()
                await use(session)

        async def f():
            queue = asyncio.Queue()
            async with factory() as session:
                task = asyncio.create_task(worker(queue, session))
                await queue.put(1)
                await queue.join()
                await use(session)
                task.cancel()
        """,
    "nobody waits for the worker": f"""{WORKER}
        async def f():
            queue = asyncio.Queue()
            async with factory() as session:
                task = asyncio.create_task(worker(queue, session))
                await queue.put(1)
                await use(session)
                await queue.join()
        """,
}
RIGHT = {
    "one worker, and who joins uses the session then": f"""{WORKER}
        async def f():
            queue = asyncio.Queue()
            async with factory() as session:
                task = asyncio.create_task(worker(queue, session))
                for number in range(7):
                    queue.put_nowait(number)
                await queue.join()
                await use(session)
                task.cancel()
        """,
    "one worker of a task group": f"""{WORKER}
        async def f():
            queue = asyncio.Queue()
            async with factory() as session, asyncio.TaskGroup() as group:
                await use(session)
                task = group.create_task(worker(queue, session))
                await queue.put(1)
                await queue.join()
                await session.commit()
                task.cancel()
        """,
    "a session for each worker": """
        async def worker(queue):
            async with factory() as session:
                while True:
                    await queue.get()
                    await use(session)
                    queue.task_done()

        async def f():
            queue = asyncio.Queue()
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(worker(queue)) for _ in range(3)]
                await queue.put(1)
                await queue.join()
        """,
    "a permit in a queue": """
        async def work(permits: asyncio.Queue[None], session: AsyncSession):
            await permits.get()
            await use(session)
            await permits.put(None)

        async def f():
            permits = asyncio.Queue()
            await permits.put(None)
            async with factory() as session, asyncio.TaskGroup() as group:
                group.create_task(work(permits, session))
                group.create_task(work(permits, session))
        """,
    "workers in a row": """
        async def first(given: asyncio.Queue, done: asyncio.Queue, session: AsyncSession):
            await given.get()
            await use(session)
            await done.put(1)
            given.task_done()

        async def second(done: asyncio.Queue, session: AsyncSession):
            await done.get()
            await use(session)
            done.task_done()

        async def f():
            given, done = asyncio.Queue(), asyncio.Queue()
            async with factory() as session, asyncio.TaskGroup() as group:
                group.create_task(first(given, done, session))
                group.create_task(second(done, session))
                await given.put(1)
        """,
}


@pytest.mark.parametrize("source", BROKEN.values(), ids=BROKEN)
def test_workers_of_one_queue_meet(tmp_path: Path, source: str) -> None:
    """What one of them says to `join` is not heard by another."""
    (code,) = codes(tmp_path, source)

    assert code in {Code.TASK, Code.TASK_GROUP}


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_who_joins_comes_after_the_worker(tmp_path: Path, source: str) -> None:
    """And whoever gets, after who has put."""
    assert codes(tmp_path, source) == set()
