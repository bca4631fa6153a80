"""What `docs/start-in-your-tests.md` shows is so."""

import asyncio
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from harness.sanitizer.runtime import runtime
from harness.suppressions import _KEYS, parse_suppressions
from tests.sessions.suites import ROOT, Outcome, Suite

TEXT = (ROOT / "docs" / "start-in-your-tests.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return [token.content for token in MarkdownIt().parse(TEXT) if token.type == "fence" and token.info == language]


RACY, REPAIRED, ALONE, LIFESPAN = _blocks("python")
SETTINGS, SUPPRESSIONS = _blocks("toml")
_, _, FINDING, SUPPRESSED, COMMANDS = _blocks("")


def _run(suite: Suite, module: str, *arguments: str, project: str = "") -> Outcome:
    return suite(
        "", *arguments, "test_orders.py", test_orders=module, plugin="no:asyncio", conftest="", project=project
    )


def _without_numbers(text: str) -> str:
    """Without what is another one each time, and without the frames of comprehensions, which Python 3.11 still has."""
    return re.sub(r"Task-\d+", "Task", re.sub(r"^.* in \w+\.<locals>\.<listcomp>\n", "", text, flags=re.MULTILINE))


@pytest.mark.processes
def test_the_first_five_steps(suite: Suite) -> None:
    """The suite fails with what stands there, repaired it passes, and with the suppression it passes, and is listed."""
    racy, repaired = (_run(suite, module, "--sessions=raise") for module in (RACY, REPAIRED))
    suppressed = _run(suite, RACY, "--sessions=raise", project=SUPPRESSIONS)

    assert racy.tests == {"test_total": "FAILED"}, racy.text
    assert _without_numbers(racy.summary) == _without_numbers(FINDING)
    assert (repaired.tests, repaired.summary) == ({"test_total": "PASSED"}, "")
    assert suppressed.summary == SUPPRESSED
    assert "session race" not in suppressed.text.partition("= session races =")[0]


@pytest.mark.processes
def test_the_settings(suite: Suite, tmp_path: Path) -> None:
    """Do the same as the options, and the commands for CI read what they write."""
    settings = tomllib.loads(SETTINGS)["tool"]["pytest"]["ini_options"]
    outcome = suite(
        "",
        "test_orders.py",
        test_orders=RACY,
        plugin="no:asyncio",
        conftest="",
        settings="".join(f"{name} = {value}\n" for name, value in settings.items()),
    )

    assert outcome.tests == {"test_total": "FAILED"}, outcome.text
    first, *others = [shlex.split(line) for line in COMMANDS.splitlines()]
    assert first == ["pytest", *(f"--{name.replace('_', '-')}={value}" for name, value in settings.items())]
    for command in others:
        assert (tmp_path / command[2]).is_file()


def test_the_keys_of_an_entry() -> None:
    """Each has its place in the table, and the example is read."""
    named = {name for row in re.findall(r"^\| (`.*?) \|", TEXT, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}

    assert named == set(_KEYS)
    (entry,) = parse_suppressions(
        Path("pyproject.toml"), tomllib.loads(SUPPRESSIONS)["tool"]["sessionproof"]["suppress"]
    )
    assert entry.what == "overlap at test_orders.py:price"


def test_the_program_without_pytest(capsys: pytest.CaptureFixture[str]) -> None:
    """Runs as it stands, and finds something."""
    exec(compile(ALONE, "alone.py", "exec"), {"__name__": "__main__"})  # our own document

    assert re.fullmatch(r"[1-9]\d* findings\n", capsys.readouterr().out)


def test_the_lifespan() -> None:
    """Watches as long as the application lives."""
    names: dict[str, Any] = {}
    exec(compile(LIFESPAN, "lifespan.py", "exec"), names)  # our own document

    async def live() -> list[bool]:
        async with names["lifespan"](names["app"]):
            watched = runtime.active
        return [watched, runtime.active]

    assert asyncio.run(live()) == [True, False]
