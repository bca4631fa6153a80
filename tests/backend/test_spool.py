"""The spool: what it was told is on the disk, whatever happens to the process."""

import asyncio
import signal
import sqlite3
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.backend.app.services.bills import Bill
from fixtures.backend.app.services.spool import (
    FILE_NAME,
    Spool,
    SpoolDamagedError,
    SpoolError,
    SpoolInUseError,
    open_spool,
)
from tests.backend.bills import answer, bill

ROOT = Path(__file__).parents[2]

KEEP_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from fixtures.backend.app.services.spool import open_spool
from tests.backend.bills import answer, bill

async def keep() -> None:
    async with open_spool(Path(sys.argv[1])) as spool:
        kept = bill(None)
        await spool.add(kept, kept.requests[0])
        print(kept.id, flush=True)
        await asyncio.Event().wait()

asyncio.run(keep())
"""


async def add(spool: Spool, kept: Bill) -> None:
    """Keep a bill with its requests."""
    for request in kept.requests:
        await spool.add(kept, request)


@pytest.mark.processes
async def test_a_killed_process_leaves_what_it_kept_and_nobody_shares_its_file(tmp_path: Path) -> None:
    """While it lives, another process is refused; after SIGKILL, the next one finds the bill."""
    command = (sys.executable, "-c", KEEP_AND_WAIT, str(tmp_path))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    bill_id = (await process.stdout.readline()).decode().strip()

    with pytest.raises(SpoolInUseError, match="give each process of the application a STATE_DIRECTORY of its own"):
        async with open_spool(tmp_path):
            pass
    process.send_signal(signal.SIGKILL)
    await process.communicate()

    async with open_spool(tmp_path) as spool:
        [left] = await spool.list_bills()
        assert str(left) == bill_id
        assert (await spool.find(left)).completion_status is None


async def test_two_spools_of_one_process_do_not_share_a_file(tmp_path: Path) -> None:
    """The second is refused; once the first is closed, it is not."""
    async with open_spool(tmp_path):
        with pytest.raises(SpoolInUseError):
            async with open_spool(tmp_path):
                pass

    async with open_spool(tmp_path) as spool:
        assert await spool.list_bills() == []


async def test_a_bill_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    """With its requests in the order of sending, their latest state, and its status."""
    kept = bill(None, (answer("First."),), (), (answer(prompt=2**40), answer(name="house-model-1")))
    settled = replace(kept.requests[0], served=(answer("Late."),))
    closed = replace(kept, completion_status="complete", requests=(settled, *kept.requests[1:]))

    async with open_spool(tmp_path) as spool:
        await add(spool, kept)
        assert await spool.find(kept.id) == kept
        await spool.update(settled)
        await spool.close_bill(closed, closed.requests)

    async with open_spool(tmp_path) as spool:
        assert await spool.find(kept.id) == closed


async def test_a_removed_bill_is_gone_and_removing_it_again_is_harmless(tmp_path: Path) -> None:
    """Other bills stay."""
    one, other = bill(None), bill(None)
    async with open_spool(tmp_path) as spool:
        await add(spool, one)
        await add(spool, other)

        await spool.remove(one.id)
        await spool.remove(one.id)

        assert await spool.list_bills() == [other.id]


async def test_what_a_cancelled_caller_began_is_done(tmp_path: Path) -> None:
    """It stops waiting at once; the bill is kept all the same, before what is asked for later."""
    kept, busy = bill(None), threading.Event()
    async with open_spool(tmp_path) as spool:
        spool._executor.submit(busy.wait)
        adding = asyncio.create_task(add(spool, kept))
        await asyncio.sleep(0)

        adding.cancel()
        await asyncio.wait([adding])
        busy.set()

        assert adding.cancelled()
        assert await spool.list_bills() == [kept.id]


@pytest.mark.parametrize("content", [b"not a database at all, but long enough for one" * 100, None])
async def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, content: bytes | None) -> None:
    """Both one that is something else, and one with a page that is overwritten."""
    path = tmp_path / FILE_NAME
    if content is None:
        async with open_spool(tmp_path) as spool:
            await add(spool, bill(*[None] * 100))
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 8192)
    else:
        path.write_bytes(content)

    with pytest.raises(SpoolDamagedError, match=r"is damaged .* move it away to start with an empty one"):
        async with open_spool(tmp_path):
            pass


async def test_a_full_disk_refuses_a_bill_and_keeps_the_others(tmp_path: Path) -> None:
    """Nothing is half written, and it goes on once there is room again."""
    first, second = bill(None), bill(*[(answer("x" * 10_000),)] * 10)
    async with open_spool(tmp_path) as spool:
        await add(spool, first)
        await set_page_limit(spool, 1)

        with pytest.raises(SpoolError, match="database or disk is full"):
            await spool.close_bill(second, second.requests)

        assert await spool.list_bills() == [first.id]
        await set_page_limit(spool, 10_000)
        await spool.close_bill(second, second.requests)
        assert set(await spool.list_bills()) == {first.id, second.id}


async def test_others_do_not_read_what_users_wrote(tmp_path: Path) -> None:
    """The files are the application's alone."""
    async with open_spool(tmp_path / "bills") as spool:
        await add(spool, bill(None))

        assert {file.stat().st_mode & 0o077 for file in (tmp_path / "bills").iterdir()} == {0}


async def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """With what the system says."""
    (tmp_path / "file").touch()

    with pytest.raises(SpoolError, match=r"The folder '.*file/bills' cannot be used for bills"):
        async with open_spool(tmp_path / "file" / "bills"):
            pass


async def test_a_closed_spool_says_so(tmp_path: Path) -> None:
    """A bill that comes too late is refused."""
    async with open_spool(tmp_path) as spool:
        pass

    with pytest.raises(SpoolError, match="the application stops"):
        await add(spool, bill(None))


async def test_every_commit_is_synchronised(tmp_path: Path) -> None:
    """Write-ahead, and fully synchronous: what counts as written survives a loss of power."""
    async with open_spool(tmp_path) as spool:

        def settings() -> tuple[object, ...]:
            assert isinstance(spool._connection, sqlite3.Connection)
            names = ("journal_mode", "synchronous")
            return tuple(spool._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names)

        assert await spool._run(settings) == ("wal", 2)


async def set_page_limit(spool: Spool, pages: int) -> None:
    """How many pages the file may have: the size it has is the least."""

    def limit() -> None:
        assert spool._connection is not None
        spool._connection.execute(f"PRAGMA max_page_count = {pages}")

    await spool._run(limit)
