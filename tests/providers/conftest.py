"""Two tools that must run at the same time, scripts that call them, and a provider of each tier."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from pydantic_ai import Agent

from harness.providers.create import create_provider
from harness.providers.provider import Provider, ScriptedCall, ScriptedResponse, TurnScript
from harness.providers.wire import WireProvider
from harness.scenario import ModelTier, TokenUsage

TwoCalls = Callable[..., TurnScript]
MakeAgent = Callable[[Provider], Agent[None, str]]


def _two_calls(turn: str, message: str, *, seconds: float = 0.0) -> TurnScript:
    directory = ScriptedCall(
        tool="directory",
        arguments={"query": f"night ward, {message}", "limit": 3},
        tool_call_id=f"{turn}-directory",
    )
    documents = ScriptedCall(
        tool="documents",
        arguments={"query": 'the "visitors" policy, naïve ☃'},
        tool_call_id=f"{turn}-documents",
    )
    return TurnScript(
        turn=turn,
        message=message,
        responses=(
            ScriptedResponse(
                usage=TokenUsage(prompt_tokens=211, completion_tokens=37),
                calls=(directory, documents),
                seconds=seconds,
            ),
            ScriptedResponse(
                usage=TokenUsage(prompt_tokens=305, completion_tokens=12), text=f"Answer to: {message} Done."
            ),
        ),
    )


@pytest.fixture
def two_calls() -> TwoCalls:
    return _two_calls


@pytest.fixture
def make_agent() -> MakeAgent:
    def make(provider: Provider) -> Agent[None, str]:
        agent = Agent(provider.model, output_type=str, instructions="Use the tools.")
        together = asyncio.Barrier(2)

        @agent.tool_plain
        async def directory(query: str, limit: int) -> str:
            async with asyncio.timeout(10):
                await together.wait()
            return f"{limit} of {query}"

        @agent.tool_plain
        async def documents(query: str) -> str:
            async with asyncio.timeout(10):
                await together.wait()
            return f"found {query}"

        return agent

    return make


@pytest.fixture(params=[ModelTier.SCRIPTED, ModelTier.WIRE])
async def provider(request: pytest.FixtureRequest) -> AsyncIterator[Provider]:
    provider = create_provider(request.param)
    await provider.start()
    yield provider
    await provider.stop()


@pytest.fixture
async def wire() -> AsyncIterator[WireProvider]:
    provider = WireProvider()
    await provider.start()
    yield provider
    await provider.stop()
