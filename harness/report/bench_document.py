"""The document of a benchmark: what was measured, with its intervals, as one versioned JSON value (`bench.json`).

Seconds are this machine's, and are there to be read; only ratios are compared with those of another run. Every sample
is kept. Its schema is published in `reports/schema/`.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError, field_validator

from harness.errors import MissingEvidence
from harness.report.document import EnvironmentDocument
from harness.report.model import DocumentModel, not_a_document
from harness.scenario import ModelTier, PoolState, SessionMode

__all__ = [
    "BENCH_SCHEMA_VERSION",
    "COMPARISON_SCHEMA_VERSION",
    "HEADLINE",
    "ArmDocument",
    "BenchDocument",
    "CaseDocument",
    "ChangeDocument",
    "ChangeOutcome",
    "ComparisonDocument",
    "Concurrency",
    "CostArmDocument",
    "CostDocument",
    "CurveDocument",
    "EstimateDocument",
    "GrownDocument",
    "GrowthDocument",
    "PointDocument",
    "PoolsDocument",
    "ShareDocument",
    "read_bench",
]

BENCH_SCHEMA_VERSION = 1
COMPARISON_SCHEMA_VERSION = 1

HEADLINE = "headline"
"""The name of the case by which a run is judged, and with which the reason begins why there is none."""


class EstimateDocument(DocumentModel):
    """A value with its interval; `detectable` is the smallest relative change that a comparison would find."""

    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    low: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    high: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    repetitions: int
    confidence: float
    detectable: float | None = None


class ShareDocument(DocumentModel):
    """A part of a whole (0…1) with its interval."""

    value: Annotated[float, Field(ge=0, le=1)]
    low: Annotated[float, Field(ge=0, le=1)]
    high: Annotated[float, Field(ge=0, le=1)]
    repetitions: int
    confidence: float


class Concurrency(StrEnum):
    """How an arm's tools, which were called together, went."""

    SIDE_BY_SIDE = "side_by_side"
    """What working at the same time can gain was gained, all but a little."""
    IN_PART = "in_part"
    ONE_BY_ONE = "one_by_one"
    """Next to nothing of it was."""
    UNDECIDED = "undecided"
    """The interval reaches over a bound between these, or there is none."""


class ArmDocument(DocumentModel):
    """One arm of a case.

    `seconds` is the median of its repetitions, `ratio` how many times the reference's seconds it took, `stretch` how
    many times its longest tool's: absent where there are too few repetitions. `samples` has every repetition in its
    order, in seconds, `outliers` the places of those far off among them, which count like the others. `parts` says on
    what the seconds of its mean turn were spent, `shares` which part (0…1) of the turn each of these is: the median of
    the repetitions; empty where they are too few. `efficiency` is the longest tool as a part (0…1) of the median: the
    inverse of `stretch`; absent, too, in documents of versions in which it had no interval.
    `fixed` says, for each repetition in `samples`, during how many seconds of the mean turn planned work was going on,
    which no machine makes longer or shorter; it is empty in documents of versions that did not know it. So is
    `part_samples`, what each repetition spent on each part, in seconds to the microsecond; it has no part on which no
    repetition spent anything.
    `overlapped` says in how many of `overlap_known` repetitions the tools worked at the same time; `None` where that is
    no question. `failure` says why it took no further part.

    `gained` is which part was gained of what the tools can gain at most by working at the same time, `concurrency` what
    that amounts to, and `lost_to` the part on which most of the rest was spent; `None` where tools are not called
    together. `promised` says whether they were to work side by side: something is wrong if they did not.
    `pool_size` is the size of a pool that was asked for. `unseen` is true if what failed is not the arm, but to see it.
    """

    name: str
    session_mode: SessionMode
    parallel: bool
    pool_state: PoolState
    tier: ModelTier
    turns: int
    samples: tuple[float, ...]
    outliers: tuple[int, ...] = ()
    seconds: EstimateDocument | None = None
    ratio: EstimateDocument | None = None
    stretch: EstimateDocument | None = None
    efficiency: ShareDocument | None = None
    parts: dict[str, float] = Field(default_factory=dict)
    part_samples: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    fixed: tuple[float, ...] = ()
    shares: dict[str, ShareDocument] = Field(default_factory=dict)
    overlapped: int | None = None
    overlap_known: int = 0
    gained: ShareDocument | None = None
    concurrency: Concurrency | None = None
    lost_to: str | None = None
    promised: bool = False
    pool_size: int | None = None
    failure: str | None = None
    unseen: bool = False

    @field_validator("efficiency", mode="before")
    @classmethod
    def _no_number_without_its_interval(cls, given: object) -> object:
        return None if isinstance(given, float | int) else given

    @property
    def excused(self) -> bool:
        """Whether it failed, and nothing is wrong with that: its tools shared one session, which is never promised."""
        shared = self.session_mode is SessionMode.SHARED and self.parallel
        return self.failure is not None and shared and not self.promised and not self.unseen


class CaseDocument(DocumentModel):
    """One measurement: arms that were run in turn, the reference first.

    `half_width` is how narrow the intervals of the ratios were to be, relative to them, and `reached` whether they are;
    `ended` says what ended it. `tool_seconds` is how long each tool works. `yardstick` names the arm of an application
    of the harness's own, which changes with the machine and not with the backend. `tools` is how many tools each turn
    calls, `None` if the turns differ in that.
    """

    name: str
    question: str
    reference: str
    tool_seconds: float
    half_width: float
    reached: bool
    ended: str
    elapsed: float
    arms: tuple[ArmDocument, ...]
    yardstick: str | None = None
    tools: int | None = None


