"""Where a model decides by itself: what is the model's doing is told, and everything else is a finding."""

from typing import TYPE_CHECKING, Any

import pytest

from harness.checks import Errors, Turns
from harness.evidence import ErrorRecord, ErrorSource, Evidence, ModelRequestSeen, Turn
from harness.verdict import FindingKind, Verdict

if TYPE_CHECKING:
    from tests.checks.conftest import Build

HTTP = "pydantic_ai.exceptions.ModelHTTPError"
API = "pydantic_ai.exceptions.ModelAPIError"
CANCELLED = "asyncio.exceptions.CancelledError"
CONNECT = "httpx2.ConnectError"
GOOD = ModelRequestSeen(turn="t1", start=0.1, end=0.5)
REFUSED = ModelRequestSeen(turn="t1", start=0.6, end=0.9, error_type=HTTP, status=429)
UNREACHABLE = ModelRequestSeen(turn="t1", start=0.6, end=0.9, error_type=API)
UNFINISHED = ModelRequestSeen(turn="t1", start=0.6)


def chosen(build: "Build", **fields: Any) -> Turn:
    """A turn that was left to the model, and that it answered unless the fields say something else."""
    return build.turn(chosen=True, **fields)


def failed(build: "Build", error_type: str = "HTTPException") -> Turn:
    """A turn that ended with the application's error."""
    return chosen(build, answer=None, error="no answer", error_type=error_type)


def seen(
    build: "Build", turn: Turn, *errors: ErrorRecord, requests: tuple[ModelRequestSeen, ...] = (GOOD,)
) -> Evidence:
    """What was seen of one turn."""
    return build.evidence(turn, errors=errors, requests=requests)


def outside(build: "Build", type_: str, message: str = "it went wrong", **fields: Any) -> ErrorRecord:
    """An error of a turn that was in no tool."""
    return build.error(type_, message, **({"tool_call_id": None} | fields))


@pytest.mark.parametrize("type_", ["TypeError", "KeyError", CONNECT, API, "openai.APIConnectionError"])
def test_a_tool_that_raises_is_a_finding(type_: str, build: "Build") -> None:
    """Also if a service of its own cannot be reached, and also where the model's request failed, too."""
    raised = build.error(type_)

    for turn, requests in ((chosen(build), (GOOD,)), (failed(build), (GOOD, UNREACHABLE))):
        (finding,) = Errors()(seen(build, turn, raised, requests=requests)).findings

        assert (finding.kind, finding.tool_call_id) == (FindingKind.UNEXPECTED_ERROR, "a")


def test_a_model_that_a_tool_asks_may_fail(build: "Build") -> None:
    """It is the same model, and its request names the tool."""
    asked = ModelRequestSeen(turn="t1", start=0.6, end=0.9, error_type=API, tool_call_id="a")
    raised = build.error("app.SummaryFailed", chain=(API, CONNECT))

    excused = Errors()(seen(build, chosen(build), raised, requests=(GOOD, asked)))
    other = Errors()(seen(build, chosen(build), build.error("TypeError"), requests=(GOOD, asked)))

    assert (excused.verdict, len(excused.notes)) == (Verdict.PASSED, 1)
    assert other.verdict is Verdict.FAILED


def test_an_application_that_fails_after_a_good_answer_is_found(build: "Build") -> None:
    """By the turn that failed, and by its error."""
    evidence = seen(build, failed(build, "TypeError"), outside(build, "TypeError"))

    assert [finding.kind for finding in Turns()(evidence).findings] == [FindingKind.TURN_FAILED]
    assert [finding.kind for finding in Errors()(evidence).findings] == [FindingKind.UNEXPECTED_ERROR]


def test_an_application_that_hangs_after_a_good_answer_is_found(build: "Build") -> None:
    """The same turn is only noted if it is the model that nobody heard of."""
    turn = chosen(build, answer=None, timed_out=True)
    slow = Turns()(seen(build, turn, requests=(GOOD, UNFINISHED)))

    assert [finding.kind for finding in Turns()(seen(build, turn)).findings] == [FindingKind.TURN_TIMED_OUT]
    assert (slow.findings, slow.notes) == ((), ("turn 't1' has no answer of the model: too slow",))


