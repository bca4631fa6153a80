"""The tenant in the adapter: which tool plays which role is guessed from what its code calls, arguments from types."""

from collections.abc import Iterator, Sequence

from harness.adoption.code import Bracketed, Element, call, comment, lay, quoted, value
from harness.adoption.found import Agent, Tool
from harness.adoption.page import Page
from harness.scenario import ToolRole

__all__ = ["played_roles", "tenant"]


def tenant(page: Page, agent: Agent) -> list[str]:
    """The lines that define `TENANT`."""
    page.from_package("harness.backend", "Tenant")
    roles = played_roles(agent)
    elements = [Element(f"ToolRole.{role.name}: ", _use(role, tool), (_said(tool),)) for role, tool in roles.items()]
    if roles:
        page.from_package("harness.backend", "ToolUse")
        page.from_package("harness.scenario", "ToolRole")
    tools = Bracketed(opening="{", elements=elements, closing="}")
    lines: list[str] = []
    for remark in _remarks(agent, roles):
        lines += comment(remark)
    return lines + lay("TENANT = ", call("Tenant", account="ACCOUNT", agent="AGENT", tools=tools))


def played_roles(agent: Agent) -> dict[ToolRole, Tool]:
    """Which tool plays which role, as far as can be guessed."""
    usable = [tool for tool in agent.tools if not tool.unclear]
    reads = [tool for tool in usable if tool.deeds.selects and not tool.deeds.writes and not tool.deeds.asks]
    writes = [tool for tool in usable if tool.deeds.adds and tool.deeds.commits and not tool.deeds.rolls_back]
    asks = [tool for tool in usable if tool.deeds.asks and _question(tool)]
    likely = {
        ToolRole.READ: reads[:1],
        ToolRole.SEARCH: reads[1:2],
        ToolRole.FLUSH: [tool for tool in writes if tool.deeds.flushes],
        ToolRole.COMMIT: [tool for tool in writes if not tool.deeds.flushes],
        ToolRole.DELEGATE: asks,
    }
    return {role: tools[0] for role, tools in likely.items() if tools}


def _question(tool: Tool) -> str:
    """The argument that another agent gets as its message."""
    texts = [each.name for each in tool.parameters if each.annotation == "str" and each.required]
    return texts[0] if texts else ""


def _use(role: ToolRole, tool: Tool) -> Bracketed:
    arguments = {each.name: each.example for each in tool.parameters if each.required}
    elements = [Element("tool=", quoted(tool.name))]
    if arguments:
        elements.append(Element("arguments=", value(arguments)))
    if role is ToolRole.DELEGATE:
        elements.append(Element("question=", quoted(_question(tool))))
    return Bracketed(opening="ToolUse(", elements=elements, closing=")")


def _said(tool: Tool) -> str:
    return f"{tool.place}: {_deeds(tool)}"


def _deeds(tool: Tool) -> str:
    done = tool.deeds
    words = [
        word
        for word, holds in (
            ("selects", done.selects),
            ("writes", done.adds),
            ("flushes", done.flushes),
            ("commits", done.commits),
            ("rolls back", done.rolls_back),
            ("may ask the model to try again", done.retries),
            ("runs another agent", bool(done.asks)),
        )
        if holds
    ]
    return ", ".join(words) if words else "calls nothing of the database that was recognised"


def _remarks(agent: Agent, roles: dict[ToolRole, Tool]) -> Iterator[str]:
    """What is said above the tenant: how roles were guessed, and what was not."""
    yield (
        "Which tool does what a role says (see harness.scenario.ToolRole) is a guess, from what its code calls; the "
        "arguments are made up from their types. Scenarios whose roles are missing are reported as not verified."
    )
    played = {tool.name for tool in roles.values()}
    for tool in agent.tools:
        if tool.name not in played:
            unclear = f"; it has arguments that could not be made up ({tool.unclear})" if tool.unclear else ""
            yield f"Without a role: {tool.name} ({tool.place}: {_deeds(tool)}{unclear})."
    for each in agent.unclear:
        yield f"Not followed: {each}."
    if missing := _missing(roles):
        yield f"Without a tool: {', '.join(missing)}."


def _missing(roles: dict[ToolRole, Tool]) -> Sequence[str]:
    return [role.value for role in ToolRole if role not in roles]
