"""A notes service as FastAPI's tutorials build it, asynchronous: each request has its own session."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Annotated

import httpx2
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.world import Author, Note, World

CORPUS = Corpus()

router = APIRouter()


class NoteIn(BaseModel):
    """A note to write."""

    body: str


class NoteOut(BaseModel):
    """A note that was written."""

    model_config = ConfigDict(from_attributes=True)
    id: int
    body: str


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """The request's session."""
    async with request.app.state.sessions() as session:
        yield session


async def get_transaction(request: Request) -> AsyncIterator[AsyncSession]:
    """The request's session, in a transaction that is committed when the request is through."""
    async with request.app.state.sessions.begin() as session:
        yield session


Connected = Annotated[AsyncSession, Depends(get_session)]
Transaction = Annotated[AsyncSession, Depends(get_transaction)]
Brief = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_author(session: Connected, author_id: int = 1) -> Author:
    """The author, read by the same session that the endpoint has."""
    author = await session.get(Author, author_id)
    if author is None:
        raise HTTPException(404, "No such author")
    return author


@router.post("/notes", response_model=NoteOut)
async def create_note(note: NoteIn, session: Connected) -> Note:
    """Write a note."""
    row = Note(body=note.body)
    session.add(row)
    await session.commit()
    await session.refresh(row)
    return row


@router.get("/notes/{number}", response_model=NoteOut)
async def read_note(number: int, session: Connected) -> Note:
    """Read a note."""
    row = await session.get(Note, number)
    if row is None:
        raise HTTPException(404, "No such note")
    return row


@router.patch("/notes/{number}", response_model=NoteOut)
async def change_note(number: int, note: NoteIn, session: Transaction) -> Note:
    """Change a note; what fails is rolled back."""
    row = await session.get_one(Note, number, with_for_update=True)
    row.body = note.body
    await session.flush()
    if not note.body:
        raise HTTPException(422, "A note must not be empty")
    return row


@router.delete("/notes/{number}", status_code=204)
async def delete_note(number: int, session: Connected) -> None:
    """Delete a note."""
    await session.delete(await session.get_one(Note, number))
    await session.commit()


@router.get("/count")
async def count_notes(session: Brief, author: Annotated[Author | None, Depends(get_author)]) -> int:
    """How many notes an author has, by two sessions: one for the endpoint, and one for its dependency."""
    statement = select(func.count()).select_from(Note).where(Note.author == author)
    return (await session.scalars(statement)).one()


@router.get("/author")
async def read_author(session: Connected, author: Annotated[Author, Depends(get_author)]) -> list[str]:
    """An author's notes, by the session that found the author."""
    await session.refresh(author, ["notes"])
    return [note.body for note in author.notes]


@router.get("/download")
async def download_notes(session: Connected) -> StreamingResponse:
    """All notes, as they come from the database; the session is open until the last is sent."""

    async def lines() -> AsyncIterator[str]:
        async for body in await session.stream_scalars(select(Note.body).execution_options(yield_per=4)):
            yield body + "\n"

    return StreamingResponse(lines(), media_type="text/plain")


@router.get("/events", response_class=EventSourceResponse)
async def note_events(session: Connected) -> AsyncIterable[NoteOut]:
    """All notes, as events."""
    async for row in await session.stream_scalars(select(Note).order_by(Note.id)):
        yield NoteOut.model_validate(row)


@router.post("/notes/later", status_code=202)
async def create_later(note: NoteIn, request: Request, session: Connected, background: BackgroundTasks) -> int:
    """Write a note after the response is sent, by a session of its own."""

    async def write() -> None:
        async with request.app.state.sessions.begin() as own:
            own.add(Note(body=note.body))

    background.add_task(write)
    return (await session.scalars(select(func.count()).select_from(Note))).one()


@router.post("/notes/audited")
async def create_audited(note: NoteIn, session: Connected, background: BackgroundTasks) -> None:
    """Write a note, and another one after the response is sent, by the request's session, which is still open."""

    async def audit() -> None:
        session.add(Note(body=f"audit of {row.id}"))
        await session.commit()

    row = Note(body=note.body)
    session.add(row)
    await session.commit()
    background.add_task(audit)


@router.get("/summary")
async def summary(request: Request) -> list[str]:
    """Several queries side by side, each with a session of its own."""

    async def read(number: int) -> str:
        async with request.app.state.sessions() as session:
            note: Note = await session.get_one(Note, number)
            return note.body

    return await asyncio.gather(*map(read, range(1, 4)))


