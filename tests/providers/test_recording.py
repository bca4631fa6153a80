"""What is recorded is what the application got, without secrets, and it gets it as if nobody recorded."""

import asyncio
import gzip
import json
from pathlib import Path

import httpx2
import pytest

from harness.errors import ConfigurationError
from harness.providers.cassette import Cassette, ModelKind, content_of, read_cassette, write_cassette
from harness.providers.recording import Recording
from harness.providers.replay import Replay
from tests.providers.exchanges import PATH, Clock, Reply, Server, client_of, completion, events, post, streamed

ASKED = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Who is on duty?"}]}
KEY = "sk-test-0123456789abcdefghij"
PLAIN = Reply(chunks=[(0.5, json.dumps(completion()).encode())])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "duty" / "shared-warm.json"


def text_of(path: Path) -> str:
    return path.read_text(encoding="ascii")


def names_beside(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.iterdir()]


async def played(cassette: Cassette, body: object = None) -> tuple[int, list[bytes]]:
    """What a replay of the cassette answers."""
    async with client_of(Replay(cassette, environment={}).transport()) as client:
        return await post(client, ASKED if body is None else body)


async def test_a_plain_answer_goes_through_and_comes_back(path: Path) -> None:
    """The application's, the cassette's and the replay's are the same bytes."""
    clock = Clock()
    recording = Recording(path, environment={}, clock=clock)
    async with client_of(recording.transport(Server(PLAIN, clock=clock))) as client:
        live = await post(client, ASKED)

    cassette = read_cassette(path)
    (exchange,) = cassette.exchanges

    assert live == (200, [chunk for _, chunk in PLAIN.chunks])
    assert (exchange.method, exchange.path, exchange.status) == ("POST", "/v1/chat/completions", 200)
    assert cassette.body_of(exchange) == ASKED
    assert (exchange.head_seconds, [chunk[0] for chunk in exchange.chunks]) == (1.0, [1.5])
    assert (cassette.kind, cassette.provider, cassette.model) == (ModelKind.OPENAI_CHAT, "openai", "gpt-4o")
    assert cassette.host == "api.example.com"
    assert exchange.complete
    assert await played(cassette) == live


async def test_a_stream_is_handed_on_as_it_comes(path: Path) -> None:
    """The server sends no second chunk before the client has the first."""
    had = asyncio.Semaphore(0)
    recording = Recording(path, environment={})
    server = Server(streamed(events("On ", "call."), between=had.acquire))

    async with (
        asyncio.timeout(10),
        client_of(recording.transport(server)) as client,
        client.stream("POST", "/chat/completions", json=ASKED) as response,
    ):
        chunks = []
        async for chunk in response.aiter_raw():
            chunks.append(chunk)
            had.release()

    assert chunks == events("On ", "call.")
    assert await played(read_cassette(path)) == (200, chunks)


async def test_the_time_of_each_chunk_is_kept(path: Path) -> None:
    """Counted from when the request was sent."""
    clock = Clock(now=100.0)
    recording = Recording(path, environment={}, clock=clock)
    async with client_of(recording.transport(Server(streamed(events("a", "b")), clock=clock))) as client:
        await post(client, ASKED)

    (exchange,) = read_cassette(path).exchanges

    assert [chunk[0] for chunk in exchange.chunks] == [1.25, 1.5, 1.75, 2.0, 2.25]


async def test_a_stream_that_breaks_off_is_incomplete(path: Path) -> None:
    """The application gets its error, and so does whoever plays it."""
    chunks = events("On ", "call.")[:1]
    recording = Recording(path, environment={})
    server = Server(streamed(chunks, error=httpx2.RemoteProtocolError("peer closed connection")))
    async with client_of(recording.transport(server)) as client:
        with pytest.raises(httpx2.RemoteProtocolError, match="peer closed"):
            await post(client, ASKED)

    cassette = read_cassette(path)

    assert [content_of(chunk) for chunk in cassette.exchanges[0].chunks] == chunks
    assert not cassette.exchanges[0].complete
    with pytest.raises(httpx2.ReadError, match="broke off here"):
        await played(cassette)


async def test_a_client_that_leaves_in_the_middle_leaves_an_incomplete_entry(path: Path) -> None:
    """With what it had until then; the connection to the provider is given up, too."""
    server = Server(streamed(events("On ", "call.")))
    async with (
        client_of(Recording(path, environment={}).transport(server)) as client,
        client.stream("POST", "/chat/completions", json=ASKED) as response,
    ):
        await anext(response.aiter_raw())

    (exchange,) = read_cassette(path).exchanges

    assert (len(exchange.chunks), exchange.complete, server.left) == (1, False, 1)


