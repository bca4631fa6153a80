"""The tier `recorded`: real clients play what real clients recorded, in every protocol, plain and streamed."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from inline_snapshot import snapshot
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from harness.bundled import cassettes_directory
from harness.errors import ConfigurationError, EnvironmentMissing, UsageError
from harness.providers.cassette import ModelKind, read_cassette
from harness.providers.grammar_model import grammar_model
from harness.providers.guard import only_local_models
from harness.providers.local_price import MODEL, PROVIDER
from harness.providers.provider import TurnScript
from harness.providers.recorded import RecordedProvider, cassette_of, recording_of
from harness.scenario import Cell, ModelTier, PoolState, Scenario, SessionMode
from tests.providers.exchanges import Reply, Server, streamed

CELL = Cell(
    scenario=Scenario(name="duty", question="?", messages=()),
    mode=SessionMode.PER_OPERATION,
    pool_state=PoolState.WARM,
    tier=ModelTier.RECORDED,
)
CALL = {"id": "call-1", "type": "function", "function": {"name": "on_duty", "arguments": '{"ward": "night"}'}}
ANSWER = "It is Dr Example."


def data(*events: dict[str, Any], named: bool = False) -> list[bytes]:
    """Server-sent events, with the type of each as its name where a protocol wants that."""
    names = [f"event: {event['type']}\n" if named else "" for event in events]
    return [f"{name}data: {json.dumps(event)}\n\n".encode() for name, event in zip(names, events, strict=True)]


def plain(*answers: dict[str, Any]) -> list[Reply]:
    return [Reply(chunks=[(0.1, json.dumps(answer).encode())]) for answer in answers]


def chat(number: int, *, model: str = "gpt-4o", **message: Any) -> dict[str, Any]:
    reason = "tool_calls" if "tool_calls" in message else "stop"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": reason}
        ],
        "usage": {"prompt_tokens": 20 * number, "completion_tokens": 3, "total_tokens": 20 * number + 3},
    }


def chat_stream(number: int, *deltas: dict[str, Any], reason: str) -> list[bytes]:
    head = {"id": f"chatcmpl-{number}", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-4o"}
    choices: list[list[dict[str, Any]]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    choices += [[{"index": 0, "delta": {}, "finish_reason": reason}], []]
    usage = {"prompt_tokens": 20 * number, "completion_tokens": 3, "total_tokens": 20 * number + 3}
    return [*data(*({**head, "choices": one, "usage": None if one else usage} for one in choices)), b"data: [DONE]\n\n"]


def responses(number: int, item: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1_700_000_000,
        "model": "gpt-4o",
        "status": "completed",
        "output": [item],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 20 * number,
            "output_tokens": 3,
            "total_tokens": 20 * number + 3,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def responses_stream(number: int, item: dict[str, Any]) -> list[bytes]:
    whole = responses(number, item)
    place = {"output_index": 0, "item_id": item["id"]}
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    if item["type"] == "message":
        told: list[dict[str, Any]] = [
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
            *(
                {"type": "response.output_text.delta", **place, "content_index": 0, "delta": piece, "logprobs": []}
                for piece in (ANSWER[:6], ANSWER[6:])
            ),
        ]
    else:
        told = [
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "arguments": ""}},
            {"type": "response.function_call_arguments.delta", **place, "delta": item["arguments"]},
        ]
    events = [
        {"type": "response.created", "response": begun},
        *told,
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    return data(*({**event, "sequence_number": at} for at, event in enumerate(events)), named=True)


def anthropic(number: int, block: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": [block],
        "stop_reason": "tool_use" if block["type"] == "tool_use" else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 20 * number, "output_tokens": 3},
    }


def anthropic_stream(number: int, block: dict[str, Any]) -> list[bytes]:
    whole = anthropic(number, block)
    empty = {**block, "input": {}} if block["type"] == "tool_use" else {**block, "text": ""}
    delta = (
        {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        if block["type"] == "tool_use"
        else {"type": "text_delta", "text": ANSWER}
    )
    return data(
        {
            "type": "message_start",
            "message": {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": 3},
        },
        {"type": "message_stop"},
        named=True,
    )


FUNCTION_CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call-1",
    "name": "on_duty",
    "arguments": '{"ward": "night"}',
    "status": "completed",
}
MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}],
}
TOOL_USE = {"type": "tool_use", "id": "toolu_1", "name": "on_duty", "input": {"ward": "night"}}
TEXT = {"type": "text", "text": ANSWER}
CHOICE = json.dumps({"calls": [{"tool": "on_duty", "arguments": {"ward": "night"}}]})

PLAIN = {
    ModelKind.OPENAI_CHAT: plain(chat(1, tool_calls=[CALL]), chat(2, content=ANSWER)),
    ModelKind.OPENAI: plain(responses(1, FUNCTION_CALL), responses(2, MESSAGE)),
    # Pydantic AI asks for a stream here, too, and puts it together
    ModelKind.ANTHROPIC: [streamed(anthropic_stream(1, TOOL_USE)), streamed(anthropic_stream(2, TEXT))],
    ModelKind.LOCAL: plain(chat(1, model=MODEL, content=CHOICE), chat(2, model=MODEL, content=ANSWER)),
}
STREAMS = {
    ModelKind.OPENAI_CHAT: [
        chat_stream(1, {"role": "assistant", "tool_calls": [{"index": 0, **CALL}]}, reason="tool_calls"),
        chat_stream(2, {"role": "assistant", "content": ANSWER[:6]}, {"content": ANSWER[6:]}, reason="stop"),
    ],
    ModelKind.OPENAI: [responses_stream(1, FUNCTION_CALL), responses_stream(2, MESSAGE)],
    ModelKind.ANTHROPIC: [anthropic_stream(1, TOOL_USE), anthropic_stream(2, TEXT)],
    ModelKind.LOCAL: [
        chat_stream(1, {"content": CHOICE[:9]}, {"content": CHOICE[9:]}, reason="stop"),
        chat_stream(2, {"content": ANSWER[:6]}, {"content": ANSWER[6:]}, reason="stop"),
    ],
}
NAMES = {
    ModelKind.OPENAI_CHAT: "openai-chat:gpt-4o",
    ModelKind.OPENAI: "openai:gpt-4o",
    ModelKind.ANTHROPIC: "anthropic:claude-haiku-4-5",
    ModelKind.LOCAL: f"{PROVIDER}:{MODEL}",
}


def model_of(kind: ModelKind, client: httpx2.AsyncClient) -> Model:
    """The model that asks a provider elsewhere."""
    if kind is ModelKind.ANTHROPIC:
        from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415  # it takes seconds, of every worker
        from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415  # and so does this

        return AnthropicModel(
            "claude-haiku-4-5", provider=AnthropicProvider(api_key="sk-ant-0123456789abcdef", http_client=client)
        )
    asking = AsyncOpenAI(
        api_key="sk-0123456789abcdef0123", base_url="https://api.example.com/some/v1", http_client=client
    )
    if kind is ModelKind.LOCAL:
        return grammar_model(asking)
    if kind is ModelKind.OPENAI:
        return OpenAIResponsesModel("gpt-4o", provider=OpenAIProvider(openai_client=asking))
    return OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=asking))


def agent_of(model: Model) -> Agent[None, str]:
    agent = Agent(model, output_type=str, instructions="Use the tools.")

    @agent.tool_plain
    async def on_duty(ward: str) -> str:
        """Who is on duty."""
        return f"Dr Example of the {ward} ward"

    return agent


async def answer_of(agent: Agent[None, str], *, stream: bool, question: str = "Who is on duty?") -> str:
    if not stream:
        return (await agent.run(question)).output
    async with agent.run_stream_events(question) as events:
        async for _ in events:
            pass
    assert events.result is not None
    return events.result.output


async def record(kind: ModelKind, folder: Path, *, stream: bool) -> str:
    """Record a turn with a provider elsewhere, and return its answer."""
    server = Server(*(map(streamed, STREAMS[kind]) if stream else PLAIN[kind]))
    transport = recording_of(CELL, folder, model=NAMES[kind]).transport(server)
    async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
        return await answer_of(agent_of(model_of(kind, client)), stream=stream)


@asynccontextmanager
async def played(folder: Path) -> AsyncIterator[RecordedProvider]:
    provider = RecordedProvider.of(CELL, turn_of=lambda: "t1", folder=folder)
    await provider.start()
    try:
        yield provider
    finally:
        await provider.stop()


@pytest.mark.parametrize("kind", ModelKind)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_recorded_turn_is_taken_again(tmp_path: Path, kind: ModelKind, *, stream: bool) -> None:
    """With the same client library, the same tools, the same answer, and the provider's own bill, and no network."""
    recorded = await record(kind, tmp_path, stream=stream)
    with only_local_models(ModelTier.RECORDED) as refusals:
        async with played(tmp_path) as provider:
            answer = await answer_of(agent_of(provider.model), stream=stream)

    assert answer == recorded == ANSWER
    assert provider.replay.differences == ()
    assert provider.replay.notes == ()
    assert refusals.messages == ()
    assert [(charge.turn, charge.prompt_tokens, charge.completion_tokens) for charge in provider.invoice()] == [
        ("t1", 20, 3),
        ("t1", 40, 3),
    ]
    assert {charge.stream for charge in provider.invoice()} == {stream or kind is ModelKind.ANTHROPIC}
    assert all(charge.delivered for charge in provider.invoice())
    assert len({charge.response_id for charge in provider.invoice()}) == 2
    cassette = read_cassette(cassette_of(CELL, folder=tmp_path))
    assert (cassette.kind, {charge.provider for charge in provider.invoice()}) == (kind, {cassette.provider})
    assert all(exchange.complete for exchange in cassette.exchanges)
    assert "0123456789abcdef" not in cassette.text


