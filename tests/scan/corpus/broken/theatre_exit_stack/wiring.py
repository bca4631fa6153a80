"""Puts together what a conversation needs."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine


@dataclass
class TheatreDeps:
    db: object  # expect-any: shared_by_tools
    http: httpx.AsyncClient


async def build_deps(stack: AsyncExitStack, url: str) -> TheatreDeps:
    engine = create_async_engine(url)
    stack.push_async_callback(engine.dispose)
    http = await stack.enter_async_context(httpx.AsyncClient())
    db = await stack.enter_async_context(async_sessionmaker(engine)())  # expect-any: shared_by_tools
    return TheatreDeps(db=db, http=http)  # expect-any: shared_by_tools
