"""The clinic's agent."""

from dataclasses import dataclass
from typing import Any

from pydantic_ai import Agent, RunContext
from sqlalchemy import text


@dataclass
class ClinicDeps:
    db: Any  # expect-any: shared_by_tools
    patient_id: int


clinic_agent = Agent("anthropic:claude-sonnet-4-5", deps_type=ClinicDeps, defer_model_check=True)


@clinic_agent.tool
async def appointments(ctx: RunContext[ClinicDeps]) -> list[str]:
    """The patient's appointments."""
    rows = await ctx.deps.db.execute(  # expect-any: shared_by_tools
        text("SELECT starts_at FROM appointments WHERE patient_id = :id"), {"id": ctx.deps.patient_id}
    )
    return [row.starts_at.isoformat() for row in rows]


@clinic_agent.tool
async def prescriptions(ctx: RunContext[ClinicDeps]) -> list[str]:
    """What the patient is prescribed."""
    rows = await ctx.deps.db.execute(  # expect-any: shared_by_tools
        text("SELECT drug FROM prescriptions WHERE patient_id = :id"), {"id": ctx.deps.patient_id}
    )
    return [row.drug for row in rows]