async def test_an_application_that_asks_something_else_is_refused(tmp_path: Path) -> None:
    """By its client's own error, with what differs; nothing is charged for it."""
    await record(ModelKind.OPENAI_CHAT, tmp_path, stream=False)
    async with played(tmp_path) as provider:
        with pytest.raises(ModelHTTPError) as caught:
            await answer_of(agent_of(provider.model), stream=False, question="Who is on call?")

    assert caught.value.status_code == 400
    (mismatch, *unplayed) = provider.replay.differences
    assert mismatch.message == snapshot(
        "POST /some/v1/chat/completions was sent, and was not recorded: the nearest is number 1 of 2 in "
        "'duty/per_operation-warm.json', which differs at messages[1].content: recorded 'Who is on duty?', sent "
        "'Who is on call?'; if the application is to ask this, record it again with --record"
    )
    assert [difference.message for difference in unplayed] == snapshot(
        [
            "recorded request 1 of 2 in 'duty/per_operation-warm.json' was not sent: POST /some/v1/chat/completions",
            "recorded request 2 of 2 in 'duty/per_operation-warm.json' was not sent: POST /some/v1/chat/completions",
        ]
    )
    assert provider.invoice() == ()


async def test_what_tools_return_is_free_where_a_race_decides_it(tmp_path: Path) -> None:
    """Only in a cell that is to show a shared session."""
    await record(ModelKind.OPENAI_CHAT, tmp_path, stream=False)
    path = cassette_of(CELL, folder=tmp_path)
    path.write_text(path.read_text().replace("Dr Example of the night ward", "on_duty failed"))

    lenient = RecordedProvider(path, turn_of=lambda: "t1", results=False)
    await lenient.start()
    assert await answer_of(agent_of(lenient.model), stream=False) == ANSWER
    await lenient.stop()
    assert lenient.replay.differences == ()
    assert len(lenient.replay.notes) == 1

    async with played(tmp_path) as strict:
        with pytest.raises(ModelHTTPError):
            await answer_of(agent_of(strict.model), stream=False)


