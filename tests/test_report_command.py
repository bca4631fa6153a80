"""`sessionproof report`: any report again, and what changed between two."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from inline_snapshot import snapshot

from harness.cli import main
from harness.report.bench_write import write_bench
from harness.report.document import RunDocument
from harness.report.formats import bench_formats, run_formats
from harness.report.junit import JunitWriter
from harness.report.markdown import MarkdownWriter
from harness.report.redact import redact
from harness.report.run_json import JsonWriter
from harness.report.terminal import render
from harness.scenario import PoolState, SessionMode
from tests.report import bench_documents, documents, two_tools


def report(*words: str | Path, environment: Mapping[str, str | None] | None = None) -> Result:
    """Call the command in this process."""
    return CliRunner().invoke(main, ["report", *map(str, words)], env=environment, prog_name="sessionproof")


def left(made: RunDocument, path: Path) -> Path:
    """The file of a run."""
    path.write_text(JsonWriter().write(redact(made)), encoding="utf-8")
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The document of a run in which a race was found that must not be."""
    cells = (two_tools.shared(expected=False), two_tools.own_sessions(pool_state=PoolState.COLD))
    return left(two_tools.run(*cells), tmp_path / "run.json")


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    """The document of a benchmark."""
    write_bench(bench_documents.everything(), tmp_path / "measured")
    return tmp_path / "measured" / "bench.json"


