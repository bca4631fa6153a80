"""Benchmarks, for reports."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from harness.report.bench_document import (
    ArmDocument,
    BenchDocument,
    CaseDocument,
    ChangeDocument,
    ChangeOutcome,
    ComparisonDocument,
    Concurrency,
    CostArmDocument,
    CostDocument,
    CurveDocument,
    EstimateDocument,
    GrownDocument,
    GrowthDocument,
    PointDocument,
    PoolsDocument,
    ShareDocument,
)
from harness.report.document import EnvironmentDocument, PostgresDocument
from harness.scenario import ModelTier, PoolState, SessionMode

__all__ = [
    "FAILED",
    "TWO",
    "arm",
    "benchmark",
    "case",
    "comparison",
    "cost",
    "curve",
    "estimate",
    "everything",
    "failed",
    "headline",
    "hostile",
    "pools",
    "share",
]


def estimate(value: float, *, spread: float = 0.01) -> EstimateDocument:
    """An estimate whose interval goes as far to both sides."""
    low, high = value * (1 - spread), value * (1 + spread)
    return EstimateDocument(value=value, low=low, high=high, repetitions=10, confidence=0.95, detectable=0.04)


def arm(name: str, taken: float, **others: Any) -> ArmDocument:
    """An arm that took so many seconds against a reference of 0.25 s."""
    fields: dict[str, Any] = {
        "session_mode": SessionMode.PER_OPERATION,
        "parallel": True,
        "pool_state": PoolState.WARM,
        "tier": ModelTier.SCRIPTED,
        "turns": 1,
        "samples": (taken,) * 10,
        "seconds": estimate(taken).model_copy(update={"detectable": None}),
        "ratio": estimate(taken / 0.25),
        "stretch": estimate(taken / 0.24),
        "efficiency": share(min(1.0, 0.24 / taken), spread=min(1.0, 0.24 / taken) / 100),
        "parts": {"work": min(0.24, taken), "serial": max(0.0, taken - 0.24)},
        "overlapped": 10,
        "overlap_known": 10,
    }
    given = {**fields, **others}
    return ArmDocument(name=name, **{"shares": _shares(given["parts"]) if given["seconds"] else {}, **given})


def _shares(parts: dict[str, float]) -> dict[str, ShareDocument]:
    """What each part is of all of them."""
    return {part: share(seconds / sum(parts.values()), spread=0.01) for part, seconds in parts.items()}


def case(*arms: ArmDocument, **others: Any) -> CaseDocument:
    """A case of these arms, whose first is the reference."""
    fields: dict[str, Any] = {
        "name": "headline",
        "question": "What do two tools gain by running together?",
        "reference": arms[0].name,
        "tool_seconds": 0.24,
        "half_width": 0.02,
        "reached": True,
        "ended": "interval",
        "elapsed": 12.3,
    }
    return CaseDocument(arms=arms, **{**fields, **others})


def failed(name: str, failure: str, **others: Any) -> ArmDocument:
    """An arm that failed at once."""
    nothing: dict[str, Any] = dict.fromkeys(("seconds", "ratio", "stretch", "efficiency", "overlapped"))
    return arm(name, 0.5, **{"samples": (), "parts": {}, **nothing, "failure": failure, **others})


def share(value: float, *, spread: float = 0.02) -> ShareDocument:
    """A share whose interval goes as far to both sides."""
    low, high = max(0.0, value - spread), min(1.0, value + spread)
    return ShareDocument(value=value, low=low, high=high, repetitions=10, confidence=0.95)


def curve(**others: Any) -> CurveDocument:
    """A curve of two arms, one of which grows; a point is too noisy, an arm failed at another, one was left out."""
    measured = [(x, case(arm("per_operation", 0.1 + x / 1000), arm("shared", 0.1 * x))) for x in (1, 2, 4)]
    points = [PointDocument(x=x, case=each) for x, each in measured]
    points[1] = PointDocument(x=2, case=points[1].case.model_copy(update={"reached": False, "ended": "time"}))
    last = case(arm("per_operation", 0.12), failed("shared", "too many clients already"))
    fields: dict[str, Any] = {
        "name": "tools_per_turn",
        "question": "What does a turn cost whose tools are called together?",
        "axis": "tools",
        "points": (*points, PointDocument(x=8, case=last)),
        "skipped": ("16 tools: all arms together want 90 connections, and the server has 60 left",),
    }
    return CurveDocument(**{**fields, **others})


def pools(**others: Any) -> PoolsDocument:
    """Pools of 8, 4, 2 and 1; four are enough, two are slower, and in that of one somebody's patience ended."""

    def of(size: int, taken: float, waited: float) -> ArmDocument:
        parts = {"work": 0.05, "pool": waited, "application": taken - 0.05 - waited}
        return arm(f"pool of {size}", taken, pool_size=size, parts=parts, ratio=estimate(taken / 0.1))

    impatient = failed("pool of 1", "QueuePool limit of size 1 overflow 0 reached, connection timed out", pool_size=1)
    arms = (of(8, 0.1, 0.001), of(4, 0.102, 0.001), of(2, 0.15, 0.05), impatient)
    fields: dict[str, Any] = {
        "turns": 2,
        "tools": 2,
        "predicted": 4,
        "measured": 4,
        "saturated": (2,),
        "timed_out": (1,),
        "case": case(*arms, name="pool_size", question="How small may the pool be?"),
    }
    return PoolsDocument(**{**fields, **others})


