"""Which findings are one root cause: what is repaired by one change is one paragraph, whatever it shows on."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from harness import watch_sessions
from harness.evidence import AccessSeen, PlaceSeen, RaceKind, SessionRace
from harness.sanitizer.causes import describe_cause, grouped, headline, origin_of, telling
from harness.sanitizer.tally import Found, Tally
from tests.sessions.suites import ONE_WORKER, Suite, failure_of


def _stack(*frames: str) -> tuple[PlaceSeen, ...]:
    """A stack, innermost last, of frames as `function:line`, all in one file."""
    pairs = [frame.split(":") for frame in frames]
    return tuple(PlaceSeen(file="/srv/shop/app.py", line=int(line), function=function) for function, line in pairs)


def _access(line: int, tasks: tuple[str, ...]) -> AccessSeen:
    return AccessSeen(
        operation="Session.execute", task="Task-1", stack=_stack(f"work:{line}"), task_created=_stack(*tasks)
    )


def _race(
    made: tuple[str, ...],
    *tasks: tuple[str, ...],
    lines: tuple[int, int] = (1, 2),
    kind: RaceKind = RaceKind.OVERLAP,
    subject: str = "Session 1",
) -> SessionRace:
    first, second = tasks if len(tasks) > 1 else tasks * 2
    return SessionRace(
        kind=kind,
        subject=subject,
        subject_created=_stack(*made),
        first=_access(lines[0], first),
        second=_access(lines[1], second),
        at=0.0,
    )


def _count(*races: SessionRace, test: str = "") -> int:
    return len(grouped(races, lambda race: origin_of(race, test), lambda race: race))


TOOLS = ("ask:23", "run_tools:18")


def test_pairs_of_one_session_are_one_cause() -> None:
    """On whatever lines it was used, in tasks that one function made on any line, or by the task that made them."""
    pairs = [_race(("ask:21",), TOOLS, lines=(one, other)) for one in range(8) for other in range(8)]
    others = [
        _race(("ask:21",), ("ask:23", "run_tools:19"), TOOLS),
        _race(("ask:21",), TOOLS, ()),
        _race(("ask:21",), TOOLS, kind=RaceKind.UNORDERED),
        _race(("ask:21",), TOOLS, kind=RaceKind.BLEED),
    ]

    assert _count(*pairs, *others) == 1


def test_what_is_changed_elsewhere_is_another_cause() -> None:
    """A session that was made in another line, tasks that another function made, a thread, an event loop."""
    races = (
        _race(("ask:21",), TOOLS),
        _race(("ask:29",), TOOLS),
        _race(("ask:21",), ("ask:25", "report:40")),
        _race(("ask:21",), TOOLS, kind=RaceKind.FOREIGN_LOOP),
        _race(("ask:21",), TOOLS, kind=RaceKind.FOREIGN_THREAD),
    )

    assert _count(*races) == len(races)


def test_functions_that_share_a_session_are_one_cause() -> None:
    """If tasks of both meet on it, though it was found first of each alone."""
    read, write = ("ask:23", "read_all:18"), ("ask:24", "write_all:30")
    apart = (_race(("ask:21",), read), _race(("ask:21",), write))

    assert _count(*apart) == 2
    assert _count(*apart, _race(("ask:21",), read, write)) == 1


def test_a_factory_that_is_called_at_two_places() -> None:
    """Whoever called it, and has the tasks made, is told apart, whoever else is above; a common line is one."""
    one = _race(("main:1", "ask:21", "make_session:7"), TOOLS)
    again = _race(("other:9", "ask:21", "make_session:7"), TOOLS)
    other = _race(("main:1", "report:50", "make_session:7"), ("report:51", "run_tools:18"))

    assert _count(one, again) == 1
    assert _count(one, other) == 2
    assert "    /srv/shop/app.py:7 in make_session\n    /srv/shop/app.py:21 in ask\n  repair" in describe_cause([one])


def test_a_factory_whose_callers_made_no_tasks() -> None:
    """Fixtures are told apart by what they called it in."""
    one, other = _race(("session:4", "make_session:7"), TOOLS), _race(("admin_session:9", "make_session:7"), TOOLS)

    assert _count(one, one) == 1
    assert _count(one, other) == 2


def test_a_helper_that_makes_the_tasks() -> None:
    """Its callers are told apart, and named, if the session is a fixture's; not who called the test or was it."""
    fixture = ("session:4", "make_session:7")
    orders, bills = ("test_orders:3", "route_orders:20", "both:11"), ("test_bills:5", "route_bills:22", "both:11")
    found = [_race(fixture, orders), _race(fixture, orders, lines=(3, 4)), _race(fixture, bills)]
    tally = Tally()
    for test, race in zip(("test_orders", "test_orders", "test_bills"), found, strict=True):
        tally.add(f"test_app.py::{test}", Found(races=(race,)))
    tally.add("test_app.py::test_again", Found(races=(_race(fixture, ("wraps:1", "test_again:9", *bills[1:])),)))

    assert [[list(pair.tests) for pair in pairs] for pairs in tally.races] == [
        [["test_app.py::test_orders"], ["test_app.py::test_orders"]],
        [["test_app.py::test_bills", "test_app.py::test_again"]],
    ]
    assert "app.py:11 in both\n      /srv/shop/app.py:22 in route_bills\n  second" in describe_cause(
        [found[2]], test="test_app.py::test_bills"
    )


