"""Right: the background task opens a session of its own, and so does each request."""

from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("postgresql+asyncpg://survey@localhost/survey")
session_factory = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


async def get_session():
    async with session_factory() as session:
        yield session


class Answer(BaseModel):
    question: int
    value: str


async def recount(question: int) -> None:
    async with session_factory.begin() as session:
        await session.execute(
            text("UPDATE questions SET answers = (SELECT count(*) FROM answers WHERE question = :q) WHERE id = :q"),
            {"q": question},
        )


@app.post("/answers", status_code=202)
async def take_answer(
    answer: Answer, background: BackgroundTasks, session: Annotated[AsyncSession, Depends(get_session)]
) -> dict[str, str]:
    await session.execute(text("INSERT INTO answers (question, value) VALUES (:question, :value)"), answer.model_dump())
    await session.commit()
    background.add_task(recount, answer.question)
    return {"status": "accepted"}
