"""Right: the deps have the database, whose `session` opens another session for each tool that enters it."""

from .agent import RentalDeps, rental
from .database import Database


async def main(model: object, url: str) -> str:
    database = Database(url)
    result = await rental.run("A tandem at the station, please", deps=RentalDeps(database), model=model)
    await database.engine.dispose()
    return result.output
