"""Tools offered by a grammar: what is sent, what is read back, and what of it reaches the agent, plain and streamed."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from inline_snapshot import snapshot
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, ToolOutput
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from harness.errors import UsageError
from harness.providers.grammar_model import RESULT_CHARACTERS, grammar_model
from tests.providers.served import Served, calls

ANSWER = "Dr. Ada, and bring a list of your medicines."
BOTH = calls(("directory", {"query": "heart"}), ("documents", {"query": "a visit", "limit": 2}))


def directory(query: str, part: Literal["people", "departments"] = "people") -> str:
    """Search the directory.

    More of it.
    """
    if query == "planets":
        raise ModelRetry("There are no planets in the directory.")
    return f"{part} of {query}"


def documents(query: str, limit: int) -> str:
    """Search the documents."""
    return "many words " * 100


def agent(served: Served, **options: Any) -> Agent[None, str]:
    return Agent(grammar_model(served.client), instructions="You are short.", tools=[directory, documents], **options)


async def plain(served: Served) -> tuple[str, list[ModelMessage]]:
    result = await agent(served).run("Who?")
    return result.output, result.all_messages()


async def streamed(served: Served) -> tuple[str, list[ModelMessage]]:
    text = ""
    async with agent(served).run_stream_events("Who?") as events:
        async for event in events:
            match event:
                case PartStartEvent(part=TextPart(content=piece)):
                    text += piece
                case PartDeltaEvent(delta=TextPartDelta(content_delta=piece)):
                    text += piece
    assert events.result is not None
    return text, events.result.all_messages()


@pytest.fixture(params=[plain, streamed], ids=["plain", "streamed"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    function: Callable[..., Any] = request.param
    return function


def called(messages: list[ModelMessage]) -> Iterator[tuple[str, dict[str, Any]]]:
    for message in messages:
        if isinstance(message, ModelResponse):
            yield from ((part.tool_name, part.args_as_dict()) for part in message.tool_calls)


async def test_calls_that_the_model_chose_are_made_and_it_answers_by_their_results(ask: Callable[..., Any]) -> None:
    """The agent sees calls with the server's usage, and then the answer."""
    served = Served(BOTH, ANSWER)

    output, messages = await ask(served)

    assert output == ANSWER
    assert [*called(messages)] == [("directory", {"query": "heart"}), ("documents", {"query": "a visit", "limit": 2})]
    first = messages[1]
    assert isinstance(first, ModelResponse)
    assert (first.usage.input_tokens, first.usage.cache_read_tokens, first.usage.output_tokens) == (40, 30, 8)
    assert (first.provider_name, first.provider_response_id, first.finish_reason) == (
        "local",
        "chatcmpl-0",
        "tool_call",
    )


async def test_what_is_sent(ask: Callable[..., Any]) -> None:
    """No tools, but a list, an example, and a schema; then the history as text after the same beginning."""
    served = Served(BOTH, ANSWER)

    await ask(served)

    choose, answer = served.bodies
    assert not {"tools", "tool_choice"} & (choose.keys() | answer.keys())
    assert (choose["response_format"]["type"], "response_format" in answer) == ("json_schema", False)
    assert (choose["temperature"], choose["seed"], choose["max_tokens"], answer["max_tokens"]) == (0.0, 1, 200, 24)
    assert choose["messages"] == snapshot(
        [
            {
                "role": "system",
                "content": """\
Tools:
directory(query, part): Search the directory.
documents(query, limit): Search the documents.\
""",
            },
            {"role": "system", "content": "You are short."},
            {"role": "user", "content": "What do you have on opening hours?"},
            {
                "role": "assistant",
                "content": '{"calls":[{"tool":"directory","arguments":{"query":"opening hours"}},'
                '{"tool":"documents","arguments":{"query":"opening hours","limit":1}}]}',
            },
            {"role": "user", "content": "directory: 9 to 5"},
            {"role": "assistant", "content": "We are open from 9 to 5."},
            {"role": "user", "content": "Who?"},
        ]
    )
    assert answer["messages"][: len(choose["messages"])] == choose["messages"]
    said, told = answer["messages"][len(choose["messages"]) :]
    assert said == {"role": "assistant", "content": BOTH.replace(": ", ":").replace(", ", ",")}
    assert told["content"].startswith("directory: people of heart\ndocuments: many words many")
    assert len(told["content"].splitlines()[1]) == len("documents: ") + RESULT_CHARACTERS


async def test_the_same_response_has_the_same_call_identifiers() -> None:
    """They follow from the response's own, and differ within it."""
    parameters = ModelRequestParameters(function_tools=[ToolDefinition(name="directory")])
    read = []
    for served in (Served(calls(("directory", {}), ("directory", {}))) for _ in range(2)):
        model = grammar_model(served.client)
        response = await model.request([ModelRequest([UserPromptPart("Who?")])], None, parameters)
        read.append([part.tool_call_id for part in response.tool_calls])

    assert read[0] == read[1]
    assert len(set(read[0])) == 2


async def test_the_model_may_answer_without_a_call(ask: Callable[..., Any]) -> None:
    """Its answer is the agent's."""
    served = Served('{"answer": "Hello."}')

    output, messages = await ask(served)

    assert (output, [*called(messages)]) == ("Hello.", [])


