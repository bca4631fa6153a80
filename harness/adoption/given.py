"""What the adapter gives for an argument, as code.

In `send` a request is there (`request`), and the application (`self`); in `start` the settings and the engine are
local names. What cannot be given becomes a function that is left to be written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.adoption.choice import Choices
from harness.adoption.code import Bracketed, Code, Element, call, value
from harness.adoption.found import Entry, Kind, Parameter, SessionSource, Survey, Way
from harness.adoption.page import Page

__all__ = ["MADE_UP", "Given", "is_passed", "service_of"]

_PLAIN = frozenset({"bool", "float", "int", "str"})
_OF_REQUEST = {Kind.MESSAGE: "message", Kind.ACCOUNT: "account", Kind.AGENT_NAME: "agent"}
_OF_TURN = frozenset({Kind.SESSION, Kind.CONVERSATION, *_OF_REQUEST})
_DEEPEST = 3
MADE_UP = "Made up from its type: write what your users have."
"""What stands above a value that would look right."""


def service_of(entry: Entry) -> Parameter:
    """The object whose method it is, as something that can be made."""
    return Parameter(name="service", kind=Kind.DEPENDENCIES, annotation=entry.path, owner=entry.owner)


def is_passed(parameter: Parameter) -> bool:
    """Whether an argument is given although it has a default: what ties the turn to its request is."""
    return parameter.required or parameter.kind in {Kind.MESSAGE, Kind.CONVERSATION, Kind.WHOLE}


def _taken_as(parameter: Parameter) -> str:
    """What a constructor calls it: pydantic's go by aliases."""
    return parameter.sent_as if parameter.sent_as.isidentifier() else parameter.name


def _is_plain(parameter: Parameter) -> bool:
    return parameter.annotation.partition(" |")[0] in _PLAIN


@dataclass(slots=True, kw_only=True)
class Given:
    """Makes arguments. `starting` says where; `opens_session` whether a session has to be open around the call."""

    page: Page
    survey: Survey
    choices: Choices
    starting: bool = False
    opens_session: bool = False
    knows_conversation: bool = False
    _depth: int = field(default=0)

    def arguments(self, parameters: Sequence[Parameter], owner: str) -> list[Element]:
        """Those of a call of `owner`, which a sentence can name."""
        passed = [each for each in parameters if is_passed(each)]
        return [self._element("" if each.positional else f"{each.name}=", each, owner) for each in passed]

    def _element(self, prefix: str, parameter: Parameter, owner: str) -> Element:
        """An argument, marked if its value says nothing of the project."""
        made_up = parameter.kind is Kind.EXAMPLE and _is_plain(parameter)
        return Element(prefix, self.one(parameter, owner), (MADE_UP,) if made_up else ())

    def one(self, parameter: Parameter, owner: str) -> Code:
        """One argument."""
        told = "" if self.starting else self._of_turn(parameter)
        if told:
            return told
        match parameter.kind:
            case Kind.SESSIONS:
                return self.sessions()
            case Kind.ENGINE | Kind.DATABASE_URL:
                return self._of_database(parameter.kind)
            case Kind.SETTINGS | Kind.DEPENDENCIES:
                return self.instance(parameter, owner)
            case Kind.EXAMPLE if _is_plain(parameter):
                return value(parameter.example)
        return self.unknown(parameter, owner)

    def _of_turn(self, parameter: Parameter) -> str:
        """What the request says, or a session that is open for it; empty if it is neither."""
        if parameter.kind is Kind.SESSION:
            self.opens_session = True
            return "session"
        if parameter.kind is not Kind.CONVERSATION:
            return f"request.{_OF_REQUEST[parameter.kind]}" if parameter.kind in _OF_REQUEST else ""
        self.knows_conversation = True
        if parameter.is_uuid:
            self.page.from_package("uuid", "UUID")
            return "UUID(request.conversation_id)"
        return "request.conversation_id"

    def _of_database(self, kind: Kind) -> str:
        if self.starting:
            return "engine" if kind is Kind.ENGINE else "settings.database_url"
        if kind is Kind.ENGINE:
            return "self.engine"
        self.page.needs.add("database_url")
        return "self.database_url"

    def sessions(self) -> Code:
        """A factory of sessions: the project's, or one of the adapter's own."""
        chosen = self.choices.sessions
        if chosen is not None and chosen.way is Way.GLOBAL:
            return self.page.project(chosen.module, chosen.path)
        if self.starting:
            return self.made_sessions(chosen)
        self.page.needs.add("sessions")
        return "self.sessions"

    def made_sessions(self, chosen: SessionSource | None) -> Code:
        """A factory that is made in `start`."""
        if chosen is not None and chosen.returns:
            function = self.page.project(chosen.module, chosen.path)
            inner = Given(page=self.page, survey=self.survey, choices=self.choices, starting=True)
            return Bracketed(
                opening=f"{function}(", elements=inner.arguments(chosen.parameters, chosen.name), closing=")"
            )
        self.page.from_package("sqlalchemy.ext.asyncio", "async_sessionmaker")
        return call("async_sessionmaker", "engine", expire_on_commit="False")

    def instance(self, parameter: Parameter, owner: str) -> Code:
        """Something of a class of the project, made from what its own fields are given."""
        known = self.survey.dependencies.get(parameter.owner)
        if known is None or known.abstract or self._depth >= _DEEPEST:
            return self.unknown(parameter, owner)
        inner = Given(
            page=self.page, survey=self.survey, choices=self.choices, starting=self.starting, _depth=self._depth + 1
        )
        fields = self.survey.settings.get(known.key, known.fields) if parameter.kind is Kind.SETTINGS else known.fields
        wanted = [each for each in fields if is_passed(each) or each.kind is Kind.DATABASE_URL]
        elements = [inner._element(f"{_taken_as(each)}=", each, known.name) for each in wanted]
        self.opens_session |= inner.opens_session
        self.knows_conversation |= inner.knows_conversation
        name = self.page.project(known.module, known.path)
        return Bracketed(opening=f"{name}(", elements=elements, closing=")")

    def served(self, entry: Entry) -> Code | None:
        """The object whose method is called, if it is made for each message; else it is made once, as all is started.

        For each message it is made of what only a message has: a session, or the name of a conversation.
        """
        if not self._is_of_turn(entry.owner, 0):
            self.page.needs.add("service")
            return None
        return self.instance(service_of(entry), entry.name)

    def _is_of_turn(self, owner: str, depth: int) -> bool:
        known = self.survey.dependencies.get(owner)
        fields = [each for each in known.fields if is_passed(each)] if known is not None else []
        inner = [each.owner for each in fields if each.kind is Kind.DEPENDENCIES and depth < _DEEPEST]
        return any(each.kind in _OF_TURN for each in fields) or any(self._is_of_turn(each, depth + 1) for each in inner)

    def unknown(self, parameter: Parameter, owner: str) -> str:
        """What somebody has to write."""
        kind = parameter.annotation or "value without a type"
        return self.page.todo(parameter.name, f"return what {owner} is to be given for {parameter.name!r}, a {kind}")
