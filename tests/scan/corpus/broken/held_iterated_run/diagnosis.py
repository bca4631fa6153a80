"""Broken: the case is read, and its transaction stays open around the nodes of the run, however long they take."""

from pydantic_ai import Agent
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

SCHEMA = "CREATE TABLE cases (id serial PRIMARY KEY, symptoms text, opinion text)"

doctor = Agent(instructions="Give a differential diagnosis.")


class Diagnosis:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def symptoms(self, case: int) -> str:
        return (  # expect-any: held_across_run
            await self.session.scalar(text("SELECT symptoms FROM cases WHERE id = :id"), {"id": case}) or "none"
        )

    async def write(self, case: int, model: object) -> str:
        symptoms = await self.symptoms(case)  # expect-any: held_across_run
        async with doctor.iter(symptoms, model=model) as run:  # expect-any: held_across_run
            async for _ in run:
                pass
        await self.session.execute(
            text("UPDATE cases SET opinion = :o WHERE id = :id"), {"o": run.result.output, "id": case}
        )
        await self.session.commit()
        return run.result.output


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    async with AsyncSession(engine) as session:  # expect-any: held_across_run
        opinion = await Diagnosis(session).write(1, model)  # expect-any: held_across_run
    await engine.dispose()
    return opinion
