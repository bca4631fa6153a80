"""Right: the request's session reads the patient and is closed before the agent runs; the tools open their own."""

from dataclasses import dataclass

from db import SessionDep, session_factory
from fastapi import FastAPI, HTTPException
from pydantic_ai import Agent, RunContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

app = FastAPI(title="clinic")


@dataclass(frozen=True)
class ClinicDeps:
    sessions: async_sessionmaker[AsyncSession]
    patient_id: int
    patient_name: str


clinic_agent = Agent("anthropic:claude-sonnet-4-5", deps_type=ClinicDeps, defer_model_check=True)


@clinic_agent.tool
async def appointments(ctx: RunContext[ClinicDeps]) -> list[str]:
    """The patient's appointments."""
    async with ctx.deps.sessions() as db:
        rows = await db.execute(
            text("SELECT starts_at FROM appointments WHERE patient_id = :id"), {"id": ctx.deps.patient_id}
        )
        return [row.starts_at.isoformat() for row in rows]


@clinic_agent.tool
async def prescriptions(ctx: RunContext[ClinicDeps]) -> list[str]:
    """What the patient is prescribed."""
    async with ctx.deps.sessions() as db:
        rows = await db.execute(
            text("SELECT drug FROM prescriptions WHERE patient_id = :id"), {"id": ctx.deps.patient_id}
        )
        return [row.drug for row in rows]


@app.post("/patients/{patient_id}/chat")
async def chat(patient_id: int, question: str, db: SessionDep) -> dict[str, str]:
    name = await db.scalar(text("SELECT name FROM patients WHERE id = :id"), {"id": patient_id})
    await db.close()
    if name is None:
        raise HTTPException(404)
    deps = ClinicDeps(sessions=session_factory, patient_id=patient_id, patient_name=name)
    result = await clinic_agent.run(question, deps=deps)
    return {"answer": result.output}