async def test_a_client_that_leaves_after_the_last_event_had_the_whole(path: Path) -> None:
    """Clients stop reading there, before the connection says that it ends."""
    server = Server(streamed(events("On call.")))
    async with (
        client_of(Recording(path, environment={}).transport(server)) as client,
        client.stream("POST", "/chat/completions", json=ASKED) as response,
    ):
        async for chunk in response.aiter_raw():
            if b"[DONE]" in chunk:
                break

    assert read_cassette(path).exchanges[0].complete


async def test_a_request_without_an_answer_is_recorded(path: Path) -> None:
    """It was sent; played again, it gets none either."""

    async def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no network", request=request)

    recording = Recording(path, environment={})
    async with client_of(recording.transport(httpx2.MockTransport(refuse))) as client:
        with pytest.raises(httpx2.ConnectError):
            await post(client, ASKED)

    cassette = read_cassette(path)

    assert cassette.exchanges[0].status is None
    with pytest.raises(httpx2.ReadError, match="was not answered either"):
        await played(cassette)


async def test_what_is_interrupted_is_written(path: Path) -> None:
    """A task that is cancelled in the middle of an answer leaves what there was, when its client is closed."""
    began = asyncio.Event()
    never = asyncio.Event()

    async def wait() -> None:
        began.set()
        await never.wait()

    async def ask() -> None:
        transport = Recording(path, environment={}).transport(Server(streamed(events("On call."), between=wait)))
        async with client_of(transport) as client:
            await post(client, ASKED)

    task = asyncio.create_task(ask())
    await began.wait()
    task.cancel()
    await asyncio.wait({task})

    (exchange,) = read_cassette(path).exchanges
    assert task.cancelled()
    assert (len(exchange.chunks), exchange.complete) == (1, False)
    assert names_beside(path) == [path.name]


async def test_without_a_request_the_file_is_what_it_was(path: Path) -> None:
    """A run that is stopped before its first turn does not destroy a recording."""
    await recorded_text(path, PLAIN, ASKED, environment={})
    before = text_of(path)
    server = Server()
    async with client_of(Recording(path, environment={}).transport(server)):
        pass

    assert text_of(path) == before
    assert server.closed


async def test_the_masks_that_a_user_wrote_are_kept(path: Path) -> None:
    """When the cassette is recorded again."""
    write_cassette(path, Cassette.of([], kind=ModelKind.OPENAI_CHAT, provider="openai", model="", masks=["Today.*"]))
    async with client_of(Recording(path, environment={}).transport(Server(PLAIN))) as client:
        await post(client, ASKED)

    assert read_cassette(path).masks == ("Today.*",)


async def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """With its name, and why."""
    await recorded_text(tmp_path / "duty", PLAIN, ASKED, environment={})
    recording = Recording(tmp_path / "duty" / "shared-warm.json", environment={})
    client = client_of(recording.transport(Server(PLAIN)))
    await post(client, ASKED)

    with pytest.raises(ConfigurationError, match=r"the recording cannot be written to '.*shared-warm\.json'"):
        await client.aclose()


# -- secrets ------------------------------------------------------------------------------------------------------


async def recorded_text(
    path: Path,
    reply: Reply,
    body: object,
    *,
    environment: dict[str, str],
    url: str = PATH,
    headers: dict[str, str] | None = None,
) -> str:
    async with client_of(Recording(path, environment=environment).transport(Server(reply))) as client:
        await post(client, body, path=url, headers=headers)
    return text_of(path)


ELSEWHERE = 'a "quoted"/key\\of a kind'


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_secrets_appear_nowhere_in_the_file(path: Path, *, stream: bool) -> None:
    """Whether they were in the environment, in headers, in the URL, in the request or in the answer."""
    spoken = f"The key is {KEY}, the token {'t0ken-' * 4}, the other {ELSEWHERE}, and password=hunter2x."
    body = {**ASKED, "user": f"me:{KEY}", "metadata": {"api_key": "in-a-mapping", "note": f"x{KEY}y {ELSEWHERE}"}}
    reply = streamed(events(spoken)) if stream else Reply(chunks=[(0.1, json.dumps(completion(spoken)).encode())])
    hidden = Reply(
        chunks=reply.chunks,
        headers={**reply.headers, "set-cookie": "crumbs-of-a-session", "openai-organization": "org-of-somebody"},
    )

    text = await recorded_text(
        path,
        hidden,
        body,
        environment={"OTHER_API_KEY": ELSEWHERE},
        headers={"Authorization": f"Bearer {KEY}", "Cookie": "cookie-of-a-session", "X-Own": "header-of-its-own"},
        url=f"/chat/completions?api-key={'t0ken-' * 4}&other=parameter-of-its-own",
    )

    secrets = [
        KEY,
        "t0ken-t0ken",
        "hunter2x",
        "in-a-mapping",
        "crumbs-of",
        "org-of",
        "cookie-of",
        "header-of",
        "parameter-of",
    ]
    assert [secret for secret in (*secrets, "quoted") if secret in text] == []
    assert "The key is ***" in text


