"""Broken: the deps are typed by a protocol, but what stands behind it is one session, for both tools."""

from sqlalchemy.ext.asyncio import AsyncSession

from .agent import RentalDeps, rental
from .database import make_engine


async def main(model: object, url: str) -> str:
    engine = make_engine(url)
    async with AsyncSession(engine, expire_on_commit=False) as session:
        result = await rental.run(  # expect-any: shared_by_tools
            "A tandem at the station, please", deps=RentalDeps(session), model=model
        )
    await engine.dispose()
    return result.output
