"""What a model may say in place of tool calls, as a JSON schema to which a grammar can hold it.

Problem: a small model does not write tool calls by itself, and a grammar knows less than JSON Schema does: it cannot
count without a bound, end a recursion, or take back what it has let through.

Mechanism: the arguments that each tool accepts are written down again in the few words that grammars have: objects with
known keys, lists, texts and numbers with bounds, constants and alternatives. References are put in place. Around them
stands the choice: one to `MOST_CALLS` calls, or, where the caller allows it, an answer in place of any.

Guarantee: what fits the schema ends. Whatever it lets through of a tool's arguments fits the tool's own schema, but for
what no grammar holds a model to: patterns, the formats of texts other than dates, times and UUIDs, the bounds of
fractions, multiples, distinct items, numbers of keys, `not`, and conditions. An agent refuses such a call, and says so.
Narrower than the tool's own schema are: texts (`MOST_CHARACTERS`) and lists (`MOST_ITEMS`), unless they must be
longer; objects with keys of any name, which get none; times, which have no zone; and recursions, which are entered
once.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai.tools import ToolDefinition

from harness.errors import UsageError

__all__ = [
    "MOST_ANSWER_CHARACTERS",
    "MOST_CALLS",
    "MOST_CHARACTERS",
    "MOST_DEPTH",
    "MOST_ITEMS",
    "MOST_PLACES",
    "MOST_REQUIRED_CHARACTERS",
    "JsonSchema",
    "arguments_schema",
    "choice_schema",
    "example_of",
]

JsonSchema = dict[str, Any]

MOST_CALLS = 3
"""How many tools the model can call at once."""

MOST_CHARACTERS = 40
"""How long a text is at most that has no bound of its own, or a wider one; it need not be as long as that."""

MOST_ITEMS = 3
"""The same for lists."""

MOST_ANSWER_CHARACTERS = 100
"""How long an answer is at most that the model gives in place of calls."""

MOST_REQUIRED_CHARACTERS = 400
"""How long a text can be that must not be shorter: the model's answer ends before many more."""

MOST_PLACES = 2000
"""How many schemas there are at most in a tool's arguments, with references put in place: a grammar of more is slow."""

MOST_DEPTH = 30
"""How deep they are within each other at most."""

_DATE = "20[0-9][0-9]-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"
_FORMATS: Mapping[str, tuple[JsonSchema, str]] = {
    # The server's own grammar of times demands a zone, which a tool that takes local times refuses each time. Most take
    # a time without one; the schema does not tell them from those that do not.
    "date": ({"type": "string", "pattern": f"^{_DATE}$"}, "2026-03-02"),
    "time": ({"type": "string", "pattern": f"^{_TIME}$"}, "09:30"),
    "date-time": ({"type": "string", "pattern": f"^{_DATE}T{_TIME}$"}, "2026-03-02T09:30"),
    "uuid": ({"type": "string", "format": "uuid"}, "3f2504e0-4f89-41d3-9a0c-0305e82c3301"),
}
_EXAMPLES = {tuple(sorted(written.items())): example for written, example in _FORMATS.values()}

_TEXT: JsonSchema = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}
_WORDS = "opening hours"
_ABOUT = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment"})
_TOP = frozenset({"$defs", "definitions", "$schema", "$id"})


def choice_schema(
    tools: Sequence[ToolDefinition], *, answer: bool, results: Sequence[ToolDefinition] = ()
) -> JsonSchema:
    """What the model may say: calls of `tools`, one call of `results`, by which an agent ends, or an answer.

    Calls are `{"calls": [{"tool": …, "arguments": …}, …]}`, an answer is `{"answer": …}`.

    Raises:
        UsageError: the arguments of a tool cannot be written down for a grammar; the text says which, and why.
    """
    alternatives = []
    if tools:
        alternatives.append(_calls(tools, MOST_CALLS))
    if results:
        alternatives.append(_calls(results, 1))
    if answer:
        alternatives.append(_object(answer={"type": "string", "minLength": 1, "maxLength": MOST_ANSWER_CHARACTERS}))
    return _one_of(alternatives)