class PointDocument(DocumentModel):
    """One place on a curve, and what was measured there; `label` names what is no number, such as a pool state."""

    x: int
    case: CaseDocument
    label: str | None = None


class CurveDocument(DocumentModel):
    """How something grows with what `axis` names; `skipped` says which points were left out, and why."""

    name: str
    question: str
    axis: str
    points: tuple[PointDocument, ...]
    skipped: tuple[str, ...] = ()


class PoolsDocument(DocumentModel):
    """How small the pool may be for so many `turns` of so many `tools` at once; the arms are pools, the largest first.

    `predicted` is the smallest that is to hold the time of the largest, by the formula; `measured` the smallest whose
    whole interval does, `None` if no interval says so. `saturated` are the sizes that are slower beyond doubt,
    `timed_out` those in which somebody's patience ended.
    """

    turns: int
    tools: int
    predicted: int
    measured: int | None
    saturated: tuple[int, ...]
    timed_out: tuple[int, ...]
    case: CaseDocument

    def impatient(self, arm: ArmDocument) -> bool:
        """Whether an arm failed because somebody's patience ended."""
        return arm.failure is not None and arm.pool_size in self.timed_out


class CostArmDocument(DocumentModel):
    """One way of doing something: `seconds` is the median, `ratio` how many times the reference's seconds it took.

    `samples`, `outliers` and `failure` are as in a case's arm.
    """

    name: str
    samples: tuple[float, ...]
    outliers: tuple[int, ...] = ()
    seconds: EstimateDocument | None = None
    ratio: EstimateDocument | None = None
    failure: str | None = None


class CostDocument(DocumentModel):
    """What something costs that is no turn of an arm: several ways of doing it, in turn, the reference first.

    `missing` says which ways were not measured, and why. What takes part without being compared has no reference.
    """

    name: str
    question: str
    reference: str | None
    half_width: float
    reached: bool
    ended: str
    elapsed: float
    arms: tuple[CostArmDocument, ...]
    missing: tuple[str, ...] = ()


class BenchDocument(DocumentModel):
    """One benchmark run; `machine` tells machines apart whose seconds are not to be compared.

    `costs` are the harness's own. `missing` says what of what was asked for was not measured, and why; `interrupted`
    that somebody ended it before it was done. `finished` is false as long as it goes on, and stays so if it breaks off:
    there may be more to measure than what is here, and `missing` need not say of what. `warnings` are those that the
    application, or what it uses, gave while it was measured, each once, as `category: message`.
    """

    schema_version: Annotated[int, Field(ge=1)] = BENCH_SCHEMA_VERSION
    started_at: datetime
    seconds: float
    command: str
    machine: str
    environment: EnvironmentDocument
    cases: tuple[CaseDocument, ...]
    curves: tuple[CurveDocument, ...] = ()
    pools: tuple[PoolsDocument, ...] = ()
    costs: tuple[CostDocument, ...] = ()
    missing: tuple[str, ...] = ()
    interrupted: bool = False
    finished: bool = True
    warnings: tuple[str, ...] = ()


class ChangeOutcome(StrEnum):
    """What became of something since the baseline."""

    NOT_WORSE = "not worse"
    WORSE = "worse"
    UNDECIDED = "undecided"


class GrowthDocument(DocumentModel):
    """How many times what it was something is, with the interval of that."""

    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    low: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    high: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class GrownDocument(DocumentModel):
    """By how many seconds something grew, with the interval of that if it is known."""

    seconds: Annotated[float, Field(allow_inf_nan=False)]
    low: Annotated[float, Field(allow_inf_nan=False)] | None = None
    high: Annotated[float, Field(allow_inf_nan=False)] | None = None


class ChangeDocument(DocumentModel):
    """What became of `what` (its ratio, for example) of one arm of a case since the baseline.

    `before` and `now` are its values in words, with their intervals. `spent` says, of what is worse, by how many
    seconds each part of the mean turn grew beyond what the machine makes of it, the largest growth first; it is empty
    where nobody knows what became of the machine. `decisive` is false where being undecided leaves nothing else
    undecided, `reason` says why something is undecided, and what to do.
    """

    case: str
    arm: str
    what: str
    before: str
    now: str
    outcome: ChangeOutcome
    decisive: bool = True
    growth: GrowthDocument | None = None
    spent: dict[str, GrownDocument] = Field(default_factory=dict)
    reason: str | None = None


class ComparisonDocument(DocumentModel):
    """A benchmark against its baseline (`comparison.json`): all changes, the worst first, and what they amount to.

    `threshold` is how many times what it was a ratio may be. `doubts` are sentences that say why not all is known, and
    what to do; `notes` what could not be compared, and what the two runs differ in. It is no part of `bench.json`: that
    can be compared with any baseline.
    """

    schema_version: Annotated[int, Field(ge=1)] = COMPARISON_SCHEMA_VERSION
    threshold: float
    outcome: ChangeOutcome
    changes: tuple[ChangeDocument, ...]
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class _Version(BaseModel):
    """The one field that documents of all versions have."""

    schema_version: int


def read_bench(path: Path) -> BenchDocument:
    """The document in a file.

    Raises:
        MissingEvidence: there is no such file, it is of another schema version, or it does not follow the schema.
    """
    try:
        content = path.read_bytes()
        version = _Version.model_validate_json(content).schema_version
        if version != BENCH_SCHEMA_VERSION:
            raise MissingEvidence(
                f"{str(path)!r} is of schema version {version}, and this version reads {BENCH_SCHEMA_VERSION}; "
                "measure it again"
            )
        return BenchDocument.model_validate_json(content)
    except OSError as error:
        raise MissingEvidence(f"the benchmark {str(path)!r} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise not_a_document(path, "no benchmark", error) from error