def cost(**others: Any) -> CostDocument:
    """The harness's own costs: two that were measured, one that failed, and one that was not."""

    def way(name: str, taken: float, **more: Any) -> CostArmDocument:
        fields: dict[str, Any] = {"seconds": estimate(taken), "ratio": estimate(taken / 12e-6), "samples": (taken,) * 6}
        return CostArmDocument(name=name, **{**fields, **more})

    fields: dict[str, Any] = {
        "name": "recorders",
        "question": "What do the recorders cost?",
        "reference": "without",
        "half_width": 0.05,
        "reached": True,
        "ended": "interval",
        "elapsed": 3.0,
        "arms": (
            way("without", 12e-6),
            way("statements", 31e-6),
            way("all of them", 2.4e-3, outliers=(5,)),
            way("spans", 1.0, seconds=None, ratio=None, samples=(), failure="no exporter"),
        ),
        "missing": ("with a container: no Docker engine answers",),
    }
    return CostDocument(**{**fields, **others})


def comparison(**others: Any) -> ComparisonDocument:
    """Against a baseline: a ratio that is worse, one that is not, and three undecided ones, of which two count."""

    def change(
        name: str, grown: tuple[float, float, float] | None, outcome: ChangeOutcome, *, decisive: bool = True
    ) -> ChangeDocument:
        growth = GrowthDocument(value=grown[0], low=grown[1], high=grown[2]) if grown is not None else None
        spent = {
            "serial": GrownDocument(seconds=0.0621, low=0.055, high=0.07),
            "sessions": GrownDocument(seconds=0.003, low=-0.001, high=0.007),
            "pool": GrownDocument(seconds=0.002, low=0.0012, high=0.0028),
            "loop": GrownDocument(seconds=-0.001, low=-0.002, high=0.0),
        }
        return ChangeDocument(
            case="headline",
            arm=name,
            what="ratio",
            before="1.000 [0.990, 1.010]",
            now="1.300 [1.280, 1.320]",
            outcome=outcome,
            decisive=decisive,
            growth=growth,
            spent=spent if outcome is ChangeOutcome.WORSE else {},
            reason="the interval lies on both sides of the gate" if outcome is ChangeOutcome.UNDECIDED else None,
        )

    fields: dict[str, Any] = {
        "threshold": 1.1,
        "outcome": ChangeOutcome.WORSE,
        "changes": (
            change("shared", (1.3, 1.27, 1.33), ChangeOutcome.WORSE),
            change("durable", (1.08, 1.0, 1.16), ChangeOutcome.UNDECIDED),
            change("sequential", None, ChangeOutcome.UNDECIDED),
            change("locked", (1.0, 0.98, 1.02), ChangeOutcome.NOT_WORSE),
            change("deferred", (1.08, 0.9, 1.26), ChangeOutcome.UNDECIDED, decisive=False),
        ),
        "doubts": ("ratio of headline (durable, sequential): the interval lies on both sides of the gate",),
        "notes": ("the baseline is of another machine (another; this is a machine)",),
    }
    return ComparisonDocument(**{**fields, **others})


