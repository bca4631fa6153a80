"""Run documents to write: as expected, with every kind of trouble, and hostile throughout."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from harness.evidence import (
    AccessSeen,
    Answer,
    ErrorRecord,
    ErrorSource,
    Evidence,
    Interval,
    LedgerRow,
    PlaceSeen,
    RaceKind,
    Record,
    SessionRace,
    StuckTask,
    Turn,
)
from harness.report.document import (
    CellDocument,
    CostsDocument,
    EnvironmentDocument,
    ExcerptDocument,
    NotVerifiedDocument,
    PostgresDocument,
    RunDocument,
    SourceFileDocument,
)
from harness.scenario import Cell, Message, ModelTier, PoolState, Scenario, SessionMode, ToolPlan
from harness.verdict import CheckResult, Damage, Expectation, Finding, FindingKind, judge

__all__ = [
    "HOSTILE",
    "SECRETS",
    "as_expected",
    "cell",
    "document",
    "empty",
    "expected_to_show",
    "hostile",
    "ledger_row",
    "paid",
    "troubled",
    "troubled_cells",
    "with_lines",
]

STARTED = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "]]>",
    "[bold red]not markup[/]",
    "[link](javascript:alert(1))",
    "![picture](https://example.invalid/x.png)",
    "a | b",
    "``` fence ````` longer",
    "nul\x00 escape\x1b[31m bell\x07 title\x1b]0;x\x07",
    "half \ud800 pair \udfff",
    "turned \u202eround\u2066",
    "two\r\nlines\nhere",
    "not a character \ufffe",
    "(www.evil.example) and WWW.evil.example",
    "https://evil.example/ http://evil.example ftp://evil.example somebody@evil.org mailto:a@evil.org",
)
SECRETS = {
    "s3cr3t-pass": "could not connect to postgresql+asyncpg://app:s3cr3t-pass@db.internal:5432/app",
    "p@ss/w0rd": "dsn 'postgresql://app:p@ss/w0rd@db/app' is wrong",
    "sk-proj-abcdefghijklmnop1234": "Incorrect API key provided: sk-proj-abcdefghijklmnop1234.",
    "tok.en-1234567890": "header Authorization: Bearer tok.en-1234567890, sent",
    "hunter22": "connect(host='db', password='hunter22')",
    "value-from-the-environment": "it said value-from-the-environment twice",
}
ORDINARY_MODES = [mode for mode in SessionMode if mode not in {SessionMode.DURABLE, SessionMode.DEFERRED}]
_BUG = Expectation(
    required=frozenset({FindingKind.CONCURRENT_OPERATION}), allowed=frozenset({FindingKind.UNBILLED_RESPONSE})
)
_REFUSED = Finding(
    kind=FindingKind.CONCURRENT_OPERATION,
    message="SQLAlchemy refused two operations on one session.",
    check="errors",
    where="turn 1, tool search_directory",
    turn="turn-1",
    tool_call_id="call-1",
    stack=(
        "app/services/directory_service.py:41 in search",
        "app/agents/tools/directory_tools.py:27 in search_directory",
    ),
)
_UNBILLED = Finding(
    kind=FindingKind.UNBILLED_RESPONSE,
    message="The answer names no ledger row (llm_request_id is None).",
    check="ledger",
    where="turn 1",
)
_MISSING = Finding(
    kind=FindingKind.MISSING_ROW,
    message="The provider served 1 request, and no row bills it.",
    check="ledger",
    where="turn 1",
    turn="turn-1",
    stack=("app/services/llm_request_tracker.py:88 in track_request",),
)


def cell(
    scenario: str,
    mode: SessionMode,
    *,
    pool_state: PoolState = PoolState.WARM,
    tier: ModelTier = ModelTier.SCRIPTED,
    findings: Sequence[Finding] = (),
    expectation: Expectation | None = None,
    unknown: str = "",
    evidence: Evidence | None = None,
    question: str = "Do two tools of one turn get in each other's way?",
    fault: str = "",
    damage: Damage | None = None,
) -> CellDocument:
    """One cell with what was found in it, judged as the engine does."""
    expectations = {(mode, pool_state): expectation} if expectation else {}
    messages = (Message(plan=ToolPlan(rounds=(), usages=())),)
    subject = Cell(
        scenario=Scenario(name=scenario, question=question, messages=messages, expectations=expectations, fault=fault),
        mode=mode,
        pool_state=pool_state,
        tier=tier,
    )
    checks = sorted({finding.check for finding in findings} | {"errors"})
    results = [CheckResult.of(check, [finding for finding in findings if finding.check == check]) for check in checks]
    if unknown:
        results.append(CheckResult.unknown("ledger", unknown))
    return CellDocument.of(
        subject,
        evidence or Evidence(turns=(_turn(),)),
        results,
        judge(results, subject.expectation),
        reproduce=(f"sessionproof verify --scenario {scenario} --mode {mode} --pool-state {pool_state} --tier {tier}"),
        seconds=0.25,
        clone_seconds=0.03,
        damage=damage,
    )


def document(
    cells: Sequence[CellDocument],
    *,
    not_verified: Sequence[NotVerifiedDocument] = (),
    problems: Sequence[str] = (),
    costs: CostsDocument | None = None,
) -> RunDocument:
    """A run of these cells."""
    return RunDocument.of(
        started_at=STARTED,
        seconds=42.125,
        command="sessionproof verify",
        environment=EnvironmentDocument(
            python="3.13.0",
            platform="Linux-6.1-x86_64",
            cpus=2,
            packages={"sqlalchemy": "2.1.9", "asyncpg": "0.32.0"},
            postgres=PostgresDocument(kind="embedded", version="18.1", reason="no Docker engine answers"),
            backend="fixtures.backend.adapter:backend",
        ),
        cells=cells,
        not_verified=not_verified,
        problems=problems,
        costs=costs,
    )


def with_lines(document: RunDocument, file: str, first: int, *lines: str) -> RunDocument:
    """The document with lines of a file of the application, of which the first has the number `first`."""
    kept = SourceFileDocument(file=file, excerpts=(ExcerptDocument(first=first, lines=lines),))
    return document.model_copy(update={"source_files": (kept,)})


def paid(*, reserved: str = "0") -> RunDocument:
    """A run with a budget."""
    costs = CostsDocument(limit=Decimal("0.50"), spent=Decimal("0.0000012"), reserved=Decimal(reserved))
    return document([cell("single_tool", SessionMode.PER_OPERATION)], costs=costs)


def as_expected() -> RunDocument:
    """Shared sessions reproduce, everything else is clean, one scenario is not verified in one mode."""
    cells = []
    for name in ("four_mixed_tools", "single_tool", "two_parallel_tools", "two_users_at_once"):
        for mode in ORDINARY_MODES:
            cells += _square(name, mode)
    gap = NotVerifiedDocument(scenario="streaming", reason="the backend cannot stream", session_mode=SessionMode.LOCKED)
    return document(cells, not_verified=[gap])


def with_faults() -> RunDocument:
    """Two faults in three ways of billing; the plain ones lose a bill to the first, and one of them not as expected."""
    lost = Damage(missing=1, duplicate=0, wrong=0, tools=2, failed_tools=2, turns=1, failed_turns=0)
    kept = Damage(missing=0, duplicate=0, wrong=0, tools=2, failed_tools=1, turns=1, failed_turns=1)
    expected = Expectation(required=frozenset({FindingKind.MISSING_ROW}))
    cut, shared, plain, durable = "connection <cut>", SessionMode.SHARED, SessionMode.PER_OPERATION, SessionMode.DURABLE
    cells = [
        cell("single_tool", plain),
        cell("ledger_cut", shared, fault=cut, damage=lost, findings=[_MISSING], expectation=expected),
        cell("ledger_cut", plain, fault=cut, damage=lost, findings=[_MISSING]),
        cell("ledger_cut", durable, fault=cut, damage=kept),
        cell("ledger_slow", shared, fault="latency", damage=kept),
        cell("ledger_slow", durable, fault="latency", damage=kept),
    ]
    return document(cells)


def _square(name: str, mode: SessionMode) -> list[CellDocument]:
    states = list(PoolState) if mode in {SessionMode.SHARED, SessionMode.PER_OPERATION} else [PoolState.WARM]
    buggy = mode is SessionMode.SHARED and name != "single_tool"
    return [
        cell(
            name,
            mode,
            pool_state=state,
            tier=tier,
            findings=[_REFUSED, _REFUSED, _UNBILLED] if buggy and _shows(name, state) else (),
            expectation=_BUG if buggy and _shows(name, state) else None,
        )
        for state in states
        for tier in (ModelTier.SCRIPTED, ModelTier.WIRE)
    ]


def _shows(name: str, state: PoolState) -> bool:
    return name != "two_users_at_once" or state is not PoolState.WARM


def troubled() -> RunDocument:
    """A lost row in the repaired form, a bug that did not show, a check that could not decide, and gaps."""
    good = [
        cell("two_parallel_tools", SessionMode.PER_OPERATION, pool_state=PoolState.COLD),
        cell(
            "two_parallel_tools",
            SessionMode.SHARED,
            pool_state=PoolState.COLD,
            findings=[_REFUSED],
            expectation=_BUG,
        ),
    ]
    lost = cell("two_parallel_tools", SessionMode.PER_OPERATION, findings=[_MISSING, _MISSING])
    unseen = cell("two_parallel_tools", SessionMode.SHARED, expectation=_BUG)
    undecided = cell("single_tool", SessionMode.PER_OPERATION, unknown="the ledger could not be read: no such table")
    gaps = [
        NotVerifiedDocument(scenario="streaming", reason="the backend cannot stream"),
        NotVerifiedDocument(
            scenario="single_tool", reason="the backend has no mode 'locked'", session_mode=SessionMode.LOCKED
        ),
    ]
    return document([*good, lost, unseen, undecided], not_verified=gaps, problems=["worker 'gw1' crashed"])


def hostile() -> RunDocument:
    """Hostile and secret text wherever the backend can put text; one finding is a megabyte long."""
    texts = [*HOSTILE, *SECRETS.values(), "x" * 20_000]
    finding = replace(_MISSING, message="", stack=tuple(texts))
    findings = [
        replace(finding, message=text, where=text, kind=kind) for text, kind in zip(texts, FindingKind, strict=False)
    ]
    evidence = Evidence(
        turns=tuple(_turn(text) for text in texts),
        errors=Record.of("errors", [ErrorRecord(source=ErrorSource.LOGGED, type=t, message=t, at=1.0) for t in texts]),
        races=Record.of("races", [_race(text) for text in texts]),
        ledger=Record.absent("ledger", " ".join(texts)),
    )
    bad = cell(
        HOSTILE[0],
        SessionMode.SHARED,
        findings=findings,
        unknown=" ".join(texts),
        evidence=evidence,
        question=texts[3],
    )
    seen = cell("| a", SessionMode.SHARED, findings=[replace(_REFUSED, message="y" * 1_000_000)], expectation=_BUG)
    gaps = [NotVerifiedDocument(scenario=text, reason=text) for text in texts]
    made = document([bad, seen], not_verified=gaps, problems=texts)
    environment = made.environment.model_copy(
        update={"backend": "\n".join(texts), "packages": dict.fromkeys(texts, "1")}
    )
    return made.model_copy(update={"command": " ".join(texts), "environment": environment})


def troubled_cells(scenario: str, mode: SessionMode) -> list[CellDocument]:
    """The cells of one scenario, each with a lost row."""
    return [cell(scenario, mode, pool_state=state, findings=[_MISSING]) for state in PoolState]


def expected_to_show(scenario: str, mode: SessionMode) -> CellDocument:
    """A cell in which the bug is expected, and seen."""
    return cell(scenario, mode, findings=[_REFUSED], expectation=_BUG)


def empty() -> RunDocument:
    """A run in which nothing could be done."""
    made = document([], problems=["no PostgreSQL server could be started"])
    return made.model_copy(update={"environment": made.environment.model_copy(update={"postgres": None})})


def _turn(text: str = "Here is what I found.") -> Turn:
    answer = Answer(text=text, llm_request_id=None, raw={"text": text, "api_key": "key-in-a-mapping", "object": {text}})
    return Turn(
        id="turn-1",
        tenant="wyckoff",
        agent="simple_chat",
        message=text,
        interval=Interval(start=1.0, end=1.5),
        planned=(),
        planned_responses=1,
        answer=answer,
        stuck=(StuckTask(name=text, stack=(text,)),),
    )


def _race(text: str) -> SessionRace:
    place = PlaceSeen(file=text, line=1, function=text)
    access = AccessSeen(operation="Session.execute", task=text, stack=(place,), task_created=(place,), tool=text)
    return SessionRace(kind=RaceKind.OVERLAP, subject="Session 1", first=access, second=access, at=1.0, count=2)


def ledger_row() -> LedgerRow:
    """One row, with money in it."""
    return LedgerRow(
        id=UUID(int=7),
        session_id="turn-1",
        account_slug="wyckoff",
        agent_instance_slug="simple_chat",
        provider="openai",
        model="gpt-4o",
        prompt_tokens=100,
        completion_tokens=20,
        total_tokens=120,
        prompt_cost=Decimal("0.000250"),
        completion_cost=Decimal("0.000200"),
        total_cost=Decimal("0.000450"),
        completion_status="complete",
        created_at=STARTED,
    )
