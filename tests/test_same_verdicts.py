"""The script that compares the verdicts of two runs."""

import subprocess
import sys
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from harness.report.document import RunDocument
from harness.report.run_json import JsonWriter
from harness.scenario import SessionMode
from harness.verdict import FindingKind, Verdict
from tests.report import documents

SCRIPT = Path(__file__).parents[1] / ".ci" / "same-verdicts"


def compare(
    directory: Path, first: RunDocument, second: RunDocument, *options: str
) -> subprocess.CompletedProcess[str]:
    """Write two documents, and run the script on them."""
    paths = [directory / "first.json", directory / "second.json"]
    for path, document in zip(paths, (first, second), strict=True):
        path.write_text(JsonWriter().write(document), encoding="utf-8")
    return subprocess.run([sys.executable, str(SCRIPT), *options, *paths], capture_output=True, text=True, check=False)


def small() -> RunDocument:
    """Two cells, in one of which the bug shows."""
    cells = [
        documents.expected_to_show("two_parallel_tools", SessionMode.SHARED),
        documents.cell("two_parallel_tools", SessionMode.PER_OPERATION),
    ]
    return documents.document(cells)


def test_runs_that_agree(tmp_path: Path) -> None:
    """Times and texts may differ."""
    other = small().model_copy(update={"seconds": 7.0, "command": "sessionproof verify --postgres container"})

    ended = compare(tmp_path, small(), other)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "2 cells, 0 differences\n", "")


def test_runs_that_differ(tmp_path: Path) -> None:
    """Each difference is one line: a verdict, an expectation, a cell that only one run has; other kinds are noted."""
    buggy, clean = small().cells
    finding = buggy.findings[0].model_copy(update={"kind": FindingKind.BLEED})
    other = documents.document(
        [
            clean.model_copy(update={"session_mode": SessionMode.LOCKED}),
            buggy.model_copy(update={"findings": (*buggy.findings, finding), "as_expected": False}),
        ]
    )

    ended = compare(tmp_path, small(), other)

    assert ended.returncode == 1
    assert ended.stdout == snapshot("""\
note: two_parallel_tools shared warm scripted: kinds ['concurrent_operation'] and ['bleed', 'concurrent_operation']
two_parallel_tools locked warm scripted: only in the second run
two_parallel_tools per_operation warm scripted: only in the first run
two_parallel_tools shared warm scripted: as_expected True and False
3 cells, 3 differences
""")


def test_a_part_of_a_run_is_compared_with_the_whole(tmp_path: Path) -> None:
    """What it leaves out is counted; what it has must be in the whole, and the same."""
    buggy, clean = small().cells
    part = documents.document([buggy])
    other = documents.document([buggy.model_copy(update={"as_expected": False})])

    agrees = compare(tmp_path, small(), part, "--part")
    differs = compare(tmp_path, small(), other, "--part")
    foreign = compare(tmp_path, documents.document([clean]), part, "--part")

    assert (agrees.returncode, agrees.stdout) == (0, "1 cells, 0 differences, 1 more only in the first run\n")
    assert (differs.returncode, foreign.returncode) == (1, 1)
    assert "as_expected True and False" in differs.stdout
    assert "only in the second run" in foreign.stdout
    assert compare(tmp_path, small(), part).returncode == 1


@pytest.mark.parametrize("document", ["", "{}", "[]"])
def test_what_is_no_run_is_not_the_same(document: str, tmp_path: Path) -> None:
    """There is nothing to compare."""
    path = tmp_path / "run.json"
    path.write_text(document, encoding="utf-8")

    ended = subprocess.run([sys.executable, str(SCRIPT), path, path], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert ended.stderr.startswith("error: two documents of runs are needed")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("verdict", "as_expected", "differences"),
    [(Verdict.FAILED, True, 0), (Verdict.FAILED, False, 2), (Verdict.UNKNOWN, True, 1)],
    ids=["allowed", "not as expected", "unknown"],
)
def test_what_an_expectation_leaves_open_may_differ(
    verdict: Verdict, as_expected: bool, differences: int, tmp_path: Path
) -> None:
    """A cell that passes once and fails once, as expected both times; nothing else."""
    buggy, clean = small().cells
    other = clean.model_copy(update={"verdict": verdict, "as_expected": as_expected})

    ended = compare(tmp_path, small(), documents.document([buggy, other]))

    assert ended.stdout.endswith(f"2 cells, {differences} differences\n")
    assert ended.returncode == int(differences > 0)


@pytest.mark.parametrize("options", [(), ("--part",)])
def test_runs_without_cells_are_not_the_same(options: tuple[str, ...], tmp_path: Path) -> None:
    """Missing evidence never passes."""
    assert compare(tmp_path, documents.empty(), documents.empty(), *options).returncode == 2
    assert compare(tmp_path, small(), documents.empty(), *options).returncode == 2
    assert compare(tmp_path, documents.empty(), small(), *options).returncode == 2
