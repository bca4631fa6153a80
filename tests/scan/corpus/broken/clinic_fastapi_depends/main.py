"""Broken: the request's session, which FastAPI injects, goes into the deps of an agent with two parallel tools."""

from agent import ClinicDeps, clinic_agent
from db import SessionDep
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI(title="clinic")


class Question(BaseModel):
    text: str


@app.post("/patients/{patient_id}/chat")
async def chat(patient_id: int, question: Question, db: SessionDep) -> dict[str, str]:
    deps = ClinicDeps(db=db, patient_id=patient_id)  # expect-any: shared_by_tools
    result = await clinic_agent.run(question.text, deps=deps)  # expect-any: shared_by_tools
    return {"answer": result.output}


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}
