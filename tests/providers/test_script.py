"""Which response is due, from the conversation alone."""

import threading
from dataclasses import replace

import pytest

from harness.errors import UsageError
from harness.evidence import FaultSeen
from harness.fault import NOT_SERVED, WireFault, WireFaultKind
from harness.providers.provider import ScriptedResponse, TurnScript
from harness.providers.script import Said, ScriptBook, UnscriptedRequestError, pieces_of
from harness.scenario import TokenUsage

MODEL = Said(by_model=True)


def user(text: str) -> Said:
    return Said(by_model=False, text=text)


def script(turn: str, message: str, *texts: str, tokens: int = 1) -> TurnScript:
    usage = TokenUsage(prompt_tokens=tokens, completion_tokens=0)
    return TurnScript(
        turn=turn,
        message=message,
        responses=tuple(ScriptedResponse(usage=usage, text=text) for text in texts),
    )


@pytest.fixture
def book() -> ScriptBook:
    book = ScriptBook()
    book.expect(script("t1", "Find it", "one", "two"))
    book.expect(script("t2", "Find it now", "three", "four"))
    book.expect(script("t3", "Question 1", "five"))
    return book


@pytest.mark.parametrize(
    ("conversation", "expected"),
    [
        ([user("Find it")], "one"),
        ([user("Find it"), MODEL], "two"),
        ([user("Find it now"), MODEL], "four"),
        ([user("Find it"), MODEL, MODEL, user("Find it now")], "three"),
        ([user("Find it now"), MODEL, user("Find it")], "one"),
        ([user("Find it"), MODEL, user("Please answer in JSON.")], "two"),
        ([user("Context: a, b.\n\nUser: Find it")], "one"),
        ([user("Please: Find it now!")], "three"),
    ],
)
def test_turn_by_message_and_step_by_responses(book: ScriptBook, conversation: list[Said], expected: str) -> None:
    """The last scripted user message names the turn, and the model's responses after it are counted."""
    assert book.due(conversation, offered=()).response.text == expected


@pytest.mark.parametrize(
    "conversation",
    [[], [user("Question 10")], [user("find it")], [user("Find it, and answer Question 1")]],
    ids=["nothing", "longer word", "other case", "two messages"],
)
def test_unknown_or_ambiguous(book: ScriptBook, conversation: list[Said]) -> None:
    """A message that is not a scripted one, or might be two, belongs to no turn."""
    with pytest.raises(UnscriptedRequestError, match=r"scripted are 't1' by 'Find it', 't2' by"):
        book.due(conversation, offered=())


def test_nothing_scripted() -> None:
    """An empty book says so."""
    with pytest.raises(UnscriptedRequestError, match="no turns are scripted"):
        ScriptBook().due([user("Find it")], offered=())


def test_long_list_is_cut() -> None:
    """Of many scripts, the newest are named."""
    book = ScriptBook()
    for number in range(25):
        book.expect(script(f"t{number}", f"Question {number}", "answer"))

    with pytest.raises(UnscriptedRequestError, match=r"scripted are 't15' by .*'t24' by 'Question 24', and 15 more"):
        book.due([user("Find it")], offered=())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (script("t1", " ", "one"), "the script of turn 't1' has an empty message"),
        (script("t1", "Find it"), "the script of turn 't1' has no responses"),
        (
            script("t1", "Find it", "one", ""),
            "response 2 of the script of turn 't1' has neither tool calls nor a text",
        ),
        (script("t1", "Find it", "one", tokens=0), "response 1 of the script of turn 't1' has no tokens"),
    ],
)
def test_script_that_cannot_be_played(wrong: TurnScript, message: str) -> None:
    """A script that no model could follow is refused when it is given, not when it is due."""
    with pytest.raises(UsageError, match=message):
        ScriptBook().expect(wrong)


