"""The command, with a process that stands in for pytest."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result
from inline_snapshot import snapshot
from rich.console import Console
from rich.text import Text

from harness import __version__, bundled
from harness.cli import main
from harness.command.child import arguments, environment, supervise
from harness.command.doctor import NEEDED, could_verify, examine, show
from harness.command.events import CellDone, Lines, Planned, parse
from harness.command.progress import following
from harness.command.verify import default_directory, default_workers
from harness.config import Config
from harness.postgres.choose import Probe, probe
from harness.report.document import RunDocument
from harness.report.github import SUMMARY_LIMIT
from harness.report.markdown import MarkdownWriter
from harness.report.redact import redact
from harness.report.run_json import JsonWriter
from harness.scenario import ModelTier, PoolState, SessionMode
from tests.report import documents

STANDIN = Path(__file__).parent / "report" / "standin.py"


def standing_in(behaviour: str) -> list[str]:
    """What is started instead of pytest."""
    return [sys.executable, str(STANDIN), behaviour]


def verify(behaviour: str, directory: Path, *options: str) -> Result:
    """Call the command in this process."""
    words = ["verify", "--output", str(directory), *options]
    return CliRunner().invoke(main, words, obj=standing_in(behaviour), prog_name="sessionproof")


def left_by(made: RunDocument, path: Path, *, status: int) -> str:
    """The behaviour of a pytest that leaves this document."""
    path.write_text(JsonWriter().write(redact(made)), encoding="utf-8")
    return f"document:{status}:{path}"


def started_with(directory: Path) -> dict[str, list[str]]:
    """What the stand-in saw of its arguments and environment, out of the log."""
    seen: dict[str, list[str]] = json.loads((directory / "pytest.log").read_text(encoding="utf-8").splitlines()[0])
    return seen


def test_a_run_as_expected_ends_with_0_and_the_table(tmp_path: Path) -> None:
    """Progress goes to standard error in plain lines, the report to standard output."""
    result = verify(left_by(documents.as_expected(), tmp_path / "made.json", status=0), tmp_path / "out")

    assert result.exit_code == 0
    assert result.stderr == snapshot("""\
PostgreSQL 18.1, embedded: no Docker engine answers
80 cells to verify
   8 of 80 cells, all as expected
  16 of 80 cells, all as expected
  24 of 80 cells, all as expected
  32 of 80 cells, all as expected
  40 of 80 cells, all as expected
  48 of 80 cells, all as expected
  56 of 80 cells, all as expected
  64 of 80 cells, all as expected
  72 of 80 cells, all as expected
  80 of 80 cells, all as expected
""")
    assert result.stdout.endswith(f"AS EXPECTED: 80 of 80 cells, 80 turns, 42.1 s\nreport in {tmp_path / 'out'}\n")


def test_a_run_not_as_expected_ends_with_1_and_tells_it_at_once(tmp_path: Path) -> None:
    """Each cell that is not as expected is one line of the progress, and in full in the report."""
    result = verify(left_by(documents.troubled(), tmp_path / "made.json", status=1), tmp_path / "out")

    assert result.exit_code == 1
    assert result.stderr == snapshot("""\
PostgreSQL 18.1, embedded: no Docker engine answers
5 cells to verify
UNKNOWN single_tool, per_operation warm scripted: check 'ledger' could not decide: the ledger could not be read: no such table
   1 of 5 cells, 1 not as expected
   2 of 5 cells, 1 not as expected
FAILED two_parallel_tools, shared warm scripted: expected finding 'concurrent_operation' did not appear
   3 of 5 cells, 2 not as expected
   4 of 5 cells, 2 not as expected
FAILED two_parallel_tools, per_operation warm scripted: unexpected finding 'missing_row'
   5 of 5 cells, 3 not as expected
