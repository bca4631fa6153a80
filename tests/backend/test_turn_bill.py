"""A request on the turn's bill ends, whatever goes wrong with it: an open one would hold up the whole bill."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models import StreamedResponse
from pydantic_ai.models.test import TestModel

from fixtures.backend.app.agents.base.billed_model import _end_cut
from fixtures.backend.app.services.bills import Bill, Payer
from fixtures.backend.app.services.spool import Spool
from fixtures.backend.app.services.turn_bill import OpenRequest, TurnBill
from fixtures.backend.app.services.usage_lookup import StoredCompletions, UsageLookup


class BrokenSpool:
    """A spool that fails in a way that nobody foresaw."""

    async def add(self, *_: Any) -> None:
        raise LookupError("no such codec")


@dataclass
class BrokenKeeper:
    spool: Spool
    lookup: UsageLookup
    limit_seconds: float = 2.0

    async def finish(self, bills: Sequence[Bill], requests: Sequence[OpenRequest]) -> None:
        """Nothing."""


class BrokenStream:
    """A stream whose pieces cannot be put together."""

    def get(self) -> ModelResponse:
        raise ValueError("half an answer")


def turn_bill() -> TurnBill:
    keeper = BrokenKeeper(spool=cast("Spool", BrokenSpool()), lookup=StoredCompletions())
    return TurnBill(keeper, cast("Payer", None), row_for_each_answer=False)


async def test_a_request_that_cannot_be_written_for_any_reason_has_ended() -> None:
    """It was never sent."""
    bill = turn_bill()

    with pytest.raises(LookupError):
        await bill.begin(TestModel(), [], None)

    [request] = bill._requests
    assert request.ended.is_set()
    assert request.record.served == ()


def test_a_stream_whose_half_cannot_be_put_together_has_ended() -> None:
    """As one of which nothing came."""
    bill = turn_bill()
    request = bill._open(bill._bill([]), TestModel(), None)

    _end_cut(request, cast("StreamedResponse", BrokenStream()), ConnectionError("cut"))

    assert request.ended.is_set()
    assert request.record.answer is None
