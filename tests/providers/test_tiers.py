"""What holds in every scripted tier, plain and streamed."""

import asyncio
from collections import Counter
from collections.abc import Callable
from decimal import Decimal

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from harness.errors import BackendError, UsageError
from harness.providers.create import create_provider
from harness.providers.provider import Provider, ScriptedResponse, TurnScript
from harness.scenario import ModelTier, TokenUsage

TwoCalls = Callable[..., TurnScript]
MakeAgent = Callable[[Provider], Agent[None, str]]

MESSAGE = "Who is on duty in the night ward?"


async def ask(agent: Agent[None, str], message: str, *, stream: bool) -> tuple[str, list[ModelMessage]]:
    if not stream:
        result = await agent.run(message)
        return result.output, result.all_messages()
    async with agent.run_stream(message) as streamed:
        return await streamed.get_output(), streamed.all_messages()


def responses_of(messages: list[ModelMessage]) -> list[ModelResponse]:
    return [message for message in messages if isinstance(message, ModelResponse)]


def outline(messages: list[ModelMessage]) -> list[object]:
    """The conversation without what differs between runs: identifiers of responses, and times."""
    lines: list[object] = []
    for message in messages:
        for part in message.parts:
            match part:
                case UserPromptPart() | TextPart():
                    lines.append((part.part_kind, part.content))
                case ToolCallPart():
                    lines.append((part.part_kind, part.tool_call_id, part.tool_name, part.args_as_dict()))
                case ToolReturnPart():
                    lines.append((part.part_kind, part.tool_call_id, part.content))
        if isinstance(message, ModelResponse):
            lines.append((message.model_name, message.provider_name, message.finish_reason))
    return lines


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_agent_runs_both_calls_at_once(
    provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls, stream: bool
) -> None:
    """The agent runs the scripted calls in parallel, with identifiers and arguments; then it answers."""
    provider.expect(two_calls("t1", MESSAGE))

    output, messages = await ask(make_agent(provider), MESSAGE, stream=stream)

    assert output == f"Answer to: {MESSAGE} Done."
    assert outline(messages) == [
        ("user-prompt", MESSAGE),
        ("tool-call", "t1-directory", "directory", {"query": f"night ward, {MESSAGE}", "limit": 3}),
        ("tool-call", "t1-documents", "documents", {"query": 'the "visitors" policy, naïve ☃'}),
        ("gpt-4o", "openai", "tool_call"),
        ("tool-return", "t1-directory", f"3 of night ward, {MESSAGE}"),
        ("tool-return", "t1-documents", 'found the "visitors" policy, naïve ☃'),
        ("text", f"Answer to: {MESSAGE} Done."),
        ("gpt-4o", "openai", "stop"),
    ]


async def test_usage_is_exact_and_priced(
    provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls, stream: bool
) -> None:
    """Each response carries the scripted tokens, nothing else, and the price of gpt-4o for them."""
    provider.expect(two_calls("t1", MESSAGE))

    _, messages = await ask(make_agent(provider), MESSAGE, stream=stream)

    usages = [response.usage for response in responses_of(messages)]
    assert [(usage.input_tokens, usage.output_tokens) for usage in usages] == [(211, 37), (305, 12)]
    assert [usage.unmeasured_requests for usage in usages] == [0, 0]
    assert [usage.cost for usage in usages] == [Decimal("0.0008975"), Decimal("0.0008825")]


async def test_invoice_equals_what_the_agent_saw(
    provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls, stream: bool
) -> None:
    """The invoice has one line for each response the agent saw, under the same identifier."""
    provider.expect(two_calls("t1", MESSAGE))

    _, messages = await ask(make_agent(provider), MESSAGE, stream=stream)

    invoice = provider.invoice()
    assert [
        (charge.response_id, charge.model, charge.prompt_tokens, charge.completion_tokens) for charge in invoice
    ] == [
        (
            response.provider_response_id,
            response.model_name,
            response.usage.input_tokens,
            response.usage.output_tokens,
        )
        for response in responses_of(messages)
    ]
    assert {(charge.turn, charge.provider, charge.stream) for charge in invoice} == {("t1", "openai", stream)}
    assert len({charge.response_id for charge in invoice}) == 2
    assert invoice[0].served_at <= invoice[1].served_at
    assert all(charge.served_at.tzinfo is not None for charge in invoice)


async def test_tiers_give_the_same_conversation(make_agent: MakeAgent, two_calls: TwoCalls, stream: bool) -> None:
    """An agent cannot tell the tiers apart by what it is told."""
    outlines = []
    for tier in (ModelTier.SCRIPTED, ModelTier.WIRE):
        provider = create_provider(tier)
        await provider.start()
        provider.expect(two_calls("t1", MESSAGE))
        _, messages = await ask(make_agent(provider), MESSAGE, stream=stream)
        await provider.stop()
        outlines.append(outline(messages))

    assert outlines[0] == outlines[1]


async def test_concurrent_turns_do_not_mix(
    provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls, stream: bool
) -> None:
    """Turns that run at the same time get their own responses, whichever request comes first."""
    scripts = [two_calls(f"t{number}", f"Question {number}", seconds=0.02 * (number % 3)) for number in range(12)]
    for script in scripts:
        provider.expect(script)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(make_agent(provider), script.message, stream=stream)) for script in scripts]

    for number, task in enumerate(tasks):
        output, messages = task.result()
        calls = [call.tool_call_id for response in responses_of(messages) for call in response.tool_calls]
        assert output == f"Answer to: Question {number} Done."
        assert calls == [f"t{number}-directory", f"t{number}-documents"]
    assert Counter(charge.turn for charge in provider.invoice()) == {f"t{number}": 2 for number in range(12)}


