"""Scenarios as JSON files."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from harness.errors import ConfigurationError
from harness.scenario import Message, Scenario, TokenUsage, ToolPlan, ToolRole, ToolStep
from harness.scenario_file import read_scenario, write_scenario
from scenarios.test_two_parallel_tools import TWO_PARALLEL_TOOLS
from tests.engine.random_turns import conversations


@given(conversations())
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, scenario: Scenario) -> None:
    """Every field, but what is expected."""
    path = tmp_path_factory.mktemp("case") / "case.json"

    write_scenario(scenario, path)

    assert read_scenario(path) == replace(scenario, expectations={})


def test_what_a_tool_does_and_waits_for_is_written_and_read(tmp_path: Path) -> None:
    """How many operations it does, and how long the model takes that it asks."""
    usage, path = TokenUsage(prompt_tokens=10, completion_tokens=2), tmp_path / "case.json"
    steps = (
        ToolStep(role=ToolRole.SERIES, database_seconds=0.1, operations=4),
        ToolStep(role=ToolRole.DELEGATE, provider_seconds=0.5),
    )
    plan = ToolPlan(rounds=(steps,), usages=(usage,) * 2, delegated=usage)
    scenario = Scenario(name="case", question="?", messages=(Message(plan=plan),))

    write_scenario(scenario, path)

    assert read_scenario(path) == scenario
    assert '"operations": 4' in path.read_text(encoding="utf-8")


def test_expectations_are_left_out(tmp_path: Path) -> None:
    """A case that is handed on is expected to be clean."""
    path = tmp_path / "case.json"

    write_scenario(TWO_PARALLEL_TOOLS, path)

    assert read_scenario(path).expectations == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not one: the whole: Invalid JSON"),
        ('{"name": "a", "messages": []}', "is not one: question: Field required"),
        ('{"name": "a", "question": "b", "messages": [{"plan": {"rounds": [[{"role": "fly"}]]}}]}', "messages.0.plan"),
        ('{"name": "a", "question": "b", "messages": [], "expectations": {"x": {}}}', "expectations"),
        (
            '{"name": "a", "question": "b", "messages": [{"plan": {"rounds": [[{"role": "read", "operations": 2}]]}}]}',
            "messages.0.plan.rounds.0.0: Value error, a tool of the role 'read' does not do 2 operations on demand",
        ),
    ],
)
def test_a_file_that_is_no_scenario_is_told_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    """And with the file's name."""
    path = tmp_path / "case.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=r"case\.json") as raised:
        read_scenario(path)

    assert said in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    """With the system's reason."""
    with pytest.raises(ConfigurationError, match="cannot be read: No such file or directory"):
        read_scenario(tmp_path / "none.json")
