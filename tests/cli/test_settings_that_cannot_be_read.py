"""A `pyproject.toml` that nobody can read keeps modules from being loaded, and is one message."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from inline_snapshot import snapshot

pytestmark = pytest.mark.processes

CALLS = (
    "bench",
    "check-backend shop.verification:backend",
    "doctor",
    "init",
    "prove --before HEAD~1 --after HEAD",
    "report run.json",
    "reproduce",
    "scan .",
    "verify",
)


def call(folder: Path, words: str, **variables: str) -> tuple[int, str]:
    """The status, and all that is printed, with `FOLDER` in place of the folder."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("SESSIONPROOF_", "GITHUB"))
    }
    ended = subprocess.run(
        [sys.executable, "-m", "harness.cli", *words.split()],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return ended.returncode, (ended.stdout + ended.stderr).replace(str(folder.resolve()), "FOLDER")


@pytest.mark.parametrize("words", CALLS)
def test_every_command_says_it_in_one_line(words: str, tmp_path: Path) -> None:
    """With the place, and what to do."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\nversion 1\n', encoding="utf-8")

    status, said = call(tmp_path, words)

    assert status == 2
    assert said == snapshot(
        "error: FOLDER/pyproject.toml is not valid TOML: Expected '=' after a key in a key/value pair (at line 3, "
        "column 9); correct it there\n"
    )


def test_a_bisection_skips_such_a_revision(tmp_path: Path) -> None:
    """Another one may have a file that can be read."""
    (tmp_path / "pyproject.toml").write_text("[project\n", encoding="utf-8")

    status, said = call(tmp_path, "reproduce --bisect")

    assert status == 125
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b'[project]\nname = "\xff"\n', "what stands there is not UTF-8 (at line 2, column 9)"),
        (b"[project]\nkeywords = [", "(at line 2, column 13, the end of the file)"),
        (b"x = 1\rname = 2\n", "(at line 1, column 6)"),
        (b"x = " + b"[" * 5_000, "it is nested too deeply"),
    ],
    ids=["bytes", "end", "carriage return", "nested"],
)
def test_whatever_is_wrong_has_a_place(content: bytes, place: str, tmp_path: Path) -> None:
    """Also where the parser gives none."""
    (tmp_path / "pyproject.toml").write_bytes(content)

    status, said = call(tmp_path, "scan .")

    assert status == 2
    assert place in said
    assert said.count("\n") == 1


def test_a_folder_of_that_name_is_told(tmp_path: Path) -> None:
    """It cannot be read, either."""
    (tmp_path / "pyproject.toml").mkdir()

    status, said = call(tmp_path, "scan .")

    assert (status, said) == snapshot(
        (2, "error: FOLDER/pyproject.toml cannot be read: Is a directory; correct that, or remove it\n")
    )


def test_settings_that_logfire_cannot_use_are_told(tmp_path: Path) -> None:
    """It is a plugin of pydantic's, which raises in the middle of an import."""
    (tmp_path / "pyproject.toml").write_text('[tool.logfire]\npydantic_plugin_record = "some"\n', encoding="utf-8")

    status, said = call(tmp_path, "scan .")

    assert status == 2
    assert said.startswith("error: logfire, which pydantic loads as its plugin, cannot use its settings: Expected ")
    assert said.count("\n") == 1


@pytest.mark.parametrize(("content", "kind"), [("tool = 3\n", "int"), ("[[tool]]\nlogfire = 1\n", "list")])
@pytest.mark.parametrize("words", ["scan .", "verify"])
def test_tools_have_to_be_a_table(words: str, content: str, kind: str, tmp_path: Path) -> None:
    """It is that key which is wrong, and not the settings of a tool."""
    (tmp_path / "pyproject.toml").write_text(content, encoding="utf-8")

    status, said = call(tmp_path, words)

    assert status == 2
    assert said == (
        f"error: FOLDER/pyproject.toml: 'tool' is of type {kind}, and has to be a table; write the settings of each "
        "tool as [tool.NAME], and remove what stands there now\n"
    )


def test_help_needs_no_settings(tmp_path: Path) -> None:
    """It tells what commands there are."""
    (tmp_path / "pyproject.toml").write_text("[project\n", encoding="utf-8")

    assert call(tmp_path, "--help")[0] == 0
    assert call(tmp_path, "verify --help")[0] == 0


def test_an_error_keeps_its_line_in_a_job_of_github(tmp_path: Path) -> None:
    """Between a line that stops commands and the token that lets them go on."""
    (tmp_path / "pyproject.toml").write_text("[project\n", encoding="utf-8")

    status, said = call(tmp_path, "scan .", GITHUB_ACTIONS="true")

    assert status == 2
    stopped, _, token = said.splitlines()
    assert token == f"::{stopped.removeprefix('::stop-commands::')}::"
