"""What a client is told later of what it was served: stored completions."""

import json
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from openai import APIError, AsyncOpenAI, AuthenticationError, BadRequestError, NotFoundError
from openai.types.chat import ChatCompletion
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModelSettings

from harness.evidence import Charge
from harness.fault import NOT_SERVED, WireFault, WireFaultKind
from harness.providers.provider import ScriptedResponse, TurnScript
from harness.providers.wire import WireProvider
from harness.scenario import TokenUsage

MESSAGE = "Who is on duty?"
USAGE = TokenUsage(prompt_tokens=211, completion_tokens=37, cached_tokens=128, reasoning_tokens=20)


def script(*faults: WireFault) -> TurnScript:
    answer = ScriptedResponse(usage=USAGE, text="Nobody, it is a holiday.", model="gpt-4o-2024-08-06")
    return TurnScript(turn="t1", message=MESSAGE, responses=(answer,), faults=faults)


def client_of(wire: WireProvider, *, key: str | None = None) -> AsyncOpenAI:
    http = httpx2.AsyncClient(trust_env=False)
    return AsyncOpenAI(base_url=wire.base_url, api_key=key or wire.api_key, max_retries=0, http_client=http)


async def ask(client: AsyncOpenAI, *, stream: bool = False, **options: Any) -> None:
    messages: Any = [{"role": "user", "content": MESSAGE}]
    answer = await client.chat.completions.create(model="gpt-4o", messages=messages, stream=stream, **options)
    if not isinstance(answer, ChatCompletion):
        async for _ in answer:
            pass


def as_stored(charge: Charge) -> tuple[object, ...]:
    """What a stored completion is to say of a charge."""
    return (
        charge.response_id,
        charge.model,
        int(charge.served_at.timestamp()),
        charge.prompt_tokens,
        charge.completion_tokens,
        charge.cached_tokens,
        charge.reasoning_tokens,
    )


def as_charged(stored: ChatCompletion) -> tuple[object, ...]:
    usage = stored.usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert usage.completion_tokens_details is not None
    return (
        stored.id,
        stored.model,
        stored.created,
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens_details.cached_tokens,
        usage.completion_tokens_details.reasoning_tokens,
    )


@pytest.fixture(params=[False, True], ids=["plain", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


async def test_stored_completion(wire: WireProvider, stream: bool) -> None:
    """A completion is found by its metadata and by its identifier, with what the invoice says of it."""
    wire.expect(script())

    async with client_of(wire) as client:
        await ask(client, stream=stream, store=True, metadata={"request_id": "r1", "tenant": "a"})
        await ask(client, stream=stream, store=True, metadata={"request_id": "r2"})
        found = [stored async for stored in client.chat.completions.list(metadata={"request_id": "r1"})]
        one = await client.chat.completions.retrieve(found[0].id)

    assert [as_charged(stored) for stored in found] == [as_stored(wire.invoice()[0])]
    assert found == [one]
    assert one.choices[0].message.content == "Nobody, it is a holiday."
    assert one.object == "chat.completion"
    assert one.model_dump()["metadata"] == {"request_id": "r1", "tenant": "a"}


@pytest.mark.parametrize("options", [{}, {"store": False}, {"metadata": {"request_id": "r1"}}])
async def test_only_what_is_to_be_stored(wire: WireProvider, stream: bool, options: dict[str, Any]) -> None:
    """A request that does not ask for it leaves nothing, and what was never there is not found."""
    wire.expect(script())

    async with client_of(wire) as client:
        await ask(client, stream=stream, **options)
        page = await client.chat.completions.list()
        with pytest.raises(NotFoundError, match="No completion 'chatcmpl-other' is stored"):
            await client.chat.completions.retrieve("chatcmpl-other")
        with pytest.raises(NotFoundError):
            await client.chat.completions.retrieve(wire.invoice()[0].response_id)

    assert page.data == []
    assert page.has_more is False


@pytest.mark.parametrize("billed", [True, False], ids=["billed", "not billed"])
@pytest.mark.parametrize("kind", WireFaultKind)
async def test_what_was_struck_is_stored_if_it_is_charged(
    wire: WireProvider, stream: bool, kind: WireFaultKind, billed: bool
) -> None:
    """Whatever became of the answer, each charge is stored with its usage, and nothing else is."""
    wire.expect(script(WireFault(kind=kind, billed=billed, seconds=0.01)))

    async with client_of(wire) as client:
        with suppress(APIError, json.JSONDecodeError):
            await ask(client, stream=stream, store=True, metadata={"request_id": "r1"})
        found = [stored async for stored in client.chat.completions.list(metadata={"request_id": "r1"})]

    assert [as_charged(stored) for stored in found] == [as_stored(charge) for charge in wire.invoice()]
    assert len(found) == int(billed and kind not in NOT_SERVED)


async def test_pages(wire: WireProvider) -> None:
    """A list comes in pages, in the order of serving or against it, by model, and after an identifier."""
    wire.expect(script())
    url = f"{wire.base_url}/chat/completions"
    headers = {"Authorization": f"Bearer {wire.api_key}"}

    async with client_of(wire) as client:
        for number in range(5):
            await ask(client, store=True, metadata={"odd": str(number % 2)})
        every = [stored.id async for stored in client.chat.completions.list(limit=2)]
        back = [stored.id async for stored in client.chat.completions.list(limit=2, order="desc")]
        odd = [stored.id async for stored in client.chat.completions.list(limit=1, metadata={"odd": "1"})]
        other = [stored.id async for stored in client.chat.completions.list(model="gpt-4o")]
        both = [stored.id async for stored in client.chat.completions.list(metadata={"odd": "1", "a": "b"})]
    page = httpx2.get(f"{url}?limit=2&after={every[0]}", headers=headers, trust_env=False).json()

    assert every == [charge.response_id for charge in wire.invoice()]
    assert back == every[::-1]
    assert odd == every[1::2]
    assert other == both == []
    assert page["object"] == "list"
    assert (page["first_id"], page["last_id"], page["has_more"]) == (every[1], every[2], True)
    assert [stored["id"] for stored in page["data"]] == every[1:3]


async def test_query_that_cannot_be_read(wire: WireProvider) -> None:
    """A list that cannot be is refused by the client's own errors, as is a wrong key."""
    async with client_of(wire) as client:
        with pytest.raises(BadRequestError, match="The query could not be read: limit: Input should be"):
            await client.chat.completions.list(limit=0)
        with pytest.raises(BadRequestError, match="The list has no completion 'chatcmpl-other' to go on after"):
            await client.chat.completions.list(after="chatcmpl-other")
    async with client_of(wire, key="wrong") as client:
        with pytest.raises(AuthenticationError):
            await client.chat.completions.list()
        with pytest.raises(AuthenticationError):
            await client.chat.completions.retrieve("chatcmpl-other")


async def test_agents_requests_are_stored(wire: WireProvider, stream: bool) -> None:
    """An application asks for it by the settings of its model."""
    wire.expect(script())
    settings = OpenAIChatModelSettings(openai_store=True, extra_body={"metadata": {"request_id": "r1"}})
    agent = Agent(wire.model, model_settings=settings)

    if stream:
        async with agent.run_stream(MESSAGE) as streamed:
            await streamed.get_output()
    else:
        await agent.run(MESSAGE)
    async with client_of(wire) as client:
        found = [stored async for stored in client.chat.completions.list(metadata={"request_id": "r1"})]

    assert [as_charged(stored) for stored in found] == [as_stored(charge) for charge in wire.invoice()]
    assert len(found) == 1
