"""The run document: everything a report shows, as one versioned JSON value.

Writers turn a `RunDocument` into files and text, and compute nothing; `run.json` is the document itself, so
that any report can be made again from it. Its schema is published in `reports/schema/`. Text that came from
the backend (answers, SQL, error messages) is untrusted: writers escape it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Generic, Literal, Self, TypeVar

from pydantic import Field

from harness import evidence as ev
from harness.report.model import DocumentModel
from harness.scenario import Cell, ModelTier, PoolState, SessionMode
from harness.verdict import CheckResult, Damage, Finding, FindingKind, Judgement, ModelChoices, Verdict, kinds_of, merge

__all__ = [
    "SCHEMA_VERSION",
    "CellDocument",
    "CheckDocument",
    "CostsDocument",
    "EnvironmentDocument",
    "EvidenceDocument",
    "ExcerptDocument",
    "FindingDocument",
    "NotVerifiedDocument",
    "PostgresDocument",
    "RecordDocument",
    "RunDocument",
    "SourceDocument",
    "SourceFileDocument",
    "exit_status",
]

SCHEMA_VERSION = 1

T = TypeVar("T")


class RecordDocument(DocumentModel, Generic[T]):
    """One recorder's record: its items, or in `missing` the reason why there are none."""

    missing: str | None = None
    items: tuple[T, ...] = ()

    @classmethod
    def of(cls, record: ev.Record[T]) -> Self:
        """The record as it stands."""
        return cls(missing=record.missing, items=record.entries)


class EvidenceDocument(DocumentModel):
    """What was seen in one cell. Times are seconds of one monotonic clock per process."""

    turns: tuple[ev.Turn, ...]
    ledger_grain: ev.LedgerGrain
    notes: tuple[str, ...]
    planned_faults: tuple[str, ...]
    errors: RecordDocument[ev.ErrorRecord]
    spans: RecordDocument[ev.SpanRecord]
    tools: RecordDocument[ev.ToolRun]
    statements: RecordDocument[ev.Statement]
    operations: RecordDocument[ev.SessionOperation]
    races: RecordDocument[ev.SessionRace]
    pool: RecordDocument[ev.PoolEvent]
    waits: RecordDocument[ev.PoolWait] = Field(
        default_factory=lambda: RecordDocument[ev.PoolWait](missing="the version that wrote this kept none")
    )
    idle_transactions: RecordDocument[ev.IdleTransaction]
    stalls: RecordDocument[ev.LoopStall]
    arrivals: RecordDocument[ev.Arrival]
    refusals: RecordDocument[str]
    invoice: RecordDocument[ev.Charge]
    responses: RecordDocument[ev.ModelResponseSeen]
    ledger: RecordDocument[ev.LedgerRow]
    faults: RecordDocument[ev.FaultSeen]
    pairs: RecordDocument[ev.TimingPair]
    requests: RecordDocument[ev.ModelRequestSeen]
    replay: RecordDocument[ev.ReplayDifference]

    @classmethod
    def of(cls, evidence: ev.Evidence) -> Self:
        """The evidence, without the spans' attributes, which are large and repeat the other records."""
        plain = {name: getattr(evidence, name) for name in ("turns", "ledger_grain", "notes", "planned_faults")}
        names = [name for name in cls.model_fields if name not in plain]
        records = {name: RecordDocument.of(getattr(evidence, name)) for name in names}
        spans = tuple(replace(span, attributes={}) for span in evidence.spans.entries)
        records["spans"] = RecordDocument(missing=evidence.spans.missing, items=spans)
        return cls(**plain, **records)


