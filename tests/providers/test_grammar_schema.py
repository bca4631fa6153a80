"""What a tool's arguments become for a grammar: whatever the tool, it ends, and fits the tool."""

import enum
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema
import pytest
from annotated_types import Ge, Le, MaxLen, MinLen
from inline_snapshot import snapshot
from pydantic import BaseModel, Field
from pydantic_ai import Tool
from pydantic_ai.tools import ToolDefinition

from harness.errors import UsageError
from harness.providers.grammar_schema import (
    MOST_CHARACTERS,
    MOST_DEPTH,
    arguments_schema,
    choice_schema,
    example_of,
)


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


class Place(BaseModel):
    city: str
    country: Literal["nl", "be"] = "nl"


class Filters(BaseModel):
    near: Place | None = None
    colours: list[Colour] = []
    after: date | None = None


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: Annotated[int, Ge(1), Le(9)]


class Dog(BaseModel):
    kind: Literal["dog"]
    name: Annotated[str, MinLen(2), MaxLen(8)]


class Node(BaseModel):
    name: str
    child: "Node | None" = None
    others: list["Node"] = []


def search(query: str, filters: Filters | None = None, limit: Annotated[int, Field(ge=1, le=10)] = 3) -> None:
    """Search."""


def scalars(word: str, count: int, share: float, sure: bool, nothing: None) -> None: ...


def times(day: date, at: time, moment: datetime, who: UUID) -> None: ...


def animals(one: Annotated[Cat | Dog, Field(discriminator="kind")], many: list[Cat | Dog]) -> None: ...


def lists(names: list[str], pair: tuple[int, str], four: Annotated[list[int], MinLen(4)]) -> None: ...


def maps(words: dict[str, int], anything: Any) -> None: ...


def trees(node: Node) -> None: ...


def nothing() -> None: ...


TOOLS: list[Callable[..., None]] = [search, scalars, times, animals, lists, maps, trees, nothing]


def tool(schema: dict[str, Any], name: str = "tool") -> ToolDefinition:
    return ToolDefinition(name=name, parameters_json_schema=schema)


def definition(function: Callable[..., None]) -> ToolDefinition:
    return Tool(function).tool_def


def one(schema: dict[str, Any], **beside: Any) -> Any:
    """What becomes of the schema of a required argument."""
    return arguments_schema(tool({"type": "object", "properties": {"a": schema}, "required": ["a"], **beside}))[
        "properties"
    ]["a"]


def test_a_nested_model_is_put_in_place_and_bounded() -> None:
    """References, optional arguments, enums, dates and lists stay; what a grammar has no use for goes."""
    assert arguments_schema(definition(search)) == snapshot(
        {
            "type": "object",
            "properties": {
                "query": {"type": "string", "minLength": 1, "maxLength": 40},
                "filters": {
                    "anyOf": [
                        {
                            "type": "object",
                            "properties": {
                                "near": {
                                    "anyOf": [
                                        {
                                            "type": "object",
                                            "properties": {
                                                "city": {"type": "string", "minLength": 1, "maxLength": 40},
                                                "country": {"enum": ["nl", "be"]},
                                            },
                                            "required": ["city"],
                                            "additionalProperties": False,
                                        },
                                        {"type": "null"},
                                    ]
                                },
                                "colours": {
                                    "type": "array",
                                    "items": {"enum": ["red", "green"]},
                                    "minItems": 0,
                                    "maxItems": 3,
                                },
                                "after": {
                                    "anyOf": [
                                        {
                                            "type": "string",
                                            "pattern": "^20[0-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
                                        },
                                        {"type": "null"},
                                    ]
                                },
                            },
                            "required": [],
                            "additionalProperties": False,
                        },
                        {"type": "null"},
                    ]
                },
                "limit": {"type": "integer", "minimum": 1, "maximum": 10},
            },
            "required": ["query"],
            "additionalProperties": False,
        }
    )


@pytest.mark.parametrize("function", TOOLS)
def test_the_example_fits_the_schema_and_the_tool(function: Callable[..., None]) -> None:
    """It is a value of both."""
    offered = definition(function)
    written = arguments_schema(offered)

    example = example_of(written)

    jsonschema.validate(example, written)
    jsonschema.validate(example, offered.parameters_json_schema)
    Tool(function).function_schema.validator.validate_python(example)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ({}, {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}),
        ({"type": "string", "maxLength": 3}, {"type": "string", "minLength": 1, "maxLength": 3}),
        ({"type": "string", "minLength": 90}, {"type": "string", "minLength": 90, "maxLength": 90}),
        ({"type": "string", "maxLength": 0}, {"const": ""}),
        ({"type": "string", "pattern": "^(?=x)"}, {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}),
        ({"const": None}, {"const": None}),
        ({"enum": ["a", None, 1]}, {"enum": ["a", None, 1]}),
        ({"type": ["integer", "null"]}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 2.5},
         {"type": "integer", "minimum": 1, "maximum": 2}),
        ({"type": "number", "multipleOf": 0.5, "minimum": 3}, {"type": "number"}),
        ({"allOf": [{"type": "integer", "minimum": 1}, {"maximum": 5}, {"minimum": 2}]},
         {"type": "integer", "minimum": 2, "maximum": 5}),
        ({"oneOf": [{"minimum": 1}, {"maximum": 0}], "type": "integer"},
         {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "integer", "maximum": 0}]}),
        ({"anyOf": [False, {"type": "null"}]}, {"type": "null"}),
        ({"type": "array", "items": False}, {"const": []}),
        ({"type": "array", "maxItems": 2, "uniqueItems": True},
         {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS},
          "minItems": 0, "maxItems": 2}),
        ({"items": [{"type": "null"}]},
         {"type": "array", "prefixItems": [{"type": "null"}], "minItems": 1, "maxItems": 1}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"const": {}}),
        ({"properties": {'"\\n': {"type": "null"}, "never": False}, "required": ['"\\n']},
         {"type": "object", "properties": {'"\\n': {"type": "null"}}, "required": ['"\\n'],
          "additionalProperties": False}),
        ({"required": ["x"], "additionalProperties": {"type": "null"}},
         {"type": "object", "properties": {"x": {"type": "null"}}, "required": ["x"], "additionalProperties": False}),
    ],
)  # fmt: skip
def test_each_kind(given: dict[str, Any], written: dict[str, Any]) -> None:
    """In a grammar's words."""
    assert one(given) == written