async def test_a_server_of_ones_own_keeps_its_name(tmp_path: Path) -> None:
    """Who answers is told as it was."""
    server = Server(*PLAIN[ModelKind.OPENAI_CHAT])
    recording = recording_of(CELL, tmp_path, model="openai-chat:gpt-4o")
    async with httpx2.AsyncClient(transport=recording.transport(server), trust_env=False) as client:
        asking = AsyncOpenAI(api_key="k" * 20, base_url="https://models.example.com/v1", http_client=client)
        await answer_of(
            agent_of(OpenAIChatModel("gpt-4o", provider=OpenAICompatibleProvider("own", openai_client=asking))),
            stream=False,
        )
    path = cassette_of(CELL, folder=tmp_path)
    path.write_text(path.read_text().replace('"provider": "openai"', '"provider": "own"'))

    async with played(tmp_path) as provider:
        await answer_of(agent_of(provider.model), stream=False)

    assert provider.model.system == "own"
    assert {charge.provider for charge in provider.invoice()} == {"own"}


def test_a_cell_without_a_recording_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """Nothing can be decided without it; it says how to make one."""
    told = {}
    for folder in (tmp_path, None):
        with pytest.raises(EnvironmentMissing) as caught:
            RecordedProvider.of(CELL, turn_of=lambda: "t1", folder=folder)

        place = str(cassettes_directory() if folder is None else folder)
        told["shipped" if folder is None else "own"] = str(caught.value).replace(place, "…")

    assert told == snapshot(
        {
            "own": (
                "the recordings that are in '…' have none of 'duty', per_operation and warm: looked for "
                "'…/duty/per_operation-warm.json'; record one in the tier 'local' or 'live' with --record"
            ),
            "shipped": (
                "the recordings that come with the scenarios have none of 'duty', per_operation and warm: looked for "
                "'…/duty/per_operation-warm.json'; record one in the tier 'local' or 'live' with --record"
            ),
        }
    )


