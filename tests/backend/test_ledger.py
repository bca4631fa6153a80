"""What is billed, and how exactly."""

from decimal import Decimal
from uuid import UUID

import pytest
from dirty_equals import IsDatetime, IsInt

from fixtures.backend.app.seed_data import account_id, agent_instance_id
from fixtures.backend.app.settings import LedgerGrain
from tests.backend.conftest import Start
from tests.backend.product import SEARCH_DIRECTORY, SEARCH_DOCUMENTS, script


async def test_a_turn_is_one_row_to_the_last_digit(start: Start) -> None:
    """Tokens and dollars are the sum of the turn's two requests; the tenant's columns say whose they are."""
    product = await start(script(SEARCH_DIRECTORY, SEARCH_DOCUMENTS))

    answer = await product.ask()
    [row] = await product.rows("llm_requests")

    bodies = {"request_body": row["request_body"], "response_body": row["response_body"]}
    assert row == bodies | {
        "id": UUID(answer["llm_request_id"]),
        "session_id": UUID(answer["conversation_id"]),
        "provider": "function",
        "model": "gpt-4o",
        "prompt_tokens": 520,
        "completion_tokens": 80,
        "total_tokens": 600,
        "prompt_cost": Decimal("0.0013"),
        "completion_cost": Decimal("0.0008"),
        "total_cost": Decimal("0.0021"),
        "latency_ms": IsInt(ge=0),
        "agent_instance_id": agent_instance_id("wyckoff", "simple-chat-1"),
        "account_id": account_id("wyckoff"),
        "account_slug": "wyckoff",
        "agent_instance_slug": "simple-chat-1",
        "agent_type": "simple_chat",
        "completion_status": "complete",
        "created_at": IsDatetime,
    }
    assert len(row["request_body"]["messages"]) == 1
    assert len(row["response_body"]["responses"]) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_grain_request_gives_a_row_for_each_request(start: Start, *, stream: bool) -> None:
    """Two requests to the model are two rows, plain or streamed; the answer names the last."""
    product = await start(script(SEARCH_DIRECTORY), ledger_grain=LedgerGrain.REQUEST)

    answer = (await product.stream())[-1][1] if stream else await product.ask()
    rows = sorted(await product.rows("llm_requests"), key=lambda row: row["created_at"])

    assert len(rows) == 2
    assert rows[-1]["id"] == UUID(answer["llm_request_id"])
    assert [len(row["request_body"]["messages"]) for row in rows] == [1, 3]
    assert all(row["total_cost"] == row["prompt_cost"] + row["completion_cost"] > 0 for row in rows)


async def test_grain_request_bills_each_request_as_counted(start: Start) -> None:
    """Each row has its own request's tokens and dollars."""
    product = await start(script(SEARCH_DIRECTORY), ledger_grain=LedgerGrain.REQUEST)

    await product.ask()
    rows = sorted(await product.rows("llm_requests"), key=lambda row: row["created_at"])

    assert [(row["prompt_tokens"], row["completion_tokens"], row["total_cost"]) for row in rows] == [
        (120, 30, Decimal("0.0006")),
        (400, 50, Decimal("0.0015")),
    ]


async def test_an_unpriced_model_costs_null(start: Start) -> None:
    """A price that is not known is no price, and not nothing."""
    product = await start(script(SEARCH_DIRECTORY, model_name="house-model-1"))

    await product.ask()
    [row] = await product.rows("llm_requests")

    assert (row["prompt_cost"], row["completion_cost"], row["total_cost"]) == (None, None, None)
    assert row["total_tokens"] == 600