def test_a_function_that_the_test_calls_too() -> None:
    """Is one cause with itself below another on the same two places, and with one alone if several call it."""
    direct, below = _race(("session:4",), ("share:7",)), _race(("session:4",), ("route:3", "share:7"))
    other = _race(("session:4",), ("main:5", "share:7"))

    assert _count(direct, below) == _count(below, direct) == 1
    assert _count(direct, below, other) == _count(other, below, direct) == 2
    assert _count(_race(("session:4",), ("share:7",), lines=(3, 4)), below) == 2


def _with(race: SessionRace, used: str, *made: str) -> SessionRace:
    """The finding, whose second access is one in a task that was made there."""
    return replace(race, second=replace(race.second, stack=_stack(used), task_created=_stack(*made)))


@pytest.mark.parametrize(
    ("used", "made"),
    [
        ("get_session:18", ("serve:90", "each_request:95")),
        ("get_session:18", ("test_pages:45",)),
        ("get_session:13", ("get_session:13",)),
    ],
)
def test_who_made_the_task_of_the_session_tells_nothing_apart(used: str, made: tuple[str, ...]) -> None:
    """Two routes share what one dependency makes, and rolls back or closes in the end: two things are to be changed."""
    orders = _race(("get_session:13",), ("orders:33",))
    bills = _race(("get_session:13",), ("bills:28",))
    findings = (orders, bills, _with(orders, used, *made), _with(bills, used, *made))

    assert _count(*findings, test="test_app.py::test_pages") == 2
    assert _count(orders, _with(orders, used, *made), test="test_app.py::test_pages") == 1


def test_who_made_the_session_and_the_tasks() -> None:
    """Is one cause on its own, though its tasks begin in library code, and with what a function that it calls makes."""
    own = _with(_race(("ask:21",), ("ask:25",)), "ask:24", "ask:24")
    below = _race(("ask:21",), ("ask:23", "run_tools:18"))

    assert _count(own, _race(("ask:21",), ("ask:25",))) == 1
    assert _count(own, _with(below, "ask:24", "ask:24")) == 1


def test_whoever_is_above_the_session_tells_nothing_apart() -> None:
    """Where both the session and the tasks come from one function; a connection below the session is its, too."""
    found = [_race(("ask:21", "make_session:7"), (caller, *TOOLS)) for caller in ("chat:1", "mail:2")]
    tally = Tally()
    for race in found:
        below = replace(race, subject="asyncpg.Connection 1", subject_created=())
        tally.add("test_a", Found(races=(race, below)))

    assert [len(pairs) for pairs in tally.races] == [1]


def test_the_test_tells_nothing_apart() -> None:
    """Three hundred tests that hand a session to one function show one mistake, unless they make the tasks."""
    tally, own = Tally(), Tally()
    for number in range(300):
        made, test = (f"test_{number}:{number + 1}", "make_session:7"), f"test_app.py::test_{number}[a::b]"
        tally.add(test, Found(races=(_race(made, (f"test_{number}:2", "run_tools:18")),)))
        tally.add(test, Found(races=(_race(made[:1], (f"test_{number}:2", "report:40")),)))
        own.add(test, Found(races=(_race(made, (f"test_{number}:2",)),)))

    assert [(len(pairs), len(pairs[0].tests)) for pairs in tally.races] == [(1, 300), (1, 300)]
    assert len(own.races) == 300