""")  # noqa: E501  # golden text
    assert "NOT AS EXPECTED: 3 of 5 cells" in result.stdout


def test_a_run_without_evidence_ends_with_3(tmp_path: Path) -> None:
    """Nothing verified is unknown, never as expected."""
    result = verify(left_by(documents.empty(), tmp_path / "made.json", status=0), tmp_path / "out")

    assert result.exit_code == 3
    assert "UNKNOWN: nothing was verified" in result.stdout


def test_a_good_document_does_not_excuse_a_pytest_that_failed(tmp_path: Path) -> None:
    """A module of the suite that could not be collected leaves no cell, and must not be overlooked."""
    result = verify(left_by(documents.as_expected(), tmp_path / "made.json", status=2), tmp_path / "out")

    assert result.exit_code == 3
    assert "every cell is as expected, but pytest ended with status 2" in result.stderr


@pytest.mark.parametrize(("category", "status"), [("usage", 2), ("environment", 3), ("internal", 3)])
def test_a_problem_is_one_message_and_its_status(category: str, status: int, tmp_path: Path) -> None:
    """No traceback, and no password."""
    result = verify(f"problem:{category}", tmp_path / "out")

    assert result.exit_code == status
    assert result.stderr.startswith(f"error: a {category} problem at postgresql://app:***@db/app\n")
    assert result.stdout == ""


def test_a_pytest_that_dies_leaves_its_last_words_and_no_verdict(tmp_path: Path) -> None:
    """Also where an earlier report lies in the folder: it is not read as this run's."""
    (tmp_path / "run.json").write_text(JsonWriter().write(redact(documents.as_expected())), encoding="utf-8")

    result = verify("die", tmp_path)

    assert result.exit_code == 3
    assert "pytest ended by signal 9 and left no result" in result.stderr
    assert "last words, password=***" in result.stderr
    assert "hunter22" not in (tmp_path / "pytest.log").read_text(encoding="utf-8")


def test_debug_shows_the_output_of_pytest(tmp_path: Path) -> None:
    """Masked, as in the log."""
    result = verify("die", tmp_path, "--debug")

    assert result.stderr.count("last words, password=***") == 1


def test_options_reach_pytest(tmp_path: Path) -> None:
    """Each as an option of the plugin; repeated ones each time."""
    words = "--mode shared --mode locked --pool-state warm --tier wire --scenario no_tools --scenario two_users"
    more = "--full-length --turn-timeout 5 --image i --postgres container --backend x:y -n 3"

    verify("problem:usage", tmp_path, *words.split(), *more.split())

    given = started_with(tmp_path)["arguments"]
    assert [word for word in given if word.startswith("--sessionproof") and "events" not in word] == [
        f"--sessionproof-output={tmp_path}",
        "--sessionproof-backend=x:y",
        "--sessionproof-postgres=container",
        "--sessionproof-image=i",
        "--sessionproof-mode=shared",
        "--sessionproof-mode=locked",
        "--sessionproof-pool-state=warm",
        "--sessionproof-tier=wire",
        "--sessionproof-scenario=no_tools",
        "--sessionproof-scenario=two_users",
        "--sessionproof-full-length",
        "--sessionproof-turn-timeout=5",
        (
            "--sessionproof-command=sessionproof verify --backend=x:y --postgres=container --image=i --mode=shared "
            "--mode=locked --pool-state=warm --tier=wire --scenario=no_tools --scenario=two_users --full-length "
            "--turn-timeout=5"
        ),
    ]
    assert given[given.index("-n") + 1] == "3"


def test_nothing_that_configures_pytest_comes_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment nor the project that the command is started in."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--nonsense")
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw7")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")

    made = environment(Config(backend="x:y"), os.environ, directory=tmp_path)

    assert [name for name in made if name.startswith("PYTEST_")] == ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
    assert made["PYTHONPATH"].split(os.pathsep) == [str(tmp_path), *bundled.python_path(), "/elsewhere"]


def test_the_reference_backend_is_not_shadowed_by_the_folder_one_stands_in(tmp_path: Path) -> None:
    """A project may have a package `fixtures` of its own."""
    made = environment(Config(backend=bundled.default_backend()), {}, directory=tmp_path)

    assert made["PYTHONPATH"].split(os.pathsep) == [*bundled.python_path(), str(tmp_path)]


