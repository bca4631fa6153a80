"""`send` of the adapter: a message goes in where users' messages do, or to the agent itself."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.adoption.choice import Choices
from harness.adoption.code import INDENT, Bracketed, Code, Element, call, comment, docstring, lay, quoted, value
from harness.adoption.found import Entry, Kind, Parameter, Returned, Route, Survey, Way
from harness.adoption.given import MADE_UP, Given, is_passed
from harness.adoption.page import Page

__all__ = ["Sending"]

_BODY = INDENT * 2
_LOOKED_UP = "No field of the answer was recognised as the identifier of the row that bills it: the row is looked up."
_LOOKED_UP_OF_TEXT = "The answer is read as a text: the row that bills it is looked up."
_REMARKS: Mapping[Kind, Sequence[str]] = {
    Kind.EXAMPLE: (MADE_UP,),
    Kind.WHOLE: ("It can also answer in pieces: what is read is a whole answer.",),
}


@dataclass(slots=True, kw_only=True)
class Sending:
    """Writes the method, and knows afterwards whether the turn's rows can name it."""

    page: Page
    survey: Survey
    choices: Choices
    given: Given = field(init=False)

    def __post_init__(self) -> None:
        self.given = Given(page=self.page, survey=self.survey, choices=self.choices)

    @property
    def names_turn(self) -> bool:
        """Whether the project is told the conversation's identifier, or tells its own."""
        return self.given.knows_conversation or bool(self._returned.conversation)

    @property
    def _returned(self) -> Returned:
        way = self.choices.route or self.choices.entry
        return way.returned if way is not None else Returned()

    def method(self) -> list[str]:
        """`send`, without what is said of the bill (`answer` does that)."""
        route, entry = self.choices.route, self.choices.entry
        lines = [f"{INDENT}async def send(self, request: ChatRequest) -> Answer:"]
        agent = self.choices.agent
        if route is not None:
            said, place, body = "Post one message, as users do.", route.place, self._posted(route)
        elif entry is not None:
            said, place, body = "Give one message to the project's own function.", entry.place, self._called(entry)
        else:
            said, place, body = "Run the agent for one message.", agent.place, self._ran()
        lines += docstring(said, indent=_BODY)
        lines += comment(place, indent=_BODY)
        if "turns" in self.page.needs:
            lines.append(f"{_BODY}_turn.set(request.conversation_id)")
        return lines + body

    def _posted(self, route: Route) -> list[str]:
        lines = self._path(route)
        options: list[Element] = []
        if route.body:
            options.append(Element("json=", self._body(route)))
        for name, parameters in (("params", route.query), ("headers", route.headers)):
            given_by_hand = name == "headers" and (route.unknown or route.lost)
            if not given_by_hand and any(is_passed(each) for each in parameters):
                options.append(Element(f"{name}=", self._fields(parameters, route)))
        if route.unknown or route.lost:
            options.append(Element("headers=", self.page.todo("headers", _asked(route))))
        request = Bracketed(
            opening=f"self.client.{route.method}(", elements=[Element("", "path"), *options], closing=")"
        )
        self.page.needs.add("client")
        lines += self._run("response = await ", request)
        self.page.from_package("harness.errors", "BackendError")
        failed = 'f"the application answered HTTP {response.status_code}: {response.text}"'
        lines.append(f"{_BODY}if response.is_error:")
        lines += lay("raise ", call("BackendError", failed), indent=_BODY + INDENT)
        if not self._returned.text:
            return [*lines, *self._answer("response.text")]
        lines.append(f"{_BODY}answer = response.json()")
        return [*lines, *self._answer(self._part(self._returned.text, by_key=True), by_key=True)]

    def _path(self, route: Route) -> list[str]:
        template = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.url)
        if not route.path_parameters:
            return [f"{_BODY}path = {quoted(template)}"]
        self.page.from_package("urllib.parse", "quote")
        parts: list[Element] = []
        for each in route.path_parameters:
            told = self._json(each, route)
            parts.append(Element(f"{each.name}=", told if isinstance(told, Bracketed) else f"quote(str({told}))"))
        made = Bracketed(opening=f"{quoted(template)}.format(", elements=parts, closing=")")
        return lay("path = ", made, indent=_BODY)

    def _body(self, route: Route) -> Code:
        """One part stands by itself, unless it is embedded; of several each has its name."""
        parts = [
            self._json(part.value, route) if part.fields is None else self._fields(part.fields, route)
            for part in route.body
        ]
        if len(parts) == 1 and not route.embedded:
            return parts[0]
        names = [part.value.sent_as or part.value.name for part in route.body]
        elements = [Element(f"{quoted(name)}: ", code) for name, code in zip(names, parts, strict=True)]
        return Bracketed(opening="{", elements=elements, closing="}")

    def _fields(self, parameters: Sequence[Parameter], route: Route) -> Code:
        passed = [each for each in parameters if is_passed(each)]
        elements = [
            Element(
                f"{quoted(each.sent_as or each.name)}: ",
                self._json(each, route),
                _REMARKS.get(each.kind, ()),
            )
            for each in passed
        ]
        return Bracketed(opening="{", elements=elements, closing="}")

    def _json(self, parameter: Parameter, route: Route) -> Code:
        """What stands for an argument in a request."""
        if parameter.kind is Kind.CONVERSATION:
            self.given.knows_conversation = True
            return "request.conversation_id"
        if parameter.kind in {Kind.MESSAGE, Kind.ACCOUNT, Kind.AGENT_NAME}:
            return self.given.one(parameter, route.name)
        if parameter.has_example:
            return value(parameter.example)
        return self.given.unknown(parameter, f"{route.url}")

    def _called(self, entry: Entry) -> list[str]:
        elements = self.given.arguments(entry.parameters, entry.name)
        made = self.given.served(entry) if entry.owner else None
        if not entry.owner:
            function = self.page.project(entry.module, entry.path)
        else:
            function = f"{'self.' if made is None else ''}service.{entry.path.rpartition('.')[2]}"
        run = Bracketed(opening=f"{function}(", elements=elements, closing=")")
        lines = self._run("answer = await ", run, before=made)
        returned = entry.returned
        text = self._part(returned.text, by_key=returned.by_key) if returned.text else "answer"
        return [*lines, *self._answer(text, by_key=returned.by_key)]

    def _ran(self) -> list[str]:
        agent, deps = self.choices.agent, self.choices.deps
        if agent.way is Way.INSIDE:
            sentence = (
                f"send the request's message, and return an Answer: {agent.path} ({agent.place}) makes the agent where "
                "nobody can reach it, and neither a route nor a function or method that runs it for a text was found"
            )
            return self.page.left_open("send", sentence, indent=_BODY)
        elements = [Element("", "request.message")]
        if deps is not None or agent.deps:
            parameter = Parameter(
                name="deps", kind=_kind_of(agent.deps), annotation=agent.deps, owner=deps.key if deps else ""
            )
            elements.append(Element("deps=", self.given.one(parameter, f"agent {agent.path}")))
        run = Bracketed(opening=f"{self._agent()}.run(", elements=elements, closing=")")
        lines = self._run("result = await ", run)
        return [*lines, *self._answer("result.output")]

    def _agent(self) -> str:
        agent = self.choices.agent
        if agent.way is Way.FUNCTION:
            self.page.needs.add("agent")
            return "self.agent"
        return self.page.project(agent.module, agent.path)

    def _run(self, prefix: str, run: Code, *, before: Code | None = None) -> list[str]:
        """With the given model for the agents, whatever the project names; and a session open, if one is asked for."""
        own = [] if self.choices.agent.way is Way.INSIDE else [self._agent()]
        helpers = [each for each in self.choices.helpers if each.way is Way.GLOBAL]
        agents = [*own, *(self.page.project(each.module, each.path) for each in helpers)]
        lines, indent = [], _BODY
        for agent in agents:
            lines.append(f"{indent}with {agent}.override(model=self.model):")
            indent += INDENT
        if self.given.opens_session:
            lines.append(f"{indent}async with {self.given.sessions()}() as session:")
            indent += INDENT
        lines += lay("service = ", before, indent=indent) if before is not None else []
        return [*lines, *lay(prefix, run, indent=indent)]

    def _part(self, name: str, *, by_key: bool) -> str:
        return f"answer[{quoted(name)}]" if by_key else f"answer.{name}"

    def _answer(self, text: str, *, by_key: bool = False) -> list[str]:
        returned, ledger = self._returned, self.choices.ledger
        conversation = self._part(returned.conversation, by_key=by_key) if returned.conversation else ""
        lines: list[str] = []
        if ledger is None:
            bill: Code = "None"
        elif returned.bill:
            lines.append(f"{_BODY}bill = {self._part(returned.bill, by_key=by_key)}")
            self.page.needs.add("uuid")
            bill = "None if bill is None else _uuid(bill)"
        elif "session_id" in ledger.columns and self.names_turn:
            lines += comment(_LOOKED_UP if returned.text else _LOOKED_UP_OF_TEXT, indent=_BODY)
            self.page.needs |= {"bill", "database_url", "uuid"}
            asked = f"str({conversation})" if conversation else "request.conversation_id"
            bill = f"await self._bill({asked})"
        elif not ledger.core:
            self.page.needs |= {"turns", "uuid"}
            bill = "_bill_of(request.conversation_id)"
        else:
            bill = self.page.todo("bill", "return the identifier of the row that bills the turn, a UUID, or None")
        shown = text if text.startswith("response.text") else f"str({text})"
        elements = [Element("text=", shown), Element("llm_request_id=", bill)]
        if conversation and "turns" not in self.page.needs:
            elements.append(Element("session_id=", f"str({conversation})"))
        made = Bracketed(opening="Answer(", elements=elements, closing=")")
        return lines + lay("return ", made, indent=_BODY)


def _kind_of(deps: str) -> Kind:
    last = deps.rpartition(".")[2]
    known = {"AsyncSession": Kind.SESSION, "async_sessionmaker": Kind.SESSIONS, "AsyncEngine": Kind.ENGINE}
    return known.get(last, Kind.DEPENDENCIES)


def _asked(route: Route) -> str:
    """What is left to be said of a request's headers."""
    said = [
        f"the dependency {each} was not found: return the headers it reads, or {{}} if it reads none"
        for each in route.lost
    ]
    if route.unknown:
        asked = ", ".join(route.unknown)
        said.insert(0, f"return the headers with which {route.url} lets the message in; it asks for {asked}")
    return "; ".join(said)
