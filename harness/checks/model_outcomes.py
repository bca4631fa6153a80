"""How a turn ended whose model decides by itself: by an answer, or by the model's doing.

Problem: a real model is refused, is slow, calls tools that there are not, goes on calling tools for ever, or says
nothing. The turn then has no answer, and that says nothing of the application's sessions.

Mechanism: the agent's requests are known where they reach the model (`harness.chosen_calls`): the last one of a turn
that failed says by its HTTP status, or its exception, what became of it; one that had not ended when the turn's time
was up says that the model was too slow. What the agent made of good responses is known by the exceptions of Pydantic
AI that were seen in the turn.

Guarantee: a turn without an answer that nothing of this explains is the application's.
"""

from collections.abc import Iterable
from enum import StrEnum

from harness.checks.classification import names
from harness.errors import MissingEvidence
from harness.evidence import ErrorRecord, Evidence, ModelRequestSeen, Turn

__all__ = ["ModelOutcome", "is_of_the_model", "outcome_of"]


class ModelOutcome(StrEnum):
    """What became of a turn."""

    ANSWERED = "answered"
    WRONG_KEY = "wrong key"
    """The provider refused the key (HTTP 401 or 403)."""
    RATE_LIMITED = "rate limited"
    """The provider refused the request for the number of requests (HTTP 429)."""
    NO_CREDIT = "no credit"
    """The provider refused the request because the account has no quota or credit left (HTTP 402, or so its error)."""
    NO_MODEL = "no such model"
    """The provider has no model of that name, or nothing at that address (HTTP 404)."""
    PROVIDER_FAILED = "provider failed"
    """The provider refused the request for another reason, or its answer could not be read."""
    UNREACHABLE = "unreachable"
    """No connection to the provider."""
    TOO_SLOW = "too slow"
    """The model had not answered when the time of the turn, or of the request, was up."""
    OVER_BUDGET = "over budget"
    """The request was not sent, because it could have cost more than is left."""
    LOOPED = "looped"
    """The model went on calling tools until the application's limit of requests."""
    REFUSED_CALLS = "refused calls"
    """The model called tools that there are not, or with arguments that do not fit, until nobody asked it again."""
    NO_ANSWER = "no answer"
    """The model gave nothing that the agent takes for an answer."""


_STATUSES = {
    401: ModelOutcome.WRONG_KEY,
    402: ModelOutcome.NO_CREDIT,
    403: ModelOutcome.WRONG_KEY,
    404: ModelOutcome.NO_MODEL,
    429: ModelOutcome.RATE_LIMITED,
}
_BUDGET = frozenset({"BudgetExceededError"})
_CREDIT = frozenset({"ModelQuotaExceededError"})
_TIMEOUTS = frozenset(
    {
        "APITimeoutError",
        "ConnectTimeout",
        "ModelRequestTimeout",
        "ModelTimeoutError",
        "PoolTimeout",
        "ReadTimeout",
        "TimeoutError",
        "WriteTimeout",
    }
)
_CONNECTIONS = frozenset(
    {
        "APIConnectionError",
        "ConnectError",
        "ModelAPIError",
        "ModelConnectionError",
        "ReadError",
        "RemoteProtocolError",
        "WriteError",
    }
)
_LIMITS = frozenset({"UsageLimitExceeded"})
_BEHAVIOUR = frozenset(
    {"ContentFilterError", "IncompleteToolCall", "OutputTokenLimitExceeded", "UnexpectedModelBehavior"}
)
_REFUSALS = frozenset(
    {
        "APIStatusError",
        "AuthenticationError",
        "FallbackExceptionGroup",
        "ModelAuthenticationError",
        "ModelContextWindowExceededError",
        "ModelHTTPError",
        "ModelNotFoundError",
        "ModelOverloadedError",
        "ModelRateLimitError",
        "ModelRequestRejectedError",
        "ModelServerError",
        "ModelUnavailableError",
        "RateLimitError",
    }
)
_OF_THE_MODEL = _BUDGET | _CREDIT | (_TIMEOUTS - {"TimeoutError"}) | _CONNECTIONS | _LIMITS | _BEHAVIOUR | _REFUSALS
_SPECIFIC = ((_BUDGET, ModelOutcome.OVER_BUDGET), (_CREDIT, ModelOutcome.NO_CREDIT))
"""What an exception says more exactly than the status that it comes with."""
_GENERAL = (
    (frozenset({"ModelAuthenticationError", "AuthenticationError"}), ModelOutcome.WRONG_KEY),
    (frozenset({"ModelRateLimitError", "RateLimitError"}), ModelOutcome.RATE_LIMITED),
    (frozenset({"ModelNotFoundError"}), ModelOutcome.NO_MODEL),
    (_TIMEOUTS, ModelOutcome.TOO_SLOW),
    (_CONNECTIONS, ModelOutcome.UNREACHABLE),
    (_OF_THE_MODEL, ModelOutcome.PROVIDER_FAILED),
)
"""What it says without one."""


def outcome_of(turn: Turn, evidence: Evidence) -> ModelOutcome | None:
    """What became of a chosen turn; `None` if it has no answer, and that is not the model's doing.

    Raises:
        MissingEvidence: the model's requests, or the errors, were not recorded.
    """
    if not turn.chosen:
        raise MissingEvidence(f"turn {turn.id!r} was not left to a model that decides by itself")
    if turn.answer is not None:
        return ModelOutcome.ANSWERED
    requests = [request for request in evidence.requests if request.turn == turn.id]
    if requests and (failed := _failure(requests[-1], turn)) is not None:
        return failed
    seen = {name for record in evidence.errors if record.turn == turn.id for name in names(record)}
    if seen & _LIMITS:
        return ModelOutcome.LOOPED
    if seen & _BEHAVIOUR:
        return ModelOutcome.REFUSED_CALLS if turn.refused else ModelOutcome.NO_ANSWER
    return None


def is_of_the_model(records: Iterable[ErrorRecord]) -> bool:
    """Whether each of these errors is what a model, or the way to it, makes of a turn."""
    return all(names(record) & _OF_THE_MODEL for record in records)


def _failure(request: ModelRequestSeen, turn: Turn) -> ModelOutcome | None:
    if request.end is None or request.end > turn.interval.end:
        return ModelOutcome.TOO_SLOW if turn.timed_out else None
    if request.error_type is None:
        return None
    name = request.error_type.rpartition(".")[2]
    by_status = _STATUSES.get(request.status or 0)
    return _named(name, _SPECIFIC) or by_status or _named(name, _GENERAL)


def _named(name: str, outcomes: Iterable[tuple[frozenset[str], ModelOutcome]]) -> ModelOutcome | None:
    return next((outcome for names_, outcome in outcomes if name in names_), None)
