"""Background tasks beside something worse: what they meet in a request, and what goes on after it."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import codes

START = """
        from fastapi import BackgroundTasks

        async def audit(db: AsyncSession) -> None:
            await use(db)

        async def answer(tasks: BackgroundTasks, db: AsyncSession):
"""
BODIES = {
    "gathered after it": (["tasks.add_task(audit, db)", "await asyncio.gather(use(db), use(db))"], Code.GATHER),
    "gathered before it": (["await asyncio.gather(use(db), use(db))", "tasks.add_task(audit, db)"], Code.GATHER),
    "a task after it": (
        ["tasks.add_task(audit, db)", "asyncio.create_task(audit(db))", "await db.commit()"],
        Code.TASK,
    ),
    "a task before it": (
        ["asyncio.create_task(audit(db))", "tasks.add_task(audit, db)", "await db.commit()"],
        Code.TASK,
    ),
    "a task that goes on beside it": (["tasks.add_task(audit, db)", "asyncio.create_task(audit(db))"], Code.TASK),
    "a task that was awaited": (["tasks.add_task(audit, db)", "await asyncio.create_task(audit(db))"], None),
    "one gathered": (["tasks.add_task(audit, db)", "await asyncio.gather(use(db), asyncio.sleep(0))"], None),
    "alone": (["tasks.add_task(audit, db)", "await db.commit()"], None),
    "two": (["tasks.add_task(audit, db)", "tasks.add_task(audit, db)"], None),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_background_task_hides_nothing_worse(tmp_path: Path, name: str) -> None:
    """Its warning stands beside the error, if there is one."""
    lines, worse = BODIES[name]
    source = START + "".join(f"            {line}\n" for line in lines)

    assert codes(tmp_path, source) == {Code.BACKGROUND} | ({worse} if worse else set())


def test_a_background_task_with_a_session_of_its_own_is_right(tmp_path: Path) -> None:
    """Then the request's session may be used meanwhile."""
    source = """
        from fastapi import BackgroundTasks

        async def audit() -> None:
            async with factory() as db:
                await use(db)

        async def answer(tasks: BackgroundTasks, db: AsyncSession):
            tasks.add_task(audit)
            await use(db)
            await db.commit()
        """

    assert codes(tmp_path, source) == set()
