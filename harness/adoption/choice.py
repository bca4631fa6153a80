"""Which of several candidates is meant: by an option, because there is no other, or by asking.

Everything that is not clear is told at once, each with its candidates and where they stand, so that a command that
may not ask has to be given a second time only.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from harness.adoption.found import (
    Agent,
    App,
    Candidate,
    Dependency,
    EngineSource,
    Entry,
    Ledger,
    Route,
    SessionSource,
    Survey,
    Way,
)
from harness.errors import UsageError

__all__ = ["Ask", "Choices", "Wanted", "choose"]

C = TypeVar("C", bound=Candidate)

Ask = Callable[[str, Sequence[str]], int]
"""Asked a question with numbered answers; returns the index of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user named; empty if nothing."""

    agent: str = ""
    session_factory: str = ""
    deps: str = ""
    ledger: str = ""
    app: str = ""
    entry: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the adapter is written for. `helpers` are other agents that its tools run."""

    agent: Agent
    helpers: Sequence[Agent] = ()
    sessions: SessionSource | None = None
    bound: Sequence[SessionSource] = ()
    """Every sessionmaker that is there at once and has to be given the engine."""
    engines: Sequence[EngineSource] = ()
    deps: Dependency | None = None
    ledger: Ledger | None = None
    app: App | None = None
    route: Route | None = None
    entry: Entry | None = None
    passed_over: Sequence[Route] = ()
    """The routes that reach the agent, where something else than a route is taken, and nobody has named it."""


def choose(survey: Survey, wanted: Wanted, ask: Ask | None) -> Choices:
    """One of each; `ask` is `None` where nobody can be asked.

    Raises:
        UsageError: something that is needed is not there, a name is none of the candidates, or several are possible.
    """
    _require(survey)
    which = _Which(ask=ask)
    agent = which.one("agent", "--agent", survey.agents, wanted.agent)
    ledger = which.one("ledger table", "--ledger", survey.ledgers, wanted.ledger)
    sessions = which.one("session factory", "--session-factory", _factories(survey), wanted.session_factory)
    ways = _ways(survey, agent, named=bool(wanted.entry)) if agent is not None else ()
    way = which.one("way to send a message", "--entry", ways, wanted.entry)
    route = way if isinstance(way, Route) else None
    app = which.one("application", "--app", _apps(survey), wanted.app) if route is not None or wanted.app else None
    deps = (
        which.one("class of deps", "--deps", list(survey.dependencies.values()), wanted.deps) if wanted.deps else None
    )
    which.settle()
    if agent is None:
        raise AssertionError("without an agent nothing is chosen")
    engines = _engines(survey, sessions)
    return Choices(
        agent=agent,
        helpers=_helpers(survey, agent, way.agents if way is not None else ()),
        sessions=sessions,
        bound=_bound(survey, sessions, engines),
        engines=engines,
        deps=deps or survey.dependencies.get(agent.deps),
        ledger=ledger,
        app=app,
        route=route,
        entry=way if isinstance(way, Entry) else None,
        passed_over=() if route is not None or wanted.entry else _reaching(survey, agent),
    )


def _require(survey: Survey) -> None:
    """What nothing can be verified without."""
    where = f"in {survey.root} ({survey.files} Python {'file' if survey.files == 1 else 'files'} read)"
    if not survey.files:
        raise UsageError(
            f"there are no Python files in {survey.root}; name the folder of the project that has the agent"
        )
    if not survey.agents:
        raise UsageError(
            f"no Pydantic AI agent was found {where}: looked for calls of pydantic_ai.Agent, outside of "
            "tests, documentation and examples; name the folder of the project that has it"
        )
    if not survey.sessions and not survey.engines:
        synchronous = f"; there is only a synchronous engine, at {survey.synchronous[0]}" if survey.synchronous else ""
        raise UsageError(
            f"no async session factory was found {where}: looked for calls of async_sessionmaker, "
            f"of sessionmaker with class_=AsyncSession, and of create_async_engine{synchronous}; "
            "what is verified is an application on SQLAlchemy's asyncio extension"
        )


