"""What may leave the machine: nothing, unless the tier is live, and there no model request that no budget counts."""

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic_ai import Agent, models
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.messages import ModelRequest
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.openai import OpenAIProvider

from harness.errors import BackendError
from harness.providers.budget import Budget, BudgetModel
from harness.providers.guard import only_local_models
from harness.providers.loopback import is_loopback
from harness.providers.provider import Provider, TurnScript
from harness.providers.wire import WireProvider
from harness.scenario import ModelTier

TwoCalls = Callable[..., TurnScript]
MakeAgent = Callable[[Provider], Agent[None, str]]

NO_HOST = "https://model.invalid/v1"


class ModelOverAnotherProtocol(TestModel):
    """A model of which only the address is known."""

    @property
    def base_url(self) -> str:
        return "grpc.invalid:443"


async def test_given_model_is_served(provider: Provider, make_agent: MakeAgent, two_calls: TwoCalls) -> None:
    """The guard does not hinder the model that the backend was given, plain or streamed."""
    provider.expect(two_calls("t1", "Who?"))

    with only_local_models(provider.tier) as refusals:
        result = await make_agent(provider).run("Who?")
        async with make_agent(provider).run_stream("Who?") as streamed:
            output = await streamed.get_output()

    assert result.output == output == "Answer to: Who? Done."
    assert refusals.messages == ()


async def test_scripted_tier_refuses_every_provider(wire: WireProvider) -> None:
    """In the tier `scripted` even a model on this machine is refused: none is needed."""
    with (
        only_local_models(ModelTier.SCRIPTED),
        pytest.raises(RuntimeError, match="ALLOW_MODEL_REQUESTS is False"),
    ):
        await Agent(wire.model).run("Who?")

    assert models.ALLOW_MODEL_REQUESTS


@pytest.mark.parametrize("tier", [ModelTier.WIRE, ModelTier.LOCAL])
async def test_model_of_the_backends_own(tier: ModelTier) -> None:
    """A Pydantic AI model of another provider is refused; the error names the host and the tier that may."""
    async with AsyncOpenAI(base_url=NO_HOST, api_key="key") as client:
        agent = Agent(OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client)))

        with only_local_models(tier) as refusals, pytest.raises(BackendError) as caught:
            await agent.run("Who?")

    assert "a request to 'model.invalid' was refused" in str(caught.value)
    assert "only the tier 'live' may send one" in str(caught.value)
    assert refusals.messages == (str(caught.value),)


async def test_model_whose_url_has_no_scheme() -> None:
    """A host by itself is a host too, whatever protocol its model speaks."""
    with only_local_models(ModelTier.WIRE), pytest.raises(BackendError, match=r"'grpc\.invalid:443'"):
        await Agent(ModelOverAnotherProtocol()).run("Who?")


async def test_streaming_model_of_the_backends_own() -> None:
    """The same holds for Anthropic, and for streams."""
    from anthropic import AsyncAnthropic  # noqa: PLC0415  # it takes seconds, of every worker
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415  # it imports that
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415  # and so does this

    async with AsyncAnthropic(base_url=NO_HOST, api_key="key") as client:
        agent = Agent(AnthropicModel("claude-sonnet-4-5", provider=AnthropicProvider(anthropic_client=client)))

        with only_local_models(ModelTier.WIRE), pytest.raises(BackendError, match=r"model\.invalid"):
            async with agent.run_stream("Who?"):
                pass


async def test_swallowed_refusal_is_recorded() -> None:
    """An application that hides the error does not hide the request."""
    async with AsyncOpenAI(base_url=NO_HOST, api_key="key") as client:
        with only_local_models(ModelTier.SCRIPTED) as refusals, suppress(Exception):
            await client.models.list()

    assert len(refusals.messages) == 1
    assert "'model.invalid'" in refusals.messages[0]