def service(world: World) -> httpx2.AsyncClient:
    """A client of the service, in the same loop."""
    app = FastAPI()
    app.include_router(router)
    app.state.sessions = async_sessionmaker(world.engine, expire_on_commit=False)
    return client_of(app)


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    """A client of an application, in the same loop."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://notes")


@CORPUS.legal
async def requests_one_after_the_other(world: World) -> None:
    """Create, read, change, delete."""
    async with service(world) as client:
        created = (await client.post("/notes", json={"body": "new"})).json()
        assert (await client.get(f"/notes/{created['id']}")).json()["body"] == "new"
        assert (await client.patch(f"/notes/{created['id']}", json={"body": "changed"})).json()["body"] == "changed"
        assert (await client.delete(f"/notes/{created['id']}")).status_code == 204
        assert (await client.get(f"/notes/{created['id']}")).status_code == 404


@CORPUS.legal
async def requests_side_by_side(world: World) -> None:
    """Ten requests at once, each with its own session."""
    async with service(world) as client:
        created = await asyncio.gather(*(client.post("/notes", json={"body": f"{n}"}) for n in range(5)))
        read = await asyncio.gather(*(client.get(f"/notes/{n}") for n in range(1, 6)), client.get("/count"))
        assert {each.status_code for each in created + read} == {200}


@CORPUS.legal
async def request_that_fails_rolls_back(world: World) -> None:
    """A dependency that commits at its end rolls back when the endpoint raises."""
    async with service(world) as client:
        answers = await asyncio.gather(*(client.patch(f"/notes/{n}", json={"body": ""}) for n in (1, 2, 1)))
        assert {each.status_code for each in answers} == {422}
        assert (await client.get("/notes/1")).json()["body"] == "note 1"


@CORPUS.legal
async def dependencies_share_the_request_session(world: World) -> None:
    """A dependency of the endpoint uses the session before the endpoint does."""
    async with service(world) as client:
        answers = await asyncio.gather(client.get("/author"), client.get("/author?author_id=2"), client.get("/count"))
        assert [len(answers[0].json()), len(answers[1].json()), answers[2].json()] == [20, 0, 20]


@CORPUS.legal
async def rows_streamed_to_the_client(world: World) -> None:
    """A response that streams rows ends before the dependency closes the session."""
    async with service(world) as client:
        assert len((await client.get("/download")).text.splitlines()) == 20
        answers = await asyncio.gather(*(client.get("/download") for _ in range(3)))
        assert {len(each.content) for each in answers} == {len(answers[0].content)}


@CORPUS.legal
async def rows_sent_as_events(world: World) -> None:
    """So does one that sends them as events."""
    async with service(world) as client:
        answers = await asyncio.gather(*(client.get("/events") for _ in range(2)))
        assert [each.text.count("data:") for each in answers] == [20, 20]


@CORPUS.legal
async def background_task_with_its_own_session(world: World) -> None:
    """What is done after the response has a session of its own."""
    async with service(world) as client:
        await asyncio.gather(*(client.post("/notes/later", json={"body": "later"}) for _ in range(3)))
        assert (await client.get("/notes/23")).json()["body"] == "later"


@CORPUS.legal
async def background_task_with_the_request_session(world: World) -> None:
    """What is done after the response may use the request's session, which closes after it."""
    async with service(world) as client:
        await client.post("/notes/audited", json={"body": "new"})
        assert (await client.get("/notes/22")).json()["body"] == "audit of 21"
        await asyncio.gather(*(client.post("/notes/audited", json={"body": "new"}) for _ in range(3)))


@CORPUS.legal
async def queries_of_one_request_side_by_side(world: World) -> None:
    """A request that asks three things at once does so by three sessions."""
    async with service(world) as client:
        assert (await client.get("/summary")).json() == ["note 1", "note 2", "note 3"]


@CORPUS.legal
async def dependency_overridden_by_the_tests_session(world: World) -> None:
    """A test gives the service its own session, calls it, looks, and rolls everything back."""
    app = FastAPI()
    app.include_router(router)
    async with world.engine.connect() as connection, connection.begin() as outer:
        session = AsyncSession(connection, expire_on_commit=False, join_transaction_mode="create_savepoint")
        app.dependency_overrides[get_session] = lambda: session
        async with session, client_of(app) as client:
            session.add(Note(body="by the test"))
            await session.flush()
            created = (await client.post("/notes", json={"body": "by the service"})).json()
            assert (await session.get_one(Note, created["id"])).body == "by the service"
            response = await asyncio.create_task(client.get(f"/notes/{created['id']}"))
            assert response.status_code == 200
        await outer.rollback()
