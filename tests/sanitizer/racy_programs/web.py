"""FastAPI applications whose requests, or whose tasks within one request, share a session."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

import httpx2
from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.middleware.base import BaseHTTPMiddleware

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import consequences, nothing_lost, release, shared_session, together
from tests.sanitizer.world import Author, Note, World

CORPUS = Corpus()


def client(app: FastAPI) -> httpx2.AsyncClient:
    """A client of the application, without a network."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://notes")


@CORPUS.racy("overlap")
async def two_services_gathered_in_an_endpoint(world: World) -> None:
    """The dependency's session, and a gather of two services."""
    app = FastAPI()
    hold = world.hold()

    async def get_session() -> AsyncIterator[AsyncSession]:
        async with world.session() as session:
            yield session

    async def statistics(session: AsyncSession) -> None:
        await session.execute(hold.statement)  # first

    async def titles(session: AsyncSession) -> list[str]:
        await hold.in_flight()
        world.steps.reach("begun")
        return list(await session.scalars(select(Note.body)))  # second

    @app.get("/")
    async def page(session: Annotated[AsyncSession, Depends(get_session)]) -> list[str]:
        _, found = await asyncio.gather(statistics(session), titles(session))
        return found

    async with client(app) as browser:
        await together(browser.get("/"), release(world, hold))


@CORPUS.racy("overlap")
async def a_task_that_survives_its_request(world: World) -> None:
    """The dependency closes the session after the response; the task was not asked."""
    app = FastAPI()
    hold = world.hold()
    background: list[asyncio.Task[None]] = []

    async def get_session() -> AsyncIterator[AsyncSession]:
        session = world.session()
        yield session
        world.steps.reach("begun")
        with consequences():
            await session.close()  # second

    async def index(session: AsyncSession) -> None:
        await session.execute(hold.statement)  # first

    @app.post("/")
    async def create(session: Annotated[AsyncSession, Depends(get_session)]) -> str:
        background.append(asyncio.create_task(index(session)))
        await hold.in_flight()
        return "accepted"

    with nothing_lost(world.engine):
        async with client(app) as browser:
            await together(browser.post("/"), release(world, hold))
        await together(*background)


@CORPUS.racy("unordered")
async def a_task_beside_its_request(world: World) -> None:
    """The task had, by luck, ended when the endpoint went on."""
    app = FastAPI()
    background: set[asyncio.Task[None]] = set()

    async def get_session() -> AsyncIterator[AsyncSession]:
        async with world.session() as session:
            yield session
            await asyncio.gather(*background)

    async def log(session: AsyncSession) -> None:
        await session.execute(text("SELECT 'visited'"))  # first
        world.steps.reach("logged")

    @app.get("/{number}")
    async def read(number: int, session: Annotated[AsyncSession, Depends(get_session)]) -> str:
        background.add(asyncio.create_task(log(session)))
        await world.steps.until("logged")
        note = await session.get_one(Note, number)  # second
        return note.body

    async with client(app) as browser:
        await together(browser.get("/1"))


@CORPUS.racy("overlap")
async def a_streaming_response_and_a_task(world: World) -> None:
    """The body is read from the session while a task writes to it."""
    app = FastAPI()
    hold = world.hold()
    background: list[asyncio.Task[None]] = []

    async with shared_session(world) as session:

        async def track() -> None:
            await session.execute(hold.statement)  # first

        async def body() -> AsyncIterator[str]:
            await hold.in_flight()
            world.steps.reach("begun")
            for note in await session.scalars(select(Note)):  # second
                yield note.body

        @app.get("/")
        async def export() -> StreamingResponse:
            background.append(asyncio.create_task(track()))
            return StreamingResponse(body())

        async with client(app) as browser:
            await together(browser.get("/"), release(world, hold))
        await together(*background)


@CORPUS.racy("overlap")
async def a_session_of_a_middleware(world: World) -> None:
    """The middleware keeps one session for the request, and the request has two tasks."""
    app = FastAPI()
    hold = world.hold()

    async def with_session(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        async with world.session() as session:
            request.state.session = session
            return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=with_session)

    async def slow(session: AsyncSession) -> None:
        await session.execute(hold.statement)  # first

    async def quick(session: AsyncSession) -> None:
        await hold.in_flight()
        world.steps.reach("begun")
        await session.execute(select(Author))  # second

    @app.get("/")
    async def page(request: Request) -> str:
        async with asyncio.TaskGroup() as group:
            group.create_task(slow(request.state.session))
            group.create_task(quick(request.state.session))
        return "both"

    async with client(app) as browser:
        await together(browser.get("/"), release(world, hold))


@CORPUS.racy("overlap")
async def requests_that_share_the_applications_session(world: World) -> None:
    """One session in `app.state`, and two requests at once."""
    app = FastAPI()
    hold = world.hold()

    @app.get("/slow")
    async def slow(request: Request) -> str:
        await request.app.state.session.execute(hold.statement)  # first
        return "slow"

    @app.get("/quick")
    async def quick(request: Request) -> str:
        await hold.in_flight()
        world.steps.reach("begun")
        await request.app.state.session.execute(select(Note))  # second
        return "quick"

    async with shared_session(world) as session, client(app) as browser:
        app.state.session = session
        await together(browser.get("/slow"), browser.get("/quick"), release(world, hold))


@CORPUS.racy("unordered", "bleed")
async def requests_that_commit_for_each_other(world: World) -> None:
    """One request adds, the other commits, and neither is at fault."""
    app = FastAPI()

    @app.post("/notes")
    async def create(request: Request) -> str:
        request.app.state.session.add(Note(body="new"))  # first
        world.steps.reach("added")
        await world.steps.until("committed")
        return "created"

    @app.post("/commit")
    async def commit(request: Request) -> str:
        await world.steps.until("added")
        await request.app.state.session.commit()  # second
        world.steps.reach("committed")
        return "committed"

    async with shared_session(world) as session, client(app) as browser:
        app.state.session = session
        await together(browser.post("/notes"), browser.post("/commit"))


@CORPUS.racy("overlap")
async def server_sent_events_and_a_heartbeat(world: World) -> None:
    """A generator of events and its heartbeat look into the same session."""
    app = FastAPI()
    hold = world.hold()

    async def get_session() -> AsyncIterator[AsyncSession]:
        async with world.session() as session:
            yield session

    @app.get("/events")
    async def events(session: Annotated[AsyncSession, Depends(get_session)]) -> StreamingResponse:
        async def heartbeat() -> None:
            await hold.in_flight()
            world.steps.reach("begun")
            await session.execute(text("SELECT 1"))  # second

        async def produce() -> AsyncIterator[str]:
            beat = asyncio.create_task(heartbeat())
            await session.execute(hold.statement)  # first
            yield "data: 1\n\n"
            await beat

        return StreamingResponse(produce(), media_type="text/event-stream")

    async with client(app) as browser:
        await together(browser.get("/events"), release(world, hold))