def test_one_pair_of_lines_with_two_causes() -> None:
    """Is found with each, in the tests of each."""
    tally = Tally()
    tally.add("test_a", Found(races=(_race(("ask:21",), TOOLS),)))
    tally.add("test_b", Found(races=(_race(("report:50",), TOOLS),)))

    assert [[list(pair.tests) for pair in pairs] for pairs in tally.races] == [[["test_a"]], [["test_b"]]]


def test_a_connection_below_a_session() -> None:
    """Belongs to the session that the same test raced on, though nobody saw where it was made; else it is its own."""
    below = _race((), TOOLS, lines=(5, 6), subject="asyncpg.Connection 1")
    tally = Tally()
    tally.add("test_a", Found(races=(_race(("ask:21",), TOOLS),)))
    tally.add("test_b", Found(races=(below, _race(("report:50",), TOOLS))))
    tally.add("test_c", Found(races=(_race((), ("main:3", "other:8"), subject="asyncpg.Connection 2"),)))

    assert [[list(pair.tests) for pair in pairs] for pairs in tally.races] == [
        [["test_a"]],
        [["test_b"], ["test_b"]],
        [["test_c"]],
    ]


@pytest.mark.parametrize("kind", [RaceKind.FOREIGN_LOOP, RaceKind.FOREIGN_THREAD])
def test_a_session_and_its_connection_in_a_foreign_place(kind: RaceKind) -> None:
    """Are one cause in one test; what another test shows of a connection alone is its own, and so is another kind."""
    below = _race((), TOOLS, lines=(5, 6), kind=kind, subject="asyncpg.Connection 1")
    tally = Tally()
    tally.add("test_a", Found(races=(_race(("ask:21",), TOOLS, kind=kind), below, _race((), ("main:3", "other:8")))))
    tally.add("test_b", Found(races=(replace(below, subject="asyncpg.Connection 2"),)))

    assert [[(list(pair.tests), pair.race.kind) for pair in pairs] for pairs in tally.races] == [
        [(["test_a"], kind), (["test_a"], kind)],
        [(["test_a"], RaceKind.OVERLAP)],
        [(["test_b"], kind)],
    ]


async def _share(session: AsyncSession) -> None:
    async def use() -> None:
        await session.flush()

    await asyncio.gather(use(), use())


async def _for_orders() -> None:
    await _share(AsyncSession())


async def _for_bills() -> None:
    await _share(AsyncSession())


async def test_two_causes_of_one_test_on_the_same_lines() -> None:
    """Are two, with how often each was seen: a helper for everybody is used with sessions of two makers."""
    with watch_sessions() as watch:
        for route in (_for_orders, _for_bills, _for_orders):
            await route()
    tally = Tally()
    tally.add("test_two_causes_of_one_test_on_the_same_lines", Found(races=watch.findings))

    seen = [(pairs[0].origin.made[-1].function, len(pairs), pairs[0].race.count) for pairs in tally.races]  # type: ignore[index]  # it was seen
    assert [(function, pairs) for function, pairs, _ in seen] == [("_for_orders", 1), ("_for_bills", 1)]
    assert seen[0][2] == 2 * seen[1][2]


def test_the_example_tells_the_most() -> None:
    """A proof before a prediction, both stacks before one, a session before what is below it."""
    races = [
        replace(_race(("ask:21",), TOOLS), first=AccessSeen(operation="Session.execute", task="Ada")),
        _race(("ask:21",), TOOLS, kind=RaceKind.UNORDERED),
        _race(("ask:21",), TOOLS, subject="asyncpg.Connection 1"),
        _race(("ask:21",), TOOLS),
        _race(("ask:21",), TOOLS, kind=RaceKind.BLEED),
    ]

    assert telling(races) == 4
    assert telling(races[:4]) == 3
    assert telling(races[:2]) == 1