class FindingDocument(DocumentModel):
    """One thing that is wrong; `unexpected` if its cell must not show this kind."""

    kind: FindingKind
    message: str
    check: str
    where: str
    turn: str | None
    tool_call_id: str | None
    stack: tuple[str, ...]
    unexpected: bool = False
    reproduce: str

    @classmethod
    def of(cls, finding: Finding, reproduce: str, *, unexpected: bool = False) -> Self:
        """The finding, with the command of its cell."""
        return cls(
            kind=finding.kind,
            message=finding.message,
            check=finding.check,
            where=finding.where,
            turn=finding.turn,
            tool_call_id=finding.tool_call_id,
            stack=finding.stack,
            unexpected=unexpected,
            reproduce=finding.reproduce or reproduce,
        )


class CheckDocument(DocumentModel):
    """What one check said: `reason` if it could not decide, `notes` what it saw beside its findings."""

    check: str
    verdict: Verdict
    reason: str
    notes: tuple[str, ...]

    @classmethod
    def of(cls, result: CheckResult) -> Self:
        """The result without its findings, which stand in the cell."""
        return cls(check=result.check, verdict=result.verdict, reason=result.reason, notes=result.notes)


class CellDocument(DocumentModel):
    """One square of the matrix.

    `verdict` is what the checks found; `as_expected` whether that is what the scenario expects of this cell
    (`clean`, or `reproduced`: the bug must show). `fault` says what was made to go wrong in it, and `damage` what came
    of that; both are empty for an ordinary cell. `choices` is what a model did that decides by itself.
    """

    scenario: str
    question: str
    session_mode: SessionMode
    pool_state: PoolState
    tier: ModelTier
    parallel: bool
    verdict: Verdict
    expected: Literal["clean", "reproduced"]
    as_expected: bool
    objections: tuple[str, ...]
    findings: tuple[FindingDocument, ...]
    checks: tuple[CheckDocument, ...]
    reproduce: str
    turns: int
    seconds: float
    clone_seconds: float
    fault: str = ""
    damage: Damage | None = None
    choices: ModelChoices | None = None
    evidence: EvidenceDocument

    @classmethod
    def of(
        cls,
        cell: Cell,
        evidence: ev.Evidence,
        results: Sequence[CheckResult],
        judgement: Judgement,
        *,
        reproduce: str,
        seconds: float,
        clone_seconds: float,
        damage: Damage | None = None,
        choices: ModelChoices | None = None,
    ) -> Self:
        """The cell with everything that was seen and concluded in it. Durations are in seconds."""
        expectation = cell.expectation.beside(kinds_of(results))
        admitted = expectation.required | expectation.one_of | expectation.allowed
        return cls(
            scenario=cell.scenario.name,
            question=cell.scenario.question,
            session_mode=cell.mode,
            pool_state=cell.pool_state,
            tier=cell.tier,
            parallel=cell.scenario.parallel,
            verdict=judgement.verdict,
            expected="clean" if expectation.clean else "reproduced",
            as_expected=judgement.as_expected,
            objections=judgement.objections,
            findings=tuple(
                FindingDocument.of(finding, reproduce, unexpected=finding.kind not in admitted)
                for result in results
                for finding in result.findings
            ),
            checks=tuple(map(CheckDocument.of, results)),
            reproduce=reproduce,
            turns=len(evidence.turns),
            seconds=seconds,
            clone_seconds=clone_seconds,
            fault=cell.scenario.fault,
            damage=damage,
            choices=choices,
            evidence=EvidenceDocument.of(evidence),
        )

    @property
    def id(self) -> str:
        """Its name within the scenario."""
        return f"{self.session_mode}-{self.pool_state}-{self.tier}"


class NotVerifiedDocument(DocumentModel):
    """Something that was asked for and could not be looked at, and why."""

    scenario: str
    reason: str
    session_mode: SessionMode | None = None


class PostgresDocument(DocumentModel):
    """The server that was used: by which provider, and why that one."""

    kind: str
    version: str
    reason: str
    details: dict[str, str] = Field(default_factory=dict)