async def test_clients_without_pydantic_ai() -> None:
    """The clients themselves are refused, asynchronous or not; repeated refusals are recorded once."""
    from anthropic import APIConnectionError, AsyncAnthropic  # noqa: PLC0415  # it takes seconds, of every worker

    with only_local_models(ModelTier.WIRE) as refusals:
        async with AsyncAnthropic(base_url=NO_HOST, api_key="key", max_retries=1) as anthropic:
            with pytest.raises(APIConnectionError) as caught:
                await anthropic.models.list()
        with (
            OpenAI(base_url=NO_HOST, api_key="key") as openai,
            pytest.raises(BackendError, match=r"model\.invalid"),
        ):
            openai.models.list()

    assert isinstance(caught.value.__cause__, BackendError)
    assert len(refusals.messages) == 1


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
async def test_both_http_libraries(module: Any) -> None:
    """The older and the newer HTTP library are refused alike, asynchronous or not."""
    with only_local_models(ModelTier.WIRE):
        async with module.AsyncClient() as client:
            with pytest.raises(BackendError, match=r"model\.invalid"):
                await client.get(NO_HOST)
        with pytest.raises(BackendError, match=r"model\.invalid"):
            module.get(NO_HOST)


@pytest.mark.parametrize("module", [httpx, httpx2], ids=["httpx", "httpx2"])
async def test_proxy_on_another_machine(module: Any) -> None:
    """A request to this machine that would go through a proxy elsewhere is refused."""
    with only_local_models(ModelTier.WIRE):
        async with module.AsyncClient(proxy="http://proxy.invalid:3128") as client:
            with pytest.raises(BackendError, match=r"proxy\.invalid"):
                await client.get("http://127.0.0.1:9/v1")


async def test_redirect_to_another_machine() -> None:
    """A redirection leads no further than a request."""
    transports = {
        "http://127.0.0.1": httpx2.MockTransport(lambda _: httpx2.Response(302, headers={"Location": NO_HOST}))
    }

    with only_local_models(ModelTier.WIRE):
        async with httpx2.AsyncClient(mounts=transports, follow_redirects=True) as client:
            with pytest.raises(BackendError, match=r"model\.invalid"):
                await client.get("http://127.0.0.1/")


