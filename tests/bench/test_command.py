"""`sessionproof bench`: what it writes and shows, and how it ends."""

import asyncio
import importlib.util
import io
import json
import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from asyncpg import InsufficientPrivilegeError
from click.testing import CliRunner
from rich.console import Console

from fixtures.minimal import backend
from harness.bench.arm import Arm
from harness.bench.change import Gate
from harness.bench.interleave import Limits, Sample
from harness.cli import main
from harness.command import bench as command
from harness.command import measuring
from harness.command.interruption import Interruption
from harness.command.measuring import Section
from harness.config import Config
from harness.errors import BackendError, ConfigurationError, EnvironmentMissing
from harness.report.bench_document import ChangeOutcome, ComparisonDocument, read_bench
from tests.report import bench_documents

FEW = Limits(half_width=1.0, warm_up=0, least=5, most=5, seconds=60.0)
ARMS = ["per_operation", "one by one", "yardstick"]
"""Of a backend of one mode."""
NEVER = Limits(half_width=1e-9, warm_up=0, least=5, most=5, seconds=60.0)


def call(
    directory: Path, *, backend: str = "fixtures.minimal:backend", sections: Iterable[Section] = (Section.HEADLINE,)
) -> tuple[command.Benchmark, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, width=120, color_system=None)
    config = Config(backend=backend, postgres="embedded")
    benchmark = command.Benchmark(
        config=config,
        directory=directory,
        console=console,
        errors=console,
        command="sessionproof bench",
        sections=frozenset(sections),
    )
    return benchmark, text


