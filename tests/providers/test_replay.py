"""A recording answers what it was asked, once, and says of all else what it is."""

import asyncio
import json
from typing import Any

import httpx2
import pytest
from inline_snapshot import snapshot

from harness.providers.cassette import Cassette, Chunk, Exchange, ModelKind, chunk_of
from harness.providers.replay import Replay
from tests.providers.exchanges import Clock, client_of, completion, events, post


def body(question: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": question}], **more}


def exchange(question: str, answer: str, **fields: Any) -> Exchange:
    chunks: tuple[Chunk, ...] = (chunk_of(0.5, json.dumps(completion(answer)).encode()),)
    given = {"status": 200, "headers": {"content-type": "application/json"}, "chunks": chunks, "complete": True}
    return Exchange(method="POST", path="/v1/chat/completions", body=body(question), **(given | fields))


def replay(*exchanges: Exchange, **arguments: Any) -> Replay:
    cassette = Cassette.of(
        exchanges, kind=ModelKind.OPENAI_CHAT, provider="openai", model="gpt-4o", masks=arguments.pop("masks", ())
    )
    return Replay(cassette, name="'duty/warm.json'", environment={}, **arguments)


async def ask(player: Replay, question: Any) -> str:
    """What is answered: the text, or the message of the error."""
    async with client_of(player.transport()) as client:
        _, chunks = await post(client, body(question) if isinstance(question, str) else question)
    answer = json.loads(b"".join(chunks))
    return str(answer["error"]["message"] if "error" in answer else answer["choices"][0]["message"]["content"])


async def test_each_request_gets_its_own_answer_in_any_order() -> None:
    """By what it says, and not by when it comes."""
    player = replay(exchange("Who?", "Dr Example."), exchange("Where?", "Room 2."))

    assert [await ask(player, "Where?"), await ask(player, "Who?")] == ["Room 2.", "Dr Example."]
    assert player.differences == ()


async def test_the_same_question_gets_the_answers_in_their_order() -> None:
    """Each once, and then none."""
    player = replay(exchange("Who?", "First."), exchange("Who?", "Second."))

    assert [await ask(player, "Who?") for _ in range(2)] == ["First.", "Second."]
    assert await ask(player, "Who?") == snapshot(
        "POST /v1/chat/completions was sent, and was not recorded: it is like number 1 of 2 in "
        "'duty/warm.json', and all that are like it have been played; if the application is to ask "
        "this, record it again with --record"
    )


async def test_turns_that_ask_at_the_same_time_get_each_answer_once() -> None:
    """Though all wait for their time together."""
    clock = Clock()
    questions = [f"Question {number % 5}" for number in range(20)]
    recorded = [exchange(question, f"{question}, {number}") for number, question in enumerate(questions)]
    player = replay(*recorded, timed=True, clock=clock, sleep=clock.sleep)

    answers = await asyncio.gather(*(ask(player, question) for question in questions))

    assert sorted(answers) == sorted(f"{question}, {number}" for number, question in enumerate(questions))
    assert all(answer.startswith(question) for answer, question in zip(answers, questions, strict=True))
    assert player.differences == ()


async def test_answers_come_in_their_time() -> None:
    """The head and each chunk when they came, counted from the request; without, nobody waits."""
    chunks = tuple(chunk_of(1.0 + number / 4, chunk) for number, chunk in enumerate(events("On ", "call.")))
    stream = exchange("Who?", "", head_seconds=1.0, chunks=chunks, headers={"content-type": "text/event-stream"})
    clock = Clock(now=50.0)
    timed = replay(stream, timed=True, clock=clock, sleep=clock.sleep)
    async with client_of(timed.transport()) as client:
        assert await post(client, body("Who?")) == (200, events("On ", "call."))
    assert clock.waited == [1.0, 0.25, 0.25, 0.25, 0.25]

    hurried = Clock()
    async with client_of(replay(stream, clock=hurried, sleep=hurried.sleep).transport()) as client:
        assert await post(client, body("Who?")) == (200, events("On ", "call."))
    assert hurried.waited == []


async def test_a_client_that_is_slow_waits_no_longer_for_it() -> None:
    """Times are moments, and not pauses."""
    chunks = (chunk_of(1.0, b"a"), chunk_of(2.0, b"b"))
    clock = Clock()
    player = replay(exchange("Who?", "", chunks=chunks), timed=True, clock=clock, sleep=clock.sleep)

    async with (
        client_of(player.transport()) as client,
        client.stream("POST", "/chat/completions", json=body("Who?")) as response,
    ):
        async for _ in response.aiter_raw():
            clock.advance(0.75)

    assert clock.waited == [1.0, 0.25]


async def test_a_client_that_leaves_has_played_the_entry() -> None:
    """The request was sent, and is not told as one that was not."""
    player = replay(exchange("Who?", "", chunks=tuple(chunk_of(0.1, chunk) for chunk in events("On call."))))

    async with (
        client_of(player.transport()) as client,
        client.stream("POST", "/chat/completions", json=body("Who?")) as response,
    ):
        await anext(response.aiter_raw())

    assert player.differences == ()


async def test_statuses_and_headers_come_back() -> None:
    """A refusal is played like any answer."""
    refused = exchange("Who?", "", status=429, headers={"retry-after": "1", "content-type": "application/json"})

    async with client_of(replay(refused).transport()) as client:
        response = await client.post("/chat/completions", json=body("Who?"))

    assert (response.status_code, response.headers["retry-after"]) == (429, "1")


async def test_an_answer_that_never_came_does_not_come() -> None:
    """The client gets the error of a connection that broke."""
    player = replay(exchange("Who?", "", status=None, chunks=(), complete=False))

    with pytest.raises(httpx2.ReadError, match=r"request 1 of 'duty/warm\.json' was not answered either"):
        await ask(player, "Who?")


# -- what was not recorded ----------------------------------------------------------------------------------------


async def test_a_request_that_was_not_recorded_is_refused_with_the_nearest() -> None:
    """As a provider refuses: with a status and an error object that clients read."""
    player = replay(exchange("Who is on duty?", "Dr Example."), exchange("Where?", "Room 2."), turn_of=lambda: "t1")
    async with client_of(player.transport()) as client:
        response = await client.post("/chat/completions", json=body("Who is on call?", temperature=0.5))

    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["type"], error["code"], error["param"]) == ("invalid_request_error", "not_recorded", None)
    assert error["message"] == snapshot(
        "POST /v1/chat/completions was sent, and was not recorded: the nearest is number 1 of 2 in "
        "'duty/warm.json', which differs at messages[0].content: recorded 'Who is on duty?', sent 'Who "
        "is on call?'; temperature: not recorded, sent 0.5; if the application is to ask this, record "
        "it again with --record"
    )
    (mismatch, *unplayed) = player.differences
    assert (mismatch.message, mismatch.sent, mismatch.turn) == (error["message"], True, "t1")
    assert [(one.message, one.sent) for one in unplayed] == snapshot(
        [
            ("recorded request 1 of 2 in 'duty/warm.json' was not sent: POST /v1/chat/completions", False),
            ("recorded request 2 of 2 in 'duty/warm.json' was not sent: POST /v1/chat/completions", False),
        ]
    )


