"""How each kind of fault is carried out.

Mechanism: a fault gets the batch that it strikes before the server has seen any of it, and after the server has
answered everything that came before.

What the server does is done by the server: processes are ended and statements cancelled by a connection of the
harness's own, past the proxy. Two kinds cannot be had from a server for a statement of any sort at any moment: a
cancellation that comes in time, and a serialization failure. There the batch is held back, and the server gets, on the
same connection and in the same transaction, a statement in its place, which is cancelled while it sleeps, or which
raises that error. The client is told so, and the transaction is aborted, or after a commit rolled back, on both sides.

Guarantee: a fault is recorded when it is certain, and before the client can know of it. One that could not be carried
out is noted, may strike again, and lets the batch through.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

import asyncpg

from harness.fault import DatabaseFaultKind, Moment
from harness.postgres import admin
from harness.postgres.proxy.batches import Answer, Batch
from harness.postgres.proxy.link import Link, Surroundings
from harness.postgres.proxy.messages import error_response, ready, sqlstate
from harness.postgres.proxy.rules import Strike

__all__ = ["Strikes", "Yard"]

_CANCEL_SECONDS = 0.005
_CANCELED = "57014"
_SLEEP = "SELECT pg_sleep(60)"
_SERIALIZATION_FAILURE = ("ERROR", "40001", "could not serialize access due to concurrent update")
_RAISE = f"DO $$BEGIN RAISE EXCEPTION '{_SERIALIZATION_FAILURE[2]}' USING ERRCODE = '40001'; END$$"
_ADMIN_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Yard(Surroundings, Protocol):
    """What faults do to the whole house: every connection, the port, the server."""

    async def go_away(self) -> None:
        """Reset every connection, and refuse new ones until healed."""
        ...

    async def fill_up(self) -> None:
        """Reset every connection, and turn new ones away until healed."""
        ...

    async def restart(self) -> str:
        """Stop the server and start it again, refusing connections meanwhile; returns why that failed, if it did."""
        ...


class Strikes:
    """Carries out the faults of one proxy."""

    def __init__(self, yard: Yard) -> None:
        self._yard = yard
        self._desk = yard.desk
        self._by_kind: dict[DatabaseFaultKind, Callable[[Link, Strike, Batch], Awaitable[bool]]] = {
            DatabaseFaultKind.CUT_BEFORE: self._cut_before,
            DatabaseFaultKind.CUT_AFTER: self._cut_after,
            DatabaseFaultKind.DELAY: self._delay,
            DatabaseFaultKind.HALF_OPEN: self._half_open,
            DatabaseFaultKind.AWAY: self._away,
            DatabaseFaultKind.TOO_MANY_CONNECTIONS: self._too_many,
            DatabaseFaultKind.TERMINATE: self._terminate,
            DatabaseFaultKind.CANCEL: self._cancel,
            DatabaseFaultKind.RESTART: self._restart,
            DatabaseFaultKind.SERIALIZATION_FAILURE: self._serialization_failure,
        }

    async def carry_out(self, link: Link, strike: Strike, batch: Batch) -> bool:
        """Do to the link what the fault says; returns whether the connection goes on."""
        return await self._by_kind[strike.fault.kind](link, strike, batch)

    async def _cut_before(self, link: Link, strike: Strike, _batch: Batch) -> bool:
        self._desk.carried_out(strike)
        link.reset()
        return False

    async def _cut_after(self, link: Link, strike: Strike, batch: Batch) -> bool:
        answer = Answer.to(batch)
        await link.forward(batch, answer)
        if await link.answered(answer):
            self._desk.carried_out(strike)
        else:
            self._desk.not_carried_out(strike, "the server ended the connection before it answered")
        link.reset()
        return False

    async def _delay(self, link: Link, strike: Strike, batch: Batch) -> bool:
        self._desk.carried_out(strike)
        answer = Answer.to(batch)
        await link.forward(batch, answer)
        await link.answered(answer)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._yard.healed.wait(), strike.fault.seconds)
        await link.deliver(answer.raw)
        return True

    async def _half_open(self, link: Link, strike: Strike, _batch: Batch) -> bool:
        self._desk.carried_out(strike)
        link.silent = True
        await self._yard.healed.wait()
        link.reset()
        return False

    async def _away(self, _link: Link, strike: Strike, _batch: Batch) -> bool:
        self._desk.carried_out(strike)
        await self._yard.go_away()
        return False

    async def _too_many(self, _link: Link, strike: Strike, _batch: Batch) -> bool:
        self._desk.carried_out(strike)
        await self._yard.fill_up()
        return False

    async def _terminate(self, link: Link, strike: Strike, batch: Batch) -> bool:
        try:
            async with admin.connect(self._yard.address, link.database) as connection:
                self._desk.carried_out(strike)
                await connection.execute("SELECT pg_terminate_backend($1)", link.session.pid)
        except _ADMIN_ERRORS as error:
            return await self._let_through(link, strike, batch, f"the server could not be told to: {error}")
        await link.ended()
        return False

    async def _cancel(self, link: Link, strike: Strike, batch: Batch) -> bool:
        answer = Answer()
        try:
            async with admin.connect(self._yard.address, link.database) as connection:
                await link.ask(_SLEEP, answer)
                while not answer.done and not link.gone:
                    await connection.execute("SELECT pg_cancel_backend($1)", link.session.pid)
                    with suppress(TimeoutError):
                        await asyncio.wait_for(link.answered(answer), _CANCEL_SECONDS)
        except _ADMIN_ERRORS as error:
            return await self._let_through(link, strike, batch, f"the server could not be told to: {error}")
        errors = [message for message in answer.messages if sqlstate(message) == _CANCELED]
        if not errors:
            return await self._let_through(link, strike, batch, "the server did not cancel anything", answer)
        await self._fail(link, strike, batch, errors[0].raw, answer)
        return True

    async def _serialization_failure(self, link: Link, strike: Strike, batch: Batch) -> bool:
        answer = Answer()
        await link.ask(_RAISE, answer)
        if not await link.answered(answer):
            return await self._let_through(link, strike, batch, "the server ended the connection", answer)
        await self._fail(link, strike, batch, error_response(*_SERIALIZATION_FAILURE), answer)
        return True

    async def _restart(self, link: Link, strike: Strike, _batch: Batch) -> bool:
        self._desk.carried_out(strike)
        failure = await self._yard.restart()
        if failure:
            self._desk.not_carried_out(strike, f"the server could not be restarted: {failure}")
        link.reset()
        return False

    async def _fail(self, link: Link, strike: Strike, batch: Batch, error: bytes, answer: Answer) -> None:
        """Tell the client that its batch failed, in the state in which the server's transaction is."""
        if strike.fault.moment is Moment.COMMIT and answer.status != "I":
            answer = Answer()
            await link.ask("ROLLBACK", answer)
            await link.answered(answer)
        self._desk.carried_out(strike)
        if not batch.syncs:
            link.skip_until_sync()
        await link.deliver(error + (ready(answer.status) if batch.syncs else b""))

    async def _let_through(
        self, link: Link, strike: Strike, batch: Batch, why: str, answer: Answer | None = None
    ) -> bool:
        """Go on as if nothing had struck; if the server has ended the connection, the client gets its last words."""
        self._desk.not_carried_out(strike, why)
        if link.gone and answer is not None:
            await link.deliver(answer.raw)
        else:
            await link.forward(batch)
        return True
