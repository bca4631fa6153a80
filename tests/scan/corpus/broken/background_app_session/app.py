"""Broken: background tasks of all requests write with the one session of the application, while others read with it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

engine = create_async_engine("postgresql+asyncpg://survey@localhost/survey")
session = AsyncSession(engine, expire_on_commit=False)  # expect-any: shared_by_tasks


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await session.close()
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


class Answer(BaseModel):
    question: int
    value: str


async def store_answer(answer: Answer) -> None:
    await session.execute(  # expect-any: shared_by_tasks
        text("INSERT INTO answers (question, value) VALUES (:question, :value)"), answer.model_dump()
    )
    await session.commit()  # expect-any: shared_by_tasks


@app.post("/answers", status_code=202)
async def take_answer(answer: Answer, background: BackgroundTasks) -> dict[str, str]:
    background.add_task(store_answer, answer)  # expect-any: shared_by_tasks
    return {"status": "accepted"}


@app.get("/answers/{question}")
async def answers(question: int) -> list[str]:
    rows = await session.scalars(  # expect-any: shared_by_tasks
        text("SELECT value FROM answers WHERE question = :q"), {"q": question}
    )
    return list(rows)
