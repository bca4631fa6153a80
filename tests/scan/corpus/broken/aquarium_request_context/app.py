"""Broken: a middleware puts the request's session into a context variable, and the tools' tasks inherit it."""

from agent import keeper
from db import session_scope
from fastapi import FastAPI, Request

app = FastAPI()


@app.middleware("http")
async def with_session(request: Request, call_next):
    async with session_scope():
        return await call_next(request)


@app.post("/keeper")
async def ask_keeper(question: str) -> dict[str, str]:
    result = await keeper.run(question)  # expect-any: shared_by_tools
    return {"answer": result.output}
