"""Which requests are the same, and where two are not."""

from typing import Any

import pytest
from inline_snapshot import snapshot

from harness.providers.cassette import ModelKind
from harness.providers.matching import Likeness, differences

ONE, OTHER = "0b3c1c1e-8f39-4a4b-9c7e-0d6f2b5f9a10", "7e0d6f2b-5f9a-4a4b-8f39-0b3c1c1e9c7e"


def told(recorded: Any, sent: Any, *, kind: ModelKind = ModelKind.OPENAI_CHAT, **arguments: Any) -> list[str]:
    """Every difference between two bodies, as messages have it."""
    likeness = Likeness(kind=kind, masks=arguments.get("masks", ()))
    results = arguments.get("results", True)
    return [str(one) for one in differences(likeness.of(recorded, results=results), likeness.of(sent, results=results))]


def turn(question: str, call: str = "call-1", result: str = "Dr Example") -> dict[str, Any]:
    """A conversation in which a tool was called."""
    called = {"id": call, "type": "function", "function": {"name": "search", "arguments": "{}"}}
    return {
        "model": "gpt-4o",
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "tool_calls": [called]},
            {"role": "tool", "tool_call_id": call, "content": result},
        ],
    }


def test_identifiers_are_compared_by_what_they_stand_for() -> None:
    """Another call has another one; what belongs to which call is still compared."""
    assert told(turn("Who?", "call-1"), turn("Who?", "call_9x")) == []

    swapped = turn("Who?")
    swapped["messages"][2]["tool_call_id"] = "call-2"
    assert told(turn("Who?"), swapped) == snapshot(["messages[2].tool_call_id: recorded '<id 1>', sent '<id 2>'"])


def test_uuids_and_masks_are_taken_out() -> None:
    """The reference of a turn, and what a user says differs by nature."""
    assert told(turn(f"Who? (reference {ONE})"), turn(f"Who? (reference {OTHER})")) == []
    assert told(turn("Today is 1 May. Who?"), turn("Today is 2 May. Who?"), masks=[r"Today is [^.]+"]) == []
    assert told(turn("Today is 1 May. Who?"), turn("Today is 2 May. Who?")) == snapshot(
        ["messages[0].content: recorded 'Today is 1 May. Who?', sent 'Today is 2 May. Who?'"]
    )


def test_what_was_masked_is_equal_to_anything() -> None:
    """A secret of one machine is another text on the next; what stands around it is compared."""
    assert told({"a": "key ***, and *** at last"}, {"a": "key xyz, and that at last"}) == []
    assert told({"a": "***"}, {"a": ""}) == []
    assert told({"a": "key ***, and *** at last"}, {"a": "key xyz at last"}) != []
    assert told({"a": "ab***ba"}, {"a": "aba"}) != []
    assert told({"a": "x"}, {"a": "***"}) != []


@pytest.mark.parametrize(
    ("kind", "recorded", "sent"),
    [
        (ModelKind.OPENAI_CHAT, turn("Who?"), turn("Who?", result="it failed")),
        (
            ModelKind.OPENAI,
            {"input": [{"type": "function_call_output", "call_id": "1", "output": "Dr Example"}]},
            {"input": [{"type": "function_call_output", "call_id": "2", "output": "it failed"}]},
        ),
        (
            ModelKind.ANTHROPIC,
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "Dr"}]}]},
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "tool_result", "tool_use_id": "2", "content": [], "is_error": True}],
                    }
                ]
            },
        ),
        (
            ModelKind.LOCAL,
            {
                "messages": [
                    *(
                        example := [
                            {"role": "system", "content": "Tools:"},
                            {"role": "user", "content": "What is there?"},
                            {"role": "assistant", "content": '{"calls":[]}'},
                            {"role": "user", "content": "Who?"},
                            {"role": "assistant", "content": '{"calls":[]}'},
                        ]
                    ),
                    {"role": "user", "content": "search: Dr Example"},
                ]
            },
            {"messages": [*example, {"role": "user", "content": "search: it failed"}]},
        ),
    ],
    ids=lambda value: value.value if isinstance(value, ModelKind) else "",
)
def test_results_are_compared_unless_they_are_not(kind: ModelKind, recorded: Any, sent: Any) -> None:
    """In every protocol, and nothing else is left out with them."""
    assert told(recorded, sent, kind=kind) != []
    assert told(recorded, sent, kind=kind, results=False) == []


def test_a_question_is_no_result() -> None:
    """Not even where results are told in the user's words, and the example before it has calls."""
    example = [{"role": "user", "content": "What?"}, {"role": "assistant", "content": '{"calls":[]}'}]
    one, other = ({"messages": [*example, {"role": "user", "content": text}]} for text in ("Who?", "Where?"))

    assert told(one, other, kind=ModelKind.LOCAL, results=False) != []


@pytest.mark.parametrize(
    ("recorded", "sent", "expected"),
    [
        ({"temperature": 0}, {}, snapshot(["temperature: recorded 0, not sent"])),
        ({}, {"stream": True}, snapshot(["stream: not recorded, sent True"])),
        ({"stream": 1}, {"stream": True}, snapshot(["stream: recorded 1, sent True"])),
        ({"n": {"a": [1, 2]}}, {"n": {"a": [1]}}, snapshot(["n.a[1]: recorded 2, not sent"])),
        ({"n": {"a": [1]}}, {"n": "a"}, snapshot(["n: recorded {'a': [1]}, sent 'a'"])),
        (None, "text", snapshot(["the body: recorded None, sent 'text'"])),
        (
            {"a": "x" * 500 + "\n\0\u202eone" + "y" * 500},
            {"a": "x" * 500 + "two" + "y" * 500},
            snapshot(
                [
                    (
                        "a: recorded '…xxxxxxxxxxxxxxxxxxxx\\n\\x00\\u202eoneyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…', "
                        "sent '…xxxxxxxxxxxxxxxxxxxxtwoyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy…'"
                    )
                ]
            ),
        ),
        (
            {"a": list(range(100))},
            {"a": None},
            snapshot(["a: recorded [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, …, sent None"]),
        ),
    ],
)
def test_a_difference_says_where_and_what(recorded: Any, sent: Any, expected: list[str]) -> None:
    """In one line, however long or hostile the texts are."""
    assert told(recorded, sent) == expected
