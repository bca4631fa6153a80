"""Whoever calls what starts tasks is followed, whatever that is called."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import codes

NAMES = (
    *("run", "main", "get", "close", "__call__", "execute", "send", "put", "start", "submit", "gather", "create_task"),
    *("commit", "connect", "begin", "scalar", "add_task", "join", "wait", "iter", "run_sync", "append", "overview"),
)
COMMON = ("run", "main", "get", "close", "__call__", "overview")
STARTS = ("", "asyncio.run(job())", 'if __name__ == "__main__":\n    asyncio.run(job())')
"""How the program is begun, written at its end: by nobody, in the module, as a script."""
REPOSITORY = """
class Repository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def count(self) -> int:
        return await self.session.scalar("select 1")

class Report:
    def __init__(self, first: Repository, second: Repository) -> None:
        self.first, self.second = first, second

    async def {name}(self):
        return await asyncio.gather(self.first.count(), self.second.count())

async def {name}(first: Repository, second: Repository):
    return await asyncio.gather(first.count(), second.count())
"""
CALLS = {
    "a function": "await {name}(Repository(one), Repository(two))",
    "a method": "await Report(Repository(one), Repository(two)).{name}()",
    "a method of what has a name": "report = Report(Repository(one), Repository(two))\n        await report.{name}()",
    "a task": "await asyncio.create_task({name}(Repository(one), Repository(two)))",
}
JOB = """
async def job():
    async with factory() as one, factory() as two:
        {call}
"""


def _program(name: str, call: str, *, shared: bool, job: str = JOB, starts: str = "") -> str:
    whole = f"{REPOSITORY}{job}\n{starts}\n".replace("{call}", call).replace("{name}", name)
    return whole.replace("two)", "one)") if shared else whole


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("name", "starts"), [(name, start) for start in STARTS for name in (COMMON if start else NAMES)]
)
def test_the_caller_is_followed_by_any_name(tmp_path: Path, name: str, call: str, starts: str) -> None:
    """It alone knows that both have one session, and whoever gives each its own is right."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "right").mkdir()
    broken = _program(name, call, shared=True, starts=starts)
    right = _program(name, call, shared=False, starts=starts)

    assert codes(tmp_path / "broken", broken) == {Code.GATHER}
    assert codes(tmp_path / "right", right) == set()


ROUTE = """
from fastapi import APIRouter

router = APIRouter()

async def session():
    async with factory() as session:
        yield session

@router.get("/")
async def page(one: Annotated[AsyncSession, Depends(session)]):
    {call}
"""
NESTED = """
async def job():
    async def {name}(first: Repository, second: Repository):
        return await asyncio.gather(first.count(), second.count())

    async with factory() as one:
        {call}
"""


@pytest.mark.parametrize("job", [ROUTE, NESTED], ids=["a route", "nested"])
@pytest.mark.parametrize("name", NAMES)
def test_a_route_and_a_function_inside_are_followed_by_any_name(tmp_path: Path, name: str, job: str) -> None:
    """As callers are elsewhere."""
    assert codes(tmp_path, _program(name, CALLS["a function"], shared=True, job=job)) == {Code.GATHER}


@pytest.mark.parametrize("name", NAMES)
def test_a_method_of_a_module_s_name_is_followed(tmp_path: Path, name: str) -> None:
    """A module of the project is imported as one of a library is."""
    prelude = "import asyncio\nfrom sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker\n"
    job = "import reports\nfrom reports import *\n\nfactory = async_sessionmaker()\n" + JOB.replace(
        "{call}", "await reports.{name}(Repository(one), Repository(one))"
    ).replace("{name}", name)
    files = {"reports.py": prelude + REPOSITORY.replace("{name}", name), "jobs.py": prelude + job}

    assert codes(tmp_path, files) == {Code.GATHER}


def test_what_python_calls_by_itself_has_the_callers_of_its_class(tmp_path: Path) -> None:
    """The object is made in one method, and called or entered in another."""
    program = """
        class Both:
            def __init__(self, first: AsyncSession, second: AsyncSession) -> None:
                self.first, self.second = first, second

            async def {method}(self, *_):
                return await asyncio.gather(use(self.first), use(self.second))

            {other}

        class Desk:
            def __init__(self, session: AsyncSession) -> None:
                self.both = Both(session, session)

            async def answer(self):
                {how}
        """
    called = {"method": "__call__", "other": "", "how": "await self.both()"}
    entered = {
        "method": "__aenter__",
        "other": "async def __aexit__(self, *_): ...",
        "how": "async with self.both:\n                    pass",
    }
    found = []
    for order, each in enumerate((called, entered)):
        (folder := tmp_path / str(order)).mkdir()
        found.append(codes(folder, program.format(**each)))

    assert found == [{Code.GATHER}, {Code.GATHER}]
