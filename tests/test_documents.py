"""What the documents say is so: commands are commands, settings are settings, and the tables are the suite's."""

import re
import shlex
from pathlib import Path

import click
import pytest

from harness.cli import main
from harness.config import resolve
from harness.scenario import Scenario, SessionMode
from scenarios import (
    test_bill_per_request,
    test_failing_tool,
    test_four_mixed_tools,
    test_no_tools,
    test_rollback_beside_write,
    test_single_tool,
    test_streaming,
    test_two_parallel_tools,
    test_two_users,
)

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = [
    test_bill_per_request,
    test_failing_tool,
    test_four_mixed_tools,
    test_no_tools,
    test_rollback_beside_write,
    test_single_tool,
    test_streaming,
    test_two_parallel_tools,
    test_two_users,
]
SCENARIOS = [value for module in MODULES for value in vars(module).values() if isinstance(value, Scenario)]


def _blocks(language: str = "") -> list[str]:
    """The code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def _commands(program: str) -> list[list[str]]:
    lines = [line.partition("#")[0] for block in _blocks() for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith(f"{program} ")]


@pytest.mark.parametrize("arguments", _commands("sessionproof"), ids=" ".join)
def test_commands_are_understood(arguments: list[str]) -> None:
    """Every `sessionproof` line of the README is a command with options that exist."""
    name, *options = arguments
    command = main.commands[name]

    context = command.make_context(name, options, resilient_parsing=False)

    assert isinstance(context, click.Context)


def test_all_modules_of_the_suite_are_known_here() -> None:
    """A new scenario cannot be forgotten in the README, because it cannot be forgotten here."""
    assert len(list((ROOT / "scenarios").glob("test_*.py"))) == len(MODULES) == len(SCENARIOS)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenarios_are_listed(scenario: Scenario) -> None:
    """Each scenario stands in the README with its question, and in the table of verdicts with its cells."""
    cells = {mode: len(states) * len(scenario.tiers) for mode, states in scenario.pool_states.items()}
    words = [
        f"{'passed' if _is_clean(scenario, mode) else 'reproduced'} {count}/{count}" for mode, count in cells.items()
    ]
    (row,) = re.findall(rf"^{scenario.name} +(.*)$", README, flags=re.MULTILINE)

    assert f"| `{scenario.name}` | {scenario.question} |" in README
    assert re.split(r" {2,}", row) == words


def _is_clean(scenario: Scenario, mode: SessionMode) -> bool:
    return all(scenario.expectation(mode, state).clean for state in scenario.pool_states[mode])


def test_settings_are_settings(tmp_path: Path) -> None:
    """The README's `pyproject.toml` is read without objection."""
    (example,) = _blocks("toml")
    (tmp_path / "pyproject.toml").write_text(example)

    assert resolve({}, environment={}, directory=tmp_path).backend == "shop.verification:backend"


def test_tox_environments_exist() -> None:
    """Every `tox run -e` of the documents names environments of `tox.ini`."""
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8")
    known = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\[testenv:(.*)\]$", tox, flags=re.MULTILINE))))
    texts = [README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")]
    named = {name for text in texts for names in re.findall(r"tox run -e ([\w,-]+)", text) for name in names.split(",")}

    assert named
    assert named <= known