def test_a_password_is_not_on_the_command_line(tmp_path: Path) -> None:
    """Everybody on the machine can read it there; the plugin finds it in its environment."""
    config = Config(backend="x:y", postgres="postgresql://u:hunter22@h/d")

    words = arguments(config, output=tmp_path, events=tmp_path / "events", workers=1)

    assert "hunter22" not in " ".join(words)
    assert environment(config, {}, directory=tmp_path)["SESSIONPROOF_POSTGRES"] == config.postgres


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mode", "both"], "'both' is not one of 'shared', 'per_operation', 'locked', 'sequential'"),
        (["--pool-state", "hot"], "'hot' is not one of 'cold', 'warm', 'pre_ping', 'null'"),
        (["--tier", "lively"], "'lively' is not one of 'scripted', 'wire', 'recorded', 'local', 'live'"),
        (["--postgres", "sqlite"], "'sqlite' is not one of auto, container, embedded, or a URL"),
        (["--postgres", "mysql://u:hunter22@h/d"], "the database URL starts with 'mysql'; expected one of postgresql,"),
        (["--postgres", "postgresql://u:hunter22@h/d?options=-c"], "the database URL has the parameters ['options']"),
        (["--postgres", "postgresql://u:hunter22/3@h/d"], "the database URL cannot be read: write '/', '?' and '#'"),
        (["--turn-timeout", "0"], "0.0 is not in the range x>0"),
        (["-n", "many"], "'many' is not a valid integer range"),
        (["--nonsense"], "No such option"),
    ],
)
def test_a_wrong_option_is_a_usage_error_that_names_the_choices(words: list[str], message: str, tmp_path: Path) -> None:
    """Exit status 2, before anything is started."""
    result = verify("die", tmp_path / "out", *words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert "hunter22" not in result.output
    assert not (tmp_path / "out").exists()


def test_doctor_refuses_a_url_that_cannot_be_used() -> None:
    """As `verify` does, and without the password."""
    result = CliRunner().invoke(main, ["doctor", "--postgres", "mysql://u:hunter22@h/d"])

    assert result.exit_code == 2
    assert "the database URL starts with 'mysql'" in result.stderr
    assert "hunter22" not in result.output


def test_a_wrong_setting_in_the_environment_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read by the command itself, before pytest starts."""
    monkeypatch.setenv("SESSIONPROOF_MODES", "both")

    result = verify("die", tmp_path / "out")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: environment: setting 'modes' cannot be 'both'")


def test_an_output_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    """Told before the suite runs."""
    (tmp_path / "file").touch()

    result = verify("die", tmp_path / "file" / "out")

    assert result.exit_code == 2
    assert result.stderr.startswith("error: the report cannot be written to")


@pytest.mark.processes
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_command_lets_pytest_clean_up(number: signal.Signals, status: int, tmp_path: Path) -> None:
    """Whatever the signal, pytest gets the one that it understands, and nothing of it is left."""
    with command(f"wait:{tmp_path}", tmp_path) as started:
        assert next(started.stderr) == "7 cells to verify\n"
        group = int((tmp_path / "group").read_text())
        assert members(group)
        started.send_signal(number)
        errors = started.stderr.read()

    assert started.returncode == status
    assert errors == f"error: interrupted by {number.name}; no cell was verified, and nothing was left running\n"
    assert (tmp_path / "cleaned").exists()
    assert not members(group)


@pytest.mark.processes
def test_a_second_signal_ends_a_pytest_that_does_not_mind_the_first(tmp_path: Path) -> None:
    """At once, and its children with it."""
    with command(f"stubborn:{tmp_path}", tmp_path) as started:
        assert next(started.stderr) == "7 cells to verify\n"
        group = int((tmp_path / "group").read_text())
        started.send_signal(signal.SIGINT)
        assert next(started.stderr) == "8 cells to verify\n"
        started.send_signal(signal.SIGINT)
        errors = started.stderr.read()

    assert started.returncode == 130
    assert errors.startswith("error: interrupted by SIGINT")
    assert not members(group)


def test_a_pytest_that_takes_too_long_to_clean_up_is_ended(tmp_path: Path) -> None:
    """The time that it is given has an end."""
    output, told = tmp_path / "output", tmp_path / "told"
    words = [*standing_in(f"stubborn:{tmp_path}"), f"--sessionproof-events={told}"]

    def interrupt_once() -> None:
        if told.exists() and not (tmp_path / "sent").exists():
            (tmp_path / "sent").touch()
            signal.raise_signal(signal.SIGTERM)

    ended = supervise(words, environment=os.environ, output=output, watch=interrupt_once, grace=0.2)

    assert ended.interrupted is signal.SIGTERM
    assert ended.status == -signal.SIGKILL
    assert not members(int((tmp_path / "group").read_text()))
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


class Started:
    """The command in a process of its own, its standard error as text."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self.stderr = process.stderr
        self.send_signal = process.send_signal
        self._process = process

    @property
    def returncode(self) -> int | None:
        return self._process.returncode


@contextmanager
def command(behaviour: str, directory: Path) -> Iterator[Started]:
    """The command, started; waited for at the end."""
    code = f"from harness.cli import main; main(obj={standing_in(behaviour)!r})"
    words = [sys.executable, "-c", code, "verify", "--output", str(directory / "out")]
    place = bundled.python_path()[0]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=place) as process:
        try:
            yield Started(process)
        except BaseException:  # a failed assertion, too, leaves no process behind
            process.terminate()
            raise