def headline(**others: Any) -> CaseDocument:
    """Six arms and all parts: a promise that is held, one that is broken, and one of which nobody knows."""

    def of(name: str, taken: float, **more: Any) -> ArmDocument:
        parts = {"work": 0.24, "serial": max(0.0, taken - 0.292) + 0.0079, "loop": 0.0, "pool": 0.001}
        parts |= {"sessions": 0.009, "model": 0.0074, "ledger": 0.0036}
        parts["application"] = max(0.0, taken - sum(parts.values()))
        return arm(name, taken, parts=parts, ratio=estimate(taken / 0.292), **more)

    side_by_side: dict[str, Any] = {"concurrency": Concurrency.SIDE_BY_SIDE, "gained": share(0.98), "lost_to": "serial"}
    one_by_one: dict[str, Any] = {"concurrency": Concurrency.ONE_BY_ONE, "gained": share(0.01), "lost_to": "serial"}
    shared: dict[str, Any] = {**one_by_one, "session_mode": SessionMode.SHARED, "overlapped": 0, "outliers": (3,)}
    undecided: dict[str, Any] = {
        "concurrency": Concurrency.UNDECIDED,
        "gained": share(0.9, spread=0.15),
        "session_mode": SessionMode.DURABLE,
    }
    arms = (
        of("per_operation", 0.292, **side_by_side, promised=True),
        of("one by one", 0.537, parallel=False, overlapped=None),
        of("shared", 0.535, **shared),
        of("locked", 0.532, **one_by_one, promised=True, overlapped=0),
        failed("sequential", "TimeoutError: no answer within 60 s"),
        of("durable", 0.309, **undecided, promised=True),
    )
    return case(*arms, **{"tools": 2, "yardstick": "durable", **others})


def everything() -> BenchDocument:
    """A benchmark that has something of everything, and was interrupted."""
    labelled = curve(
        name="pool_states",
        axis="pool state",
        points=(
            PointDocument(x=0, label="cold", case=case(arm("per_operation", 0.4), arm("shared", 0.8))),
            PointDocument(x=1, label="warm", case=case(arm("per_operation", 0.3), arm("shared", 0.5))),
        ),
        skipped=(),
    )
    return benchmark(headline(), curves=(curve(), labelled), pools=(pools(),), costs=(cost(),), interrupted=True)


def hostile(text: str) -> BenchDocument:
    """A benchmark with a text of somebody else's in every place that can have one."""
    arms = (
        arm(text, 0.25, parts={text: 0.24, "work": 0.01}, promised=True, lost_to=text, concurrency="one_by_one"),
        failed(f"{text} 2", text),
    )
    of = case(*arms, name=text, question=text, reached=False, ended=text, yardstick=text)
    points = (PointDocument(x=1, label=text, case=of), PointDocument(x=2, case=of))
    return benchmark(
        of,
        curves=(curve(name=text, question=text, axis=text, points=points, skipped=(text,)), curve(name=text)),
        pools=(pools(case=of, timed_out=()),),
        costs=(
            cost(
                name=text,
                question=text,
                reference=text,
                ended=text,
                missing=(text,),
                arms=(
                    CostArmDocument(name=text, samples=(1.0,), seconds=estimate(1.0)),
                    CostArmDocument(name=f"{text} 2", samples=(), failure=text),
                ),
            ),
        ),
        command=text,
        machine=text,
    )


def benchmark(
    *cases: CaseDocument, curves: Sequence[CurveDocument] = (), command: str = "sessionproof bench", **others: Any
) -> BenchDocument:
    """A benchmark of these cases and curves."""
    return BenchDocument(
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        seconds=14.0,
        command=command,
        machine=others.pop("machine", "a machine"),
        environment=EnvironmentDocument(
            python="3.13.0",
            platform="Linux",
            cpus=2,
            packages={},
            postgres=PostgresDocument(kind="embedded", version="18.4", reason="as asked"),
            backend="fixtures.backend.adapter:backend",
        ),
        cases=cases,
        curves=tuple(curves),
        **others,
    )


TWO = case(arm("per_operation", 0.25), arm("shared", 0.5, session_mode=SessionMode.SHARED, overlapped=0, outliers=(3,)))
FAILED = case(
    arm("per_operation", 0.25),
    arm(
        "small pool",
        0.5,
        samples=(0.5, 0.5),
        seconds=None,
        ratio=None,
        efficiency=None,
        overlapped=2,
        overlap_known=2,
        failure="[bold]timed out",
    ),
    arm("one by one", 0.5, overlapped=None),
    reached=False,
    ended="time",
)