def test_a_refused_request_and_what_follows_from_it_are_told(build: "Build") -> None:
    """The request's error, the application's that came of it, and a span or a line that only says that it failed."""
    result = Errors()(
        seen(
            build,
            failed(build),
            outside(build, "span.POST /v1/chat/completions", "429", at=0.8, source=ErrorSource.SPAN),
            outside(build, HTTP, "status_code: 429"),
            outside(build, "fastapi.exceptions.HTTPException", "502: no answer", chain=(HTTP,)),
            outside(build, "logging.ERROR", "the assistant is not available", source=ErrorSource.LOGGED),
            requests=(GOOD, REFUSED),
        )
    )

    assert result.verdict is Verdict.PASSED
    assert all(note.startswith("of the model: ") for note in result.notes)


def test_the_error_of_a_turn_that_hides_its_cause_is_told_where_the_model_failed(build: "Build") -> None:
    """The turn has no answer for the model's sake; after a good answer it is a finding."""
    hidden = outside(build, "app.NoAnswerError")

    assert Errors()(seen(build, failed(build, "NoAnswerError"), hidden, requests=(REFUSED,))).findings == ()
    assert Errors()(seen(build, failed(build, "NoAnswerError"), hidden)).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("type_", "fields"),
    [
        ("TypeError", {}),
        ("TypeError", {"chain": (HTTP,)}),
        ("app.BillLost", {}),
        ("sqlalchemy.exc.OperationalError", {"chain": (HTTP,)}),
        ("app.BillLost", {"chain": (HTTP,), "sqlstate": "23505"}),
        ("logging.ERROR", {"at": 0.3, "source": ErrorSource.LOGGED}),
        ("postgresql.ERROR", {"source": ErrorSource.SERVER}),
    ],
)
def test_what_goes_wrong_beside_a_refused_request_is_a_finding(
    type_: str, fields: dict[str, Any], build: "Build"
) -> None:
    """Also if it was raised while the refusal was handled, so that this is among its causes; the refusal is told."""
    refusal = outside(build, HTTP, "status_code: 429")
    beside = outside(build, type_, "the bill cannot be written", **fields)

    result = Errors()(seen(build, failed(build), refusal, beside, requests=(GOOD, REFUSED)))

    assert [finding.message.split(":")[0] for finding in result.findings] == [type_]
    assert [note.split(": ")[1] for note in result.notes] == [HTTP]


def test_a_service_of_the_application_that_cannot_be_reached_is_a_finding(build: "Build") -> None:
    """Its error's class is that of a model that cannot be, but no request to the model failed then."""
    evidence = seen(build, chosen(build), outside(build, CONNECT))
    other = seen(build, chosen(build), outside(build, CONNECT, at=0.95), requests=(UNREACHABLE, GOOD))

    assert Errors()(evidence).verdict is Verdict.FAILED
    assert Errors()(other).verdict is Verdict.FAILED


def test_a_failed_request_that_another_model_answered_is_told(build: "Build") -> None:
    """With what was seen of it below."""
    below = outside(build, CONNECT, "no route", at=0.7)
    own = outside(build, API, "cannot connect", at=0.9)

    result = Errors()(seen(build, chosen(build), below, own, requests=(UNREACHABLE, GOOD)))

    assert (result.verdict, len(result.notes)) == (Verdict.PASSED, 2)


@pytest.mark.parametrize("name", ["UsageLimitExceeded", "UnexpectedModelBehavior"])
def test_what_the_agent_gives_up_for_is_the_model_s(name: str, build: "Build") -> None:
    """An exception of the application's own with that name is not."""
    given_up = outside(build, "app.NoAnswer", chain=(f"pydantic_ai.exceptions.{name}",))
    own = outside(build, f"app.{name}")

    assert Errors()(seen(build, failed(build), given_up)).verdict is Verdict.PASSED
    assert Errors()(seen(build, chosen(build), own)).verdict is Verdict.FAILED


def test_what_becomes_of_a_request_that_is_cut_off_is_told(build: "Build") -> None:
    """The application's error follows from the cancellation; that of an answered request is a finding."""
    turn = chosen(build, answer=None, timed_out=True)
    broken = outside(build, "app.Interrupted", chain=(CANCELLED,), at=9.9)

    assert Errors()(seen(build, turn, broken, requests=(GOOD, UNFINISHED))).verdict is Verdict.PASSED
    assert Errors()(seen(build, turn, broken)).verdict is Verdict.FAILED