def members(group: int) -> list[int]:
    """The processes of a group that run."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def test_lines_are_read_when_they_are_complete(tmp_path: Path) -> None:
    """Half a line waits for its other half, and a last line without an end is read at the end."""
    path = tmp_path / "events"
    path.write_bytes(b"one\ntw")
    lines = Lines(path)

    with path.open("ab") as stream:
        assert lines.read() == ["one"]
        stream.write(b"o\nthree \xff")
        stream.flush()
        assert lines.read() == ["two"]

    assert lines.rest() == ["three \\xff"]
    assert lines.rest() == []


@pytest.mark.parametrize("line", ["", "{", "[]", '{"event": "newer"}', '{"event": "planned", "cells": "many"}'])
def test_what_is_no_known_event_is_skipped(line: str) -> None:
    """A newer writer may say more, and a broken one may say anything."""
    assert parse(line) is None


def test_an_event_may_say_more_than_is_known_here() -> None:
    """Unknown fields are ignored."""
    assert parse('{"event": "planned", "cells": 3, "new": 1}') == Planned(event="planned", cells=3)


def test_a_terminal_shows_a_bar_that_is_gone_at_the_end() -> None:
    """What is not as expected stays, and markup in a name is not read as such."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100)
    cell = CellDone(
        event="cell",
        scenario="[red]x[/]",
        session_mode="shared",
        pool_state="warm",
        tier="wire",
        verdict="failed",
        expected="clean",
        as_expected=False,
        objections=("unexpected finding 'bleed'",),
    )

    with following(console) as progress:
        for event in (Planned(event="planned", cells=2), cell):
            progress.take(event)

    shown = Text.from_ansi(stream.getvalue()).plain
    assert "FAILED [red]x[/], shared warm wire: unexpected finding 'bleed'" in shown
    assert "1 not as expected, [red]x[/]" in shown


def test_a_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    """Below `reports/runs` where there is a `reports`, and never one that exists."""
    moment = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

    assert default_directory(tmp_path, now=lambda: moment) == tmp_path / "sessionproof-runs" / "20300102T030405Z"
    (tmp_path / "reports" / "runs" / "20300102T030405Z").mkdir(parents=True)
    assert default_directory(tmp_path, now=lambda: moment).name == "20300102T030405Z-2"


def test_as_many_workers_as_processors_but_not_too_many() -> None:
    """Four at most: each has a loop whose timing is looked at."""
    assert 1 <= default_workers(Config()) <= 4


def test_a_few_cells_get_fewer_workers() -> None:
    """Starting a worker takes longer than running a few cells; a pattern may stand for many."""
    one = Config(
        scenarios=("no_tools",),
        modes=(SessionMode.SHARED,),
        pool_states=(PoolState.COLD,),
        tiers=(ModelTier.WIRE,),
    )

    assert one.most_cells == 1
    assert default_workers(one) == 1
    assert replace(one, pool_states=()).most_cells == len(PoolState)
    assert replace(one, scenarios=("no_tools", "streaming")).most_cells == 2
    assert replace(one, scenarios=(), scenario_file=Path("own.json")).most_cells == 1
    assert replace(one, scenarios=("no_*",)).most_cells is None
    assert default_workers(replace(one, scenarios=("no_*",))) == default_workers(Config())


def test_the_version_is_told() -> None:
    """By the distribution's name."""
    result = CliRunner().invoke(main, ["--version"])

    assert result.output == f"sessionproof {__version__}\n"


def found(*names: str) -> list[Probe]:
    """Probes that found these and nothing else."""
    known = ("Docker engine", "container image", "embedded PostgreSQL", "room for data", "auto")
    return [Probe(name=name, found=name in names, detail="seen", remedy=f"get {name}") for name in known]


