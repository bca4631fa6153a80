"""Where a backend's tenants, and the tools that play their roles, are not as the protocol has them."""

import json
from collections.abc import Iterator, Mapping, Sequence

from harness.backend.nearest import advice
from harness.backend.protocol import Tenant, ToolUse
from harness.backend.reading import shown_value
from harness.backend.violation import Violation
from harness.scenario import ToolRole

__all__ = ["tenants_violations"]


def tenants_violations(value: object) -> Iterator[Violation]:
    """Everything that is wrong with `tenants`."""
    asked = "it is a sequence of harness.backend.Tenant, one at least"
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence):
        seen = f"it is a {type(value).__name__}"
        yield Violation(part="tenants", seen=seen, asked=asked, change="write (Tenant(...),)")
        return
    if not value:
        change = "name at least one, with the tools of its agent"
        yield Violation(part="tenants", seen="there are no tenants", asked=asked, change=change)
    known: dict[tuple[str, str], int] = {}
    for number, tenant in enumerate(value):
        part = f"tenants[{number}]"
        if not isinstance(tenant, Tenant):
            seen = f"it is {_described(tenant)}"
            yield Violation(
                part=part, seen=seen, asked=asked, change="write Tenant(account=..., agent=..., tools={...})"
            )
            continue
        yield from _tenant(part, tenant)
        first = known.setdefault((str(tenant.account), str(tenant.agent)), number)
        if first != number:
            yield Violation(
                part=part,
                seen=f"it has the account {tenant.account!r} and the agent {tenant.agent!r}, as tenants[{first}] has",
                asked="each tenant is another customer, or another agent of one",
                change="leave one out: a scenario with more users takes the tenants again from the first",
            )


def _tenant(part: str, tenant: Tenant) -> Iterator[Violation]:
    fields: Mapping[str, object] = {"account": tenant.account, "agent": tenant.agent, "message": tenant.message}
    for name, value in fields.items():
        if not isinstance(value, str) or not value.strip():
            yield Violation(
                part=f"{part}.{name}",
                seen=f"it is {value!r}",
                asked="it is a text that is not empty",
                change="write one",
            )
    rejected: object = tenant.rejected_answer
    if not isinstance(rejected, str):
        yield Violation(
            part=f"{part}.rejected_answer",
            seen=f"it is {rejected!r}",
            asked="it is a text that the agent does not accept as an answer",
            change="write it, or leave it out if the agent accepts any",
        )
    questions: object = tenant.questions
    if isinstance(questions, str) or not isinstance(questions, Sequence) or not all(map(_is_text, questions)):
        yield Violation(
            part=f"{part}.questions",
            seen=f"it is {questions!r}",
            asked="it is a sequence of texts, what users ask",
            change="write them in parentheses or brackets, with a comma after each",
        )
    yield from _tools(f"{part}.tools", tenant.tools)


def _tools(part: str, tools: object) -> Iterator[Violation]:
    if not isinstance(tools, Mapping):
        yield Violation(
            part=part,
            seen=f"it is a {type(tools).__name__}",
            asked="it says by which tool each role is played",
            change="write {ToolRole.READ: ToolUse(tool=...), ...}",
        )
        return
    for role, use in tools.items():
        if not isinstance(role, ToolRole):
            yield Violation(
                part=part,
                seen=f"{role!r} is {_described(role)}",
                asked="its keys are members of harness.scenario.ToolRole",
                change=advice(role, ToolRole),
            )
        elif not isinstance(use, ToolUse):
            yield Violation(
                part=f"{part}[{_name(role)}]",
                seen=f"it is {_described(use)}",
                asked="a role is played by a harness.backend.ToolUse",
                change="write ToolUse(tool=..., arguments={...})",
            )
        else:
            yield from _use(f"{part}[{_name(role)}]", role, use)
    yield from _alike(part, {role: use for role, use in tools.items() if isinstance(use, ToolUse)})


def _use(part: str, role: ToolRole, use: ToolUse) -> Iterator[Violation]:
    if not _is_text(use.tool) or not use.tool.strip():
        yield Violation(
            part=f"{part}.tool", seen=f"it is {use.tool!r}", asked="it is the tool's name", change="write that"
        )
    arguments: object = use.arguments
    if not isinstance(arguments, Mapping):
        seen = f"it is a {type(arguments).__name__}"
        yield Violation(part=f"{part}.arguments", seen=seen, asked="it maps names to values", change="write a dict")
    else:
        for name, value in arguments.items():
            if problem := _no_json(name, value):
                yield Violation(
                    part=f"{part}.arguments[{name!r}]",
                    seen=problem,
                    asked="a model sends arguments as JSON",
                    change="write it as the model would: a text, number, list, object, true, false or null",
                )
    if role is ToolRole.DELEGATE and not use.question:
        yield Violation(
            part=f"{part}.question",
            seen="it is empty",
            asked="it names the argument that the other agent gets as its user message",
            change="write that argument's name, or leave the role out",
        )


def _alike(part: str, tools: Mapping[object, ToolUse]) -> Iterator[Violation]:
    """Roles that cannot be told apart: by definition, or because the same call is to play both."""
    players: dict[str, object] = {}
    for role, use in tools.items():
        first = players.setdefault(repr((use.tool, use.arguments)), role)
        if first is not role:
            yield Violation(
                part=part,
                seen=f"{use.tool!r} with the same arguments plays {_name(first)} and {_name(role)}",
                asked="each role does something else",
                change="leave out the role that this call does not play, or give it other arguments",
            )
    read, search = tools.get(ToolRole.READ), tools.get(ToolRole.SEARCH)
    if read and search and read.tool == search.tool and read.arguments != search.arguments:
        yield Violation(
            part=part,
            seen=f"{read.tool!r} plays both ToolRole.READ and ToolRole.SEARCH",
            asked="the two are two tools, which select rows side by side",
            change="name another tool for ToolRole.SEARCH, or leave it out",
        )


def _no_json(name: object, value: object) -> str:
    """What keeps it out of JSON; empty if nothing does."""
    if not isinstance(name, str):
        return f"its name is {_described(name)}"
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        return f"{_described(value)} is no JSON ({error})"
    return ""


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _described(value: object) -> str:
    shown = shown_value(value)
    return f"a {type(value).__name__} ({shown if len(shown) <= 60 else shown[:60] + '...'})"  # noqa: PLR2004  # a line


def _name(role: object) -> str:
    return f"ToolRole.{role.name}" if isinstance(role, ToolRole) else repr(role)
