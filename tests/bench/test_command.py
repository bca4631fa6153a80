"""`sessionproof bench`: what it writes and shows, and how it ends."""

import importlib.util
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from harness.bench.baseline import Gate
from harness.bench.interleave import Limits
from harness.cli import main
from harness.command import bench as command
from harness.config import Config
from harness.errors import ConfigurationError
from harness.report.bench_document import read_bench

FEW = Limits(half_width=1.0, warm_up=0, least=5, most=5, seconds=60.0)
NEVER = Limits(half_width=1e-9, warm_up=0, least=5, most=5, seconds=60.0)


def call(
    directory: Path, *, backend: str = "fixtures.minimal:backend", headline_only: bool = True
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
        headline_only=headline_only,
    )
    return benchmark, text


@pytest.mark.processes
@pytest.mark.parametrize(("limits", "status"), [(FEW, 0), (NEVER, 3)], ids=["narrow enough", "too noisy"])
def test_what_was_measured_is_shown_and_kept(
    limits: Limits, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the machine is too noisy: that is said, and is no success."""
    monkeypatch.setattr(command, "QUICK", limits)
    benchmark, text = call(tmp_path / "out")

    assert command.bench(benchmark) == status

    document = read_bench(tmp_path / "out" / "bench.json")
    assert [case.name for case in document.cases] == ["headline"]
    assert [arm.name for arm in document.cases[0].arms] == ["per_operation", "one by one"]
    assert all(len(arm.samples) == 5 for arm in document.cases[0].arms)
    assert document.cases[0].reached is (status == 0)
    assert document.environment.postgres is not None
    assert document.environment.postgres.kind == "embedded"
    assert ("TOO NOISY" in text.getvalue()) is (status == 3)
    assert "one by one" in text.getvalue()
    assert f"report in {tmp_path / 'out'}" in text.getvalue().replace("\n", "")
    assert "postgres:" not in json.dumps(json.loads((tmp_path / "out" / "bench.json").read_text()))


@pytest.mark.processes
def test_a_run_is_compared_with_a_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept by its name; a hundred times slower is not what it is, ten times faster is what it was."""
    monkeypatch.setattr(command, "QUICK", FEW)
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

    kept.write_text(_ten_times_faster(kept.read_text()))
    slower, said = call(tmp_path / "slower")
    assert command.bench(replace(slower, compare="main")) == 1
    assert "WORSE: headline, one by one, ratio: " in said.getvalue()
    assert "in serial " in said.getvalue()


@pytest.mark.processes
def test_pools_and_curves_come_after_the_headline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each as a table, and in the document."""
    monkeypatch.setattr(command, "QUICK", FEW)
    monkeypatch.setattr(command, "_POINT", FEW)
    benchmark, text = call(tmp_path, headline_only=False)

    assert command.bench(benchmark) == 0

    document = read_bench(tmp_path / "bench.json")
    assert [case.name for case in document.cases] == ["headline", "pool_size"]
    assert [arm.name for arm in document.cases[1].arms] == [f"pool of {size}" for size in (8, 4, 3, 2, 1)]
    assert {curve.name: [point.x for point in curve.points] for curve in document.curves} == {
        "tools_per_turn": [1, 2, 4, 8],
        "turns_at_once": [1, 4, 8],
    }
    assert "(predicted: 4, one connection for each tool)" in " ".join(text.getvalue().split())
    assert "ms by turns" in text.getvalue()


def _ten_times_faster(baseline: str) -> str:
    document = json.loads(baseline)
    for arm in document["cases"][0]["arms"]:
        for estimate in filter(None, (arm["ratio"], arm["stretch"])):
            estimate |= {name: estimate[name] / 10 for name in ("value", "low", "high")}
        arm["parts"] = dict.fromkeys(arm["parts"], 0.0)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--compare", "nobody"], "cannot be read: No such file or directory"),
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


def test_an_interruption_is_no_regression(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends with 128 and the signal's number, as the other commands."""

    async def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_measure", interrupted)
    benchmark, text = call(tmp_path)

    assert command.bench(benchmark) == 130
    assert "interrupted; what was measured by then is in" in text.getvalue()


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