@pytest.mark.parametrize(
    ("usage", "message"),
    [
        ({"cached_tokens": 8}, "has 8 cached tokens, which are a part of its 7 prompt tokens; give it from 0 to 7"),
        ({"reasoning_tokens": 6}, "has 6 reasoning tokens, which are a part of its 5 completion tokens"),
        ({"cached_tokens": -1}, "has -1 cached tokens"),
    ],
)
def test_usage_that_no_provider_counts(usage: dict[str, int], message: str) -> None:
    """A part of the tokens is not more than the whole."""
    response = ScriptedResponse(usage=TokenUsage(prompt_tokens=7, completion_tokens=5, **usage), text="one")

    with pytest.raises(UsageError, match=message):
        ScriptBook().expect(TurnScript(turn="t1", message="Find it", responses=(response,)))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            WireFault(kind=WireFaultKind.SERVER_ERROR, response=2),
            "the fault 'server_error at response 2' of the script of turn 't1' can never strike: its responses count",
        ),
        (WireFault(kind=WireFaultKind.SERVER_ERROR, response=-1), "can never strike"),
        (WireFault(kind=WireFaultKind.MALFORMED, times=0), "is to strike 0 times; give it at least 1"),
        (WireFault(kind=WireFaultKind.STALL), r"is to last 0\.0 seconds; say for how long"),
        (WireFault(kind=WireFaultKind.STALL, seconds=float("nan")), "is to last nan seconds"),
    ],
)
def test_fault_that_cannot_strike(fault: WireFault, message: str) -> None:
    """A fault that would never come, or not last, is refused when it is given."""
    plain = script("t1", "Find it", "one", "two")

    with pytest.raises(UsageError, match=message):
        ScriptBook().expect(replace(plain, faults=(fault,)))


def test_faults_are_counted_for_each_response() -> None:
    """Each strike takes the next fault of its own response, and only one of the kinds that are asked for."""
    reset = WireFault(kind=WireFaultKind.RESET_IN_ANSWER, response=1)
    limited = WireFault(kind=WireFaultKind.RATE_LIMITED, times=2)
    book = ScriptBook()
    book.expect(replace(script("t1", "Find it", "one", "two"), faults=(reset, limited)))
    first, second = (book.due([user("Find it"), *[MODEL] * step], offered=()) for step in (0, 1))

    strikes = [
        book.strike(second, kinds=NOT_SERVED),
        book.strike(first, kinds=NOT_SERVED),
        book.strike(second),
        book.strike(first),
        book.strike(first),
        book.strike(second),
    ]

    assert strikes == [None, limited, reset, limited, None, None]
    labels = ["rate_limited at response 0", "reset_in_answer at response 1", "rate_limited at response 0"]
    assert book.faults() == tuple(FaultSeen(label=label, turn="t1") for label in labels)


def test_charge_is_delivered_later(book: ScriptBook) -> None:
    """A charge keeps its place on the invoice when its response is said to be delivered; one not billed has none."""
    due = book.due([user("Find it")], offered=())
    first, second = (book.charge(due, model="gpt-4o", stream=False, delivered=False) for _ in range(2))

    book.deliver(book.charge(due, model="gpt-4o", stream=False, delivered=False, billed=False))
    book.deliver(first)

    assert book.invoice() == (replace(first, delivered=True), second)


def test_messages_are_unique(book: ScriptBook) -> None:
    """A message cannot start two turns; the same script may be given twice."""
    book.expect(script("t1", "Find it", "one", "two"))

    with pytest.raises(UsageError, match="the message 'Find it' of turn 't9' already starts turn 't1'"):
        book.expect(script("t9", "Find it", "one", "two"))

    assert book.due([user("Find it")], offered=()).turn == "t1"


def test_invoice_keeps_every_charge(book: ScriptBook) -> None:
    """Charges made by several threads at once are all kept, each under its own identifier."""
    due = book.due([user("Find it")], offered=())
    together = threading.Barrier(8)

    def charge() -> None:
        together.wait(timeout=10)
        for _ in range(200):
            book.charge(due, model="gpt-4o", stream=False)

    threads = [threading.Thread(target=charge) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert len({charge.response_id for charge in book.invoice()}) == 1600


@pytest.mark.parametrize(("text", "expected"), [("", []), ("ab", ["a", "b"]), ("abcdefgh", ["abc", "def", "gh"])])
def test_pieces(text: str, expected: list[str]) -> None:
    """A text is cut into at most three pieces, none of them empty."""
    assert pieces_of(text) == expected
