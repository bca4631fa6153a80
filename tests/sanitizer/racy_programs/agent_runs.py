"""Pydantic AI runs beside each other, within each other, and beside the application, on one session."""

import asyncio
import contextlib
from collections.abc import AsyncIterable

from pydantic_ai import Agent, FunctionToolset, RunContext
from pydantic_ai.messages import AgentStreamEvent, FunctionToolResultEvent
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.agents import Deps, model
from tests.sanitizer.racy_programs.consequences import release, shared_session, together
from tests.sanitizer.world import Author, Hold, Note, World

CORPUS = Corpus()


def toolset(world: World, hold: Hold) -> FunctionToolset[Deps]:
    """Tools that are shared by several agents."""
    tools: FunctionToolset[Deps] = FunctionToolset()

    @tools.tool
    async def report(context: RunContext[Deps]) -> str:
        await context.deps.session.execute(hold.statement)
        return "reported"

    @tools.tool
    async def look_up(context: RunContext[Deps]) -> str:
        await hold.in_flight()
        world.steps.reach("begun")
        await context.deps.session.scalar(select(Author.name).limit(1))
        return "looked up"

    return tools


LINES_OF_THE_TOOLSET = frozenset({toolset.__code__.co_firstlineno + 6, toolset.__code__.co_firstlineno + 13})


@CORPUS.racy("overlap", lines=LINES_OF_THE_TOOLSET)
async def tools_of_a_toolset(world: World) -> None:
    """The tools come from a set of their own."""
    hold = world.hold()
    agent = Agent(model("report", "look_up"), deps_type=Deps, toolsets=[toolset(world, hold)])

    async with shared_session(world) as session:
        await together(agent.run("Report and look up", deps=Deps(session)), release(world, hold))


@CORPUS.racy("overlap", lines=LINES_OF_THE_TOOLSET)
async def two_agents_side_by_side(world: World) -> None:
    """Two runs with one tool each, and the same dependencies."""
    hold = world.hold()
    agents = [Agent(model(tool), deps_type=Deps, toolsets=[toolset(world, hold)]) for tool in ("report", "look_up")]

    async with shared_session(world) as session:
        await together(*(agent.run("Go", deps=Deps(session)) for agent in agents), release(world, hold))


@CORPUS.racy("overlap", lines=LINES_OF_THE_TOOLSET)
async def agents_within_tools(world: World) -> None:
    """Each tool asks an agent of its own, and hands the session on."""
    hold = world.hold()
    tools = toolset(world, hold)
    outer = Agent(model("ask_the_reporter", "ask_the_librarian"), deps_type=Deps)

    @outer.tool
    async def ask_the_reporter(context: RunContext[Deps]) -> str:
        reporter = Agent(model("report"), deps_type=Deps, toolsets=[tools])
        return (await reporter.run("Report", deps=context.deps)).output

    @outer.tool
    async def ask_the_librarian(context: RunContext[Deps]) -> str:
        librarian = Agent(model("look_up"), deps_type=Deps, toolsets=[tools])
        return (await librarian.run("Look up", deps=context.deps)).output

    async with shared_session(world) as session:
        await together(outer.run("Ask both", deps=Deps(session)), release(world, hold))


@CORPUS.racy("overlap")
async def a_tracker_after_a_cancelled_run(world: World) -> None:
    """The run is cancelled, its tool's shielded query goes on, and the tracker bills with the same session."""
    agent = Agent(model("search"), deps_type=Deps)
    hold = world.hold()
    queries: list[asyncio.Task[None]] = []

    async def query(session: AsyncSession) -> None:
        await session.execute(hold.statement)  # first

    @agent.tool
    async def search(context: RunContext[Deps]) -> str:
        queries.append(asyncio.create_task(query(context.deps.session)))
        await asyncio.shield(queries[0])
        return "found"

    async def turn(session: AsyncSession) -> None:
        run = asyncio.create_task(agent.run("Search", deps=Deps(session)))
        await hold.in_flight()
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run
        world.steps.reach("begun")
        await session.execute(text("INSERT INTO notes (body) VALUES ('0.01 USD')"))  # second
        await queries[0]

    async with shared_session(world) as session:
        await together(turn(session), release(world, hold))


@CORPUS.racy("overlap")
async def an_event_handler_beside_a_tool(world: World) -> None:
    """The handler notes that one tool is done, while the other is still at it."""
    agent = Agent(model("slow", "quick"), deps_type=Deps)
    hold = world.hold()

    @agent.tool
    async def slow(context: RunContext[Deps]) -> str:
        await context.deps.session.execute(hold.statement)  # first
        return "slow"

    @agent.tool_plain
    async def quick() -> str:
        await hold.in_flight()
        return "quick"

    async def handle(context: RunContext[Deps], events: AsyncIterable[AgentStreamEvent]) -> None:
        async for event in events:
            if isinstance(event, FunctionToolResultEvent) and event.part.tool_name == "quick":
                world.steps.reach("begun")
                await context.deps.session.execute(text("SELECT 'quick is done'"))  # second

    async with shared_session(world) as session:
        await together(agent.run("Both", deps=Deps(session), event_stream_handler=handle), release(world, hold))


@CORPUS.racy("overlap")
async def an_application_beside_its_run(world: World) -> None:
    """The application prepares the next turn while the run is in its tool."""
    agent = Agent(model("search"), deps_type=Deps)
    hold = world.hold()

    @agent.tool
    async def search(context: RunContext[Deps]) -> str:
        await context.deps.session.execute(hold.statement)  # first
        return "found"

    async def turn(session: AsyncSession) -> None:
        run = asyncio.create_task(agent.run("Search", deps=Deps(session)))
        await hold.in_flight()
        world.steps.reach("begun")
        await session.refresh(history)  # second
        await run

    async with shared_session(world) as session:
        history = await session.get_one(Note, 1)
        await together(turn(session), release(world, hold))