@pytest.mark.parametrize(
    ("postgres", "there", "possible"),
    [
        ("auto", ["auto"], True),
        ("auto", [], False),
        ("container", ["Docker engine"], True),
        ("container", ["auto", "embedded PostgreSQL"], False),
        ("embedded", ["embedded PostgreSQL", "room for data"], True),
        ("embedded", ["embedded PostgreSQL", "Docker engine"], False),
        ("postgresql://u:hunter22@h/d", [], True),
    ],
)
def test_doctor_asks_for_what_a_run_with_these_settings_needs(
    postgres: str, there: list[str], possible: bool, tmp_path: Path
) -> None:
    """What another provider would need is told, and is no obstacle."""
    config = Config(backend=bundled.default_backend(), postgres=postgres)

    findings = examine(config, found(*there), directory=tmp_path)

    assert could_verify(findings) is possible
    assert "hunter22" not in "".join(finding.detail for finding in findings)


def test_doctor_says_what_is_missing_and_how_to_get_it(tmp_path: Path) -> None:
    """The last line is the answer."""
    config = Config(backend="nowhere.at_all:backend")
    stream = io.StringIO()

    show(config, examine(config, found("Docker engine"), directory=tmp_path), Console(file=stream, width=100))

    *_, answer = stream.getvalue().splitlines()
    assert answer == "sessionproof verify cannot run with --postgres auto: backend, auto missing"
    assert "there is no module 'nowhere'" in stream.getvalue()
    assert "auto: how to get it\n  get auto\n" in stream.getvalue()


async def test_doctor_knows_the_probes_by_their_names() -> None:
    """What it asks for is what is probed."""
    names = {seen.name for seen in await probe()}

    assert set().union(*NEEDED.values()) <= names


def test_doctor_examines_this_machine() -> None:
    """With the reference backend, without starting anything."""
    result = CliRunner().invoke(main, ["doctor", "--postgres", "embedded"])

    assert result.exit_code == 0
    assert "sessionproof verify can run, with --postgres embedded" in result.stdout


def test_a_step_of_github_has_annotations_and_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After what is printed everywhere; the exit status is the same."""
    page = tmp_path / "step.md"
    page.write_text("of another command\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))

    result = verify(left_by(documents.troubled(), tmp_path / "made.json", status=1), tmp_path / "out")

    assert result.exit_code == 1
    stopped, *lines = [line for line in result.stdout.splitlines() if line.startswith("::")]
    assert lines[0] == f"::{stopped.removeprefix('::stop-commands::')}::"
    assert [line.partition(" ")[0] for line in lines[1:]] == ["::error"] * 3 + ["::warning", "::notice"]
    assert result.stdout.startswith(stopped)
    summary = MarkdownWriter().write(redact(documents.troubled()))
    assert page.read_text(encoding="utf-8") == f"of another command\n\n{summary}"


def test_elsewhere_there_are_no_annotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page alone is not written either."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))

    result = verify(left_by(documents.troubled(), tmp_path / "made.json", status=1), tmp_path / "out")

    assert "::" not in result.output
    assert not (tmp_path / "step.md").exists()


def test_a_summary_that_is_full_is_not_spoilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there stays, and what cannot be written is said, and changes nothing."""
    full, folder = tmp_path / "full.md", tmp_path / "folder"
    full.write_text("x" * (SUMMARY_LIMIT - 1000), encoding="utf-8")
    folder.mkdir()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    behaviour = left_by(documents.troubled(), tmp_path / "made.json", status=1)

    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(full))
    first = verify(behaviour, tmp_path / "out")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder))
    second = verify(behaviour, tmp_path / "out")

    assert (first.exit_code, second.exit_code) == (1, 1)
    assert SUMMARY_LIMIT - 300 < full.stat().st_size <= SUMMARY_LIMIT
    assert full.read_text(encoding="utf-8").endswith("all of it is in `summary.md`\n")
    assert f"the job's summary was not written: Is a directory ({folder})" in second.stderr


def test_a_step_without_a_result_has_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No job that verified nothing looks as if nothing had been wrong."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    result = verify("problem:usage", tmp_path / "out")

    assert result.exit_code == 2
    assert result.stdout.splitlines()[-1] == (
        "::error title=sessionproof::there is no result; exit status 2, and the log says why"
    )
