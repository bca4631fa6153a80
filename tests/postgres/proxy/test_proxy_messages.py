"""Messages: any split of a stream gives the same ones, what is no message is passed on, and what we build is read."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.postgres.proxy.batches import Batcher
from harness.postgres.proxy.messages import Kind, Message, Reader, error_response, is_last, query, ready, sqlstate

STARTUP = struct.pack("!II", 24, 196608) + b"user\0me\0database"[:14] + b"\0\0"
SSL_REQUEST = struct.pack("!II", 8, 80877103)


def typed(letter: bytes, body: bytes) -> bytes:
    return letter + struct.pack("!I", len(body) + 4) + body


FRONTEND = st.builds(typed, st.sampled_from([bytes([each]) for each in b"QPBEDCSHXpdcfF"]), st.binary(max_size=40))
BACKEND = st.builds(typed, st.sampled_from([bytes([each]) for each in b"RKZCTDEGINSt123sA"]), st.binary(max_size=40))


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(stream) + 1) for cut in cuts} | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(places)]


def read(reader: Reader, parts: list[bytes]) -> list[Message]:
    return [message for part in parts for message in reader.feed(part)]


@given(st.lists(FRONTEND, max_size=8), st.lists(st.integers(min_value=0), max_size=12))
def test_any_split_of_what_a_client_sends_gives_the_same_messages(messages: list[bytes], cuts: list[int]) -> None:
    """Messages do not depend on how the bytes came, and are these bytes."""
    stream = b"".join([SSL_REQUEST, STARTUP, *messages])
    whole = Reader.frontend().feed(stream)
    split = read(Reader.frontend(), pieces(stream, cuts))

    assert split == whole
    assert [message.raw for message in whole] == [SSL_REQUEST, STARTUP, *messages]


@given(st.lists(BACKEND, max_size=8), st.lists(st.integers(min_value=0), max_size=12))
def test_any_split_of_what_a_server_sends_gives_the_same_messages(messages: list[bytes], cuts: list[int]) -> None:
    """The same holds in the other direction."""
    stream = b"".join(messages)
    split = read(Reader.backend(), pieces(stream, cuts))

    assert split == Reader.backend().feed(stream)
    assert [message.raw for message in split] == messages


@given(st.binary(max_size=200), st.lists(st.integers(min_value=0), max_size=12))
def test_nothing_is_changed_or_lost_in_whatever_comes(stream: bytes, cuts: list[int]) -> None:
    """Of any bytes, those that are given on are a beginning, and all of them once the reader is lost."""
    for reader in (Reader.frontend(), Reader.backend()):
        passed = b"".join(message.raw for message in read(reader, pieces(stream, cuts)))

        assert stream.startswith(passed)
        assert reader.lost is None or passed == stream


@given(st.lists(FRONTEND, max_size=8), st.lists(st.integers(min_value=0), max_size=12))
def test_batches_are_the_messages_in_their_order(messages: list[bytes], cuts: list[int]) -> None:
    """What is held until a batch is complete is not changed."""
    batcher, reader = Batcher(), Reader.frontend()
    stream = STARTUP + b"".join([*messages, typed(b"S", b"")])
    batches = [batcher.feed(message) for message in read(reader, pieces(stream, cuts))]

    assert b"".join(batch.raw for batch in batches if batch is not None) == stream


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (typed(b"Q", b"SELECT 1\0") + b"!" + bytes(4), "no message begins with b'!'"),
        (b"D" + struct.pack("!I", 3), "a message of the kind b'D' says that it has 3 bytes"),
        (b"d" + struct.pack("!I", 1001) + b"x" * 9, "a message of the kind b'd' says that it has 1001 bytes"),
    ],
)
def test_what_is_no_message_or_too_long_is_passed_on_unread(stream: bytes, reason: str) -> None:
    """The reader says what it met, and gives it and all that follows as they come."""
    reader = Reader.frontend(maximum=1000)
    messages = read(reader, [STARTUP, stream, b"more"])

    assert reader.lost == reason
    assert [message.kind for message in messages[-2:]] == [Kind.OPAQUE, Kind.OPAQUE]
    assert b"".join(message.raw for message in messages) == STARTUP + stream + b"more"


def test_another_protocol_is_passed_on_unread() -> None:
    """A TLS handshake without a request for it begins no connection that could be read."""
    reader = Reader.frontend()
    hello = bytes.fromhex("16030100c8010000c40303")

    assert reader.feed(hello) == [Message(Kind.OPAQUE, hello, 0)]
    assert reader.lost == "the connection does not begin as version 3 of the protocol does"


def test_a_batch_that_is_too_long_is_let_go() -> None:
    """Messages without an end are not held for ever."""
    batcher = Batcher(maximum=100)
    reader = Reader.frontend()
    reader.feed(STARTUP)
    batches = [batcher.feed(message) for message in reader.feed(typed(b"B", b"x" * 60) * 2)]

    assert batches[0] is None
    assert batches[1] is not None
    assert not batches[1].whole


def test_what_is_built_is_what_is_read() -> None:
    """The proxy's own messages have the fields that clients read."""
    error, end = Reader.backend().feed(error_response("FATAL", "53300", "sorry, too many clients already") + ready("E"))
    reader = Reader.frontend()
    (asked,) = [message for part in (STARTUP, query("SELECT 1")) for message in reader.feed(part)][1:]
    (key,) = Reader.backend().feed(typed(b"K", struct.pack("!II", 4711, 1)))

    assert sqlstate(error) == "53300"
    assert sqlstate(end) is None
    assert (is_last(error), is_last(end)) == (True, False)
    assert (end.kind, end.status) == (Kind.READY_FOR_QUERY, "E")
    assert (asked.kind, asked.texts(1)) == (Kind.QUERY, ("SELECT 1",))
    assert (key.kind, key.number) == (Kind.BACKEND_KEY_DATA, 4711)