async def test_second_turn_of_a_conversation(provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls) -> None:
    """A turn with a history gets its own script from the beginning."""
    provider.expect(two_calls("t1", MESSAGE))
    provider.expect(two_calls("t2", "And tomorrow?"))
    first = await make_agent(provider).run(MESSAGE)

    second = await make_agent(provider).run("And tomorrow?", message_history=first.all_messages())

    assert second.output == "Answer to: And tomorrow? Done."
    assert [charge.turn for charge in provider.invoice()] == ["t1", "t1", "t2", "t2"]


async def test_text_beside_calls(provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls) -> None:
    """A response may have a text and calls."""
    script = two_calls("t1", MESSAGE)
    calls = ScriptedResponse(usage=script.responses[0].usage, calls=script.responses[0].calls, text="Let me look.")
    provider.expect(TurnScript(turn="t1", message=MESSAGE, responses=(calls, script.responses[1])))

    result = await make_agent(provider).run(MESSAGE)

    first = responses_of(result.all_messages())[0]
    assert first.text == "Let me look."
    assert [call.tool_call_id for call in first.tool_calls] == ["t1-directory", "t1-documents"]


async def test_unknown_message(provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls, stream: bool) -> None:
    """A message that nobody scripted is refused, with what was asked and which turns are scripted."""
    provider.expect(two_calls("t1", MESSAGE))

    with pytest.raises((BackendError, ModelHTTPError)) as caught:
        await ask(make_agent(provider), "Something else", stream=stream)

    assert "no turn is scripted for the user message 'Something else'" in str(caught.value)
    assert f"scripted are 't1' by '{MESSAGE}'" in str(caught.value)
    assert provider.invoice() == ()


async def test_more_requests_than_scripted(
    provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls, stream: bool
) -> None:
    """A request beyond the last scripted response is refused, and says so."""
    script = two_calls("t1", MESSAGE)
    provider.expect(TurnScript(turn="t1", message=MESSAGE, responses=script.responses[:1]))

    with pytest.raises((BackendError, ModelHTTPError)) as caught:
        await ask(make_agent(provider), MESSAGE, stream=stream)

    assert "has 1 scripted responses, and the agent asked for response 2" in str(caught.value)
    assert len(provider.invoice()) == 1


async def test_tool_that_is_not_offered(provider: Provider, two_calls: TwoCalls, stream: bool) -> None:
    """A scripted call of a tool that the agent does not have is refused, and names both."""
    provider.expect(two_calls("t1", MESSAGE))
    agent = Agent(provider.model, output_type=str)

    @agent.tool_plain
    def directory(query: str, limit: int) -> str:
        return f"{limit} of {query}"

    with pytest.raises((BackendError, ModelHTTPError)) as caught:
        await ask(agent, MESSAGE, stream=stream)

    assert "is scripted to call 'documents', but the agent offers 'directory'" in str(caught.value)


async def test_cancelled_request_is_not_charged(
    provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls, stream: bool
) -> None:
    """A response that nobody waited for is not on the invoice; the provider goes on serving."""
    provider.expect(two_calls("slow", MESSAGE, seconds=3600.0))
    provider.expect(two_calls("quick", "Quick"))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ask(make_agent(provider), MESSAGE, stream=stream)
    await ask(make_agent(provider), "Quick", stream=stream)

    assert {charge.turn for charge in provider.invoice()} == {"quick"}


async def test_model_takes_its_time(
    provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls, stream: bool
) -> None:
    """A response does not come before the model's scripted time is over."""
    provider.expect(two_calls("t1", MESSAGE, seconds=0.1))
    clock = asyncio.get_running_loop().time

    begin = clock()
    await ask(make_agent(provider), MESSAGE, stream=stream)

    assert clock() - begin >= 0.1


async def test_usage_of_a_stream_comes_at_its_end(
    provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls
) -> None:
    """While a stream is open its usage is not known; a text comes in several pieces."""
    usage = TokenUsage(prompt_tokens=5, completion_tokens=7)
    answer = ScriptedResponse(usage=usage, text="One two three four.")
    provider.expect(TurnScript(turn="t1", message=MESSAGE, responses=(answer,)))

    async with make_agent(provider).run_stream(MESSAGE) as streamed:
        pieces = [piece async for piece in streamed.stream_text(delta=True, debounce_by=None)]

    assert len(pieces) == 3
    assert "".join(pieces) == "One two three four."
    assert (streamed.usage.input_tokens, streamed.usage.output_tokens) == (5, 7)


@pytest.mark.parametrize("tier", [ModelTier.LOCAL, ModelTier.LIVE])
def test_tier_that_is_not_available(tier: ModelTier) -> None:
    """A tier without a provider is a usage error that names those there are."""
    with pytest.raises(UsageError, match="use 'scripted' or 'wire'"):
        create_provider(tier)


async def test_stopping_twice_is_harmless(provider: Provider) -> None:
    """A provider may be stopped before its fixture stops it."""
    await provider.stop()
    await provider.stop()
