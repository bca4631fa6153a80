"""What is printed in a step of a GitHub Actions job: no text of the backend is a command."""

import io
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from harness.cli import main
from harness.command.github import append_summary
from harness.command.workflow import commands_stopped
from harness.report.bench_document import BenchDocument
from harness.report.bench_write import write_bench
from harness.report.document import RunDocument
from harness.report.formats import bench_formats, run_formats
from harness.report.github import SUMMARY_LIMIT
from harness.report.redact import redact
from harness.report.run_json import JsonWriter
from harness.scenario import SessionMode
from tests.report import bench_documents, documents

JOB = {"GITHUB_ACTIONS": "true"}
COMMANDS = (
    "::error::told by the backend",
    "  ::add-mask::e",
    "::stop-commands::guessed",
    "quoted: ##[add-matcher]/tmp/matcher.json",
    "two lines\n::warning file=a.py::here",
)
_LINE = re.compile(r"\s*::(?P<name>[a-z-]+)(?: [^:]*)?::(?P<text>.*)|.*##\[(?P<old>[a-z-]+)[^\]]*\].*")
_RESUMED = re.compile(r"::(?P<token>[0-9a-f]{32})::")


def active(printed: str) -> Iterator[tuple[str, str]]:
    """The commands that the runner would carry out: name and text; none is while they are stopped."""
    token = ""
    for line in printed.splitlines():
        resumed = _RESUMED.fullmatch(line)
        if token:
            token = "" if resumed and resumed["token"] == token else token
        elif (found := _LINE.fullmatch(line)) is not None:
            if found["name"] == "stop-commands":
                token = found["text"]
            else:
                yield found["name"] or found["old"], found["text"] or ""
    assert not token, "commands are still stopped"


def hostile() -> RunDocument:
    """A run that quotes commands wherever it can quote."""
    cells = [
        documents.cell(text, SessionMode.SHARED, unknown=text, question=text).model_copy(update={"reproduce": text})
        for text in COMMANDS
    ]
    made = documents.document(cells, problems=COMMANDS)
    environment = made.environment.model_copy(update={"backend": "\n".join(COMMANDS)})
    return redact(made.model_copy(update={"environment": environment, "command": "\n".join(COMMANDS)}))


def report(*words: str | Path, environment: Mapping[str, str]) -> Result:
    """Call the command in this process."""
    return CliRunner().invoke(main, ["report", *map(str, words)], env=environment, prog_name="sessionproof")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A hostile run's document."""
    (tmp_path / "run.json").write_text(JsonWriter().write(hostile()), encoding="utf-8")
    return tmp_path / "run.json"


@pytest.mark.parametrize("name", sorted(set(run_formats()) - {"github"}))
def test_a_report_that_is_printed_in_a_job_has_no_commands(name: str, run: Path) -> None:
    """In any format; what is JSON stays the same value."""
    outside, inside = report(run, "--format", name, environment={}), report(run, "--format", name, environment=JOB)

    assert inside.exit_code == 0, inside.output
    assert list(active(inside.stdout)) == []
    if name in {"json", "sarif", "trace"}:
        assert json.loads(inside.stdout) == json.loads(outside.stdout)
    else:
        first, *middle, last = inside.stdout.splitlines()
        assert last == f"::{first.removeprefix('::stop-commands::')}::"
        assert middle == outside.stdout.splitlines()


@pytest.mark.parametrize("name", ["terminal", "markdown"])
def test_what_changed_has_no_commands_either(name: str, run: Path) -> None:
    """Also if the cells of both runs are the same."""
    inside = report(run, run, "--format", name, environment=JOB)

    assert COMMANDS[0].strip() in inside.stdout
    assert list(active(inside.stdout)) == []


@pytest.mark.parametrize("name", sorted(set(bench_formats()) - {"charts"}))
def test_a_benchmark_has_no_commands_either(name: str, tmp_path: Path) -> None:
    """A measured application can print into its errors what it likes."""
    write_bench(bench_documents.everything(), tmp_path)
    document = BenchDocument.model_validate_json((tmp_path / "bench.json").read_text(encoding="utf-8"))
    told = document.model_copy(update={"command": "\n".join(COMMANDS)})
    (tmp_path / "bench.json").write_text(told.model_dump_json(), encoding="utf-8")

    assert list(active(report(tmp_path / "bench.json", "--format", name, environment=JOB).stdout)) == []


def test_annotations_are_commands(run: Path) -> None:
    """Of ours alone: what the backend said is the text of one of them, and ends none."""
    names = [name for name, _ in active(report(run, "--format", "github", environment=JOB).stdout)]

    assert set(names) == {"error", "warning", "notice"}


def test_what_goes_into_a_file_is_left_as_it_is(tmp_path: Path) -> None:
    """GitHub reads none of it: it may be the summary of the step."""
    with (tmp_path / "page.md").open("w", encoding="utf-8") as file, commands_stopped(JOB, console=Console(file=file)):
        file.write("page")

    assert (tmp_path / "page.md").read_text(encoding="utf-8") == "page"


def test_commands_are_taken_again_after_a_failure() -> None:
    """Those that follow are ours."""
    printed = io.StringIO()

    with pytest.raises(RuntimeError), commands_stopped(JOB, console=Console(file=printed)):
        raise RuntimeError

    assert list(active(printed.getvalue() + "::notice::after\n")) == [("notice", "after")]


def test_a_summary_without_room_is_said(tmp_path: Path) -> None:
    """Nothing is written, and nobody has to guess why."""
    place, said = tmp_path / "summary", io.StringIO()
    place.write_bytes(b"x" * (SUMMARY_LIMIT - 10))

    append_summary("# page\n" * 10, {"GITHUB_STEP_SUMMARY": str(place)}, errors=Console(file=said, width=1000))

    assert place.stat().st_size == SUMMARY_LIMIT - 10
    assert said.getvalue() == (
        f"the job's summary was not written: there is no room left below GitHub's 1 MiB ({place})\n"
    )
