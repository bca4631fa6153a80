"""What was asked of the model, what it answered, what that costs, and what went wrong on the way."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Charge", "FaultSeen", "ModelRequestSeen", "ModelResponseSeen", "ReplayDifference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One line of the provider's invoice: what it served, to which turn, and the tokens that it counted.

    `cached_tokens`, which a cache had, and `cache_write_tokens`, which went into one, are parts of the prompt's, at
    prices of their own; `reasoning_tokens` are a part of the completion's. `delivered` is false for what the provider
    knows not to have reached the client whole. `untold` is the reason why it is not known what the provider counted, if
    it is not: the tokens are then 0, and mean nothing.
    """

    response_id: str
    turn: str
    provider: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    served_at: datetime
    stream: bool = False
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    delivered: bool = True
    cache_write_tokens: int = 0
    untold: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSeen:
    """A fault that was carried out: its label (`harness.fault`), and the turn that it struck, where that is known."""

    label: str
    turn: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResponseSeen:
    """One model response as the agent saw it."""

    turn: str | None
    response_id: str | None
    model: str | None
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequestSeen:
    """One request of the agent's to a model that decides by itself which tools it calls.

    `start` and `end` are seconds of the run's clock; without an `end` nobody waited for it any more, or it had not
    ended with the turn. `status` is the HTTP status by which the provider refused it. `tool_call_id` names the tool
    call that made it, if a tool did.
    """

    turn: str | None
    start: float
    end: float | None = None
    error_type: str | None = None
    status: int | None = None
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayDifference:
    """Where a recorded model was not asked what it was asked when it was recorded, in a sentence.

    A request was `sent` that was not recorded, in the turn, if it is known; or one that was recorded was not sent.
    """

    message: str
    sent: bool
    turn: str | None = None
