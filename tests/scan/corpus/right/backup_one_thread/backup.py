"""Right: the session goes to a thread and back, twice; the caller waits for the thread, even when it is cancelled."""

import anyio
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

SCHEMA = "CREATE TABLE backups (id serial PRIMARY KEY, path text, bytes bigint)"


def last_backup(session: Session) -> str | None:
    return session.scalar(text("SELECT path FROM backups ORDER BY id DESC LIMIT 1"))


def note_backup(session: Session, path: str, size: int) -> None:
    session.execute(text("INSERT INTO backups (path, bytes) VALUES (:path, :size)"), {"path": path, "size": size})
    session.commit()


async def backup(session: Session, path: str) -> str | None:
    before = await anyio.to_thread.run_sync(last_backup, session)
    await anyio.to_thread.run_sync(note_backup, session, path, 4096)
    return before


async def main(url: str) -> None:
    engine = create_engine(url.replace("+asyncpg", "+psycopg"))
    with Session(engine) as session:
        await backup(session, "/var/backups/today")
    engine.dispose()
