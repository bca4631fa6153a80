"""Benchmarks, for reports."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from harness.report.bench_document import ArmDocument, BenchDocument, CaseDocument, CurveDocument, EstimateDocument
from harness.report.document import EnvironmentDocument, PostgresDocument
from harness.scenario import ModelTier, PoolState, SessionMode

__all__ = ["arm", "benchmark", "case", "estimate"]


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
        "efficiency": 0.24 / taken,
        "parts": {"work": 0.24, "serial": taken - 0.24},
        "overlapped": 10,
        "overlap_known": 10,
    }
    return ArmDocument(name=name, **{**fields, **others})


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


def benchmark(*cases: CaseDocument, curves: Sequence[CurveDocument] = ()) -> BenchDocument:
    """A benchmark of these cases and curves."""
    return BenchDocument(
        started_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        seconds=14.0,
        command="sessionproof bench",
        machine="a machine",
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
    )
