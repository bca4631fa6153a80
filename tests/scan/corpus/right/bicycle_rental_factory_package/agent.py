"""The agent of the rental."""

from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from sqlalchemy import func, select

from .database import Bicycle, Database


@dataclass
class RentalDeps:
    database: Database


async def available(ctx: RunContext[RentalDeps], station: str) -> int:
    """How many bicycles stand at a station."""
    statement = select(func.count()).where(Bicycle.station == station, Bicycle.rented.is_(False))
    async with ctx.deps.database.session() as session:
        return await session.scalar(statement)


async def rent(ctx: RunContext[RentalDeps], bicycle_id: int) -> str:
    """Rent a bicycle."""
    async with ctx.deps.database.session() as session:
        bicycle = await session.get(Bicycle, bicycle_id, with_for_update=True)
        if bicycle is None or bicycle.rented:
            return "not available"
        bicycle.rented = True
        await session.commit()
    return "enjoy"


rental = Agent(deps_type=RentalDeps)
rental.tool(available)
rental.tool(rent)
