"""How a turn ended whose model decides by itself: by an answer, or by the model's doing.

Problem: a real model is refused, is slow, calls tools that there are not, goes on calling tools for ever, or says
nothing. The turn then has no answer, and that says nothing of the application's sessions.

Mechanism: the agent's requests are known where they reach the model (`harness.chosen_calls`): the last one of a turn
that failed says by its HTTP status, or its exception, what became of it; one that had not ended when the turn's time
was up says that the model was too slow. What the agent made of good responses is known by the exceptions of Pydantic
AI that were seen in the turn.

An error is the model's if it belongs to a request that failed: it is the request's own, it has that among its causes,
or it was seen below while the request was under way. A class's name alone says nothing: a tool has services of its own
that cannot be reached. What the application did wrong while it handled such an error has it among its causes, too: an
error of the database or of the program is never the model's.

Guarantee: a turn without an answer that nothing of this explains is the application's, and so is every other error.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from harness.checks.classification import is_text, names
from harness.errors import MissingEvidence
from harness.evidence import ErrorRecord, ErrorSource, Evidence, ModelRequestSeen, Turn

__all__ = ["ModelOutcome", "is_of_the_model", "is_own_mistake", "outcome_of"]


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
_CUT_OFF = frozenset({"TimeoutError", "asyncio.exceptions.CancelledError"})
"""What becomes of a request that nobody waits for any more."""
_MISTAKES = frozenset(
    {
        "AssertionError",
        "AttributeError",
        "IndexError",
        "KeyError",
        "NameError",
        "NotImplementedError",
        "RecursionError",
        "TypeError",
        "UnboundLocalError",
        "ZeroDivisionError",
    }
)
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


def is_of_the_model(record: ErrorRecord, turn: Turn, evidence: Evidence, *, tool_call_id: str | None = None) -> bool:
    """Whether an error of a chosen turn is what a model, or the way to it, made there.

    Of a running tool, whose call is named, only what became of a request that it made itself to the model is.

    Raises:
        MissingEvidence: the model's requests, or the errors, were not recorded.
    """
    if is_own_mistake(record):
        return False
    requests = [
        request for request in evidence.requests if request.turn == turn.id and request.tool_call_id == tool_call_id
    ]
    failed = [request for request in requests if _failure(request, turn) is not None]
    return (
        any(_belongs_to(record, request) for request in failed)
        or bool(requests and _is_behaviour(record))
        or (tool_call_id is None and _tells_the_end(record, turn, requests, evidence))
    )


def is_own_mistake(record: ErrorRecord) -> bool:
    """Whether it is the database's or the program's, even if it was raised while a failed request was handled."""
    of_the_database = record.sqlstate is not None or record.source in {ErrorSource.DATABASE, ErrorSource.SERVER}
    return of_the_database or record.type in _MISTAKES or record.type.startswith("sqlalchemy.")


def _belongs_to(record: ErrorRecord, request: ModelRequestSeen) -> bool:
    """Whether it is the error of a failed request, follows from it, or is a part of it that was seen below."""
    if record.at < request.start:
        return False
    types = {request.error_type} if request.error_type is not None else _CUT_OFF
    if types & {record.type, *record.chain}:
        return True
    below = request.end is None or record.at <= request.end
    return below and (bool(names(record) & _OF_THE_MODEL) or (record.source is ErrorSource.SPAN and _is_text(record)))


def _is_behaviour(record: ErrorRecord) -> bool:
    """Whether the agent gave up for what the model answered."""
    types = {_simple(name) for name in (record.type, *record.chain) if name.startswith("pydantic_ai.")}
    return bool(types & (_LIMITS | _BEHAVIOUR))


def _tells_the_end(record: ErrorRecord, turn: Turn, requests: Sequence[ModelRequestSeen], evidence: Evidence) -> bool:
    """Whether it only says that the turn has no answer, which is the model's doing: its own error, or mere text."""
    if not requests or outcome_of(turn, evidence) in {ModelOutcome.ANSWERED, None}:
        return False
    own = turn.error_type is not None and _simple(record.type) == _simple(turn.error_type)
    return record.at >= requests[-1].start and (own or _is_text(record))


def _is_text(record: ErrorRecord) -> bool:
    """Whether no exception is known: a log line, or a span, such as that of an HTTP request, that ended badly."""
    return record.source in {ErrorSource.LOGGED, ErrorSource.SPAN} and (is_text(record) or " " in record.type)


def _failure(request: ModelRequestSeen, turn: Turn) -> ModelOutcome | None:
    if request.end is None or request.end > turn.interval.end:
        return ModelOutcome.TOO_SLOW if turn.timed_out else None
    if request.error_type is None:
        return None
    name = _simple(request.error_type)
    by_status = _STATUSES.get(request.status or 0)
    return _named(name, _SPECIFIC) or by_status or _named(name, _GENERAL)


def _named(name: str, outcomes: Iterable[tuple[frozenset[str], ModelOutcome]]) -> ModelOutcome | None:
    return next((outcome for names_, outcome in outcomes if name in names_), None)


def _simple(name: str) -> str:
    return name.rpartition(".")[2]
