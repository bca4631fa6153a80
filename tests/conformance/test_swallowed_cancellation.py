"""A backend that catches `CancelledError` and goes on: it is told so, with its line, whether it ever ends or not."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from fixtures.minimal import MinimalBackend, Shop
from harness.backend import ChatRequest, Violation
from harness.conformance import check_backend
from harness.conformance.calls import Calls
from harness.evidence import Answer
from harness.postgres.clones import Clones
from tests.conformance.shops import made, selling

SECONDS = 5.0
"""More than anything takes that ends, on a busy machine too: what does not end takes all of it, once."""

LATE = Violation(part="prepare", seen="it has not ended after 1 s", asked="it ends", change="let it end")


def test_a_call_that_is_over_its_time_by_more_than_the_patience_is_overdue() -> None:
    """Not before it was looked at, and not within the patience."""
    calls = Calls()

    with calls.pend(0) as call:
        assert calls.overdue(0) is None
        call.late = LATE
        assert calls.overdue(3600) is None
        assert calls.overdue(-1) == Violation(
            part="prepare",
            seen="it has not ended after 1 s, and it does not end when it is cancelled",
            asked="it ends",
            change="let asyncio.CancelledError pass where it waits, and let it end",
        )
    assert calls.overdue(-1) is None


async def _goes_on() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return


async def _raises() -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        raise ValueError("interrupted") from error


async def _prepare(self: Any, database_url: str) -> None:
    await MinimalBackend.prepare(self, database_url)
    await _goes_on()


async def _send(self: Shop, request: ChatRequest) -> Answer:
    answer = await Shop.send(self, request)
    await _goes_on()
    return answer


async def _send_and_raise(self: Shop, request: ChatRequest) -> Answer:
    await _raises()
    return await Shop.send(self, request)


@pytest.mark.parametrize(
    ("backend", "part"),
    [(made(prepare=_prepare), "prepare"), (selling(_send), "send to 'shop'/'clerk'")],
    ids=["prepare", "send"],
)
async def test_who_goes_on_and_ends_is_told(backend: MinimalBackend, part: str, sessionproof_clones: Clones) -> None:
    """What it returns after it was cancelled counts for nothing."""
    said = await check_backend(backend, sessionproof_clones, seconds=SECONDS)

    (violation,) = said.violations
    assert violation.part == part
    assert violation.seen.startswith("it has not ended after 5 s")
    assert violation.seen.endswith("and it goes on when it is cancelled")
    assert violation.change == snapshot("let asyncio.CancelledError pass where it waits, and let it end")


async def test_who_raises_something_else_in_its_place_is_late_all_the_same(sessionproof_clones: Clones) -> None:
    """What it waited for is told, and not what it raised because it was cancelled."""
    said = await check_backend(selling(_send_and_raise), sessionproof_clones, seconds=SECONDS)

    (violation,) = said.violations
    assert violation.seen.startswith("it has not ended after 5 s")
    assert "interrupted" not in violation.seen


SHOP = """
import asyncio
from contextlib import asynccontextmanager

from fixtures.minimal import MinimalBackend, Shop


async def wait_for_ever():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass


class Hanging(Shop):
    async def send(self, request):
        await wait_for_ever()


class Backend(MinimalBackend):
    def __init__(self, part):
        self.part = part

    async def prepare(self, database_url):
        if self.part == "prepare":
            await wait_for_ever()
        await super().prepare(database_url)

    @asynccontextmanager
    async def start(self, settings):
        if self.part == "start":
            await wait_for_ever()
        async with super().start(settings) as shop:
            yield Hanging(shop.engine, settings) if self.part == "send" else shop
        if self.part == "stop":
            await wait_for_ever()


backend = Backend("PART")
"""
CHECK = """
import sys

from rich.console import Console

from harness.command.check_backend import Checking, check
from harness.config import Config

config = Config(backend="shop:backend", postgres=sys.argv[1], turn_timeout=5)
sys.exit(check(Checking(config=config, console=Console(), write=print, patience=1)))
"""


@pytest.mark.processes
@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("prepare", "prepare"),
        ("start", "start in mode 'per_operation'"),
        ("send", "send to 'shop'/'clerk'"),
        ("stop", "start in mode 'per_operation', on leaving"),
    ],
)
def test_who_never_ends_is_told_with_its_line(part: str, told: str, server_url: str, tmp_path: Path) -> None:
    """The process ends, though nothing in its event loop can end it; and what was known is not lost."""
    (tmp_path / "shop.py").write_text(SHOP.replace("PART", part), encoding="utf-8")

    ended = subprocess.run(
        [sys.executable, "-c", CHECK, server_url],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    lines = [line for line in ended.stdout.splitlines() if not line.startswith("looked at")]
    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False), ended.stderr
    assert ended.stdout.startswith("looked at  attributes and methods\n")
    assert lines[0].startswith(f"VIOLATED   {told} (shop.py:11): it has not ended after 5 s")
    assert "and it does not end when it is cancelled; " in lines[0]
    assert lines[0].endswith(": let asyncio.CancelledError pass where it waits, and let it end")
    assert len(lines) == 2
