"""Copies of a template that are there before anybody asks for them.

Problem: a copy takes tens of milliseconds to make and some more to drop, and a test that takes as long itself waits for
both.

Mechanism: two tasks, each with one connection that it keeps. One makes copies until there are a few on the shelf, the
other drops those that were used. Whoever asks takes the oldest one, and its place is filled again in the background. If
the shelf is empty, the one that is being made is waited for. So a copy costs next to nothing to those who ask less
often than one can be made, and to those who ask more often no more than if they made it.

Guarantee: as that of `Clones`: names, and nothing left behind. When the block is left, both tasks have ended, their
connections are closed, and every database is dropped, the half-made ones and those that somebody still uses included;
also if both tasks were cancelled before, as `asyncio.run` does at its end, and if the leaving is cancelled once. What a
second cancellation keeps from being dropped is left to `Clones.drop_all`, and a note on the error names it. What went
wrong in the background is raised to whoever asks next, or if nobody does and something is left, at the end; a drop that
failed is tried once more on a new connection before it counts as such.

The pool belongs to one event loop. What it makes meanwhile takes processor time from whoever took a copy: `settled` is
for those who measure.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

from harness.errors import UsageError
from harness.postgres.admin import Connection
from harness.postgres.clones import Clones, Database, drop

__all__ = ["ReadyClones"]

_LABEL = "ready"
_Wanted = tuple[str, asyncio.Future[Database]]


class ReadyClones:
    """A pool of ready copies, as an async context manager; `ready` is how many of each template are kept."""

    def __init__(self, clones: Clones, *, ready: int = 2) -> None:
        if ready < 1:
            raise UsageError(f"a pool that keeps {ready} copies ready has none to give; keep 1 or more")
        self._clones = clones
        self._ready = ready
        self._shelves: defaultdict[str, deque[asyncio.Future[Database]]] = defaultdict(deque)
        self._wanted: asyncio.Queue[_Wanted] = asyncio.Queue()
        self._used: asyncio.Queue[Database] = asyncio.Queue()
        self._existing: dict[str, Database] = {}
        self._not_dropped: Exception | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def __aenter__(self) -> Self:
        making = asyncio.create_task(self._make(), name="makes copies of databases")
        making.add_done_callback(lambda _: self._turn_away())
        self._tasks = (making, asyncio.create_task(self._drop(), name="drops copies of databases"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        (making, dropping), self._tasks = self._tasks, ()
        try:
            _end(making)
            await asyncio.wait({making})
            for database in self._existing.values():
                self._used.put_nowait(database)
            await _joined(self._used, dropping)
        finally:
            _end(dropping)
            await asyncio.wait({making, dropping})
            await self._drop_the_rest()

    @asynccontextmanager
    async def clone(self, template: str, *, label: str) -> AsyncIterator[Database]:
        """A copy of a template, as from `Clones.clone`; it is dropped in the background after the block.

        Args:
            template: what `Clones.template` returned.
            label: is not in the name, which the copy had before it was asked for; it is noted on what goes wrong.

        Raises:
            UsageError: the pool is not open.
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError: a copy could not be made, or one that
                was used could not be dropped.
        """
        try:
            database = await self._take(template)
        except Exception as error:
            error.add_note(f"while a copy of {template!r} was to be had for {label!r}")
            raise
        try:
            yield database
        finally:
            self._used.put_nowait(database)

    def expect(self, template: str) -> None:
        """Begin to make copies of a template before the first one is asked for.

        Raises:
            UsageError: the pool is not open.
        """
        if not self._tasks or self._tasks[0].done():
            raise _closed()
        shelf = self._shelves[template]
        while len(shelf) < self._ready:
            shelf.append(asyncio.get_running_loop().create_future())
            self._wanted.put_nowait((template, shelf[-1]))

    async def settled(self) -> None:
        """Wait until nothing goes on in the background: the shelves are full, and what was used is dropped.

        Raises:
            UsageError: the pool is not open, or one of its tasks was cancelled.
        """
        if not self._tasks:
            raise _closed()
        making, dropping = self._tasks
        await _joined(self._wanted, making)
        await _joined(self._used, dropping)
        if making.done() or dropping.done():
            raise _closed()

    async def _take(self, template: str) -> Database:
        self.expect(template)
        if self._not_dropped is not None:
            error, self._not_dropped = self._not_dropped, None
            raise error
        shelf = self._shelves[template]
        copy = shelf.popleft()
        self.expect(template)  # the next one, while this one is used, or waited for
        if not copy.done():
            try:
                await asyncio.wait({copy})
            except asyncio.CancelledError:
                shelf.appendleft(copy)  # it is made all the same, and the next one's
                raise
        return copy.result()

    async def _make(self) -> None:
        async with _kept(self._clones) as connection:
            while True:
                template, copy = await self._wanted.get()
                database = self._clones.database(_LABEL)
                self._existing[database.name] = database
                try:
                    await self._clones.copy(await connection(), template, database)
                except asyncio.CancelledError:
                    _fail(copy, _closed())
                    raise
                except Exception as error:  # noqa: BLE001  # whoever takes this copy is told
                    _fail(copy, error)
                else:
                    copy.set_result(database)
                finally:
                    self._wanted.task_done()

    async def _drop(self) -> None:
        async with _kept(self._clones) as connection:
            while True:
                database = await self._used.get()
                try:
                    await self._drop_one(connection, database)
                except Exception as error:  # noqa: BLE001  # whoever comes next is told, or who closes the pool
                    self._not_dropped = error
                finally:
                    self._used.task_done()

    async def _drop_one(self, connection: Callable[[], Awaitable[Connection]], database: Database) -> None:
        """Drop it; once more on a new connection if that fails, which a lost one is reason enough for."""
        try:
            await drop(await connection(), database.name)
        except Exception:  # noqa: BLE001  # whatever it was, the second attempt tells
            async with self._clones.connect() as fresh:
                await drop(fresh, database.name)
        self._existing.pop(database.name, None)

    async def _drop_the_rest(self) -> None:
        """Drop what the task did not: it had ended, or failed, or there was no time to wait for it."""
        errors: list[Exception] = []
        try:
            async with _kept(self._clones) as connection:
                for database in tuple(self._existing.values()):
                    try:
                        await self._drop_one(connection, database)
                    except Exception as error:  # noqa: BLE001  # raised when the others are dropped
                        errors.append(error)
        except BaseException as error:
            self._note_what_is_left(error)
            raise
        if errors:
            self._note_what_is_left(errors[0])
            raise errors[0]

    def _note_what_is_left(self, error: BaseException) -> None:
        if self._existing:
            error.add_note(f"left on the server, until `Clones.drop_all`: {', '.join(self._existing)}")

    def _turn_away(self) -> None:
        """Tell those who wait that nothing comes any more."""
        while not self._wanted.empty():
            _, copy = self._wanted.get_nowait()
            _fail(copy, _closed())
            self._wanted.task_done()


async def _joined(queue: asyncio.Queue[Any], task: asyncio.Task[None]) -> None:
    """Wait until all of the queue is done, or the task that does it has ended: then nobody would ever do it."""
    joining = asyncio.create_task(queue.join(), name="waits for a queue")
    try:
        await asyncio.wait({joining, task}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        joining.cancel()
        await asyncio.wait({joining})


def _end(task: asyncio.Task[None]) -> None:
    """Cancel it, unless somebody did: a second time would break off how it takes back what it had begun.

    A connection that is closed in the middle of a statement waits for the server's word that the statement has ended.
    Broken off, a database that is being copied could still appear after it was dropped in vain.
    """
    if not task.cancelling():
        task.cancel()


def _closed() -> UsageError:
    return UsageError("this pool of ready copies is not open; ask for copies within its `async with` block")


def _fail(copy: asyncio.Future[Database], error: Exception) -> None:
    copy.set_exception(error)
    copy.exception()  # that nobody may ever ask for it is no oversight, which asyncio would complain about


@asynccontextmanager
async def _kept(clones: Clones) -> AsyncIterator[Callable[[], Awaitable[Connection]]]:
    """Gives one connection: opened when it is first asked for, and anew when it was lost."""
    opened: list[Connection] = []
    async with AsyncExitStack() as stack:

        async def get() -> Connection:
            if not opened or opened[-1].is_closed():
                await stack.aclose()
                opened.append(await stack.enter_async_context(clones.connect()))
            return opened[-1]

        yield get