async def test_a_secret_that_is_spelled_over_several_events_is_masked(path: Path) -> None:
    """In no event is the whole of it; the text that they make together is masked where it begins."""
    pieces = ["The key is ", KEY[:9], KEY[9:15], KEY[15:], "."]
    reply = streamed(events(*pieces))

    text = await recorded_text(path, reply, ASKED, environment={}, headers={"Authorization": f"Bearer {KEY}"})

    _, chunks = await played(read_cassette(path))
    told = [json.loads(chunk.removeprefix(b"data: ")) for chunk in chunks[:-1]]
    said = "".join(event["choices"][0]["delta"].get("content", "") for event in told if event["choices"])
    assert said == "The key is ***."
    assert [piece for piece in pieces[1:4] if piece in text] == []


async def test_a_secret_that_is_cut_by_a_chunk_is_masked(path: Path) -> None:
    """Chunks end anywhere; a line comes when its last byte came."""
    (line, *rest) = events(f"The key is {KEY}.")
    cut = line.index(KEY.encode()) + 7
    reply = streamed([line[:cut], line[cut:], *rest])

    text = await recorded_text(path, reply, ASKED, environment={}, headers={"Authorization": f"Bearer {KEY}"})

    assert KEY[:7] not in text
    assert KEY[7:] not in text
    (exchange,) = read_cassette(path).exchanges
    assert exchange.chunks[0][1] == line.replace(KEY.encode(), b"***").decode()


async def test_a_body_without_secrets_stays_as_it_is(path: Path) -> None:
    """Byte for byte, also where it is unusual."""
    content = b'{ "id":1.0,"id" : 1e3,\r\n"\\u00e9": "\xc3\xa9", "x":"\\ud83d" }'
    environment = {"OTHER_API_KEY": "another-secret"}

    await recorded_text(path, Reply(chunks=[(0.1, content)]), ASKED, environment=environment)

    assert (await played(read_cassette(path)))[1] == [content]


async def test_a_body_that_is_compressed_all_the_same_is_recorded_as_it_is_read(path: Path) -> None:
    """The provider is asked not to; secrets could hide in it."""
    packed = gzip.compress(json.dumps(completion(f"It is {KEY}.")).encode())
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    server = Server(Reply(chunks=[(0.1, packed[:20]), (0.1, packed[20:])], headers=headers))
    async with client_of(Recording(path, environment={"A_KEY": KEY}).transport(server)) as client:
        response = await client.post("/chat/completions", json=ASKED)

    (exchange,) = read_cassette(path).exchanges

    assert server.requests[0].headers["accept-encoding"] == "identity"
    assert KEY in response.text
    assert json.loads(content_of(exchange.chunks[0])) == completion("It is ***.")
    assert "content-encoding" not in exchange.headers


@pytest.mark.parametrize(
    "content",
    [
        b"x" * 1_000_000,
        b"\x00\x01\x1f",
        b"\xff\xfe\xc3(\xed\xa0\x80",
        "\u202eevil\u200f \u2028 naïve ☃ 🏥".encode(),
        b"",
        b"[" * 100_000,
        b'{"a": "\\ud800"}',
    ],
    ids=["1 MB", "NUL", "invalid UTF-8", "right to left", "empty", "deep", "half a pair"],
)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_hostile_answers_come_back_as_they_were(path: Path, content: bytes, *, stream: bool) -> None:
    """The file stays ASCII."""
    halves = [half for half in (content[: len(content) // 2], content[len(content) // 2 :]) if half]
    reply = streamed(halves) if stream else Reply(chunks=[(0.1, half) for half in halves])

    text = await recorded_text(path, reply, ASKED, environment={"A_TOKEN": "another-secret"})

    assert text.isascii()
    assert await played(read_cassette(path)) == (200, halves)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\x00 no JSON",
        b'{"a": "\\ud800 \\u0000"}',
        b"[" * 100_000,
        json.dumps({"messages": [{"content": "\u202e" + "x" * 1_000_000}]}).encode(),
        b'"a text"',
    ],
    ids=["empty", "no text", "half a pair", "deep", "1 MB", "a text"],
)
async def test_hostile_requests_are_found_again(path: Path, body: bytes) -> None:
    """Whatever an application sends is recorded, and known when it is sent again."""
    await recorded_text(path, PLAIN, body, environment={})

    assert await played(read_cassette(path), body) == (200, [chunk for _, chunk in PLAIN.chunks])
