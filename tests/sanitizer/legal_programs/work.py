"""What the programs do with a session, where it does not matter what."""

import asyncio

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.world import Note

__all__ = ["count", "settle", "unit", "write"]


async def write(session: AsyncSession, body: str) -> int:
    """Add a note and flush it; returns its number."""
    note = Note(body=body)
    session.add(note)
    await session.flush()
    return note.id


async def count(session: AsyncSession) -> int:
    """How many notes there are; a fresh database has 20."""
    return (await session.execute(select(func.count()).select_from(Note))).scalar_one()


async def unit(session: AsyncSession, body: str) -> None:
    """A complete unit of work: read, write, commit."""
    await count(session)
    session.add(Note(body=body))
    await session.commit()


async def settle() -> None:
    """Let every task that can go on do so; orders nothing."""
    for _ in range(5):
        await asyncio.sleep(0)