def arguments_schema(tool: ToolDefinition) -> JsonSchema:
    """The arguments that the model may give to the tool.

    Raises:
        UsageError: they cannot be written down for a grammar; the text says why.
    """
    rewriting = _Rewriting(tool=tool.name, root=tool.parameters_json_schema)
    try:
        written = rewriting.write({"allOf": [{"type": "object"}, tool.parameters_json_schema]}, ())
    except (AttributeError, TypeError, ValueError) as error:
        raise rewriting.refusal(f"it is no JSON Schema ({error})") from error
    if written is None:
        raise rewriting.refusal(f"no object that ends would fit it ({'; '.join(rewriting.reasons[:3])})")
    return written


def example_of(schema: JsonSchema) -> Any:
    """A value that fits a schema which this module wrote, of as few parts as possible."""
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0])
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    return _EXAMPLE_BY_KIND[schema["type"]](schema)


def _example_object(schema: JsonSchema) -> dict[str, Any]:
    return {name: example_of(schema["properties"][name]) for name in schema["required"]}


def _example_array(schema: JsonSchema) -> list[Any]:
    return [example_of(item) for item in schema.get("prefixItems", [schema.get("items")] * schema["minItems"])]


def _example_text(schema: JsonSchema) -> str:
    known = _EXAMPLES.get(tuple(sorted(schema.items())))
    if known is not None:
        return known
    words = _WORDS * math.ceil(int(schema["minLength"]) / len(_WORDS))
    return words[: int(schema["maxLength"])]


def _example_integer(schema: JsonSchema) -> int:
    return int(schema.get("minimum", min(1, schema.get("maximum", 1))))


_EXAMPLE_BY_KIND: Mapping[str, Callable[[JsonSchema], Any]] = {
    "object": _example_object,
    "array": _example_array,
    "string": _example_text,
    "integer": _example_integer,
    "number": lambda _: 1.5,
    "boolean": lambda _: True,
    "null": lambda _: None,
}


def _calls(tools: Sequence[ToolDefinition], most: int) -> JsonSchema:
    items = _one_of([_object(tool={"const": tool.name}, arguments=arguments_schema(tool)) for tool in tools])
    return _object(calls={"type": "array", "items": items, "minItems": 1, "maxItems": most})


def _object(**properties: JsonSchema) -> JsonSchema:
    """An object that has all of these."""
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


def _one_of(alternatives: Iterable[JsonSchema]) -> JsonSchema:
    distinct: list[JsonSchema] = []
    for each in alternatives:
        if each not in distinct:
            distinct.append(each)
    return distinct[0] if len(distinct) == 1 else {"anyOf": distinct}


