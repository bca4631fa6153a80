"""What a watch does with a finding that is suppressed: it keeps it, and nothing else, in every mode."""

import logging
import warnings
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from harness.errors import UsageError
from harness.evidence import RaceKind, SessionRace
from harness.sanitizer import Suppressions, WatchMode, watch_sessions
from harness.suppressions import Place, Suppression
from tests.sanitizer.ablation_programs.pairs import by_luck, during
from tests.sanitizer.conftest import MakeWorld
from tests.sanitizer.world import Steps, World

HERE = Path(__file__).parent
ALWAYS = date(9999, 12, 31)
QUICK = text("SELECT 1")

Use = Callable[[AsyncSession], Awaitable[None]]


def _entry(*, at: Sequence[str] = (), through: Sequence[str] = (), finding: Sequence[RaceKind] = ()) -> Suppression:
    return Suppression(
        number=1,
        reason="known",
        expires=ALWAYS,
        finding=tuple(finding),
        at=tuple(map(Place.parse, at)),
        through=tuple(map(Place.parse, through)),
    )


def _entries(*entries: Suppression) -> Suppressions:
    return Suppressions(root=HERE, entries=entries)


async def _look(session: AsyncSession) -> None:
    await session.execute(QUICK)


async def _read(session: AsyncSession) -> None:
    await _look(session)


async def _report(session: AsyncSession) -> None:
    await _look(session)


async def _one_after_the_other(world: World, one: Use, other: Use) -> None:
    """Two uses of one session, by two tasks that only luck orders."""
    world.steps = Steps()
    async with world.session() as session:
        await by_luck(world, partial(one, session), partial(other, session))


@pytest.mark.parametrize("mode", list(WatchMode))
async def test_every_mode_lets_it_be(make_world: MakeWorld, mode: WatchMode, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is raised, warned, logged or told; both operations are made."""
    told: list[SessionRace] = []
    suppressed = _entries(_entry(through=["test_suppressed.py:_read"]))
    async with make_world() as world:
        watch = watch_sessions(mode, on_finding=told.append, suppressions=suppressed)
        with caplog.at_level(logging.WARNING), warnings.catch_warnings(action="error"), watch:
            await _one_after_the_other(world, _read, _look)
            await _one_after_the_other(world, _read, _look)

    assert watch.findings == ()
    assert [(each.race.kind, each.race.count, each.by) for each in watch.suppressed] == [
        (RaceKind.UNORDERED, 2, suppressed.entries)
    ]
    assert told == []
    assert "session race" not in caplog.text


async def test_what_no_entry_names(make_world: MakeWorld) -> None:
    """Is found as ever, also where it has the places of what is suppressed."""
    suppressed = _entries(_entry(through=["test_suppressed.py:_read"]))
    async with make_world() as world:
        with watch_sessions(suppressions=suppressed) as watch:
            await _one_after_the_other(world, _read, _look)
            await _one_after_the_other(world, _report, _look)

    assert [each.count for each in watch.findings] == [1]
    assert [each.race.count for each in watch.suppressed] == [1]


async def test_a_prediction_that_is_suppressed(make_world: MakeWorld) -> None:
    """Is not the proof: an overlap of the same two places is found."""
    suppressed = _entries(_entry(at=["**"], finding=[RaceKind.UNORDERED]))

    async def ask(session: AsyncSession, statement: TextClause) -> None:
        with suppress(Exception):  # the driver refuses the second one
            await session.execute(statement)

    async with make_world() as world:
        with watch_sessions(suppressions=suppressed) as watch:
            await _one_after_the_other(world, partial(ask, statement=QUICK), partial(ask, statement=QUICK))
            async with world.session() as session:
                hold = world.hold()
                await during(world, hold, partial(ask, session, hold.statement), partial(ask, session, QUICK))

    assert {each.kind for each in watch.findings} == {RaceKind.OVERLAP}
    assert {each.race.kind for each in watch.suppressed} == {RaceKind.UNORDERED}


async def test_one_that_is_expired(make_world: MakeWorld) -> None:
    """Suppresses nothing."""
    expired = Suppression(number=1, reason="known", expires=date(2020, 1, 1), at=(Place.parse("**"),))
    async with make_world() as world:
        with watch_sessions(suppressions=_entries(expired)) as watch:
            await _one_after_the_other(world, _read, _look)

    assert [each.kind for each in watch.findings] == [RaceKind.UNORDERED]
    assert watch.suppressed == ()


def test_places_need_stacks() -> None:
    """Suppressions with a share of the stacks would let through at random what they name."""
    with pytest.raises(UsageError, match=r"suppressions name places, and with stacks=0\.5 most accesses have none"):
        watch_sessions("log", stacks=0.5, suppressions=_entries(_entry(at=["shop.py"])))

    assert watch_sessions("log", stacks=0.5, suppressions=_entries()).stacks == 0.5
