"""Everything that can be told of a backend, in the order in which one thing needs the other.

Problem: a backend that violates its protocol makes a verification fail somewhere, far from what is wrong.

Mechanism: first what can be read (`harness.backend.contract`), then `prepare` on an empty database, then a start and a
stop in each mode and with each kind of pool, then whose session tools use in which mode, then a conversation: tenants,
roles, capabilities, ledger. What needs something that is violated is not tried, and said to be undecided.

Guarantee: each call into the backend has a time limit. No model but the scripted one answers. Databases that were made
are dropped.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.pool import QueuePool

from harness.backend import Application, Backend, BackendSettings, Capability, PoolSettings, Tenant, Violation, examine
from harness.backend.reading import read
from harness.backend.violation import place_of
from harness.conformance import claims
from harness.conformance.calls import Calls, current_calls
from harness.conformance.conversing import Conversing, Heard
from harness.conformance.limits import GUARDED
from harness.conformance.outcome import Conformance, Step, StepFailed
from harness.conformance.preparing import prepared
from harness.conformance.roles import offered_roles, role_violations
from harness.conformance.session_uses import watched_uses
from harness.conformance.sessions import OWN_SESSIONS, Told, heard_with_tools, told_of_one, told_of_own
from harness.conformance.starting import Starts, entered
from harness.conformance.watched import WatchedProvider
from harness.evidence import LedgerGrain
from harness.observe.idle import idle_transactions
from harness.observe.ledger import read_ledger
from harness.observe.observation import Observation
from harness.postgres.clones import Clones
from harness.providers.guard import only_local_models
from harness.report.redact import masker
from harness.report.text import clip
from harness.scenario import INTENDED_FAILURES, SessionMode, ToolRole

__all__ = ["check_backend"]

_LATER = (
    "prepare",
    "start and stop in each mode",
    "sessions of each mode",
    "tenants and roles",
    "ledger",
    "capabilities",
)
_NOT_STARTED = "the application could not be started again, or stopped"
_NO_MODE = "no turn was answered in a mode that says whose session a tool has"
_STOPPING_SECONDS = 5.0
_LONGEST = 200
_ORDINARY = frozenset(ToolRole) - INTENDED_FAILURES - {ToolRole.RETRY}


async def check_backend(
    candidate: object,
    clones: Clones,
    *,
    seconds: float,
    tell: Callable[[Conformance], None] = lambda _: None,
    calls: Calls | None = None,
) -> Conformance:
    """What the candidate violates, and what else is to be said of it.

    Args:
        candidate: what is to be a `Backend`.
        clones: where databases are made.
        seconds: how long each call into it may take.
        tell: called with everything that is known so far, whenever there is more.
        calls: where each call into it is noted, for whoever watches them.
    """
    noted = calls or Calls()
    current_calls.set(noted)
    # A task of its own, because a backend may cancel the task that calls it, and who cancels the check means the check.
    task = asyncio.create_task(_checked(candidate, clones, seconds, tell), name="check of the backend")
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        noted.stopped = True
        task.cancel()
        await asyncio.wait({task}, timeout=_STOPPING_SECONDS)
        raise
    return task.result()


async def _checked(
    candidate: object, clones: Clones, seconds: float, tell: Callable[[Conformance], None]
) -> Conformance:
    named = read(candidate, "name")
    name = named if isinstance(named, str) else type(candidate).__name__
    found = Conformance(
        backend=name, steps=(Step(name="attributes and methods"),), violations=tuple(examine(candidate))
    )
    tell(found)
    if not found.conforms:
        return found + _steps(name, _LATER, "the object is no Backend")
    backend: Backend = candidate  # type: ignore[assignment]  # that was examined
    template, preparation = await prepared(backend, clones, seconds=seconds)
    found += preparation
    tell(found)
    if template is None:
        return found + _steps(name, _LATER[1:], "no database was prepared")
    starts = Starts(backend=backend, clones=clones, template=template, seconds=seconds, found=found)
    await starts.every_mode()
    tell(starts.found)
    if not starts.works:
        return starts.found + _steps(name, _LATER[2:], "no turn was answered in any mode")
    check = _Check(backend=backend, clones=clones, template=template, seconds=seconds, works=starts.works)
    return starts.found + await check.run()


def _steps(name: str, steps: Sequence[str], reason: str = "") -> Conformance:
    return Conformance(backend=name, steps=tuple(Step(name=each, undecided=reason) for each in steps))


@dataclass(slots=True, kw_only=True)
class _Check:
    """What is asked of an application that starts and answers in the modes `works`, the first of which is used.

    What `hung` once is not called again; turns that are `entangled`, because they have a session in common, are not
    sent together: how that ends is the session's matter.
    """

    backend: Backend
    clones: Clones
    template: str
    seconds: float
    works: Sequence[SessionMode]
    hung: set[str] = field(default_factory=set)
    entangled: bool = False

    async def run(self) -> Conformance:
        """Sessions first, then tenants and roles, then each claim in an application of its own."""
        found = await self._sessions()
        conversation, streaming = await self._tenants()
        found += conversation
        reason = "" if streaming is not None else _NOT_STARTED
        found += self._split(streaming or ())
        for step in (self._per_request, self._fallback):
            try:
                found += self._split(await step())
            except StepFailed as failed:
                found, reason = found + self._of([failed.violation]), _NOT_STARTED
        return found + self._hints(self._without_table()) + _steps(self.backend.name, ["capabilities"], reason)

    async def _sessions(self) -> Conformance:
        """Whose session a tool has, in each mode that says so; of sessions of their own, until one mode is wrong."""
        found, reasons = self._of([]), list[str]()
        modes = [mode for mode in (*OWN_SESSIONS, SessionMode.SHARED) if mode in self.works]
        for mode in modes:
            if mode in OWN_SESSIONS and found.violations:
                continue
            told, failed = await self._sessions_in(mode)
            found += self._of([each for each in (told.violation, failed) if each is not None])
            reasons += [f"in the mode {mode.value!r} {told.undecided}"] if told.undecided else []
            self.entangled |= told.turns
        return found + _steps(self.backend.name, [_LATER[2]], "; ".join(reasons) if modes else _NO_MODE)

    async def _sessions_in(self, mode: SessionMode) -> tuple[Told, Violation | None]:
        """What is to be said of the mode, and why the application could not be started or stopped, if so."""
        provider, failed = WatchedProvider(), None
        settings = replace(self._settings(provider), session_mode=mode)
        heard: list[Heard] = []
        with watched_uses() as watched:
            try:
                async with self._application(f"sessions_{mode}", provider, settings) as (application, conversing, _):
                    heard = await heard_with_tools(application, conversing, self.backend.tenants[0])
            except StepFailed as error:
                failed = error.violation
        if not heard:
            return Told(undecided=_NOT_STARTED), failed
        if mode is SessionMode.SHARED:
            return told_of_one(watched.uses, heard, mode, place=place_of(self.backend.start)), failed
        instead = "leave out" if SessionMode.SHARED in self.backend.modes else "name SessionMode.SHARED in place of"
        change = (
            f"open a session where it is used, from a factory that keeps none, or {instead} SessionMode.{mode.name}"
        )
        return told_of_own(watched.uses, heard, mode, change=change), failed

    @asynccontextmanager
    async def _application(
        self, label: str, provider: WatchedProvider, settings: BackendSettings | None = None
    ) -> AsyncIterator[tuple[Application, Conversing, str]]:
        """The application with a database of its own, a conversation with it, and the database's URL."""
        asked = settings or self._settings(provider)
        async with self.clones.clone(self.template, label=f"check_{label}") as database:
            with only_local_models(GUARDED), TemporaryDirectory(prefix="sessionproof-") as folder:
                settled = replace(asked, database_url=database.url, state_directory=Path(folder))
                async with entered(self.backend, settled, seconds=self.seconds) as application:
                    conversing = Conversing(application=application, provider=provider, seconds=self.seconds)
                    yield application, conversing, database.url

    def _settings(self, provider: WatchedProvider) -> BackendSettings:
        return BackendSettings(database_url="", session_mode=self.works[0], pool=PoolSettings(), model=provider.model)

    async def _tenants(self) -> tuple[Conformance, list[Violation] | None]:
        """Each tenant's turns and the ledger that they leave; and what can be streamed, if it came so far."""
        provider = WatchedProvider()
        found, looked, streaming = self._of([]), list[str](), None
        plain: list[Heard] = []
        try:
            async with self._application("tenants", provider) as (application, conversing, url):
                observation, cast = Observation(application.engine), list[tuple[str, Heard]]()
                async with observation:
                    for number, tenant in enumerate(self.backend.tenants):
                        heard, violations = await self._tenant(conversing, tenant, f"tenants[{number}]", cast)
                        plain.append(heard)
                        found += self._of(violations)
                    at_once = [] if self.entangled else await claims.at_once(conversing, self.backend.tenants)
                for part, heard in cast:
                    found += self._of(list(role_violations(conversing, heard, observation.records, part)))
                found += self._of(at_once)
                found += self._hints(await self._what_verifying_would_find(application, observation, cast, url))
                looked.append("tenants and roles")
                rows = await read_ledger(self.backend, url, limit=self.seconds)
                answered = [heard for heard in plain if heard.answer is not None]
                found += self._split(list(claims.ledger_violations(self.backend, rows, answered)))
                looked.append("ledger")
                streaming = await claims.streaming(conversing, self.backend, self.backend.tenants[0])
        except StepFailed as failed:
            found += self._of([failed.violation])
        found += _steps(self.backend.name, looked)
        return found + _steps(self.backend.name, _LATER[3 + len(looked) : 5], _NOT_STARTED), streaming

    async def _tenant(
        self, conversing: Conversing, tenant: Tenant, part: str, cast: list[tuple[str, Heard]]
    ) -> tuple[Heard, list[Violation]]:
        heard = await conversing.send(tenant)
        if heard.failure is not None:
            return heard, [heard.failure]
        offered = frozenset(name for request in conversing.provider.of(heard.turn) for name in request.tools)
        roles, violations = offered_roles(tenant, offered, part)
        for role in roles:
            if tenant.tools[role].tool not in self.hung:
                cast.append((part, turn := await conversing.send(tenant, role)))
                self.hung |= {tenant.tools[role].tool} if turn.hung else set()
        return heard, violations

    async def _what_verifying_would_find(
        self, application: Application, observation: Observation, cast: Sequence[tuple[str, Heard]], url: str
    ) -> list[Violation]:
        """What is no violation of the protocol, and is going to be a finding."""
        change = "repair it; `sessionproof verify` is going to find it"
        mask = masker()
        hints: list[Violation] = []
        for part, heard in cast:
            ordinary = heard.failure is None and all(role in _ORDINARY for role, _ in heard.calls)
            errors = [error for error in observation.records["errors"] if error.turn == heard.turn] if ordinary else []
            for error in errors[:1]:
                role = heard.calls[0][0]
                raised = f"{error.type}: {clip(mask(error.message), _LONGEST)}"
                seen = f"an ordinary turn had an error ({error.source.value}): {raised}"
                where = f"{part}.tools[ToolRole.{role.name}]"
                place = error.stack[-1].partition(" in ")[0] if error.stack else ""
                hints.append(Violation(part=where, seen=seen, asked="nothing fails in it", change=change, place=place))
        idle = await idle_transactions(url)
        pool = application.engine.sync_engine.pool
        held = pool.checkedout() if isinstance(pool, QueuePool) else 0
        if idle.entries or held:
            seen = (
                f"after its turns, {held} connections were not given back, {len(idle.entries)} of them in a transaction"
            )
            asked = "a session is closed when its work is done"
            hints.append(Violation(part="send", seen=seen, asked=asked, change=change))
        return hints

    def _without_table(self) -> list[Violation]:
        if (
            Capability.LEDGER not in self.backend.capabilities
            or getattr(self.backend, "ledger_table", None) is not None
        ):
            return []
        return [
            Violation(
                part="ledger_table",
                seen="it does not say in which table its ledger is",
                asked="faults that strike whoever writes a bill need to know",
                change="write ledger_table = '...', so that they are verified too",
            )
        ]

    async def _per_request(self) -> list[Violation]:
        if Capability.LEDGER_PER_REQUEST not in self.backend.capabilities:
            return []
        provider, tenant = WatchedProvider(), self.backend.tenants[0]
        settings = replace(self._settings(provider), ledger_grain=LedgerGrain.REQUEST)
        async with self._application("requests", provider, settings) as (_, conversing, url):
            first = await conversing.send(tenant)
            if first.failure is not None:
                return [replace(first.failure, part="Capability.LEDGER_PER_REQUEST")]
            offered = frozenset(name for request in provider.of(first.turn) for name in request.tools)
            roles = [role for role in (ToolRole.READ, ToolRole.SEARCH) if role in tenant.tools]
            usable = [role for role in roles if tenant.tools[role].tool in offered][:1]
            heard = await conversing.send(tenant, *usable)
            if heard.failure is not None:
                return [replace(heard.failure, part="Capability.LEDGER_PER_REQUEST")]
            rows = await read_ledger(self.backend, url, limit=self.seconds)
        return list(claims.billed_by_request(heard, rows, len(provider.of(heard.turn))))

    async def _fallback(self) -> list[Violation]:
        provider = WatchedProvider()
        settings = claims.failing_first(self._settings(provider), provider)
        async with self._application("fallback", provider, settings) as (_, conversing, _url):
            return await claims.turned_to_fallback(conversing, self.backend, self.backend.tenants[0])

    def _of(self, violations: Sequence[Violation]) -> Conformance:
        return Conformance(backend=self.backend.name, violations=tuple(violations))

    def _hints(self, hints: Sequence[Violation]) -> Conformance:
        return Conformance(backend=self.backend.name, hints=tuple(hints))

    def _split(self, said: Sequence[Violation]) -> Conformance:
        """Of what was said of claims: what is not declared is a hint."""
        hints = [each for each in said if "declare" in each.seen]
        return self._of([each for each in said if each not in hints]) + self._hints(hints)
