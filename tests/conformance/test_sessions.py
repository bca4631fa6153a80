"""Whose session a tool has is told by what reaches the database, whatever the factory is made of."""

import gc
import re
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from inline_snapshot import snapshot
from sqlalchemy.orm import Session

from fixtures.injected.adapter import SCOPES
from harness.backend import load_backend
from harness.conformance import check_backend
from harness.conformance.session_uses import SessionUses, Used
from harness.observe.attribution import current_turn
from harness.postgres.clones import Clones
from harness.scenario import SessionMode
from tests.conformance.session_shops import APART, ONE_CONNECTION, SHARING
from tests.conformance.shops import made

SECONDS = 30.0
STEP = "sessions of each mode"
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*was garbage collected.*", "ignore:The garbage collector is trying to clean up:sqlalchemy.exc.SAWarning"
)


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What a broken shop has left open is collected here, and not in another test."""
    yield
    gc.collect()


@pytest.mark.parametrize("name", SHARING)
async def test_sessions_of_another_mode_are_told_first(name: str, sessionproof_clones: Clones) -> None:
    """With the words of what was shared by whom, once, and before what follows from it."""
    backend, seen = SHARING[name]

    said = await check_backend(backend, sessionproof_clones, seconds=SECONDS)

    assert seen in said.violations[0].seen, said.violations
    assert [violation.part for violation in said.violations].count("modes") == 1
    assert not any("turns at once" in violation.part for violation in said.violations)
    assert said.violations[0].place.startswith("tests/conformance/session_shops.py:")


@pytest.mark.parametrize("name", APART)
async def test_nothing_is_told_of_sessions_of_the_mode(name: str, sessionproof_clones: Clones) -> None:
    """Also where connections are lent again, sessions wait for each other, or one is nobody's but a task's."""
    said = await check_backend(APART[name], sessionproof_clones, seconds=SECONDS)

    assert said.violations == ()
    assert [step.undecided for step in said.steps if step.name == STEP] == [""]


async def test_both_tools_and_their_lines_are_named(sessionproof_clones: Clones) -> None:
    """And what is asked, and what to change: in the sources, or in the adapter."""
    backend, _ = SHARING["a global session"]

    said = await check_backend(backend, sessionproof_clones, seconds=SECONDS)

    assert re.sub(r"tests/\S+\.py:\d+", "LINE", str(said.violations[0])) == snapshot("""\
modes (LINE): in the mode 'per_operation' two tool calls of a turn and two turns used one session: \
'opening_hours' at LINE, 'stock' at LINE; in per_operation each tool, and whoever writes the bill, \
has a session of its own: open a session where it is used, from a factory that keeps none, \
or name SessionMode.SHARED in place of SessionMode.PER_OPERATION\
""")


async def test_a_pool_that_lends_one_connection_to_all_is_told_first(sessionproof_clones: Clones) -> None:
    """It is not the pool that was asked for, however many sessions there are."""
    said = await check_backend(ONE_CONNECTION, sessionproof_clones, seconds=SECONDS)

    told = "the pool's poolclass is StaticPool, and `settings.pool` asks for a pool of several connections"
    assert (said.violations[0].part, said.violations[0].seen) == ("start", told)


async def test_a_container_with_one_session_is_told(
    monkeypatch: pytest.MonkeyPatch, sessionproof_clones: Clones
) -> None:
    """The application that is given its sessions has one for a turn, in the mode in which each tool has its own."""
    monkeypatch.setitem(SCOPES, SessionMode.PER_OPERATION, SCOPES[SessionMode.SHARED])

    (told,) = (
        await check_backend(load_backend("fixtures.injected.adapter:backend"), sessionproof_clones, seconds=SECONDS)
    ).violations

    assert told.part == "modes"
    assert told.change.endswith("or leave out SessionMode.PER_OPERATION")


async def test_what_uses_no_session_is_undecided(sessionproof_clones: Clones) -> None:
    """No tool, no session, no verdict."""
    tenant = made().tenants[0]
    backend = made(tenants=(type(tenant)(account=tenant.account, agent=tenant.agent, tools={}),))

    said = await check_backend(backend, sessionproof_clones, seconds=SECONDS)

    assert said.conforms
    assert [step.undecided for step in said.steps if step.name == STEP] == snapshot(
        ["in the mode 'per_operation' no two tool calls of a turn were seen to use a session of SQLAlchemy's"]
    )


def test_a_session_that_is_gone_is_not_the_one_at_its_address() -> None:
    """Numbers are of objects, and not of their addresses, which are given away again."""
    uses, addresses = SessionUses(), set[int]()

    def use_many() -> None:
        current_turn.set("turn")
        for _ in range(50):
            session = Session()
            addresses.add(id(session))
            uses.note(Used.SESSION, session)
            del session
            gc.collect(0)  # the youngest alone: there is much else

    copy_context().run(use_many)

    assert len(addresses) < len(uses.uses) == len({use.number for use in uses.uses})
