"""A scenario that is not there is told before anything is started."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from inline_snapshot import snapshot

from harness.cli import main
from harness.command.scenario_names import check_scenarios
from harness.config import Config, no_scenario
from harness.errors import ConfigurationError, SessionproofError, UsageError
from harness.scenario import Scenario
from harness.scenario_file import write_scenario
from tests.test_documents import SCENARIOS as SUITE


def refused(*names: str) -> str:
    """What is said of the names."""
    with pytest.raises(UsageError) as caught:
        check_scenarios(Config(scenarios=names))
    return str(caught.value)


def test_each_scenario_of_the_suite_is_known() -> None:
    """By its name, and by a pattern: also those whose names are put together."""
    check_scenarios(Config(scenarios=(*(each.name for each in SUITE), "two_*")))
    check_scenarios(Config(scenarios=("ledger_server_error_for_good", "ledger_bill_*")))
    check_scenarios(Config())


def test_a_file_with_a_scenario_goes_before_the_names(tmp_path: Path) -> None:
    """It is read at once, too."""
    write_scenario(Scenario(name="mine", question="Is it?", messages=()), tmp_path / "case.json")

    check_scenarios(Config(scenarios=("nothing",), scenario_file=tmp_path / "case.json"))
    with pytest.raises(ConfigurationError, match=r"none\.json' cannot be read: No such file or directory"):
        check_scenarios(Config(scenario_file=tmp_path / "none.json"))


def test_the_nearest_names_are_said() -> None:
    """Three at most; a pattern is compared without its stars."""
    assert refused("two_userz") == "there is no scenario 'two_userz'; did you mean 'two_users'?"
    assert refused("no_tools", "ledger_servr_error*") == snapshot(
        "there is no scenario 'ledger_servr_error*'; did you mean 'ledger_server_error' or "
        "'ledger_server_error_streamed' or 'ledger_server_error_for_good'?"
    )


def test_without_a_near_one_all_are_said() -> None:
    """Those that begin alike by their pattern, if they are many."""
    assert refused("2*") == snapshot(
        "there is no scenario '2*'; there are bill_per_request, failing_tool, four_mixed_tools, "
        "75 of the pattern 'ledger_*', no_tools, real_model, real_model_streamed, rollback_beside_write, single_tool, "
        "streaming, two_parallel_tools, two_users"
    )
    assert no_scenario(["x"], ["b", "a"]) == "there is no scenario 'x'; there are a, b"


@pytest.mark.parametrize("command", ["verify", "reproduce"])
def test_nothing_is_started_for_it(command: str, tmp_path: Path) -> None:
    """No process, and no folder for a report."""
    started = [sys.executable, "-c", f"open({str(tmp_path / 'started')!r}, 'w')"]
    words = [command, "--scenario", "two_userz", "--output", str(tmp_path / "run")]

    result = CliRunner().invoke(main, words, obj=started)

    assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
    assert result.stderr == "error: there is no scenario 'two_userz'; did you mean 'two_users'?\n"
    assert not isinstance(result.exception, SessionproofError)