@pytest.mark.processes
@pytest.mark.parametrize(("limits", "status"), [(FEW, 0), (NEVER, 3)], ids=["narrow enough", "too noisy"])
def test_what_was_measured_is_shown_and_kept(
    limits: Limits, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the machine is too noisy: that is said, and is no success."""
    monkeypatch.setattr(measuring, "QUICK", limits)
    benchmark, text = call(tmp_path / "out")

    assert command.bench(benchmark) == status

    document = read_bench(tmp_path / "out" / "bench.json")
    assert [case.name for case in document.cases] == ["headline"]
    assert [arm.name for arm in document.cases[0].arms] == ARMS
    assert document.cases[0].yardstick == "yardstick"
    assert all(len(arm.samples) == 5 for arm in document.cases[0].arms)
    assert document.cases[0].reached is (status == 0)
    assert (document.finished, document.warnings) == (True, ())
    assert document.environment.postgres is not None
    assert document.environment.postgres.kind == "embedded"
    assert ("TOO NOISY" in text.getvalue()) is (status == 3)
    assert "one by one" in text.getvalue()
    assert f"report in {tmp_path / 'out'}" in text.getvalue().replace("\n", "")
    assert "postgres:" not in json.dumps(json.loads((tmp_path / "out" / "bench.json").read_text()))


@pytest.mark.processes
def test_a_run_is_compared_with_a_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept by its name; a hundred times slower is not what it is, ten times faster is what it was."""
    monkeypatch.setattr(measuring, "QUICK", FEW)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").mkdir()
    first, said = call(tmp_path / "first")
    assert command.bench(replace(first, save="main")) == 0
    kept = tmp_path / "reports" / "baselines" / "main.json"
    assert read_bench(kept) == read_bench(tmp_path / "first" / "bench.json")
    assert f"kept as a baseline in {Path('reports', 'baselines', 'main.json')}" in said.getvalue()

    same, said = call(tmp_path / "same")
    assert command.bench(replace(same, compare="main", gate=Gate(threshold=100.0))) == 0
    assert "not worse: looked for a growth of ratios by 100 times or more" in said.getvalue()

    whole = kept.read_text()
    kept.write_text(_ten_times_faster(whole))
    slower, said = call(tmp_path / "slower")
    assert command.bench(replace(slower, compare="main")) == 1
    assert "WORSE: headline, one by one, time: " in said.getvalue()
    assert "serial +2" in " ".join(said.getvalue().split())  # the line may be broken anywhere
    compared = ComparisonDocument.model_validate_json((tmp_path / "slower" / "comparison.json").read_bytes())
    assert compared.outcome is ChangeOutcome.WORSE
    assert compared.changes[0].outcome is ChangeOutcome.WORSE

    kept.write_text(_in_full(whole))
    other, said = call(tmp_path / "other")
    assert command.bench(replace(other, compare="main", gate=Gate(threshold=100.0))) == 3
    shown = " ".join(said.getvalue().split())
    assert shown.startswith("the comparison may end undecided: headline: the baseline's tools take 2.4 s, and this run")
    assert "UNDECIDED: time of headline (per_operation): it has other tools than in the baseline: measure " in shown


@pytest.mark.processes
def test_pools_and_curves_come_after_the_headline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each as a table, and in the document."""
    monkeypatch.setattr(measuring, "QUICK", FEW)
    monkeypatch.setattr(measuring, "POINT", FEW)
    benchmark, text = call(tmp_path, sections=[Section.HEADLINE, Section.LATENCY, Section.POOLS, Section.CURVES])

    assert command.bench(benchmark) == 0

    document = read_bench(tmp_path / "bench.json")
    assert [case.name for case in document.cases] == ["headline"]
    assert [(each.turns, each.tools, each.predicted) for each in document.pools] == [(1, 2, 2), (2, 2, 4)]
    assert [arm.name for arm in document.pools[1].case.arms] == [f"pool of {size}" for size in (8, 4, 3, 2, 1)]
    assert {curve.name: [point.x for point in curve.points] for curve in document.curves} == {
        "tools_per_turn": [1, 2, 4, 8],
        "turns_at_once": [1, 4, 8],
        "pool_states": [0, 1, 2, 3],
    }
    role = "tenant 'shop' of backend 'minimal' has no tool for the role "
    assert document.missing[0] == (
        "session modes: backend 'minimal' has no shared, locked, sequential, durable, deferred, so that there is "
        "nothing to compare in them"
    )
    assert [reason for reason in document.missing if role in reason] == list(document.missing[1:])
    assert [reason.partition(": ")[0] for reason in document.missing[1:]] == [
        "latency_provider",
        "latency_both",
        "operations_per_tool",
        "writes_per_turn",
    ]
    assert "ms by turns" in text.getvalue()


@pytest.mark.processes
def test_tools_that_wait_for_a_provider_have_a_yardstick_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every arm answers, on the same model tier."""
    monkeypatch.setattr(measuring, "LATENCY", FEW)
    benchmark, _ = call(tmp_path, backend="fixtures.backend.adapter:backend", sections=[Section.LATENCY])

    assert command.bench(benchmark) == 0

    cases = read_bench(tmp_path / "bench.json").cases
    assert [case.yardstick for case in cases] == ["yardstick"] * 2
    assert [arm.failure for case in cases for arm in case.arms] == [None] * 16


@pytest.mark.processes
def test_tools_that_were_to_work_side_by_side_and_do_not_are_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any baseline; and such a run is not kept as one."""
    monkeypatch.setattr(measuring, "QUICK", FEW)
    monkeypatch.chdir(tmp_path)
    benchmark, text = call(tmp_path / "out", backend="fixtures.broken.one_lock:backend")

    assert command.bench(replace(benchmark, save="main")) == 1

    said = " ".join(text.getvalue().split())
    assert "headline: the tools of per_operation were to run side by side, and ran one by one" in said
    assert "lost to serial" in said
    assert "not kept as a baseline" in said
    assert not list(tmp_path.rglob("main.json"))


@pytest.mark.processes
@pytest.mark.parametrize("section", [Section.LATENCY, Section.HEADLINE])
def test_a_section_of_which_nothing_is_measured_is_no_success(
    section: Section, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The backend lacks the tools, or the server the connections."""
    if section is Section.HEADLINE:
        monkeypatch.setattr(measuring, "free_connections", _few_connections)
    benchmark, text = call(tmp_path, sections=[section])

    assert command.bench(benchmark) == 3
    assert "not measured: " in text.getvalue()
    assert read_bench(tmp_path / "bench.json").missing


@pytest.mark.parametrize(("failure", "status"), [(None, 0), ("no exporter", 3)])
def test_a_cost_that_failed_is_not_known(failure: str | None, status: int, tmp_path: Path) -> None:
    """It is none that cannot be measured here, which `missing` names: the report says so, and so does the status."""
    benchmark, text = call(tmp_path, sections=[Section.COSTS])
    first, second, *_ = bench_documents.cost().arms
    ways = (first, second.model_copy(update={"failure": failure}))
    measured = measuring.Measuring(
        config=benchmark.config,
        backend=backend,
        sections=benchmark.sections,
        command=benchmark.command,
        errors=benchmark.errors,
        write=lambda _: None,
        document=bench_documents.benchmark(costs=(bench_documents.cost(arms=ways),)),
    )

    assert command._conclude(benchmark, measured, None, None) == status
    assert ("What is not known\nrecorders: statements failed after 6 repetitions" in text.getvalue()) is bool(failure)


async def _few_connections(_: object) -> int:
    return 1


@pytest.mark.processes
def test_a_backend_that_does_not_start_is_named_in_the_report_too(tmp_path: Path) -> None:
    """What is written is not taken for a run in which nothing was wrong."""
    benchmark, _ = call(tmp_path, backend="fixtures.broken.does_not_start:backend")

    with pytest.raises(BackendError, match="the secrets store refused the connection"):
        command.bench(benchmark)

    document = read_bench(tmp_path / "bench.json")
    (reason,) = [each for each in document.missing if each.startswith("headline: ")]
    assert "the secrets store refused the connection" in reason
    assert not document.finished


@pytest.mark.processes
def test_a_server_that_cannot_be_asked_is_no_failure_of_the_backend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit status of that is another."""

    async def refuse(_: object) -> int:
        raise InsufficientPrivilegeError("permission denied for view pg_stat_activity")

    monkeypatch.setattr(measuring, "free_connections", refuse)
    benchmark, _ = call(tmp_path)

    with pytest.raises(EnvironmentMissing, match=r"how many connections it has left: .*permission denied for view"):
        command.bench(benchmark)


def _in_full(baseline: str) -> str:
    document = json.loads(baseline)
    document["cases"][0]["tool_seconds"] = 2.4
    return json.dumps(document)


def _ten_times_faster(baseline: str) -> str:
    """All but the yardstick."""
    document = json.loads(baseline)
    for arm in document["cases"][0]["arms"]:
        if arm["name"] != "yardstick":
            arm["samples"] = [sample / 10 for sample in arm["samples"]]
            arm["parts"] = dict.fromkeys(arm["parts"], 0.0)
            arm["fixed"] = [0.0] * len(arm["fixed"])
            arm["part_samples"] = {"serial": [0.0] * len(arm["fixed"])}
    return json.dumps(document)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare", "nobody"], "there is no baseline 'nobody' in 'sessionproof-runs/baselines', there is none yet"),
        (["--save", "../main"], "a baseline cannot be called '../main'"),
        (["--fail-on", "seconds>3"], "'seconds>3' is no gate; write 'ratio>1.10'"),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_is_measured(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A baseline that is not there, a name that is no name, a gate that is none."""
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(main, ["bench", "--backend", "fixtures.minimal:backend", *arguments])

    assert result.exit_code in {2, 3}
    assert message in result.output.replace("\n", " ")
    assert not (tmp_path / "sessionproof-runs").exists()


def test_a_baseline_that_is_not_there_is_named_with_those_that_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with how to make one."""
    monkeypatch.chdir(tmp_path)
    baselines = tmp_path / "reports" / "baselines"
    baselines.mkdir(parents=True)
    for name in ("main", "release-1.2"):
        (baselines / f"{name}.json").touch()

    result = CliRunner().invoke(main, ["bench", "--backend", "fixtures.minimal:backend", "--compare", "mian"])

    assert result.exit_code == 3
    assert (
        "there is no baseline 'mian' in 'reports/baselines', there are main, release-1.2; make it from another run: "
        "sessionproof bench --save mian"
    ) in result.output.replace("\n", " ")


@pytest.mark.processes
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interruption_keeps_what_was_measured(
    number: signal.Signals, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no regression: it ends with 128 and the signal's number, as the other commands."""
    monkeypatch.setattr(measuring, "QUICK", replace(NEVER, most=1000, seconds=1000.0))
    run_once, runs = Arm.__call__, 0

    async def counted(arm: Arm) -> Sample:
        nonlocal runs
        runs += 1
        if runs == 7 * len(ARMS):  # the last arm of the seventh repetition
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)  # the handler is called by the loop
        return await run_once(arm)

    monkeypatch.setattr(Arm, "__call__", counted)
    benchmark, text = call(tmp_path, sections=[*Section])

    assert command.bench(benchmark) == status

    document = read_bench(tmp_path / "bench.json")
    assert document.interrupted
    assert (document.pools, document.curves) == ((), ())
    (case,) = document.cases
    assert case.ended == "interrupted"
    assert [len(arm.samples) for arm in case.arms] in ([6] * 3, [7] * 3)
    assert all(arm.ratio is not None for arm in case.arms)
    assert "interrupted; what was measured by then is in" in text.getvalue()


