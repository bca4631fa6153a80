"""Broken: while messages are written, a second task keeps the presence alive on the same session."""

import asyncio
from typing import Annotated

from fastapi import Depends, FastAPI, WebSocket, WebSocketDisconnect
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://chat@localhost/chat")
factory = async_sessionmaker(engine)
app = FastAPI()


async def db_session():
    async with factory() as session:
        yield session


Db = Annotated[AsyncSession, Depends(db_session)]


async def keep_alive(db: AsyncSession, user: int) -> None:
    while True:
        await db.execute(  # expect-any: shared_by_tasks
            text("UPDATE presence SET seen = now() WHERE user_id = :u"), {"u": user}
        )
        await db.commit()  # expect-any: shared_by_tasks
        await asyncio.sleep(10)


@app.websocket("/rooms/{room}")
async def room(websocket: WebSocket, room: int, user: int, db: Db) -> None:
    await websocket.accept()
    heartbeat = asyncio.create_task(keep_alive(db, user))  # expect-any: shared_by_tasks
    try:
        while True:
            body = await websocket.receive_text()
            await db.execute(  # expect-any: shared_by_tasks
                text("INSERT INTO messages (room, author, body) VALUES (:r, :u, :b)"),
                {"r": room, "u": user, "b": body},
            )
            await db.commit()  # expect-any: shared_by_tasks
    except WebSocketDisconnect:
        heartbeat.cancel()
