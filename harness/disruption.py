"""What goes wrong in one cell: its faults between the application and the database, and what outlives the application.

Problem: a fault cell needs more around its turns than another: a proxy that knows whose connection is whose, a folder
that a second start of the application finds again, a database that comes back, and a list of what was to go wrong, to
compare with what did.

Mechanism: the application gets the proxy's address instead of the server's, if there is a fault for it. The harness's
own connections go past it. The proxy runs in a thread of its own and is told by the engine's events who uses a
connection.

Guarantee: after the block there is no proxy and no folder. A cell without faults has neither listeners nor a proxy.
"""

import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy.ext.asyncio import AsyncEngine

from harness.conversation import interruptions_of
from harness.evidence import FaultSeen
from harness.fault import DatabaseFault, WireFault
from harness.observe.attribution import attributed
from harness.postgres.clones import Database
from harness.postgres.proxy import Owners, Proxy
from harness.postgres.server import RunningServer
from harness.scenario import Scenario

__all__ = ["Disruption", "planned_faults"]


def planned_faults(scenario: Scenario) -> tuple[str, ...]:
    """The label of each fault that a scenario asks for, as often as it is to strike."""
    faults: list[WireFault | DatabaseFault] = list(scenario.database_faults)
    for message in scenario.messages:
        faults += message.plan.faults
    labels = [fault.label for fault in faults for _ in range(fault.times)]
    return (*labels, *interruptions_of(scenario.messages))


class Disruption:
    """The surroundings of one fault cell, as an async context manager; `restart` stops and starts the server."""

    def __init__(
        self,
        faults: Sequence[DatabaseFault],
        *,
        database: Database,
        running: RunningServer,
        ledger_table: str | None,
        restart: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._proxy = (
            Proxy(running.address, faults=faults, ledger_table=ledger_table, restart=restart) if faults else None
        )
        self._stack = AsyncExitStack()
        self._folder: Path | None = None

    async def __aenter__(self) -> Self:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sessionproof-state-"))
        self._folder = Path(folder)
        if self._proxy is not None:
            await self._stack.enter_async_context(self._proxy)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def state_directory(self) -> Path | None:
        """A folder that is there as long as the cell."""
        return self._folder

    @property
    def database_url(self) -> str:
        """Where the application finds its database."""
        return self._database.url if self._proxy is None else self._proxy.address.url(self._database.name)

    @property
    def direct_url(self) -> str:
        """Where the harness finds the database itself, past the proxy."""
        return self._database.url

    @property
    def faults(self) -> tuple[FaultSeen, ...]:
        """What the proxy carried out."""
        return () if self._proxy is None else self._proxy.record.items

    @property
    def notes(self) -> tuple[str, ...]:
        """What the proxy could not do."""
        return () if self._proxy is None else tuple(self._proxy.notes)

    def expect(self, turn: str, tool_call_ids: Sequence[str]) -> None:
        """A turn is about to be sent, with these planned calls in this order."""
        if self._proxy is not None:
            self._proxy.expect(turn, tool_call_ids)

    @contextmanager
    def owners_of(self, engine: AsyncEngine) -> Iterator[None]:
        """Tell the proxy, while the block runs, on whose behalf the engine's connections are used."""
        if self._proxy is None:
            yield
            return
        owners = Owners(engine, caller=_caller, assign=self._proxy.assign)
        owners.open()
        try:
            yield
        finally:
            owners.close()

    async def heal(self) -> None:
        """From now on everything goes through."""
        if self._proxy is not None:
            await self._proxy.heal()


def _caller() -> tuple[str | None, str | None]:
    caller = attributed()
    return caller.turn, caller.tool_call_id