class CostsDocument(DocumentModel):
    """What the model requests of a run have cost, in US dollars, and the `limit`, which is the run's budget.

    `spent` is what the answers have cost that said so; `reserved` is the most that all other requests can have cost,
    of which it is not known.
    """

    limit: Decimal
    spent: Decimal
    reserved: Decimal


class SourceDocument(DocumentModel):
    """Which sources were looked at: the repository's address, the commit, and the branch, if there is one."""

    repository: str
    revision: str
    branch: str = ""


class EnvironmentDocument(DocumentModel):
    """Where it ran, with which versions, and on which sources, if that was told.

    Relative paths in the document are relative to `directory`; it is empty if that is not known. `top` is that of the
    work tree in which it lies; empty if it lies in none.
    """

    python: str
    platform: str
    cpus: int
    packages: dict[str, str]
    postgres: PostgresDocument | None
    backend: str
    directory: str = ""
    top: str = ""
    source: SourceDocument | None = None


class ExcerptDocument(DocumentModel):
    """Lines of a file that follow one another; `first` is the number of the first one, from 1."""

    first: Annotated[int, Field(ge=1)]
    lines: tuple[str, ...]


class SourceFileDocument(DocumentModel):
    """What stood around the lines of one file of the application to which stacks point, when it ran.

    `file` is as the stacks have it. `missing` is the reason why there is nothing: above all that the file was changed
    since.
    """

    file: str
    missing: str | None = None
    excerpts: tuple[ExcerptDocument, ...] = ()


class RunDocument(DocumentModel):
    """One run.

    `verdict` is `passed` if every cell is as expected, `failed` if one is not, and `unknown` if evidence is
    missing or nothing was verified. It is about expectations: a shared session that failed as expected does
    not fail the run. `costs` are those of a run that has a budget. `source_files` is empty in documents of versions
    that kept none.
    """

    schema_version: Annotated[int, Field(ge=1)] = SCHEMA_VERSION
    verdict: Verdict
    started_at: datetime
    seconds: float
    command: str
    environment: EnvironmentDocument
    turns: int
    costs: CostsDocument | None = None
    cells: tuple[CellDocument, ...]
    not_verified: tuple[NotVerifiedDocument, ...] = ()
    problems: tuple[str, ...] = ()
    source_files: tuple[SourceFileDocument, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        started_at: datetime,
        seconds: float,
        command: str,
        environment: EnvironmentDocument,
        cells: Iterable[CellDocument],
        not_verified: Iterable[NotVerifiedDocument] = (),
        problems: Iterable[str] = (),
        costs: CostsDocument | None = None,
    ) -> Self:
        """The whole run, with its verdict; cells in the order of scenario, mode, pool state and tier."""
        ordered = sorted(cells, key=_order)
        stated = tuple(problems)
        verdict = merge([_cell_verdict(cell) for cell in ordered])
        if stated and verdict is Verdict.PASSED:
            verdict = Verdict.UNKNOWN
        return cls(
            verdict=verdict,
            started_at=started_at,
            seconds=seconds,
            command=command,
            environment=environment,
            turns=sum(cell.turns for cell in ordered),
            costs=costs,
            cells=tuple(ordered),
            not_verified=tuple(not_verified),
            problems=stated,
        )


def _order(cell: CellDocument) -> tuple[str, int, int, int]:
    return (
        cell.scenario,
        list(SessionMode).index(cell.session_mode),
        list(PoolState).index(cell.pool_state),
        list(ModelTier).index(cell.tier),
    )


def _cell_verdict(cell: CellDocument) -> Verdict:
    if cell.as_expected:
        return Verdict.PASSED
    return Verdict.UNKNOWN if cell.verdict is Verdict.UNKNOWN else Verdict.FAILED


def exit_status(document: RunDocument) -> int:
    """The command's exit status: 0 as expected, 1 findings or a missing expected one, 3 unknown."""
    return {Verdict.PASSED: 0, Verdict.FAILED: 1, Verdict.UNKNOWN: 3}[document.verdict]
