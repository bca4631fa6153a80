"""Roles: does the agent offer each tool, does it take its arguments, and does it do to the database what its role says?

Mechanism: for each tenant one turn a role, in which the model calls that tool alone, under the recorders of a
verification. A tool that the agent does not offer is not called.
"""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from harness.backend import Tenant, ToolUse, Violation
from harness.conformance.conversing import Conversing, Heard
from harness.evidence import (
    ErrorRecord,
    ErrorSource,
    OperationKind,
    Record,
    SessionOperation,
    Statement,
    ToolOutcome,
    ToolRun,
)
from harness.observe.observation import ObservedRecords
from harness.scenario import ToolRole
from harness.sql import writes_rows

__all__ = ["Deeds", "deeds_of", "offered_roles", "role_violations"]

_WRITING = frozenset({ToolRole.FLUSH, ToolRole.COMMIT})
_REFUSED = frozenset({ToolRole.ROLLBACK, ToolRole.FAIL})
_SELECTIONS = 3
_WHAT = {
    ToolRole.READ: "selects rows",
    ToolRole.SEARCH: "selects rows",
    ToolRole.FLUSH: "adds a row and flushes it, reads something else, and commits",
    ToolRole.COMMIT: "adds a row and commits at once",
    ToolRole.ROLLBACK: "adds a row that violates a constraint, rolls back, and returns normally",
    ToolRole.FAIL: "runs a statement that the database refuses, and raises",
    ToolRole.RETRY: "asks the model to try again, without a statement",
    ToolRole.DELEGATE: "hands a question to another agent, which asks the model",
    ToolRole.SERIES: "selects rows as often as it is told to",
}


@dataclass(slots=True)
class Deeds:
    """What one tool call did."""

    runs: list[ToolRun] = field(default_factory=list)
    statements: list[Statement] = field(default_factory=list)
    refused: bool = False
    flushed: bool = False

    @property
    def wrote(self) -> bool:
        """Whether it wrote a row."""
        return self.flushed or any(writes_rows(each.sql) for each in self.statements if not each.failed)

    @property
    def raised_type(self) -> str:
        """The type of what it raised; empty if it did not."""
        return next((run.error_type or "" for run in self.runs if run.outcome is ToolOutcome.RAISED), "")

    @property
    def raised(self) -> bool:
        """Whether it raised."""
        return any(run.outcome is ToolOutcome.RAISED for run in self.runs)


def deeds_of(records: ObservedRecords, call: str) -> Deeds:
    """What a call did, by all that was recorded."""
    tools: Record[ToolRun] = records["tools"]
    statements: Record[Statement] = records["statements"]
    operations: Record[SessionOperation] = records["operations"]
    errors: Record[ErrorRecord] = records["errors"]
    own = [each for each in statements if each.tool_call_id == call]
    database = [each for each in errors if each.tool_call_id == call and each.source is ErrorSource.DATABASE]
    return Deeds(
        runs=[run for run in tools if run.tool_call_id == call],
        statements=own,
        refused=bool(database) or any(each.failed for each in own),
        flushed=any(
            each.kind is OperationKind.FLUSH and each.rows > 0 for each in operations if each.tool_call_id == call
        ),
    )


def offered_roles(tenant: Tenant, offered: frozenset[str], part: str) -> tuple[list[ToolRole], list[Violation]]:
    """The roles whose tools the agent offers, and a violation for each other one."""
    found = [role for role in tenant.tools if tenant.tools[role].tool in offered]
    violations = []
    for role, use in tenant.tools.items():
        if use.tool in offered:
            continue
        nearest = difflib.get_close_matches(use.tool, offered, n=1)
        there = ", ".join(map(repr, sorted(offered))) or "no tools"
        violations.append(
            Violation(
                part=f"{part}.tools[ToolRole.{role.name}]",
                seen=f"the agent offers no tool {use.tool!r} to the model; it offers {there}",
                asked="a role names a tool of the tenant's agent",
                change=f"write {nearest[0]!r}" if nearest else "name one of those, or leave the role out",
            )
        )
    return found, violations


def role_violations(conversing: Conversing, heard: Heard, records: ObservedRecords, part: str) -> Iterator[Violation]:
    """What the call of one turn did not do that its role promises."""
    for role, call in heard.calls:
        use = heard.tenant.tools[role]
        where = f"{part}.tools[ToolRole.{role.name}]"
        if heard.failure is not None:
            yield replace(heard.failure, part=where)
            continue
        deeds = deeds_of(records, call)
        retry = conversing.provider.retry_of(call)
        if seen := _lack(role, use, deeds, retry, len(conversing.provider.of(call))):
            asked = f"a tool of the role {role.value!r} {_WHAT[role]}"
            yield Violation(part=where, seen=seen, asked=asked, change=_change(role, use, deeds, retry))


def _lack(role: ToolRole, use: ToolUse, deeds: Deeds, retry: str, delegated: int) -> str:
    """What is missing; empty if nothing is."""
    tool = f"{use.tool!r} with {dict(use.arguments)!r}"
    if role is ToolRole.RETRY:
        return "" if retry else f"{tool} did not ask the model to try again"
    refused_arguments = bool(retry) and deeds.raised_type.endswith("ValidationError")
    if not deeds.runs or refused_arguments:
        refused = f"{use.tool!r} does not take {dict(use.arguments)!r}: {_first_line(retry)}"
        return refused if retry else f"{tool} did not run"
    if role in _REFUSED:
        return _lack_of_refusal(role, tool, deeds)
    if deeds.raised:
        again = f", and asked the model to try again: {_first_line(retry)}" if retry else ""
        return f"{tool} raised {deeds.raised_type or 'an error'}{again}"
    return _lack_of_work(role, use, tool, deeds, delegated)


def _lack_of_work(role: ToolRole, use: ToolUse, tool: str, deeds: Deeds, delegated: int) -> str:
    selected = len(deeds.statements)
    lacks = (
        (role is ToolRole.DELEGATE and not delegated, "did not ask the model the question that it was given"),
        (role is not ToolRole.DELEGATE and not selected, "ran no statement on the application's engine"),
        (role in _WRITING and not deeds.wrote, "wrote no row"),
        (
            role is ToolRole.SERIES and bool(use.operations) and selected < _SELECTIONS,
            f"ran {selected} statements, and was told to select {_SELECTIONS} times",
        ),
    )
    return next((f"{tool} {lack}" for lacking, lack in lacks if lacking), "")


def _lack_of_refusal(role: ToolRole, tool: str, deeds: Deeds) -> str:
    if not deeds.statements and not deeds.refused:
        return f"{tool} ran no statement on the application's engine"
    if not deeds.refused:
        return f"{tool} was refused nothing by the database"
    if role is ToolRole.FAIL and not deeds.raised:
        return f"{tool} did not raise"
    return f"{tool} raised, and did not handle it" if role is ToolRole.ROLLBACK and deeds.raised else ""


def _change(role: ToolRole, use: ToolUse, deeds: Deeds, retry: str) -> str:
    if retry and not deeds.statements and role is not ToolRole.RETRY:
        return "write arguments that fit the tool's parameters"
    if not deeds.statements and role not in {ToolRole.RETRY, ToolRole.DELEGATE}:
        return "give it a session of the application's engine, or leave the role out"
    if use.arguments:
        return "write arguments with which it does that, or leave the role out"
    return "name a tool that does that, or leave the role out"


def _first_line(text: str) -> str:
    lines: Sequence[str] = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines)[:200]