def refusal(result: Result, directory: Path) -> str:
    """The one line of a call that was refused."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.splitlines()
    return line.replace(str(directory), "DIR").replace("terminal, html, ", "terminal, ")  # a page is in its own module


def test_the_terminal_is_what_verify_showed(tmp_path: Path) -> None:
    """Without any option."""
    path = left(documents.troubled(), tmp_path / "run.json")

    result = report(path)

    assert result.exit_code == 0
    assert result.stdout.split() == render(documents.troubled()).split()


@pytest.mark.parametrize("name", run_formats())
def test_every_format_can_be_written(name: str, run: Path, tmp_path: Path) -> None:
    """To standard output, to a file, and into a folder by its usual name, each time the same, and nothing beside it."""
    place = tmp_path / "out"

    printed = report(run, "--format", name)
    written = report(run, "--format", name, "--output", place / "file")
    placed = report(run, "--format", name, "--output", f"{place / 'folder'}/")

    assert (printed.exit_code, written.exit_code, placed.exit_code) == (0, 0, 0), printed.output
    text = (place / "file").read_text(encoding="utf-8")
    (inside,) = (place / "folder").iterdir()
    assert inside.name == run_formats()[name].filename
    assert inside.read_text(encoding="utf-8") == text
    assert printed.stdout == text or name == "terminal"
    assert sorted(each.name for each in place.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("writer", [JunitWriter(), MarkdownWriter(), JsonWriter()], ids=lambda writer: writer.name)
def test_reports_of_a_run_are_made_again_to_the_letter(
    writer: JunitWriter | MarkdownWriter | JsonWriter, tmp_path: Path
) -> None:
    """As `verify` wrote them."""
    made = redact(documents.troubled())
    path = left(made, tmp_path / "run.json")

    report(path, "--format", writer.name, "--output", tmp_path / "again")

    assert (tmp_path / "again").read_text(encoding="utf-8") == writer.write(made)


@pytest.mark.parametrize("name", bench_formats())
def test_every_format_of_a_benchmark_can_be_written(name: str, bench: Path, tmp_path: Path) -> None:
    """Charts are several files."""
    result = report(bench, "--format", name, "--output", f"{tmp_path / 'out'}/")

    assert result.exit_code == 0, result.output
    files = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert files == (
        [f"charts/{path.name}" for path in sorted((bench.parent / "charts").iterdir())]
        if name == "charts"
        else [bench_formats()[name].filename]
    )
    for each in files:
        again = (tmp_path / "out" / each).read_text(encoding="utf-8")
        assert name == "terminal" or again == (bench.parent / each).read_text(encoding="utf-8")


def test_several_formats_go_into_a_folder(run: Path, tmp_path: Path) -> None:
    """Which is made if there is none."""
    result = report(run, "--format", "junit", "--format", "trace", "--output", tmp_path / "out")

    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["junit.xml", "trace.json"]


def test_a_file_that_is_there_is_replaced(run: Path, tmp_path: Path) -> None:
    """By the whole of the new one."""
    (tmp_path / "page.md").write_text("old")

    report(run, "--format", "markdown", "--output", tmp_path / "page.md")

    assert (tmp_path / "page.md").read_text(encoding="utf-8").startswith("# sessionproof: not as expected")


def test_a_cell_and_a_turn_can_be_chosen(run: Path) -> None:
    """For all formats the one, for the trace the other."""
    page = report(run, "--format", "json", "--cell", "*/per_operation-warm-*").stdout
    trace = report(run, "--format", "trace", "--cell", "*-warm-*", "--turn", two_tools.TURN).stdout

    assert len(json.loads(page)["cells"]) == 1
    assert "two_parallel_tools/per_operation-warm-scripted: tasks" in trace


def test_what_cannot_be_is_refused_in_one_line(run: Path, bench: Path, tmp_path: Path) -> None:
    """With what there is in its stead; and nothing is written."""
    (tmp_path / "folder" / "trace.json").mkdir(parents=True)
    (tmp_path / "file").write_text("kept")
    out = tmp_path / "out"
    calls: dict[str, tuple[str | Path, ...]] = {
        "format": (run, "--format", "sarfi", "--output", out),
        "no format alike": (run, "--format", "pdf", "--output", out),
        "format of a benchmark": (bench, "--format", "trace", "--output", out),
        "file": (tmp_path / "rum.json",),
        "cell": (run, "--cell", "two_paralell_tools/per_operation-warm-scripted", "--output", out),
        "cell of a benchmark": (bench, "--cell", "headline"),
        "turn": (run, "--format", "trace", "--cell", "*", "--turn", "99", "--output", out),
        "turn of a page": (run, "--format", "markdown", "--turn", "1", "--output", out),
        "folder in the way": (run, "--format", "trace", "--output", tmp_path / "folder"),
        "file in the way": (run, "--format", "trace", "--output", f"{tmp_path / 'file'}/"),
        "file above": (run, "--format", "trace", "--output", tmp_path / "file" / "trace.json"),
        "device": (run, "--format", "trace", "--output", os.devnull),
        "several": (run, "--format", "trace", "--format", "junit"),
        "several as a file": (run, "--format", "trace", "--format", "junit", "--output", tmp_path / "file"),
        "charts": (bench, "--format", "charts"),
        "three": (run, run, run),
        "two benchmarks": (bench, bench),
        "two kinds": (run, bench),
        "format of two": (run, run, "--format", "sarif"),
        "NUL": (run, "--format", "trace", "--output", f"{tmp_path}/a\x00b"),
    }

    said = {name: refusal(report(*words), tmp_path) for name, words in calls.items()}

    assert said == snapshot(
        {
            "format": "error: a run has no format 'sarfi' (did you mean 'sarif'?); there are terminal, markdown, junit, json, sarif, trace, github",  # noqa: E501  # golden text
            "no format alike": "error: a run has no format 'pdf'; there are terminal, markdown, junit, json, sarif, trace, github",  # noqa: E501  # golden text
            "format of a benchmark": "error: a benchmark has no format 'trace'; there are terminal, markdown, json, charts",  # noqa: E501  # golden text
            "file": "error: there is no file 'DIR/rum.json'; in its folder there are run.json",
            "cell": "error: there is no cell 'two_paralell_tools/per_operation-warm-scripted' in the run; the nearest is 'two_parallel_tools/per_operation-warm-scripted'",  # noqa: E501  # golden text
            "cell of a benchmark": "error: 'DIR/measured/bench.json' is a benchmark, which has no cells to choose by --cell",  # noqa: E501  # golden text
            "turn": "error: there is no turn '99' in the cells that were asked for; there are 0f8b6f3e-0000-4000-8000-000000000001",  # noqa: E501  # golden text
            "turn of a page": "error: --turn is for --format trace alone; other formats have all turns of a cell",
            "folder in the way": "error: the report is to be a file, and 'DIR/folder/trace.json' is a folder: name another by --output",  # noqa: E501  # golden text
            "file in the way": "error: the report is to be a folder, and 'DIR/file/' is a file: name another by --output",  # noqa: E501  # golden text
            "file above": "error: nothing can be below 'DIR/file', which is a file: name another by --output",
            "device": "error: the report is to be a file, and '/dev/null' is no regular file: name another by --output",
            "several": "error: several formats are more than one file: name a folder by --output DIR",
            "several as a file": "error: the report is to be a folder, and 'DIR/file' is a file: name another by --output",  # noqa: E501  # golden text
            "charts": "error: the format charts is more than one file: name a folder by --output DIR",
            "three": "error: expected one document, or two to compare, and not 3",
            "two benchmarks": "error: two benchmarks are compared by `sessionproof bench --compare BASELINE`, which measures as well",  # noqa: E501  # golden text
            "two kinds": "error: a run and a benchmark have nothing in common to compare: give two of run.json",
            "format of two": "error: a comparison of two runs has no format 'sarif'; there are terminal, markdown",
            "NUL": "error: the report cannot be written to 'DIR/a\\x00b': no file can have that name; name another by --output",  # noqa: E501  # golden text
        }
    )
    assert not out.exists()
    assert (tmp_path / "file").read_text() == "kept"
    assert not list(tmp_path.rglob("*.part"))


def test_a_document_that_is_none_writes_nothing(run: Path, tmp_path: Path) -> None:
    """Also if a report of an earlier one is there."""
    (tmp_path / "page.md").write_text("kept")
    run.write_bytes(run.read_bytes()[:1000])

    result = report(run, "--format", "markdown", "--output", tmp_path / "page.md")

    assert refusal(result, tmp_path).startswith("error: 'DIR/run.json' is cut short: it ends in the middle")
    assert (tmp_path / "page.md").read_text() == "kept"


def test_two_runs_are_compared(tmp_path: Path) -> None:
    """The exit status says whether something is worse, and both formats say what."""
    good = left(two_tools.run(two_tools.own_sessions()), tmp_path / "a.json")
    bad = left(two_tools.run(two_tools.shared(expected=False, turn="other")), tmp_path / "b.json")

    worse, better, page = report(good, bad), report(bad, good), report(good, bad, "--format", "markdown")

    assert (worse.exit_code, better.exit_code, page.exit_code) == (1, 0, 1)
    assert worse.stdout.endswith("WORSE: 1 of 1 cell worse\n")
    assert better.stdout.endswith("NOT WORSE: 1 of 1 cell better\n")
    assert page.stdout.startswith("# WORSE: 1 of 1 cell worse\n")
    assert report(good, left(two_tools.run(), tmp_path / "c.json")).exit_code == 3


def test_a_comparison_can_be_written(run: Path, tmp_path: Path) -> None:
    """To a file, or into a folder."""
    result = report(run, run, "--format", "markdown", "--format", "terminal", "--output", tmp_path / "out")

    assert result.exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["changes.md", "changes.txt"]


def test_secrets_are_masked_once_more(tmp_path: Path) -> None:
    """In a document that was not, by what this environment knows."""
    path = tmp_path / "run.json"
    told = replace(two_tools.finding(two_tools.overlap()), message=" ".join(documents.SECRETS.values()))
    cell = documents.cell("single_tool", SessionMode.PER_OPERATION, findings=[told], evidence=two_tools.evidence())
    made = two_tools.run(cell, problems=list(documents.SECRETS.values()))
    path.write_text(made.model_dump_json(), encoding="utf-8")

    for name in run_formats():
        result = report(path, "--format", name, environment={"APP_TOKEN": "value-from-the-environment"})
        assert result.exit_code == 0, result.output
        assert not [secret for secret in documents.SECRETS if secret in result.output], name


def test_the_format_github_appends_to_the_summary_of_the_step(run: Path, tmp_path: Path) -> None:
    """If there is one; paths are relative to the workspace only in a job."""
    summary = tmp_path / "summary"
    environment = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": "/home/ci", "GITHUB_ACTIONS": "true"}

    outside, inside = report(run, "--format", "github"), report(run, "--format", "github", environment=environment)

    assert "::error file=app/services/vector.py,line=21," in outside.stdout
    assert "::error file=shop/app/services/vector.py,line=21," in inside.stdout
    assert summary.read_text(encoding="utf-8").startswith("# sessionproof: not as expected")


def test_a_format_whose_package_is_missing_says_how_to_get_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine lacks something, and nobody's call was wrong."""
    monkeypatch.setitem(sys.modules, "sarif_pydantic", None)

    result = report(run, "--format", "sarif")

    assert result.exit_code == 3
    assert result.stderr == (
        "error: the format sarif needs sarif-pydantic, and it is not installed; install the extra: "
        "pip install 'sessionproof[sarif]'\n"
    )