async def test_a_second_interruption_ends_it_at_once() -> None:
    """Also in the middle of something that does not end; a third one disturbs nobody who cleans up."""
    interruption, never = Interruption(), asyncio.Event()

    async def stubborn() -> None:
        with interruption.listening():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            try:
                await never.wait()
            finally:
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(3):
                    await asyncio.sleep(0)  # the handler is called by the loop
                cleaned.append(True)

    cleaned: list[bool] = []
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(stubborn())
    assert interruption.signal in {signal.SIGINT, signal.SIGTERM}
    assert cleaned == [True]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """Before a server is started."""
    (tmp_path / "file").touch()
    benchmark, _ = call(tmp_path / "file" / "out")

    with pytest.raises(ConfigurationError, match=r"cannot be written to .* name another folder by --output"):
        command.bench(benchmark)


def test_a_backend_that_does_not_exist_is_wrong_usage(tmp_path: Path) -> None:
    """As in the other commands."""
    result = CliRunner().invoke(main, ["bench", "--backend", "no_such_shop:backend", "--output", str(tmp_path / "out")])

    assert result.exit_code == 2
    assert "there is no module 'no_such_shop'" in result.output
    assert not (tmp_path / "out").exists()


def test_without_its_library_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra, because only benchmarks need it."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "scipy" else find(name, *rest))

    result = CliRunner().invoke(main, ["bench"])

    assert result.exit_code == 3
    assert "needs scipy for its intervals" in result.output
    assert "pip install 'sessionproof[bench]'" in result.output.replace("\n", " ")
