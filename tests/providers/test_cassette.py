"""The file of a recording: small, the same for the same, and refused with what to do if it is none."""

import json
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from harness.errors import ConfigurationError, UsageError
from harness.providers.cassette import (
    Cassette,
    Exchange,
    ModelKind,
    cassette_path,
    chunk_of,
    content_of,
    read_cassette,
    write_cassette,
)
from harness.scenario import PoolState, SessionMode

TOOLS = [{"type": "function", "function": {"name": "search", "description": "Looks into it. " * 8, "strict": True}}]


def exchange(question: str, **body: Any) -> Exchange:
    asked = {"model": "gpt-4o", "tools": TOOLS, "messages": [{"role": "user", "content": question}], **body}
    return Exchange(
        method="POST",
        path="/v1/chat/completions",
        body=asked,
        status=200,
        headers={"content-type": "application/json"},
        head_seconds=0.25,
        chunks=(chunk_of(0.5, b'{"id": "1"}'),),
        complete=True,
    )


def cassette(*exchanges: Exchange) -> Cassette:
    return Cassette.of(exchanges, kind=ModelKind.OPENAI_CHAT, provider="openai", model="gpt-4o", host="api.example.com")


def test_the_file_has_one_thing_a_line() -> None:
    """What most requests have in common stands there once; a request that lacks some of it says so."""
    made = cassette(exchange("Who?"), exchange("Where?", stream=True), exchange("When?", tools=[]))

    assert made.text == snapshot("""\
{
 "common": {
  "model": "gpt-4o",
  "tools": [
   {
    "function": {
     "description": "Looks into it. Looks into it. Looks into it. Looks into it. Looks into it. Looks into it. Looks into it. Looks into it. ",
     "name": "search",
     "strict": true
    },
    "type": "function"
   }
  ]
 },
 "exchanges": [
  {
   "body": {"messages": [{"content": "Who?", "role": "user"}]},
   "chunks": [[0.5, "{\\"id\\": \\"1\\"}"]],
   "complete": true,
   "head_seconds": 0.25,
   "headers": {"content-type": "application/json"},
   "method": "POST",
   "path": "/v1/chat/completions",
   "status": 200,
   "without": []
  },
  {
   "body": {"messages": [{"content": "Where?", "role": "user"}], "stream": true},
   "chunks": [[0.5, "{\\"id\\": \\"1\\"}"]],
   "complete": true,
   "head_seconds": 0.25,
   "headers": {"content-type": "application/json"},
   "method": "POST",
   "path": "/v1/chat/completions",
   "status": 200,
   "without": []
  },
  {
   "body": {"messages": [{"content": "When?", "role": "user"}], "tools": []},
   "chunks": [[0.5, "{\\"id\\": \\"1\\"}"]],
   "complete": true,
   "head_seconds": 0.25,
   "headers": {"content-type": "application/json"},
   "method": "POST",
   "path": "/v1/chat/completions",
   "status": 200,
   "without": []
  }
 ],
 "host": "api.example.com",
 "kind": "openai-chat",
 "masks": [],
 "model": "gpt-4o",
 "provider": "openai",
 "schema_version": 1
}
""")  # noqa: E501 - what does not fit into a line of the file


def test_requests_are_whole_again(tmp_path: Path) -> None:
    """Also those that have less, or something else, than what most have in common, or no JSON at all."""
    exchanges = [
        exchange("Who?"),
        exchange("Where?"),
        exchange("When?", tools=None),
        exchange("Why?").model_copy(update={"body": {"messages": []}}),
        exchange("").model_copy(update={"body": None}),
        exchange("").model_copy(update={"body": "no JSON"}),
    ]
    write_cassette(tmp_path / "a" / "b.json", cassette(*exchanges))

    read = read_cassette(tmp_path / "a" / "b.json")

    assert [read.body_of(one) for one in read.exchanges] == [one.body for one in exchanges]
    assert read == cassette(*exchanges)


