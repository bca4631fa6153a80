"""The links of one proxy, its port, and what faults do to all of them; everything here belongs to one event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

from harness.postgres.proxy.desk import Desk
from harness.postgres.proxy.link import Link
from harness.postgres.proxy.port import Port
from harness.postgres.proxy.strikes import Strikes, Yard
from harness.postgres.server import ServerAddress

__all__ = ["Switchboard"]


class Switchboard(Yard):
    """Accepts connections on a port of its own until it is told to stop; made in the loop that runs it."""

    def __init__(self, address: ServerAddress, desk: Desk, *, restart: Callable[[], Awaitable[None]] | None) -> None:
        self.address = address
        self.desk = desk
        self.full = False
        self.healed = asyncio.Event()
        self._away = False
        self._restart = restart
        self._restarting = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._strikes = Strikes(self)
        self._links: dict[asyncio.Task[None], Link] = {}
        self._port = Port(self._accept)

    async def run(self, ready: "Future[tuple[Switchboard, int]]") -> None:
        """Serve; `ready` gets the switchboard and the number of its port."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await self._port.open()
                ready.set_result((self, self._port.number))
                await self._stopping.wait()
                async with self._restarting:
                    self._port.shut()
                    for task in self._links:
                        task.cancel()
        finally:
            self._port.close()

    def stop(self) -> None:
        """Let `run` end, with every connection."""
        self._stopping.set()

    async def heal(self) -> None:
        """Everything goes through from now on; what was half open ends."""
        async with self._restarting:
            self.full = self._away = False
            self.healed.set()
            if not self._stopping.is_set():
                await self._port.open()

    async def go_away(self) -> None:
        """Reset every connection, and refuse new ones until healed."""
        if not self.healed.is_set():
            self._away = True
            self._port.shut()
        self._reset_all()

    async def fill_up(self) -> None:
        """Reset every connection, and turn new ones away until healed."""
        self.full = not self.healed.is_set()
        self._reset_all()

    async def restart(self) -> str:
        """Stop the server and start it again, refusing connections meanwhile; returns why that failed, if it did."""
        if self._restart is None:
            return "nobody said how"
        async with self._restarting:
            self._port.shut()
            try:
                await self._restart()
            except Exception as error:  # noqa: BLE001  # the caller's own function; what it raised is told
                return repr(error)
            finally:
                if not self._away:
                    await self._port.open()
        return ""

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(self, self._strikes.carry_out, (reader, writer))
        task = self._tasks.create_task(self._run(link))
        self._links[task] = link
        task.add_done_callback(self._links.pop)

    async def _run(self, link: Link) -> None:
        try:
            await link.run()
        except Exception as error:  # noqa: BLE001  # one connection's trouble is not the others'
            self.desk.note(f"a connection ended by an error of the proxy's: {error!r}")
        finally:
            link.reset()

    def _reset_all(self) -> None:
        for link in self._links.values():
            link.reset()
