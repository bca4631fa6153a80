"""Broken: the toolset keeps one session, and its functions are parallel tools of the agent."""

from pydantic_ai import Agent
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from toolset import AnimalToolset

keeper = Agent(instructions="You know the animals of the zoo.")


async def main(model: object, url: str) -> str:
    engine = create_async_engine(url)
    make_session = async_sessionmaker(engine, expire_on_commit=False)
    async with make_session() as session:
        toolset = AnimalToolset(session)  # expect-any: shared_by_tools
        result = await keeper.run(  # expect-any: shared_by_tools
            "Who keeps Bruno, and which bears are there?", toolsets=[toolset], model=model
        )
    await engine.dispose()
    return result.output
