"""Asking a provider what it served: what may be asked again, and what it does not tell."""

from uuid import uuid4

import httpx2
import pytest
from openai import AsyncOpenAI
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from fixtures.backend.app.services.usage_lookup import (
    LookupRefusedError,
    LookupUnavailableError,
    StoredCompletions,
)


def model(response: httpx2.Response | Exception) -> OpenAIChatModel:
    """A model whose provider answers every request so."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if isinstance(response, Exception):
            raise response
        return response

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    client = AsyncOpenAI(base_url="http://127.0.0.1/v1", api_key="key", http_client=http)
    return OpenAIChatModel("gpt-4o", provider=OpenAIProvider(openai_client=client))


def said(text: str, status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, text=text, headers={"content-type": "application/json"})


@pytest.mark.parametrize(
    "response",
    [
        said('{"data": [{"id": "chatcmpl-1", "choi'),
        said("[]"),
        said('{"data": "none"}'),
        said("{}", status=503),
        said("{}", status=429),
        httpx2.ReadError("the connection was reset"),
    ],
    ids=["cut off", "no page", "no list", "unavailable", "too many requests", "reset"],
)
async def test_an_answer_that_cannot_be_read_may_be_better_next_time(response: httpx2.Response | Exception) -> None:
    """As one that does not come: the bill waits for it."""
    with pytest.raises(LookupUnavailableError):
        await StoredCompletions().find(model(response), uuid4())


async def test_a_refusal_is_final() -> None:
    """It says that nothing will be told."""
    with pytest.raises(LookupRefusedError, match="answered HTTP 404"):
        await StoredCompletions().find(model(said("{}", status=404)), uuid4())


async def test_an_empty_list_says_that_nothing_was_served() -> None:
    """And is no error."""
    empty = said('{"object": "list", "data": [], "has_more": false}')

    assert list(await StoredCompletions().find(model(empty), uuid4())) == []