def test_a_cause_on_one_line() -> None:
    """What, where, where the session was made, and who had the tasks made."""
    races = [_race(("ask:21",), TOOLS, lines=(one, 9)) for one in range(1, 4)]

    assert headline(races, shown=lambda file: file.rpartition("/")[2]) == (
        "session race: app.py:1 and app.py:9 (overlap on Session 1), and 2 more pairs of operations; "
        "made at app.py:21 in ask, tasks in run_tools, called at app.py:23 in ask"
    )


EIGHT = """
async def work(session):
    await session.execute(SELECT)
    await session.execute(SELECT)
    await session.execute(SELECT)
    await session.execute(SELECT)
    await session.flush()
    await session.execute(SELECT)
    await session.execute(SELECT)
    await session.execute(SELECT)

async def share_among_eight(session):
    await session.connection()
    await asyncio.gather(*[work(session) for _ in range(8)], return_exceptions=True)

async def test_eight(session):
    await share_among_eight(session)

async def test_eight_again(session):
    await share_among_eight(session)
"""


@pytest.mark.processes
@pytest.mark.parametrize("workers", [(), ONE_WORKER])
def test_eight_tasks_of_eight_lines(suite: Suite, workers: tuple[str, ...]) -> None:
    """Are one paragraph in the summary, and in what is said of each test; where the rest is, is said."""
    outcome = suite(EIGHT, "--sessions=collect", *workers)

    assert outcome.tests == {"test_eight": "FAILED", "test_eight_again": "FAILED"}, outcome.text
    assert outcome.summary.count("session race") == 1
    assert len(outcome.summary.splitlines()) < 25
    assert " pairs of operations have this root cause (" in outcome.summary
    assert " more, shown by -v, and in the report of --sessions-report=FILE\n" in outcome.summary
    assert failure_of(outcome, "test_eight_again").count("session race") == 1


ROUTES = """
from contextlib import asynccontextmanager

@asynccontextmanager
async def get_session(engine):
    async with AsyncSession(engine) as session:
        try:
            yield session
            await session.commit()
        except Exception:
            await session.rollback()
            raise

async def orders(engine):
    async with get_session(engine) as session:
        await asyncio.gather(session.execute(SELECT), session.execute(SELECT))

async def bills(engine):
    async with get_session(engine) as session:
        await session.connection()
        await asyncio.gather(session.execute(SELECT), session.execute(SELECT))

@pytest.mark.parametrize("route", [orders, bills])
async def test_route(engine, route):
    try:
        await asyncio.create_task(route(engine))
    except Exception:
        pass
"""


@pytest.mark.processes
def test_two_routes_that_take_their_session_from_one_dependency(suite: Suite) -> None:
    """Are two causes, each seen in its own test, though the dependency meets the tasks of both."""
    outcome = suite(ROUTES, "--sessions=collect")

    assert outcome.summary.count("session race") == 2, outcome.summary
    assert outcome.summary.count("test_route[orders]") == outcome.summary.count("test_route[bills]") == 1


@pytest.mark.processes
def test_many_causes(suite: Suite) -> None:
    """Are counted above ten, with where they are; -v has them all."""
    test = """
async def test_{0}(engine):
    async with AsyncSession(engine) as session:
        await session.execute(SELECT)
        await asyncio.gather(session.execute(SELECT), session.execute(SELECT), return_exceptions=True)
"""
    module = "".join(test.format(number) for number in range(12))
    short = suite(module, "--sessions=collect", "--sessions-report=out/")
    whole = suite(module, "--sessions=collect", "-v")

    assert short.summary.count("session race") == 10
    assert "\nand 2 more root causes, with 2 pairs: shown by -v, and in report.html\n" in short.summary
    assert whole.summary.count("session race") == 12
    assert "more root causes" not in whole.summary


@pytest.mark.processes
def test_warnings_are_one_line(suite: Suite) -> None:
    """For each root cause and test; the summary has it in full."""
    outcome = suite(EIGHT, "--sessions=warn")

    lines = [line for line in outcome.text.splitlines() if "SessionRaceWarning" in line]
    assert len(lines) == 2
    for line in lines:
        assert " more pairs of operations; made at conftest.py:14 in session; the summary has it in full" in line
    assert "second: " not in outcome.text.partition("= warnings summary =")[2].partition("\n-- Docs: ")[0]
    assert outcome.summary.count("second: ") == 1