@dataclass(slots=True, kw_only=True)
class _Rewriting:
    """The rewriting of one tool's arguments; `reasons` says of what nothing was left."""

    tool: str
    root: Mapping[str, Any]
    places: int = 0
    depth: int = 0
    reasons: list[str] = field(default_factory=list)

    def refusal(self, what: str) -> UsageError:
        """That the tool cannot be offered."""
        return UsageError(
            f"the local model cannot be offered the tool {self.tool!r}, because a grammar cannot be made of the schema "
            f"of its arguments: {what}; give the tool a schema that says so in other words, or use another model tier"
        )

    def write(self, schema: Any, within: tuple[str, ...]) -> JsonSchema | None:
        """The schema in a grammar's words; `None` if nothing fits it that ends. `within` are the references on the way.

        Raises:
            UsageError: it is no schema, or too large.
        """
        self.places += 1
        if self.places > MOST_PLACES:
            raise self.refusal(f"it has more than {MOST_PLACES} parts, with its references put in place")
        if self.depth == MOST_DEPTH:
            raise self.refusal(f"it is more than {MOST_DEPTH} parts deep")
        self.depth += 1
        try:
            return self._write(schema, within)
        finally:
            self.depth -= 1

    def _write(self, schema: Any, within: tuple[str, ...]) -> JsonSchema | None:
        if isinstance(schema, bool):
            return dict(_TEXT) if schema else self._nothing("a schema is false")
        if not isinstance(schema, Mapping):
            raise self.refusal(f"{schema!r} stands where a schema must be")
        said = {key: value for key, value in schema.items() if key not in _ABOUT | _TOP and value is not None}
        if "$ref" in said:
            return self.write(*self._resolved(said, within))
        if "const" in schema or "enum" in said:
            return self._write_values(schema)
        for combination in ("allOf", "anyOf", "oneOf"):
            if combination in said:
                return self._write_combined(said, combination, within)
        return self._write_kind(said, within)

    def _write_values(self, schema: Mapping[str, Any]) -> JsonSchema | None:
        if "const" in schema:  # which may be null
            return {"const": schema["const"]}
        return {"enum": list(schema["enum"])} if schema["enum"] else self._nothing("an enum has no values")

    def _target(self, reference: Any) -> Any:
        """What a JSON pointer within the schema (RFC 6901) points to."""
        place: Any = self.root
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise self.refusal(f"it refers to {reference!r}, which is not in it")
        for step in filter(None, reference[1:].split("/")):
            name = step.replace("~1", "/").replace("~0", "~")
            try:
                place = place[int(name)] if isinstance(place, list) else place[name]
            except (LookupError, TypeError, ValueError):
                raise self.refusal(f"it refers to {reference!r}, which is not in it") from None
        return place

    def _write_combined(self, said: JsonSchema, combination: str, within: tuple[str, ...]) -> JsonSchema | None:
        """Parts that must all fit are one schema; of alternatives, each is one with what stands beside them."""
        members = said.pop(combination)
        if not isinstance(members, list) or not members:
            raise self.refusal(f"{members!r} stands where {combination!r} has its schemas")
        if combination == "allOf":
            parts = [said]
            for member in members:
                part, within = self._resolved(member, within)
                parts.append(part)
            return self.write(self._merged(parts), within)
        written = [self._write_alternative(said, member, within) for member in members]
        possible = [each for each in written if each is not None]
        return _one_of(possible) if possible else None

    def _write_alternative(self, said: JsonSchema, member: Any, within: tuple[str, ...]) -> JsonSchema | None:
        if not said:
            return self.write(member, within)
        part, within = self._resolved(member, within)
        return self.write(self._merged([said, part]), within)

    def _resolved(self, part: Any, within: tuple[str, ...]) -> tuple[Any, tuple[str, ...]]:
        """The part with the reference that it may be put in place, and the references on the way, with this one.

        A reference that is on the way already is put in place by a schema that nothing fits.
        """
        while isinstance(part, Mapping) and "$ref" in part:
            reference = part["$ref"]
            if reference in within:
                self._nothing(f"{reference!r} refers to itself")
                return False, within
            beside = {key: value for key, value in part.items() if key not in {"$ref", *_ABOUT}}
            target = self._target(reference)
            part, within = (self._merged([target, beside]) if beside else target), (*within, reference)
        return part, within

    def _merged(self, parts: Sequence[Any]) -> Any:
        """One schema, so that what fits it fits all parts."""
        if any(part is False for part in parts):
            return False
        merged: JsonSchema = {}
        for part in parts:
            if part is True:
                continue
            if not isinstance(part, Mapping):
                raise self.refusal(f"{part!r} stands where a schema must be")
            for key, value in part.items():
                merged[key] = self._both(key, merged[key], value) if key in merged else value
        return merged

    def _both(self, key: str, one: Any, other: Any) -> Any:
        if key in _NOT_MERGED and one != other:
            raise self.refusal(f"two parts that must both fit have a {key!r} each")
        merge = _MERGED.get(key)
        return merge(one, other) if merge is not None else other

    def _write_kind(self, said: JsonSchema, within: tuple[str, ...]) -> JsonSchema | None:
        kind = said.get("type", _implied_type(said))
        if isinstance(kind, list):
            written = [self._write_kind({**said, "type": each}, within) for each in kind]
            possible = [each for each in written if each is not None]
            return _one_of(possible) if possible else self._nothing("a schema is of no type")
        if kind in {"object", "array"}:
            return self._write_object(said, within) if kind == "object" else self._write_array(said, within)
        if kind in {"string", "integer"}:
            return self._write_text(said) if kind == "string" else self._write_integer(said)
        if kind not in {"number", "boolean", "null", None}:
            raise self.refusal(f"there is no type {kind!r}")
        return {"type": kind} if kind is not None else dict(_TEXT)

    def _write_object(self, said: JsonSchema, within: tuple[str, ...]) -> JsonSchema | None:
        properties = said.get("properties", {})
        required = said.get("required", [])
        if not isinstance(properties, Mapping) or not isinstance(required, list):
            raise self.refusal("the keys of an object are not told as JSON Schema does")
        others = said.get("additionalProperties", True)
        known = {**properties, **{name: others for name in required if name not in properties}}
        written = {name: self.write(schema, within) for name, schema in known.items()}
        for name in required:
            if written[name] is None:
                return self._nothing(f"{name!r} is required, and nothing fits it")
        possible = {name: schema for name, schema in written.items() if schema is not None}
        if not possible:
            return {"const": {}}
        return {
            "type": "object",
            "properties": possible,
            "required": [name for name in possible if name in required],
            "additionalProperties": False,
        }

    def _write_array(self, said: JsonSchema, within: tuple[str, ...]) -> JsonSchema | None:
        items = said.get("items", True)
        first = said.get("prefixItems", items if isinstance(items, list) else [])
        if first:
            written = [self.write(each, within) for each in first]
            if any(each is None for each in written):
                return None
            return {"type": "array", "prefixItems": written, "minItems": len(written), "maxItems": len(written)}
        least = int(said.get("minItems", 0))
        most = min(int(said.get("maxItems", MOST_PLACES)), max(least, MOST_ITEMS))
        item = self.write(items, within) if least <= most and most > 0 else None
        if item is None or least > MOST_PLACES:
            return {"const": []} if least == 0 else self._nothing(f"a list needs {least} items, and cannot have them")
        return {"type": "array", "items": item, "minItems": least, "maxItems": most}

    def _write_text(self, said: JsonSchema) -> JsonSchema | None:
        form = _FORMATS.get(str(said.get("format")))
        if form is not None:
            return dict(form[0])
        least = int(said.get("minLength", 0))
        most = min(int(said.get("maxLength", MOST_REQUIRED_CHARACTERS)), max(least, MOST_CHARACTERS))
        if least > most or least > MOST_REQUIRED_CHARACTERS:
            return self._nothing(f"a text must have {least} characters or more")
        return {"type": "string", "minLength": max(least, 1), "maxLength": most} if most else {"const": ""}

    def _write_integer(self, said: JsonSchema) -> JsonSchema | None:
        least = [math.ceil(said["minimum"])] if "minimum" in said else []
        most = [math.floor(said["maximum"])] if "maximum" in said else []
        least += [math.floor(said["exclusiveMinimum"]) + 1] if "exclusiveMinimum" in said else []
        most += [math.ceil(said["exclusiveMaximum"]) - 1] if "exclusiveMaximum" in said else []
        if least and most and max(least) > min(most):
            return self._nothing(f"there is no integer from {max(least)} to {min(most)}")
        bounds = {"minimum": max(least)} if least else {}
        return {"type": "integer", **bounds, **({"maximum": min(most)} if most else {})}

    def _nothing(self, reason: str) -> JsonSchema | None:
        self.reasons.append(reason)
        return None


def _both_properties(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, **other, **{name: {"allOf": [one[name], other[name]]} for name in one if name in other}}


def _both_types(one: Any, other: Any) -> Any:
    kinds, others = ([each] if isinstance(each, str) else list(each) for each in (one, other))
    both = [kind for kind in kinds if kind in others]
    if {"integer", "number"} <= {*kinds, *others} and "integer" not in both:
        both.append("integer")
    return both[0] if len(both) == 1 else both


_MERGED: Mapping[str, Callable[[Any, Any], Any]] = {
    "properties": _both_properties,
    "type": _both_types,
    "required": lambda one, other: [*one, *(name for name in other if name not in one)],
    "enum": lambda one, other: [value for value in one if value in other],
    "allOf": lambda one, other: [*one, *other],
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems"), min),
}
"""How what two schemas say is said by one."""

_NOT_MERGED = frozenset({"anyOf", "oneOf", "const", "items", "prefixItems"})
"""What one schema cannot say twice."""


def _implied_type(said: Mapping[str, Any]) -> str | None:
    if said.keys() & {"properties", "required", "additionalProperties"}:
        return "object"
    return "array" if said.keys() & {"items", "prefixItems"} else None