@pytest.mark.parametrize("model", ["google:gemini-3-flash", "gpt-4o", "openai:", ""])
def test_a_model_that_cannot_be_played_is_not_recorded(tmp_path: Path, model: str) -> None:
    """Said before anything is paid for."""
    with pytest.raises(UsageError, match="cannot be recorded: nobody here could ask it again"):
        recording_of(CELL, tmp_path, model=model)


async def test_a_file_that_is_no_recording_is_said_at_the_start(tmp_path: Path) -> None:
    """And not by the application's turns."""
    (tmp_path / "cut.json").write_text('{"exchanges": [')

    with pytest.raises(ConfigurationError, match="was cut short"):
        await RecordedProvider(tmp_path / "cut.json", turn_of=lambda: "t1").start()


@pytest.mark.parametrize(
    "use",
    [
        lambda provider: provider.model,
        lambda provider: provider.replay,
        lambda provider: provider.expect(TurnScript(turn="t1", message="Who?", responses=())),
    ],
    ids=["model", "replay", "script"],
)
def test_what_cannot_be_is_said(tmp_path: Path, use: Callable[[RecordedProvider], object]) -> None:
    """There is nothing before the start, and no script at all."""
    with pytest.raises(UsageError):
        use(RecordedProvider(tmp_path, turn_of=lambda: "t1"))


async def test_it_can_be_stopped_at_any_time(tmp_path: Path) -> None:
    """Also before it started, and twice."""
    provider = RecordedProvider(tmp_path, turn_of=lambda: "t1")
    await provider.stop()
    await provider.stop()

    assert (provider.invoice(), provider.faults(), provider.fallback_model) == ((), (), None)