@dataclass(slots=True, kw_only=True)
class _Which:
    """Chooses, and keeps what could not be chosen."""

    ask: Ask | None
    unclear: list[str] = field(default_factory=list)

    def one(self, what: str, option: str, candidates: Sequence[C], named: str) -> C | None:
        """The one that is meant; `None` if there is none, or if it is not clear which."""
        if named:
            return self._named(what, option, candidates, named)
        if len(candidates) < 2:  # noqa: PLR2004  # one is no choice
            return candidates[0] if candidates else None
        if self.ask is not None:
            return candidates[self.ask(f"Which {what}?", [_shown(each) for each in candidates])]
        listed = "\n".join(f"  {option} {_shown(each)}" for each in candidates)
        self.unclear.append(f"there are {len(candidates)} candidates for the {what}; name one with {option}:\n{listed}")
        return None

    def _named(self, what: str, option: str, candidates: Sequence[C], named: str) -> C | None:
        name = named.replace(":", ".")
        found = [each for each in candidates if name in {each.name, each.key}]
        found = found or [each for each in candidates if each.name.endswith(f".{name}")]
        if len(found) == 1:
            return found[0]
        names = [each.name for each in candidates]
        near = difflib.get_close_matches(name, [*names, *(each.path for each in candidates)], n=1, cutoff=0.5)
        nearest = next((each for each in candidates if near and near[0] in {each.name, each.path}), None)
        if found:
            advice = "several are: " + ", ".join(map(_shown, found))
        elif nearest is not None:
            advice = f"did you mean {_shown(nearest)}?"
        else:
            advice = "found were " + ", ".join(map(_shown, candidates)) if candidates else "none was found"
        self.unclear.append(f"{option} {named!r} is no {what} of this project; {advice}")
        return None

    def settle(self) -> None:
        """Raise what is not clear."""
        if self.unclear:
            raise UsageError("\n".join(self.unclear))


def _shown(candidate: Candidate) -> str:
    how = f" {candidate.method.upper()} {candidate.url}" if isinstance(candidate, Route) else ""
    return f"{candidate.name}{how} ({candidate.place})"


def _factories(survey: Survey) -> Sequence[SessionSource]:
    """Without registries of sessions around another one."""
    names = {each.key for each in survey.sessions}
    return [each for each in survey.sessions if not (each.scoped and each.bound_to in names)]


def _ways(survey: Survey, agent: Agent, *, named: bool) -> Sequence[Route | Entry]:
    """Routes before functions before methods, whole answers before streams, what bills before what does not.

    All, if one is named.
    """
    routes = _reaching(survey, agent)
    if named:
        return [*routes, *(entry for entry in survey.entries if agent.key in entry.agents)]
    whole = [route for route in routes if not route.streams]
    if whole:
        return whole
    entries = [entry for entry in survey.entries if agent.key in entry.agents and entry.is_async]
    entries = [entry for entry in entries if not entry.is_method] or entries
    billing = [entry for entry in entries if entry.bills] or entries
    return billing[:1] if _one_calls_the_others(billing) else billing


def _reaching(survey: Survey, agent: Agent) -> list[Route]:
    return [route for route in survey.routes if agent.key in route.agents]


def _one_calls_the_others(entries: Sequence[Entry]) -> bool:
    """They are sorted: what is called by another comes last."""
    return bool(entries) and all(entry.called for entry in entries[1:]) and not entries[0].called


def _apps(survey: Survey) -> Sequence[App]:
    """A function that makes one is better than one that is there already: it can be given what it needs."""
    return [app for app in survey.apps if app.way is Way.FUNCTION] or survey.apps


def _helpers(survey: Survey, agent: Agent, run: Sequence[str]) -> list[Agent]:
    """The agents that a message gets to beside the one that is meant: no other model may answer them."""
    asked = {*run, *(name for tool in agent.tools for name in tool.deeds.asks)} - {agent.key}
    return [each for each in survey.agents if each.key in asked and each.way is not Way.FUNCTION]


def _engines(survey: Survey, sessions: SessionSource | None) -> list[EngineSource]:
    """Those that the sessions are bound to; where that is not known, all."""
    bound = [each for each in survey.engines if sessions is not None and sessions.bound_to == each.key]
    return bound or list(survey.engines)


def _bound(survey: Survey, chosen: SessionSource | None, engines: Sequence[EngineSource]) -> list[SessionSource]:
    names = {each.key for each in engines}
    at_once = [each for each in survey.sessions if each.way is Way.GLOBAL and not each.scoped]
    return [each for each in at_once if each is chosen or not each.bound_to or each.bound_to in names]
