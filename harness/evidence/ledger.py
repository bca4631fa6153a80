"""What the backend wrote of it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

__all__ = ["LedgerGrain", "LedgerRow"]


class LedgerGrain(StrEnum):
    """How many ledger rows a turn leaves: one in all, or one per model response."""

    TURN = "turn"
    REQUEST = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One `llm_requests` row, read through a connection of the harness's own. Unpriced costs are `None`."""

    id: UUID
    session_id: str | None
    account_slug: str | None
    agent_instance_slug: str | None
    provider: str | None
    model: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None
    prompt_cost: Decimal | None
    completion_cost: Decimal | None
    total_cost: Decimal | None
    completion_status: str | None
    created_at: datetime | None