async def test_many_differences_are_counted() -> None:
    """The first five are told."""
    recorded = exchange("Who?", "").model_copy(update={"body": {f"setting_{number}": 1 for number in range(9)}})

    assert await ask(replay(recorded), {f"setting_{number}": 2 for number in range(9)}) == snapshot(
        "POST /v1/chat/completions was sent, and was not recorded: the nearest is number 1 of 1 in "
        "'duty/warm.json', which differs at setting_0: recorded 1, sent 2; setting_1: recorded 1, sent "
        "2; setting_2: recorded 1, sent 2; setting_3: recorded 1, sent 2; setting_4: recorded 1, sent "
        "2; and 4 more places; if the application is to ask this, record it again with --record"
    )


async def test_another_path_has_nothing_near() -> None:
    """It says so, without what stands behind the `?`."""
    player = replay(exchange("Who?", "Dr Example."))
    async with client_of(player.transport()) as client:
        response = await client.get("/models?api-key=abcdefgh")

    assert response.json()["error"]["message"] == snapshot(
        "GET /v1/models was sent, and was not recorded: none of the 1 requests in 'duty/warm.json' has "
        "this method and path; if the application is to ask this, record it again with --record"
    )


async def test_no_secret_is_told() -> None:
    """Not even what is asked instead of what was recorded."""
    key = "sk-test-0123456789abcdefghij"
    cassette = Cassette.of([exchange("Who?", "")], kind=ModelKind.OPENAI_CHAT, provider="openai", model="gpt-4o")
    player = Replay(cassette, environment={"A_KEY": "another-long-secret"})
    async with client_of(player.transport()) as client:
        await post(client, body(f"My key is {key}, the other another-long-secret"), path=f"/chat/completions/{key}")
        await post(client, body(f"My key is {key}, the other another-long-secret"))

    told = " ".join(difference.message for difference in player.differences)
    assert "My key is ***, the other ***" in told
    assert [secret for secret in (key, "another-long") if secret in told] == []


def with_result(result: str) -> dict[str, Any]:
    called = {"id": "call-1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
    said = [
        {"role": "assistant", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call-1", "content": result},
    ]
    return {"model": "gpt-4o", "messages": [{"role": "user", "content": "Who?"}, *said]}


async def test_other_results_are_no_mismatch_where_a_race_decides_them() -> None:
    """They are noted. Where nothing is shared they are one, and a request that is alike in them comes first."""
    both = [
        exchange("", answer).model_copy(update={"body": with_result(result)})
        for answer, result in (("It failed.", "search failed"), ("Dr Example.", "Dr Example"))
    ]
    strict, lenient, exact = replay(*both), replay(*both, results=False), replay(*both, results=False)

    assert await ask(strict, with_result("search broke")) == snapshot(
        "POST /v1/chat/completions was sent, and was not recorded: the nearest is number 1 of 2 in "
        "'duty/warm.json', which differs at messages[2].content: recorded 'search failed', sent 'search "
        "broke'; if the application is to ask this, record it again with --record"
    )
    assert await ask(lenient, with_result("search broke")) == "It failed."
    assert lenient.mismatches == ()
    assert lenient.notes == snapshot(
        (
            (
                "tools returned something else than was recorded; so often: 1; the first: messages[2].content: "
                "recorded 'search failed', sent 'search broke'"
            ),
        )
    )
    assert await ask(exact, with_result("Dr Example")) == "Dr Example."
    assert exact.notes == ()


async def test_masks_of_the_cassette_hold() -> None:
    """What a user says differs from day to day is not compared."""
    player = replay(exchange("Today is Monday. Who?", "Dr Example."), masks=[r"Today is \w+"])

    assert await ask(player, "Today is Friday. Who?") == "Dr Example."
