"""A signal while modules are loaded ends the command as a signal does, wherever it comes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

RAISES = "raise KeyboardInterrupt"
SIGNALS = "os.kill(os.getpid(), signal.SIGINT)"
SAID = "interrupted by SIGINT; nothing was left running\n"


def loading(module: str, words: tuple[str, ...], folder: Path, *, what: str) -> tuple[int, str]:
    """The status and the standard error of a command in which this happens as soon as the module is looked for."""
    code = (
        "import os, signal, sys\n"
        "class Hook:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        f"            {what}\n"
        "sys.meta_path.insert(0, Hook)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from harness.cli import main; main({list(words)!r})\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize("what", [RAISES, SIGNALS])
@pytest.mark.parametrize("module", ["click", "harness.cli.group", "harness.verdict", "harness.cli.verify"])
def test_the_command_itself_may_be_interrupted(module: str, what: str, tmp_path: Path) -> None:
    """Before anything is there that could say a word: there is no traceback."""
    assert loading(module, ("verify",), tmp_path, what=what) == (130, "")


@pytest.mark.parametrize(
    "words",
    [
        ("bench",),
        ("check-backend", "shop:backend"),
        ("doctor",),
        ("init",),
        ("prove", "--before", "HEAD~1", "--after", "HEAD"),
        ("report", "run.json"),
        ("reproduce",),
        ("reproduce", "--bisect"),
        ("scan", "."),
        ("verify",),
    ],
)
def test_each_command_may_be_interrupted_while_it_loads(words: tuple[str, ...], tmp_path: Path) -> None:
    """Status 1 would be a finding."""
    module = f"harness.command.{words[0].replace('-', '_')}"

    assert loading(module, words, tmp_path, what=SIGNALS) == (130, SAID)


@pytest.mark.parametrize("words", [("reproduce", "--bisect"), ("verify",)])
def test_what_is_raised_while_a_command_loads_is_no_finding(words: tuple[str, ...], tmp_path: Path) -> None:
    """Neither is it while git bisects."""
    assert loading(f"harness.command.{words[0]}", words, tmp_path, what=RAISES) == (130, SAID)


@pytest.mark.parametrize("module", ["harness.cli.terminal", "rich.console", "pydantic", "harness.report.document"])
def test_a_signal_in_the_middle_of_somebody_elses_module_is_answered_afterwards(module: str, tmp_path: Path) -> None:
    """It is noted, and not raised there."""
    assert loading(module, ("scan", "."), tmp_path, what=SIGNALS) == (130, SAID)


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("verify", "--postgres", "postgresql://db/app")])
def test_what_is_read_of_the_command_line_may_be_interrupted(words: tuple[str, ...], tmp_path: Path) -> None:
    """Before a command is called."""
    module = {"--version": "importlib.metadata", "--help": "textwrap", "verify": "harness.postgres"}[words[0]]

    assert loading(module, words, tmp_path, what=RAISES) == (130, SAID)