@pytest.mark.parametrize(
    ("root", "arguments"),
    [
        ({}, {"const": {}}),
        ({"type": ["object", "null"]}, {"const": {}}),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"b": {"type": "null"}}}}}, ["b"]),
        ({"anyOf": [{"properties": {"a": {"type": "null"}}}, {"type": "null"}]}, ["a"]),
    ],
)
def test_arguments_are_an_object(root: dict[str, Any], arguments: Any) -> None:
    """Whatever else the schema allows beside one."""
    written = arguments_schema(tool(root))

    assert (written if isinstance(arguments, dict) else [*written["properties"]]) == arguments


def test_a_recursion_is_entered_once() -> None:
    """What may be left out is left out, and a list that may be empty is."""
    assert arguments_schema(definition(trees)) == snapshot(
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 40},
                "child": {"type": "null"},
                "others": {"const": []},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    )


ENDLESS = {"$defs": {"a": {"type": "object", "properties": {"b": {"$ref": "#/$defs/a"}}, "required": ["b"]}}}
DOUBLING = {
    "$defs": {
        f"d{n}": {"type": "object", "properties": {k: {"$ref": f"#/$defs/d{n + 1}"} for k in "ab"}} for n in range(11)
    }
    | {"d11": {"type": "null"}}
}


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("given", "beside", "reason"),
    [
        ({"$ref": "#/$defs/a"}, ENDLESS, "would fit it ('#/$defs/a' refers to itself; "),
        ({"allOf": [{"$ref": "#/$defs/a"}]}, ENDLESS, "refers to itself"),
        ({"$ref": "#/$defs/d0"}, DOUBLING, "it has more than 2000 parts"),
        ({"$ref": "#/$defs/none"}, {}, "it refers to '#/$defs/none', which is not in it"),
        ({"$ref": "https://example.org/schema"}, {}, "it refers to 'https://example.org/schema', which is not in it"),
        (deep(2 * MOST_DEPTH), {}, "it is more than 30 parts deep"),
        ({"enum": []}, {}, "an enum has no values"),
        ({"type": "wish"}, {}, "there is no type 'wish'"),
        ({"type": "integer", "minimum": 3, "maximum": 2}, {}, "there is no integer from 3 to 2"),
        ({"type": "string", "minLength": 5000}, {}, "a text must have 5000 characters or more"),
        ({"type": "array", "minItems": 1, "items": False}, {}, "a list needs 1 items, and cannot have them"),
        ({"allOf": [{"type": "integer"}, {"type": "string"}]}, {}, "a schema is of no type"),
        ({"type": "string", "maxLength": "many"}, {}, "it is no JSON Schema (invalid literal for int()"),
        ("text", {}, "'text' stands where a schema must be"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_is_refused(given: Any, beside: dict[str, Any], reason: str) -> None:
    """With the tool's name, the reason, and what to do."""
    with pytest.raises(UsageError) as refused:
        one(given, **beside)

    assert "cannot be offered the tool 'tool'" in str(refused.value)
    assert reason in str(refused.value)
    assert "use another model tier" in str(refused.value)


def test_the_choice_is_calls_a_result_or_an_answer() -> None:
    """As many of them as there are."""
    none, null = tool({}, "none"), tool({"properties": {"a": {"type": "null"}}}, "null")

    assert choice_schema([none, null], answer=True, results=[none]) == snapshot(
        {
            "anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "calls": {
                            "type": "array",
                            "items": {
                                "anyOf": [
                                    {
                                        "type": "object",
                                        "properties": {"tool": {"const": "none"}, "arguments": {"const": {}}},
                                        "required": ["tool", "arguments"],
                                        "additionalProperties": False,
                                    },
                                    {
                                        "type": "object",
                                        "properties": {
                                            "tool": {"const": "null"},
                                            "arguments": {
                                                "type": "object",
                                                "properties": {"a": {"type": "null"}},
                                                "required": [],
                                                "additionalProperties": False,
                                            },
                                        },
                                        "required": ["tool", "arguments"],
                                        "additionalProperties": False,
                                    },
                                ]
                            },
                            "minItems": 1,
                            "maxItems": 3,
                        }
                    },
                    "required": ["calls"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {
                        "calls": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"tool": {"const": "none"}, "arguments": {"const": {}}},
                                "required": ["tool", "arguments"],
                                "additionalProperties": False,
                            },
                            "minItems": 1,
                            "maxItems": 1,
                        }
                    },
                    "required": ["calls"],
                    "additionalProperties": False,
                },
                {
                    "type": "object",
                    "properties": {"answer": {"type": "string", "minLength": 1, "maxLength": 100}},
                    "required": ["answer"],
                    "additionalProperties": False,
                },
            ]
        }
    )
    assert choice_schema([none], answer=False) == choice_schema([none], answer=True)["anyOf"][0]
