"""Pydantic AI agents whose tools have a session each, take turns, lock, or are the only one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.models.test import TestModel
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from tests.sanitizer.corpus import Corpus
from tests.sanitizer.legal_programs.work import count, unit, write
from tests.sanitizer.world import Note, World

CORPUS = Corpus()


@dataclass
class Shared:
    """Dependencies with one session for all tools."""

    session: AsyncSession
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class Factory:
    """Dependencies with a way to open sessions."""

    sessions: async_sessionmaker[AsyncSession]


def calls(*tools: str) -> FunctionModel:
    """A model that calls these tools at once, and then answers by what they returned; plain and streamed."""

    def returned(messages: list[ModelMessage]) -> list[str]:
        parts = [part for message in messages for part in message.parts]
        return [str(part.content) for part in parts if isinstance(part, ToolReturnPart)]

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if results := returned(messages):
            return ModelResponse(parts=[TextPart(" ".join(results))])
        return ModelResponse(parts=[ToolCallPart(tool, {}, f"call-{n}") for n, tool in enumerate(tools)])

    async def stream(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
        if results := returned(messages):
            for result in results:
                yield f"{result} "
        else:
            for number, tool in enumerate(tools):
                yield {number: DeltaToolCall(name=tool, json_args="{}", tool_call_id=f"call-{number}")}

    return FunctionModel(answer, stream_function=stream)


def agent_with_factory(*tools: str) -> Agent[Factory, str]:
    """An agent whose tools open a session each."""
    agent = Agent(calls(*tools), deps_type=Factory)

    @agent.tool
    async def search(context: RunContext[Factory]) -> int:
        async with context.deps.sessions() as session:
            return len((await session.scalars(select(Note.id))).all())

    @agent.tool
    async def save(context: RunContext[Factory]) -> str:
        async with context.deps.sessions() as session:
            await unit(session, "by a tool")
        return "saved"

    @agent.tool_plain
    def calculate() -> int:
        """A synchronous tool, which runs in a thread."""
        return 42

    return agent


def agent_that_shares(*tools: str) -> Agent[Shared, str]:
    """An agent whose tools use the session of their dependencies."""
    agent = Agent(calls(*tools), deps_type=Shared)

    @agent.tool
    async def search(context: RunContext[Shared]) -> int:
        return await count(context.deps.session)

    @agent.tool
    async def save(context: RunContext[Shared]) -> str:
        await write(context.deps.session, "by a tool")
        return "saved"

    return agent


@CORPUS.legal
async def tools_with_sessions_of_their_own(world: World) -> None:
    """Parallel tools that open a session each, and the application, which bills by another."""
    sessions = async_sessionmaker(world.engine, expire_on_commit=False)
    result = await agent_with_factory("search", "save", "search", "calculate").run("Go", deps=Factory(sessions))
    async with sessions.begin() as session:
        session.add(Note(body=f"{result.usage.requests} requests"))
    assert "saved" in result.output


@CORPUS.legal
async def turns_side_by_side(world: World) -> None:
    """Several turns at once, of tools that open a session each."""
    deps = Factory(async_sessionmaker(world.engine))
    agent = agent_with_factory("search", "save")
    results = await asyncio.gather(*(agent.run("Go", deps=deps) for _ in range(3)))
    assert all("saved" in result.output for result in results)


@CORPUS.legal
async def shared_session_with_sequential_tools(world: World) -> None:
    """Tools that run one by one may share a session."""
    agent = agent_that_shares("search", "save", "save", "search")
    async with world.session() as session:
        with agent.parallel_tool_call_execution_mode("sequential"):
            result = await agent.run("Go", deps=Shared(session))
        await session.commit()
        assert result.output == "20 saved saved 22"


@CORPUS.legal
async def shared_session_with_a_single_call(world: World) -> None:
    """So may tools of which each model response calls one, beside the application around the run."""
    async with world.session() as session:
        await write(session, "by the application")
        results = [await agent_that_shares(tool).run("Go", deps=Shared(session)) for tool in ("save", "search")]
        await session.commit()
        assert [result.output for result in results] == ["saved", "22"]


@CORPUS.legal
async def tools_declared_sequential(world: World) -> None:
    """A tool that is declared sequential is a barrier between the others."""
    agent = Agent(calls("save", "search", "save"), deps_type=Shared)

    @agent.tool(sequential=True)
    async def save(context: RunContext[Shared]) -> str:
        await write(context.deps.session, "by a tool")
        return "saved"

    @agent.tool(sequential=True)
    async def search(context: RunContext[Shared]) -> int:
        return await count(context.deps.session)

    async with world.session() as session:
        await agent.run("Go", deps=Shared(session))
        await session.commit()


@CORPUS.legal
async def shared_session_behind_a_lock(world: World) -> None:
    """Parallel tools with whole units of work behind one lock may share a session."""
    agent = Agent(calls("save", "save", "search", "save"), deps_type=Shared)

    @agent.tool
    async def save(context: RunContext[Shared]) -> str:
        async with context.deps.lock:
            await unit(context.deps.session, "by a tool")
        return "saved"

    @agent.tool
    async def search(context: RunContext[Shared]) -> int:
        async with context.deps.lock, context.deps.session.begin():
            return len((await context.deps.session.scalars(select(Note))).all())

    async with world.session() as session:
        assert (await agent.run("Go", deps=Shared(session))).output.count("saved") == 3


@CORPUS.legal
async def streamed_run(world: World) -> None:
    """A streamed run whose tool uses the session that the application goes on with while the answer comes."""
    async with world.session() as session:
        await write(session, "by the application")
        async with agent_that_shares("search").run_stream("Go", deps=Shared(session)) as streamed:
            async for text in streamed.stream_text(delta=True, debounce_by=None):
                session.add(Note(body=text))
        await session.commit()
        assert await count(session) > 21


@CORPUS.legal
async def streamed_run_with_sessions_of_their_own(world: World) -> None:
    """A streamed run with parallel tools that open a session each."""
    deps = Factory(async_sessionmaker(world.engine))
    async with agent_with_factory("save", "search", "save").run_stream("Go", deps=deps) as streamed:
        assert "saved" in await streamed.get_output()
    events = [event async for event in agent_iteration(agent_with_factory("search"), deps)]
    assert events


async def agent_iteration(agent: Agent[Factory, str], deps: Factory) -> AsyncIterator[str]:
    """The nodes of a run."""
    async with agent.iter("Go", deps=deps) as run:
        async for node in run:
            yield type(node).__name__


@CORPUS.legal
async def agent_within_a_tool(world: World) -> None:
    """A tool that runs another agent gives it the factory; the inner tools open their own sessions."""
    outer = Agent(calls("ask", "ask"), deps_type=Factory)

    @outer.tool
    async def ask(context: RunContext[Factory]) -> str:
        async with context.deps.sessions() as session:
            before = await count(session)
        inner = await agent_with_factory("save", "search").run("Go", deps=context.deps, usage=context.usage)
        return f"{before}: {inner.output}"

    deps = Factory(async_sessionmaker(world.engine))
    assert (await outer.run("Go", deps=deps)).output.count("saved") == 2


@CORPUS.legal
async def agent_within_a_single_tool_shares(world: World) -> None:
    """A single tool that lends its session to an inner agent, whose tools take turns."""
    outer = Agent(calls("ask"), deps_type=Shared)

    @outer.tool
    async def ask(context: RunContext[Shared]) -> str:
        inner = agent_that_shares("save", "search")
        with inner.parallel_tool_call_execution_mode("sequential"):
            result = await inner.run("Go", deps=context.deps)
        return f"{result.output}, and {await count(context.deps.session)}"

    async with world.session() as session:
        assert (await outer.run("Go", deps=Shared(session))).output == "saved 21, and 21"
        await session.commit()


@CORPUS.legal
async def tool_that_is_retried(world: World) -> None:
    """A tool that asks the model to try again rolled its own session back first."""
    agent = Agent(TestModel(), deps_type=Factory)

    @agent.tool(retries=2)
    async def save(context: RunContext[Factory]) -> str:
        async with context.deps.sessions() as session:
            await write(session, "by a tool")
            if context.retry == 0:
                raise ModelRetry("Once more")
            await session.commit()
        return "saved"

    sessions = async_sessionmaker(world.engine)
    await agent.run("Go", deps=Factory(sessions))
    async with sessions() as session:
        assert await count(session) == 21


@CORPUS.legal
async def instructions_and_validator_share(world: World) -> None:
    """Instructions, one tool, and the output's validator use the session one after the other."""
    agent = agent_that_shares("save")

    @agent.instructions
    async def greet(context: RunContext[Shared]) -> str:
        return f"There are {await count(context.deps.session)} notes."

    @agent.output_validator
    async def check(context: RunContext[Shared], output: str) -> str:
        assert await count(context.deps.session) == 21
        return output

    async with world.session() as session:
        await agent.run("Go", deps=Shared(session))
        await session.commit()
