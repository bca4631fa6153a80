"""Middleware, lifespans, synchronous endpoints, and test clients in threads."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, TypedDict

from fastapi import Depends, FastAPI, Request, WebSocket
from sqlalchemy import create_engine, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.web import client_of
from tests.sanitizer.legal_programs.work import count, write
from tests.sanitizer.world import Note, World

CORPUS = Corpus()

Next = Callable[[Request], Awaitable[Response]]


class Sessions(TypedDict):
    """What a lifespan leaves in the state of its requests."""

    sessions: async_sessionmaker[AsyncSession]


class SessionMiddleware(BaseHTTPMiddleware):
    """Opens the request's session, and commits it when the endpoint has answered."""

    def __init__(self, app: ASGIApp, sessions: async_sessionmaker[AsyncSession]) -> None:
        super().__init__(app)
        self._sessions = sessions

    async def dispatch(self, request: Request, call_next: Next) -> Response:
        """Serve a request, in a transaction."""
        async with self._sessions() as session:
            request.state.session = session
            response = await call_next(request)
            if response.status_code < 400:
                await session.commit()
            else:
                await session.rollback()
            return response


class PlainMiddleware:
    """The same without Starlette's help: the endpoint runs in the middleware's own task."""

    def __init__(self, app: ASGIApp, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._sessions.begin() as session:
            scope.setdefault("state", {})["session"] = session
            await self._app(scope, receive, send)


def service() -> FastAPI:
    """A service whose endpoints use the session that a middleware has opened."""
    app = FastAPI()

    @app.post("/notes/{body}")
    async def create(body: str, request: Request) -> int:
        return await write(request.state.session, body)

    @app.post("/refused")
    async def refuse(request: Request) -> Response:
        await write(request.state.session, "in vain")
        return PlainTextResponse("refused", status_code=409)

    @app.get("/count")
    async def how_many(request: Request) -> int:
        return await count(request.state.session)

    return app


@CORPUS.legal
async def session_opened_by_middleware(world: World) -> None:
    """The endpoint runs in a child task of the middleware, which commits when it has the answer."""
    app = service()
    app.add_middleware(SessionMiddleware, sessions=async_sessionmaker(world.engine, expire_on_commit=False))
    async with client_of(app) as client:
        await client.post("/notes/first")
        await asyncio.gather(*(client.post(f"/notes/{number}") for number in range(5)), client.post("/refused"))
        assert (await client.get("/count")).json() == 26


@CORPUS.legal
async def session_opened_by_two_middlewares(world: World) -> None:
    """An inner middleware, whose own child the endpoint is, passes the session of an outer one on."""

    async def touch(request: Request, call_next: Next) -> Response:
        await count(request.state.session)
        response = await call_next(request)
        await count(request.state.session)
        return response

    app = service()
    app.add_middleware(BaseHTTPMiddleware, dispatch=touch)
    app.add_middleware(PlainMiddleware, sessions=async_sessionmaker(world.engine, expire_on_commit=False))
    async with client_of(app) as client:
        await asyncio.gather(*(client.post(f"/notes/{number}") for number in range(4)))
        assert (await client.get("/count")).json() == 24


@CORPUS.legal
async def rows_streamed_below_a_middleware(world: World) -> None:
    """A middleware without a session of its own passes a stream of rows through, from one task to another."""

    async def untouched(request: Request, call_next: Next) -> Response:
        return await call_next(request)

    async def lines() -> AsyncIterator[str]:
        async with world.session() as session:
            async for body in await session.stream_scalars(select(Note.body)):
                yield f"{body}\n"

    app = FastAPI()
    app.add_middleware(BaseHTTPMiddleware, dispatch=untouched)
    app.add_api_route("/notes", lambda: StreamingResponse(lines()))
    async with client_of(app) as client:
        answers = await asyncio.gather(client.get("/notes"), client.get("/notes"))
        assert [len(each.text.splitlines()) for each in answers] == [20, 20]


@CORPUS.legal
async def lifespan_with_a_writer(world: World) -> None:
    """A writer that lives as long as the application writes what requests put into its queue."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with world.session() as session:
            writer = asyncio.create_task(write_all(session))
            yield
            await bodies.put(None)
            await writer
            await session.commit()

    async def write_all(session: AsyncSession) -> None:
        while (body := await bodies.get()) is not None:
            await write(session, body)

    async def create(body: str) -> None:
        await bodies.put(body)

    bodies: asyncio.Queue[str | None] = asyncio.Queue()
    app = FastAPI(lifespan=lifespan)
    app.add_api_route("/notes/{body}", create, methods=["POST"])
    async with app.router.lifespan_context(app), client_of(app) as client:
        await asyncio.gather(*(client.post(f"/notes/{number}") for number in range(5)))
    async with world.session() as session:
        assert await count(session) == 25


@CORPUS.legal
async def synchronous_endpoints(world: World) -> None:
    """Endpoints, and dependencies, in threads, each request with its own synchronous session."""
    engine = create_engine(make_url(world.url).set(drivername="postgresql+psycopg"))
    factory = sessionmaker(engine)

    def get_session() -> Iterator[Session]:
        with factory() as session:
            yield session

    app = FastAPI()

    @app.post("/notes/{body}")
    def create(body: str, session: Annotated[Session, Depends(get_session)]) -> int:
        note = Note(body=body)
        session.add(note)
        session.commit()
        return note.id

    @app.get("/count")
    async def how_many(session: Annotated[Session, Depends(get_session)]) -> int:
        return session.scalars(select(func.count()).select_from(Note)).one()

    async with client_of(app) as client:
        answers = await asyncio.gather(*(client.post(f"/notes/{number}") for number in range(4)))
        assert len({each.json() for each in answers}) == 4
        assert (await client.get("/count")).json() == 24
    engine.dispose()


@contextmanager
def client_in_this_thread(url: str) -> Iterator[TestClient]:
    """A test client of a service that opens its engine when it starts."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[Sessions]:
        engine = create_async_engine(url)
        yield {"sessions": async_sessionmaker(engine, expire_on_commit=False)}
        await engine.dispose()

    async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
        async with request.state.sessions() as session:
            yield session

    app = FastAPI(lifespan=lifespan)

    @app.post("/notes/{body}")
    async def create(body: str, session: Annotated[AsyncSession, Depends(get_session)]) -> int:
        number = await write(session, body)
        await session.commit()
        return number

    @app.websocket("/talk")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        async with websocket.state.sessions() as session:
            async for body in websocket.iter_text():
                await websocket.send_json(await write(session, body))
            await session.commit()

    with TestClient(app) as client:
        yield client


@CORPUS.legal
async def test_client_in_a_thread(world: World) -> None:
    """A synchronous test runs the service in a loop of its own, with an engine of its own."""

    def test() -> list[int]:
        with client_in_this_thread(world.url) as client:
            return [client.post(f"/notes/{number}").json() for number in range(3)]

    async with world.session() as session:
        assert await count(session) == 20
        numbers = await asyncio.to_thread(test)
        await session.rollback()
        assert await session.get(Note, numbers[-1]) is not None


@CORPUS.legal
async def websocket_session_in_a_thread(world: World) -> None:
    """A session that lives as long as a connection, whose messages come from another thread."""

    def test() -> list[int]:
        with client_in_this_thread(world.url) as client, client.websocket_connect("/talk") as websocket:
            numbers = []
            for body in ("one", "two"):
                websocket.send_text(body)
                numbers.append(websocket.receive_json())
            return numbers

    assert await asyncio.to_thread(test) == [21, 22]
