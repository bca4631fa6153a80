"""Pydantic AI agents whose dependencies have one session for all tools, which the model calls side by side."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.racy_programs.consequences import consequences, release, shared_session, together
from tests.sanitizer.world import Author, Note, World

CORPUS = Corpus()


@dataclass
class Deps:
    """What the tools are given: one session."""

    session: AsyncSession


def model(*tools: str) -> FunctionModel:
    """A model that calls these tools in one response, and then says that it is done; plain and streamed."""

    def is_answered(messages: list[ModelMessage]) -> bool:
        return any(isinstance(part, ToolReturnPart) for message in messages for part in message.parts)

    async def respond(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if is_answered(messages):
            return ModelResponse(parts=[TextPart("done")])
        return ModelResponse(parts=[ToolCallPart(tool, {}, f"call-{tool}") for tool in tools])

    async def stream(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        if is_answered(messages):
            yield "done"
        else:
            for number, tool in enumerate(tools):
                yield {number: DeltaToolCall(name=tool, json_args="{}", tool_call_id=f"call-{tool}")}

    return FunctionModel(respond, stream_function=stream)


@CORPUS.racy("overlap")
async def two_tools_execute_at_once(world: World) -> None:
    """The bug as users meet it: slower than it should be, and no error."""
    agent = Agent(model("search_directory", "search_documents"), deps_type=Deps)
    hold = world.hold()

    @agent.tool
    async def search_directory(context: RunContext[Deps]) -> str:
        await context.deps.session.execute(hold.statement)  # first
        return "found"

    @agent.tool
    async def search_documents(context: RunContext[Deps]) -> list[str]:
        await hold.in_flight()
        world.steps.reach("begun")
        return list(await context.deps.session.scalars(select(Note.body)))  # second

    async with shared_session(world) as session:
        await together(agent.run("Who?", deps=Deps(session)), release(world, hold))


@CORPUS.racy("unordered")
async def two_tools_execute_by_luck(world: World) -> None:
    """The same tools, when the first was quick."""
    agent = Agent(model("one", "other"), deps_type=Deps)

    @agent.tool
    async def one(context: RunContext[Deps]) -> int:
        await context.deps.session.get(Note, 1)  # first
        world.steps.reach("done")
        return 1

    @agent.tool
    async def other(context: RunContext[Deps]) -> int:
        await world.steps.until("done")
        await context.deps.session.get(Note, 2)  # second
        return 2

    async with shared_session(world) as session:
        await together(agent.run("Which?", deps=Deps(session)))


@CORPUS.racy("unordered", "bleed")
async def a_tool_commits_what_another_added(world: World) -> None:
    """Half of one tool's work is published by the other."""
    agent = Agent(model("draft", "publish"), deps_type=Deps)

    @agent.tool
    async def draft(context: RunContext[Deps]) -> str:
        context.deps.session.add(Note(body="half"))  # first
        world.steps.reach("added")
        await world.steps.until("committed")
        return "drafted"

    @agent.tool
    async def publish(context: RunContext[Deps]) -> str:
        await world.steps.until("added")
        await context.deps.session.commit()  # second
        world.steps.reach("committed")
        return "published"

    async with shared_session(world) as session:
        await together(agent.run("Draft and publish", deps=Deps(session)))


@CORPUS.racy("overlap", also=("bleed", "unordered"))
async def a_tool_flushes_while_another_commits(world: World) -> None:
    """A row is on its way when the other tool commits."""
    agent = Agent(model("draft", "publish"), deps_type=Deps)
    locked = world.lock_notes()

    @agent.tool
    async def draft(context: RunContext[Deps]) -> str:
        context.deps.session.add(Note(body="half"))
        with consequences():
            await context.deps.session.flush()  # first
        return "drafted"

    @agent.tool
    async def publish(context: RunContext[Deps]) -> str:
        await locked.in_flight()
        world.steps.reach("begun")
        with consequences():
            await context.deps.session.commit()  # second
        return "published"

    async with shared_session(world) as session:
        await together(agent.run("Draft and publish", deps=Deps(session)), release(world, locked))


@CORPUS.racy("overlap")
async def a_tool_rolls_back_while_another_reads(world: World) -> None:
    """One tool handles its own error."""
    agent = Agent(model("read", "fail"), deps_type=Deps)
    hold = world.hold()

    @agent.tool
    async def read(context: RunContext[Deps]) -> str:
        with consequences():
            await context.deps.session.execute(hold.statement)  # first
        return "read"

    @agent.tool
    async def fail(context: RunContext[Deps]) -> str:
        await hold.in_flight()
        try:
            return str(int("not a number"))
        except ValueError:
            world.steps.reach("begun")
            with consequences():
                await context.deps.session.rollback()  # second
        return "nothing found"

    async with shared_session(world) as session:
        await together(agent.run("Read", deps=Deps(session)), release(world, hold))


@CORPUS.racy("overlap")
async def tools_of_a_streamed_run(world: World) -> None:
    """Streaming changes nothing about the tools."""
    agent = Agent(model("slow", "quick"), deps_type=Deps)
    hold = world.hold()

    @agent.tool
    async def slow(context: RunContext[Deps]) -> str:
        await context.deps.session.execute(hold.statement)  # first
        return "slow"

    @agent.tool
    async def quick(context: RunContext[Deps]) -> str:
        await hold.in_flight()
        world.steps.reach("begun")
        await context.deps.session.execute(select(Author))  # second
        return "quick"

    async def chat(session: AsyncSession) -> None:
        async with agent.run_stream("Both", deps=Deps(session)) as answer:
            assert await answer.get_output() == "done"

    async with shared_session(world) as session:
        await together(chat(session), release(world, hold))
