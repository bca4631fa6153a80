"""What the documents say is so: commands are commands, settings are settings, and the tables are the suite's."""

import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt

from harness.backend import load_backend
from harness.cli import main
from harness.config import USUAL_TIERS, Config, resolve
from harness.engine import Engine
from harness.report.bench_write import write_bench
from harness.report.formats import bench_formats, run_formats
from harness.report.run_json import JsonWriter
from harness.scenario import Cell, Scenario, SessionMode
from harness.scenario_file import read_scenario
from harness.verdict import FindingKind
from scenarios import (
    test_bill_per_request,
    test_failing_tool,
    test_four_mixed_tools,
    test_ledger_database_faults,
    test_ledger_fallback,
    test_ledger_turn_faults,
    test_ledger_wire_faults,
    test_no_tools,
    test_real_model,
    test_rollback_beside_write,
    test_single_tool,
    test_streaming,
    test_two_parallel_tools,
    test_two_users,
)
from tests.report import bench_documents, documents, two_tools

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LEDGER = (ROOT / "docs" / "ledger.md").read_text(encoding="utf-8")
MACHINES = (ROOT / "docs" / "reports-for-machines.md").read_text(encoding="utf-8")
REAL_MODELS = (ROOT / "docs" / "real-models.md").read_text(encoding="utf-8")
MODULES = [
    test_bill_per_request,
    test_failing_tool,
    test_four_mixed_tools,
    test_no_tools,
    test_real_model,
    test_rollback_beside_write,
    test_single_tool,
    test_streaming,
    test_two_parallel_tools,
    test_two_users,
]
FAULTS = [
    *test_ledger_database_faults.DATABASE_FAULTS,
    *test_ledger_fallback.FALLBACKS,
    *test_ledger_turn_faults.TURN_FAULTS,
    *test_ledger_wire_faults.WIRE_FAULTS,
]
SCENARIOS = [value for module in MODULES for value in vars(module).values() if isinstance(value, Scenario)]


def _blocks(language: str = "", *, text: str = README) -> list[str]:
    """The code blocks of one language."""
    return [token.content for token in MarkdownIt().parse(text) if token.type == "fence" and token.info == language]


def _commands(program: str) -> list[list[str]]:
    blocks = [block for text in (README, LEDGER, REAL_MODELS, MACHINES) for block in _blocks(text=text)]
    lines = [line.partition("#")[0] for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in dict.fromkeys(map(str.strip, lines)) if line.startswith(f"{program} ")]


@pytest.mark.parametrize("arguments", _commands("sessionproof"), ids=" ".join)
def test_commands_are_understood(arguments: list[str]) -> None:
    """Every `sessionproof` line of the README is a command with options that exist."""
    name, *options = arguments
    command = main.commands[name]

    context = command.make_context(name, options, resilient_parsing=False)

    assert isinstance(context, click.Context)


def test_all_modules_of_the_suite_are_known_here() -> None:
    """A new scenario cannot be forgotten in the README, because it cannot be forgotten here."""
    others = {"test_benchmarks", "test_from_file"} | {
        path.stem for path in (ROOT / "scenarios").glob("test_ledger_*.py")
    }
    known = {path.stem for path in (ROOT / "scenarios").glob("test_*.py")} - others

    assert known == {module.__name__.rpartition(".")[2] for module in MODULES}
    assert {each.name for each in SCENARIOS} >= {name.removeprefix("test_") for name in known}


def test_faults_are_distinct_and_counted() -> None:
    """No two have a name or a fault in common, and the documents say how many there are."""
    cells = sum(len(states) * len(each.tiers) for each in FAULTS for states in each.pool_states.values())
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")

    assert len({each.name for each in FAULTS}) == len({each.fault for each in FAULTS}) == len(FAULTS)
    assert f"fail in {len(FAULTS)} ways" in changes
    assert f"{cells} cells" in architecture


def test_faults_of_the_readme_are_faults() -> None:
    """With what each way of billing is expected to lose: the rows that are missing."""
    (table,) = [block for block in _blocks() if block.startswith("ledger rows")]
    for line in table.splitlines()[1:]:
        name, *shown = re.split(r" {2,}", line)
        (scenario,) = [each for each in FAULTS if each.fault == name]
        lost = [FindingKind.MISSING_ROW in each.required for each in scenario.expectations.values()]
        assert [f"{int(loses)}/0/0" for loses in lost] == shown


