"""Puts together what a conversation needs."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


@dataclass
class TheatreDeps:
    db: AsyncEngine
    session: httpx.AsyncClient


async def build_deps(stack: AsyncExitStack, url: str) -> TheatreDeps:
    engine = create_async_engine(url)
    stack.push_async_callback(engine.dispose)
    session = await stack.enter_async_context(httpx.AsyncClient())
    return TheatreDeps(db=engine, session=session)
