"""A turn under what watches it, and a cell of `verify`: what is installed for each, and that nothing of it stays."""

import gc
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from fixtures.backend.adapter import ReferenceBackend
from fixtures.broken.tools_without_database import backend as idle_backend
from fixtures.minimal import backend as minimal_backend
from harness.backend import Application, Backend, BackendSettings, ChatRequest, Tenant
from harness.bench.cost import Ground, measure
from harness.bench.cost_turn import BARE, GATED, RECORDED, WATCHED, cell_ways, turn_ways
from harness.errors import BackendError, UsageError
from harness.evidence import Answer
from harness.observe.attribution import current_turn
from tests.bench.grounds import cost, hooks

pytestmark = pytest.mark.processes

TOOL_SECONDS = 0.01


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is installed while a turn is answered."""

    turn: str | None
    hooks: tuple[Any, ...]
    before_statements: int


@dataclass(kw_only=True)
class Watchful:
    """A backend that looks around while it answers."""

    inner: Any
    asked: Callable[[], None] = lambda: None
    seen: list[Seen] = field(default_factory=list)
    slept: list[Any] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @asynccontextmanager
    async def start(self, settings: BackendSettings) -> AsyncIterator[Application]:
        async with self.inner.start(settings) as application:
            event.listen(application.engine.sync_engine, "before_cursor_execute", self._before, named=True)
            yield _Watchful(application=application, asked=self.asked, seen=self.seen)

    def _before(self, *, statement: str, parameters: Any, **_: Any) -> None:
        if "pg_sleep" in statement:
            self.slept.append(parameters)


@dataclass(kw_only=True)
class _Watchful:
    application: Application
    asked: Callable[[], None]
    seen: list[Seen]

    @property
    def engine(self) -> AsyncEngine:
        return self.application.engine

    async def send(self, request: ChatRequest) -> Answer:
        self.asked()
        listeners = list(self.engine.sync_engine.dispatch.before_cursor_execute)
        self.seen.append(Seen(turn=current_turn.get(), hooks=hooks(), before_statements=len(listeners)))
        return await self.application.send(request)


def changed(before: Seen, after: Seen) -> list[bool]:
    """Which of the hooks are others."""
    return [one is not other for one, other in zip(before.hooks, after.hooks, strict=True)]


@pytest.mark.usefixtures("_nothing_stays")
async def test_turns_differ_in_what_watches_them(ground: Ground) -> None:
    """Bare: nothing but what makes tools work; then recorders; then gate and sanitizer, too; then bare again."""
    backend = Watchful(inner=ground.backend)
    async with turn_ways(replace(ground, backend=backend), tool_seconds=TOOL_SECONDS) as found:
        alone = hooks()
        seen = {}
        for name in (BARE, RECORDED, GATED, WATCHED, BARE):
            assert hooks() == alone
            backend.seen.clear()
            sample = await found.ways[name]()
            assert sample.seconds >= TOOL_SECONDS
            seen[name] = backend.seen[-1]

    bare, recorded, gated, watched = seen[BARE], seen[RECORDED], seen[GATED], seen[WATCHED]
    assert found.missing == ()
    assert bare == Seen(turn=None, hooks=alone, before_statements=2)  # its own, and that of the tools' work
    assert recorded.turn is not None
    assert recorded.before_statements > 2
    assert changed(bare, recorded) == [True, True, True, False, False, False, True]
    assert changed(bare, gated) == [True, True, True, True, False, False, True]
    assert gated.hooks[5] == ()
    assert len(watched.hooks[5]) == 1
    assert watched.hooks[4] is not bare.hooks[4]


@pytest.mark.usefixtures("_nothing_stays")
async def test_tools_work_in_the_database_in_every_turn(ground: Ground) -> None:
    """A turn without work goes before each; in the one that counts, each call sleeps once."""
    backend = Watchful(inner=ground.backend)
    async with turn_ways(replace(ground, backend=backend), tool_seconds=TOOL_SECONDS) as found:
        for name in (BARE, RECORDED, GATED, WATCHED):
            backend.seen.clear()
            backend.slept.clear()
            await found.ways[name]()
            assert len(backend.seen) == 2
            assert backend.slept == [(TOOL_SECONDS,)] * 2


class Circle:
    """Is garbage that only a collection takes away."""

    def __init__(self) -> None:
        self.itself = self


@pytest.mark.parametrize("name", [BARE, RECORDED, GATED, WATCHED])
@pytest.mark.usefixtures("_nothing_stays")
async def test_no_turn_that_counts_pays_for_another_one_s_garbage(ground: Ground, name: str) -> None:
    """What the turn before it left is collected when it begins; what it makes itself is its own."""
    left = list[weakref.ref[Circle]]()
    alive = list[int]()

    def leave() -> None:
        alive.append(sum(each() is not None for each in left))
        left.append(weakref.ref(Circle()))

    backend = Watchful(inner=ground.backend, asked=leave)
    gc.disable()  # or it might be collected by chance
    try:
        async with turn_ways(replace(ground, backend=backend), tool_seconds=TOOL_SECONDS) as found:
            left.clear()
            alive.clear()
            await found.ways[name]()
    finally:
        gc.enable()

    assert alive == [0, 0]


@pytest.mark.parametrize("name", [BARE, RECORDED, GATED])
@pytest.mark.usefixtures("_nothing_stays")
async def test_tools_that_do_not_work_are_no_sample(ground: Ground, name: str) -> None:
    """Whatever is installed."""
    async with turn_ways(replace(ground, backend=idle_backend), tool_seconds=3600) as found:
        with pytest.raises(BackendError, match="tools work for 3600 s in the database: they ran no statement there"):
            await found.ways[name]()


async def test_a_small_backend_has_turns_too(ground: Ground) -> None:
    """One that shares nothing with the reference backend but the protocol."""
    template = await ground.clones.template("costs_minimal", minimal_backend.prepare)
    small = replace(ground, backend=minimal_backend, template=template)
    async with turn_ways(small, tool_seconds=TOOL_SECONDS) as found:
        for name in (BARE, RECORDED, GATED, WATCHED):
            assert (await found.ways[name]()).seconds >= TOOL_SECONDS


class Toolless(ReferenceBackend):
    """A backend whose agent has no tools."""

    tenants = (Tenant(account="a", agent="b", tools={}),)


class Modeless(ReferenceBackend):
    """A backend that cannot be started in any mode."""

    modes = frozenset()


@pytest.mark.parametrize(("backend", "reason"), [(Toolless(), "no tool for the role 'read'"), (Modeless(), "none of")])
async def test_a_backend_that_lacks_the_turn_is_told(ground: Ground, backend: Backend, reason: str) -> None:
    """A document without numbers says why there are none."""
    lacking = replace(ground, backend=backend)
    for ways in (turn_ways, cell_ways):
        with pytest.raises(UsageError, match=reason):
            await ways(lacking).__aenter__()
        document = await measure(cost(lambda ways=ways: ways(lacking)))  # type: ignore[misc]  # a lambda's default
        assert (document.arms, document.reached, document.ended) == ((), False, "failure")
        assert reason in document.missing[0]


@pytest.mark.usefixtures("_nothing_stays")
async def test_a_cell_of_verify(ground: Ground) -> None:
    """Judged as the command would; one that shows something else is no sample."""
    async with cell_ways(ground, tool_seconds=TOOL_SECONDS) as found:
        assert (await found.ways["cell"]()).seconds > TOOL_SECONDS
    async with cell_ways(replace(ground, backend=idle_backend), tool_seconds=TOOL_SECONDS) as found:
        with pytest.raises(BackendError, match="the cell is unknown"):
            await found.ways["cell"]()
