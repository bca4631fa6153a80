"""The script that compares the verdicts of two benchmarks."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from inline_snapshot import snapshot

from harness.report.bench_document import ArmDocument, BenchDocument, Concurrency, CurveDocument, PointDocument
from tests.report.bench_documents import arm, benchmark, case, everything, failed, pools

SCRIPT = Path(__file__).parents[1] / ".ci" / "same-bench-verdicts"


def compare(directory: Path, first: BenchDocument, second: BenchDocument) -> subprocess.CompletedProcess[str]:
    """Write two documents, and run the script on them."""
    paths = [directory / "first.json", directory / "second.json"]
    for path, document in zip(paths, (first, second), strict=True):
        path.write_text(document.model_dump_json(), encoding="utf-8")
    return subprocess.run([sys.executable, str(SCRIPT), *paths], capture_output=True, text=True, check=False)


def promised(concurrency: Concurrency, **others: Any) -> ArmDocument:
    return arm("per_operation", 0.25, **{"promised": True, "concurrency": concurrency, **others})


SIDE_BY_SIDE = promised(Concurrency.SIDE_BY_SIDE)
UNDECIDED = promised(Concurrency.UNDECIDED, lost_to="serial")


def test_runs_that_agree(tmp_path: Path) -> None:
    """Seconds may differ; cases, pools and points of curves are all looked at."""
    other = everything().model_copy(update={"seconds": 70.0, "machine": "another"})

    ended = compare(tmp_path, everything(), other)

    arms = len({(name, each.name) for name, each in arms_of(everything())})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{arms} arms, 0 differences, 0 undecided in one of the runs\n"


def arms_of(document: BenchDocument) -> list[tuple[str, ArmDocument]]:
    points = [point.case for curve in document.curves for point in curve.points]
    cases = (*document.cases, *(each.case for each in document.pools), *points)
    return [(each.name, arm) for each in cases for arm in each.arms]


def test_runs_that_differ(tmp_path: Path) -> None:
    """Each difference is one line: how the tools went, what they lost the rest to, a failure, an arm of one run."""
    one_by_one = {"concurrency": Concurrency.ONE_BY_ONE, "lost_to": "serial"}
    first = case(SIDE_BY_SIDE, arm("shared", 0.5, **one_by_one), arm("locked", 0.5, **one_by_one), arm("durable", 0.5))
    second = case(
        promised(Concurrency.IN_PART, lost_to="pool"),
        arm("shared", 0.5, **{**one_by_one, "lost_to": "loop"}),
        failed("locked", "timed out", concurrency=Concurrency.UNDECIDED),
        arm("deferred", 0.5),
    )

    ended = compare(tmp_path, benchmark(first), benchmark(second))

    assert ended.returncode == 1
    assert ended.stdout == snapshot("""\
headline: deferred: only in the second run
headline: durable: only in the first run
headline: locked: failed no and yes
headline: per_operation: concurrency side_by_side and in_part
headline: per_operation: lost_to none and pool
headline: shared: lost_to serial and loop
5 arms, 6 differences, 0 undecided in one of the runs
""")


@pytest.mark.parametrize(("judged", "status"), [(True, 3), (False, 0)])
def test_what_one_run_cannot_tell_is_no_difference_and_counted_apart(judged: bool, status: int, tmp_path: Path) -> None:
    """Nor is it the same: of tools that were to work side by side it is missing evidence."""
    first, second = (
        benchmark(case(each.model_copy(update={"promised": judged}))) for each in (SIDE_BY_SIDE, UNDECIDED)
    )

    ended = compare(tmp_path, first, second)

    assert ended.returncode == status
    assert ended.stdout == snapshot("""\
undecided: headline: per_operation: concurrency side_by_side and undecided
undecided: headline: per_operation: lost_to none and serial
1 arms, 0 differences, 1 undecided in one of the runs
""")


def test_what_neither_run_can_tell_is_the_same(tmp_path: Path) -> None:
    """What most of the rest was lost to is chance then, and so it is of arms that failed both times."""
    first, second = (
        case(
            UNDECIDED.model_copy(update={"lost_to": lost_to}),
            failed("shared", "timed out", concurrency=Concurrency.UNDECIDED, lost_to=lost_to),
        )
        for lost_to in ("serial", "pool")
    )

    ended = compare(tmp_path, benchmark(first), benchmark(second))

    assert ended.stdout == "2 arms, 0 differences, 0 undecided in one of the runs\n"


def test_pools_and_points_are_compared_too(tmp_path: Path) -> None:
    """By the names of their cases."""

    def document(concurrency: Concurrency) -> BenchDocument:
        each = case(promised(concurrency), name="c, 8 tools")
        curve = CurveDocument(name="c", question="?", axis="tools", points=(PointDocument(x=8, case=each),))
        return benchmark(curves=(curve,), pools=(pools(case=each.model_copy(update={"name": "pool_size"})),))

    ended = compare(tmp_path, document(Concurrency.SIDE_BY_SIDE), document(Concurrency.ONE_BY_ONE))

    assert ended.stdout == snapshot("""\
c, 8 tools: per_operation: concurrency side_by_side and one_by_one
pool_size: per_operation: concurrency side_by_side and one_by_one
2 arms, 2 differences, 0 undecided in one of the runs
""")


@pytest.mark.parametrize("document", ["", "{}", "[]"])
def test_what_is_no_benchmark_is_not_the_same(document: str, tmp_path: Path) -> None:
    """There is nothing to compare; nor is there in benchmarks without arms."""
    path = tmp_path / "bench.json"
    path.write_text(document, encoding="utf-8")

    ended = subprocess.run([sys.executable, str(SCRIPT), path, path], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: two benchmarks are needed")
    assert "Traceback" not in ended.stderr
    assert compare(tmp_path, benchmark(), benchmark()).returncode == 2