def test_what_they_have_in_common_makes_the_file_small() -> None:
    """A request adds what it says, and not the tools."""
    few, many = (len(cassette(*[exchange(f"Question {number}") for number in range(count)]).text) for count in (2, 12))

    assert many - few < 10 * 500
    assert len(json.dumps(TOOLS)) > 200


@pytest.mark.parametrize("content", [b"", b"text", "naïve ☃".encode(), b"\xff\x00", "☃".encode()[:2]])
def test_chunks_are_bytes(content: bytes) -> None:
    """Also those that are no text, or half a character."""
    chunk = chunk_of(0.12345, content)

    assert content_of(chunk) == content
    assert chunk[0] == 0.123
    made = cassette(exchange("Who?").model_copy(update={"chunks": (chunk,)}))
    assert Cassette.model_validate_json(made.text) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", snapshot("was cut short: it ends in the middle of line 1")),
        (
            '{"schema_version": 1, "exchanges": [{"method": "PO',
            snapshot("was cut short: it ends in the middle of line 1"),
        ),
        (
            "<html>\n" + "<p>Not found</p>" * 9,
            snapshot("is not the recording of a model: it is no JSON (line 1: Expecting value)"),
        ),
        ("[]", snapshot("is not the recording of a model: it has no exchanges")),
        ('{"log": {"version": "1.2"}}', snapshot("is not the recording of a model: it has no exchanges")),
        (
            '{"schema_version": 2, "exchanges": []}',
            snapshot("is a recording of version 2, and here they have version 1"),
        ),
        ('{"exchanges": []}', snapshot("is a recording without a version, and here they have version 1")),
        (
            '{"schema_version": 1, "exchanges": [], "kind": "local", "provider": "local"}',
            snapshot("is not the recording of a model: at model: Field required"),
        ),
        (
            '{"schema_version": 1, "exchanges": [], "kind": "local", "provider": "local", "model": "", "masks": ["("]}',
            snapshot(
                "is not the recording of a model: at masks: Value error, '(' is no regular expression: missing "
                "), unterminated subpattern at position 0"
            ),
        ),
        ("[" * 100_000, snapshot("is not the recording of a model: it is no JSON")),
    ],
    ids=["empty", "cut", "html", "list", "har", "newer", "no version", "no model", "no expression", "deep"],
)
def test_what_is_no_cassette_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """With what is wrong with it, and what to do."""
    path = tmp_path / "warm.json"
    path.write_text(text)

    with pytest.raises(ConfigurationError) as caught:
        read_cassette(path)

    advice = "; record it again with --record, or name another folder"
    assert str(caught.value).endswith(advice)
    assert str(caught.value).removeprefix(f"{str(path)!r} ").removesuffix(advice) == message


def test_every_place_at_which_a_file_can_be_cut_is_told(tmp_path: Path) -> None:
    """No part of a cassette is taken for one."""
    text = cassette(exchange("Who?"), exchange("Where?")).text.rstrip()
    path = tmp_path / "warm.json"
    for length in range(1, len(text), 7):
        path.write_text(text[:length])

        with pytest.raises(
            ConfigurationError, match=r"was cut short: it ends in the middle of line \d+; record it again"
        ):
            read_cassette(path)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A folder, no text, and what is not there."""
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")

    for name, message in [("binary.json", "it is no JSON"), (".", "cannot be read"), ("none.json", "cannot be read")]:
        with pytest.raises(ConfigurationError, match=message):
            read_cassette(tmp_path / name)


def test_each_cell_has_a_place() -> None:
    """Which is below the folder, whatever the scenario is called."""
    assert cassette_path(Path("f"), "two_tools", SessionMode.SHARED, PoolState.COLD) == Path(
        "f/two_tools/shared-cold.json"
    )
    for name in ("", "..", "../other", "a/b", "/etc", ".hidden", "a\\b", "a\0b"):
        with pytest.raises(UsageError, match="cannot be recorded"):
            cassette_path(Path("f"), name, SessionMode.SHARED, PoolState.COLD)