async def test_in_process_transports_are_untouched() -> None:
    """A transport that reaches no network may use any host name, as tests of applications do."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(204))

    with only_local_models(ModelTier.WIRE):
        async with httpx2.AsyncClient(transport=transport) as client:
            response = await client.get("http://app.example/")

    assert response.status_code == 204


async def test_allowed_host_is_reached() -> None:
    """A host that is allowed by name is not refused: it only cannot be found."""
    with only_local_models(ModelTier.WIRE, allowed_hosts=["Model.invalid"]) as refusals:
        async with httpx2.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx2.ConnectError):
                await client.get(NO_HOST)

    assert refusals.messages == ()


async def test_live_tier_lets_other_services_through() -> None:
    """In the tier `live` HTTP is not refused: the host only cannot be found."""
    with only_local_models(ModelTier.LIVE) as refusals:
        async with httpx2.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx2.ConnectError):
                await client.get(NO_HOST)

    assert refusals.messages == ()


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_live_tier_refuses_a_model_that_is_not_in_the_budget(stream: bool) -> None:
    """Nothing of it is sent, nobody would know what it cost, and the error says which model may be asked."""
    sent, model = _answering()

    with only_local_models(ModelTier.LIVE) as refusals, pytest.raises(BackendError) as caught:
        await _ask(model, stream=stream)

    assert sent == []
    assert "a request to 'model.invalid' was refused: in the model tier 'live' only the given model" in str(
        caught.value
    )
    assert refusals.messages == (str(caught.value),)


@pytest.mark.parametrize("instrumented", [False, True], ids=["bare", "instrumented"])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_live_tier_asks_the_model_that_is_in_the_budget(stream: bool, instrumented: bool, tmp_path: Path) -> None:
    """Also where what is prepared is looked at before it is asked; another beside it, or after it, is refused."""
    sent, model = _answering()
    given = BudgetModel(model, Budget(Decimal(1), tmp_path / "costs.json"))

    with only_local_models(ModelTier.LIVE) as refusals:
        await _ask(given, stream=stream, instrumented=instrumented)
        asked, before = len(sent), refusals.messages
        with pytest.raises(BackendError):
            await _ask(model, stream=stream, instrumented=instrumented)

    assert (asked, len(sent)) == (1, 1)
    assert (before, len(refusals.messages)) == ((), 1)


async def test_live_tier_refuses_another_model_while_an_answer_is_read(tmp_path: Path) -> None:
    """A tool of a streamed answer may ask one of its own; who reads is not the request."""
    sent, model = _answering()
    given = BudgetModel(model, Budget(Decimal(1), tmp_path / "costs.json"))

    with only_local_models(ModelTier.LIVE):
        async with given.request_stream([ModelRequest.user_text_prompt("Who?")], None, ModelRequestParameters()):
            with pytest.raises(BackendError, match=r"model\.invalid"):
                await _ask(model)

    assert len(sent) == 1


async def test_live_tier_lets_models_of_this_machine_through(
    wire: WireProvider, make_agent: MakeAgent, two_calls: TwoCalls
) -> None:
    """They cost nothing."""
    wire.expect(two_calls("t1", "Who?"))

    with only_local_models(ModelTier.LIVE) as refusals:
        result = await make_agent(wire).run("Who?")

    assert result.output
    assert refusals.messages == ()


def _answering() -> tuple[list[httpx2.Request], OpenAIChatModel]:
    """A provider's model whose requests are answered before they leave, and those that came so far."""
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        head = {"id": "c1", "created": 1, "model": "gpt-4o"}
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
        said = {"role": "assistant", "content": "Hello."}
        choice = {"index": 0, "finish_reason": "stop"}
        if not json.loads(request.content).get("stream"):
            whole = {**head, "object": "chat.completion", "choices": [{**choice, "message": said}], "usage": usage}
            return httpx2.Response(200, json=whole)
        part = {**head, "object": "chat.completion.chunk", "choices": [{**choice, "delta": said}], "usage": usage}
        body = f"data: {json.dumps(part)}\n\ndata: [DONE]\n\n"
        return httpx2.Response(200, text=body, headers={"content-type": "text/event-stream"})

    client = AsyncOpenAI(
        base_url=NO_HOST, api_key="key", http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    )
    return sent, OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))


async def _ask(model: Model, *, stream: bool = False, instrumented: bool = False) -> None:
    agent = Agent(model, capabilities=[Instrumentation()] if instrumented else [])
    if not stream:
        await agent.run("Who?")
        return
    async with agent.run_stream("Who?") as run:
        await run.get_output()


def test_everything_is_restored() -> None:
    """Afterwards every switch and every method is the one that it was, also after an error."""
    seams = (
        lambda: models.ALLOW_MODEL_REQUESTS,
        lambda: models.Model.prepare_request,
        lambda: httpx2.AsyncHTTPTransport.handle_async_request,
        lambda: httpx2.HTTPTransport.handle_request,
        lambda: httpx.AsyncHTTPTransport.handle_async_request,
        lambda: httpx.HTTPTransport.handle_request,
    )
    before = [seam() for seam in seams]

    with pytest.raises(KeyError), only_local_models(ModelTier.SCRIPTED), only_local_models(ModelTier.WIRE):
        raise KeyError

    assert [seam() for seam in seams] == before


async def test_test_doubles_are_not_refused() -> None:
    """Pydantic AI's own doubles reach nothing, and are let through in every tier."""
    for tier in ModelTier:
        with only_local_models(tier):
            result = await Agent(TestModel()).run("Who?")

        assert result.output


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("LocalHost.", True),
        ("::1", True),
        ("[::1]", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("0.0.0.0", False),
        ("192.168.0.1", False),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    """Only loopback addresses, and `localhost`, are this machine; no name is looked up."""
    assert is_loopback(host) is expected