def test_findings_of_the_ledger_document_are_kinds() -> None:
    """Each row of its table names one."""
    names = re.findall(r"^\| `(\w+)` \|", LEDGER, flags=re.MULTILINE)

    assert len(names) == 9
    assert {FindingKind(name) for name in names} <= set(FindingKind)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenarios_are_listed(scenario: Scenario) -> None:
    """Each scenario stands in the README with its question, and in the table of verdicts with its cells."""
    tiers = set(scenario.tiers) & set(USUAL_TIERS)
    cells = {mode: len(states) * len(tiers) for mode, states in scenario.pool_states.items()}
    words = [
        f"{'passed' if _is_clean(scenario, mode) else 'reproduced'} {count}/{count}" for mode, count in cells.items()
    ]
    (row,) = re.findall(rf"^{scenario.name} +(.*)$", README, flags=re.MULTILINE)

    assert f"| `{scenario.name}` | {scenario.question} |" in README
    assert re.split(r" {2,}", row) == words


def _is_clean(scenario: Scenario, mode: SessionMode) -> bool:
    return all(scenario.expectation(mode, state).clean for state in scenario.pool_states[mode])


def test_the_scenario_of_the_ledger_document_is_one(tmp_path: Path) -> None:
    """It is read without objection, and the reference backend has all that it asks for."""
    (example,) = _blocks("json", text=LEDGER)
    (tmp_path / "case.json").write_text(example, encoding="utf-8")

    scenario = read_scenario(tmp_path / "case.json")

    planned = Engine(backend=load_backend("fixtures.backend.adapter:backend"), config=Config()).plan(scenario)
    assert [name for name, cell in planned if isinstance(cell, Cell)] == [
        "per_operation-warm-scripted",
        "per_operation-warm-wire",
        "deferred-warm-scripted",
        "deferred-warm-wire",
    ]


def test_the_tool_of_the_real_models_document_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """As it says."""
    (example,) = [block for block in _blocks("python", text=REAL_MODELS) if "plant" in block]

    exec(compile(example, "docs/real-models.md", "exec"), {})

    assert "cannot be offered the tool 'plant'" in capsys.readouterr().out


def test_reports_for_machines_are_what_their_document_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its example prints what it says, its commands render, and its table has every format."""
    monkeypatch.chdir(tmp_path)
    others = documents.troubled_cells("failing_tool", SessionMode.SHARED)
    worse = two_tools.run(two_tools.shared(expected=False), *others)
    for name in ("run", "before", "after"):
        Path(f"{name}.json").write_text(JsonWriter().write(worse), encoding="utf-8")
    write_bench(bench_documents.everything(), tmp_path)
    (example,) = _blocks("python", text=MACHINES)
    (printed,) = [block for block in _blocks(text=MACHINES) if block.startswith("error ")]
    lines = [line.partition("#")[0] for block in _blocks(text=MACHINES) for line in block.splitlines()]
    wanted = [shlex.split(line)[1:] for line in lines if line.startswith("sessionproof report ")]

    exec(compile(example, "docs/reports-for-machines.md", "exec"), {})
    done = {
        " ".join(words): CliRunner().invoke(main, words).output for words in wanted if "two_parallel" not in str(words)
    }

    assert printed in capsys.readouterr().out
    assert len(done) == 6
    assert not [(words, output) for words, output in done.items() if output.startswith("error")]
    formats = {*run_formats(), *bench_formats(), "html"}
    assert set(re.findall(r"^\| `(\w+)` \| `[\w/*]+\.", MACHINES, flags=re.MULTILINE)) == formats
    names = {each.filename for each in run_formats().values()} | {each.filename for each in bench_formats().values()}
    assert all(f"`{name or 'charts/*.svg'}`" in MACHINES for name in names)


def test_settings_are_settings(tmp_path: Path) -> None:
    """The README's `pyproject.toml` is read without objection."""
    (example,) = _blocks("toml")
    (tmp_path / "pyproject.toml").write_text(example)

    assert resolve({}, environment={}, directory=tmp_path).backend == "shop.verification:backend"


def test_tox_environments_exist() -> None:
    """Every `tox run -e` of the documents names environments of `tox.ini`."""
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    known = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\[testenv:(.*)\]$", tox, flags=re.MULTILINE))))
    texts = [README, REAL_MODELS, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")]
    named = {name for text in texts for names in re.findall(r"tox run -e ([\w,-]+)", text) for name in names.split(",")}

    assert named
    assert named <= known