def test_the_root_of_the_sources_can_be_given(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to where one stands, as any path."""
    log = report(run, "--format", "sarif", "--root", "/home").stdout

    assert '"uri": "ci/shop/app/services/vector.py"' in log


def test_an_error_that_quotes_a_document_is_no_command_of_github(run: Path) -> None:
    """It stands between a line that stops commands and the token that lets them go on."""
    result = report(run, "--cell", "##[error]x", environment={"GITHUB_ACTIONS": "true"})

    stopped, *said, token = result.stderr.splitlines()
    assert result.exit_code == 2
    assert "##[error]x" in "".join(said)
    assert token == f"::{stopped.removeprefix('::stop-commands::')}::"
    assert stopped != token


@pytest.mark.processes
@pytest.mark.parametrize("words", [[], ["--format", "junit"]])
def test_a_reader_who_has_gone_is_no_verdict(run: Path, words: list[str]) -> None:
    """It ends as what SIGPIPE ended, without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "harness.cli", "report", str(run), *words]
        ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)

    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.processes
def test_no_space_for_what_is_printed_is_said_in_words(run: Path) -> None:
    """With what to do."""
    command = [sys.executable, "-m", "harness.cli", "report", str(run)]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert ended.returncode == 3
    assert ended.stderr == "error: there is no space for the output: make room, or let it go somewhere else\n"


def test_a_pipe_that_breaks_elsewhere_is_an_error(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the output's: somebody is there to be told; and so it is with a disk that is full."""
    broken = BrokenPipeError(errno.EPIPE, "Broken pipe")
    full = OSError(errno.ENOSPC, "No space left on device")

    def raising(error: OSError) -> Callable[..., int]:
        def render(_: object) -> int:
            raise error

        return render

    told = []
    for error in (broken, full):
        monkeypatch.setattr("harness.command.report.report", raising(error))
        result = report(run)
        told.append((result.exit_code, result.stderr))

    assert told == [(3, "error: [Errno 32] Broken pipe\n"), (3, "error: [Errno 28] No space left on device\n")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.processes
def test_an_error_that_nobody_can_be_told_keeps_its_status(tmp_path: Path) -> None:
    """Standard error is full, too."""
    command = [sys.executable, "-m", "harness.cli", "report", str(tmp_path / "nowhere.json")]
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(command, stdout=full, stderr=full, check=False)

    assert ended.returncode == 2