@pytest.mark.parametrize(
    "text",
    ['{"calls": [{"tool": "direct', '{"calls": []}', '{"calls": [{"tool": 1, "arguments": {}}]}', "[]", "Hello."],
)
async def test_what_is_no_choice_stays_what_it_is(text: str, ask: Callable[..., Any]) -> None:
    """A text."""
    output, messages = await ask(Served(text, finish="length"))

    assert (output, [*called(messages)]) == (text, [])


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        (("directory", {"query": "planets"}), 'directory: {"error":"There are no planets in the directory."}'),
        (("documents", {"query": "a visit"}), "documents: "),
        (("stars", {}), "stars: "),
    ],
    ids=["the tool asks again", "unfit arguments", "unknown tool"],
)  # fmt: skip
async def test_a_refused_call_can_be_made_again(
    refused: tuple[str, dict[str, Any]], told: str, ask: Callable[..., Any]
) -> None:
    """The model is told why, and may choose again."""
    again = calls(("directory", {"query": "heart"}))
    served = Served(calls(refused), again, ANSWER)

    output, messages = await ask(served)

    assert output == ANSWER
    assert [*called(messages)] == [refused, ("directory", {"query": "heart"})]
    assert ["response_format" in body for body in served.bodies] == [True, True, False]
    assert served.bodies[1]["messages"][-1]["content"].startswith(told)


async def test_an_agent_that_is_refused_often_enough_gives_up() -> None:
    """As with any model."""
    served = Served(*[calls(("stars", {}))] * 9)

    with pytest.raises(UnexpectedModelBehavior):
        await agent(served).run("Who?")


async def test_in_a_conversation_each_question_may_call_tools() -> None:
    """Also when the history has calls."""
    served = Served(BOTH, ANSWER, BOTH, ANSWER)

    first = await agent(served).run("Who?")
    await agent(served).run("Who else?", message_history=first.all_messages())

    assert ["response_format" in body for body in served.bodies] == [True, False, True, False]


async def test_what_the_application_sets_is_kept() -> None:
    """Its own body, limits and temperature stand beside the schema."""
    served = Served(BOTH, ANSWER)
    settings = ModelSettings(max_tokens=7, temperature=0.5, extra_body={"top_k": 3}, parallel_tool_calls=False)

    await agent(served).run("Who?", model_settings=settings)

    assert {**served.bodies[0], "messages": [], "response_format": {}} == snapshot(
        {
            "model": "smollm2-135m",
            "stream": False,
            "messages": [],
            "max_tokens": 7,
            "seed": 1,
            "temperature": 0.5,
            "top_k": 3,
            "response_format": {},
        }
    )


async def test_without_tools_nothing_is_changed() -> None:
    """An agent behind a tool, for example."""
    served = Served(ANSWER)

    await Agent(grammar_model(served.client), instructions="You are short.").run("Who?")

    (body,) = served.bodies
    assert "response_format" not in body
    assert [message["content"] for message in body["messages"]] == ["You are short.", "Who?"]


async def test_tool_choice_narrows_what_is_offered() -> None:
    """To the tools that it names, or to none; and `required` takes away the answer."""
    parameters = ModelRequestParameters(
        function_tools=[ToolDefinition(name="directory"), ToolDefinition(name="documents")]
    )
    sent: dict[str, Any] = {}
    for choice in ("none", "required", ["documents"]):
        served = Served(ANSWER)
        settings: Any = {"tool_choice": choice}
        await grammar_model(served.client).request([ModelRequest([UserPromptPart("Who?")])], settings, parameters)
        sent[str(choice)] = served.bodies[0].get("response_format")

    assert sent["none"] is None
    assert "answer" not in str(sent["required"])
    assert "directory" not in str(sent["['documents']"])


class Person(BaseModel):
    name: str


async def test_an_agent_whose_answer_is_a_tool_gets_one() -> None:
    """It may be given at once, and must be given in the end."""
    final = calls(("final_result", {"name": "Ada"}))
    served = Served(BOTH, final)
    asked: Agent[None, Person] = Agent(
        grammar_model(served.client), tools=[directory, documents], output_type=ToolOutput(Person)
    )

    result = await asked.run("Who?")

    assert result.output == Person(name="Ada")
    first, last = (body["response_format"]["json_schema"]["schema"] for body in served.bodies)
    assert len(first["anyOf"]) == 2
    assert last == first["anyOf"][1]


async def test_a_tool_of_which_no_grammar_can_be_made_is_named() -> None:
    """Before anything is sent."""
    served = Served(ANSWER)
    parameters = ModelRequestParameters(
        function_tools=[ToolDefinition(name="odd", parameters_json_schema={"type": "string"})]
    )

    with pytest.raises(UsageError, match="cannot be offered the tool 'odd'"):
        await grammar_model(served.client).request([ModelRequest([UserPromptPart("Who?")])], None, parameters)

    assert served.bodies == []


async def test_calls_of_other_models_are_history_too() -> None:
    """Whatever made them, they are written as this model would."""
    served = Served(ANSWER)
    messages: list[ModelMessage] = [
        ModelRequest([UserPromptPart("Who?")]),
        ModelResponse([TextPart("Let me see."), ToolCallPart("directory", {"query": "héart"}, tool_call_id="x")]),
    ]

    await grammar_model(served.client).request(messages, None, ModelRequestParameters())

    assert [message["content"] for message in served.bodies[0]["messages"]] == snapshot(
        [
            "Who?",
            """\
Let me see.

{"calls":[{"tool":"directory","arguments":{"query":"héart"}}]}\
""",
        ]
    )
