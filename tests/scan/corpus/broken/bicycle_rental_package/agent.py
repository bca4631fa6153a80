"""The agent of the rental."""

from dataclasses import dataclass
from typing import Any, Protocol

from pydantic_ai import Agent, RunContext
from sqlalchemy import func, select

from .database import Bicycle


class Executes(Protocol):
    """Whatever carries out a statement."""

    async def scalar(self, statement: Any) -> Any: ...

    async def get(self, entity: type, ident: Any) -> Any: ...

    async def commit(self) -> None: ...


@dataclass
class RentalDeps:
    database: Executes  # expect-any: shared_by_tools


async def available(ctx: RunContext[RentalDeps], station: str) -> int:
    """How many bicycles stand at a station."""
    statement = select(func.count()).where(Bicycle.station == station, Bicycle.rented.is_(False))
    return await ctx.deps.database.scalar(statement)  # expect-any: shared_by_tools


async def rent(ctx: RunContext[RentalDeps], bicycle_id: int) -> str:
    """Rent a bicycle."""
    bicycle = await ctx.deps.database.get(Bicycle, bicycle_id)  # expect-any: shared_by_tools
    if bicycle is None or bicycle.rented:
        return "not available"
    bicycle.rented = True
    await ctx.deps.database.commit()  # expect-any: shared_by_tools
    return "enjoy"


rental = Agent(deps_type=RentalDeps)
rental.tool(available)
rental.tool(rent)
