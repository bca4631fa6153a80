"""What the documents for authors of a backend say is so."""

import re
import shlex
import sys
from pathlib import Path

import click
import pytest
from markdown_it import MarkdownIt

from harness.backend import Backend, BackendSettings, Capability, load_backend
from harness.cli import main
from harness.config import resolve
from harness.conformance import check_backend
from harness.postgres.clones import Clones
from harness.scenario import SessionMode, ToolRole
from tests.conformance.shops import HINTED, VIOLATING

DOCS = Path(__file__).parents[2] / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text(encoding="utf-8")
START = (DOCS / "start-your-backend.md").read_text(encoding="utf-8")


def blocks(text: str, language: str = "") -> list[str]:
    return [token.content for token in MarkdownIt().parse(text) if token.type == "fence" and token.info == language]


def commands() -> list[list[str]]:
    """Each command once, though a walk may have it twice."""
    lines = [
        line.partition("#")[0].strip()
        for text in (PROTOCOL, START)
        for each in blocks(text)
        for line in each.splitlines()
    ]
    return [shlex.split(line)[1:] for line in dict.fromkeys(lines) if line.startswith("sessionproof ")]


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_commands_are_understood(arguments: list[str]) -> None:
    """Each line is a command with options that exist."""
    name, *options = arguments

    assert isinstance(main.commands[name].make_context(name, options, resilient_parsing=False), click.Context)


async def test_the_smallest_example_conforms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sessionproof_clones: Clones
) -> None:
    """It is a backend as it stands there, without a violation and without a hint."""
    (example,) = blocks(PROTOCOL, "python")
    (tmp_path / "shop_adapter.py").write_text(example, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    said = await check_backend(load_backend("shop_adapter:backend"), sessionproof_clones, seconds=20)
    sys.modules.pop("shop_adapter")

    assert (said.violations, said.hints) == ((), ())


def test_tables_are_complete() -> None:
    """Every attribute, setting, mode, role and capability has a row, and no row is of something else."""
    rows = re.findall(r"^\| `(\w+)` \|", PROTOCOL, flags=re.MULTILINE)
    attributes = {"ledger_table", *Backend.__annotations__}
    settings = set(BackendSettings.__dataclass_fields__)
    modes = {mode.value for mode in SessionMode}
    names = {member.name for kind in (ToolRole, Capability) for member in kind}

    assert set(rows) == attributes | settings | modes | names
    assert len(rows) == len(set(rows))


def test_errors_of_the_table_are_told() -> None:
    """What a reader looks for is what is printed."""
    told = " ".join(seen for _, _, seen in (*VIOLATING.values(), *HINTED.values()))
    code = " ".join(
        path.read_text(encoding="utf-8")
        for path in (DOCS.parent / "harness").rglob("*.py")
        if "backend" in str(path) or "conformance" in str(path)
    )
    table = PROTOCOL.partition("| it says | repair |")[2]
    for cell in re.findall(r"^\| (.+?) \| [A-Z`]", table, flags=re.MULTILINE):
        for phrase in re.findall(r"`` (.+?) ``|`(.+?)`", cell):
            words = "".join(phrase).partition("…")[0].strip()
            assert words in told or words in code


def test_settings_of_the_start_are_settings(tmp_path: Path) -> None:
    """The TOML is understood."""
    (settings,) = blocks(START, "toml")
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")

    assert resolve({}, environment={}, directory=tmp_path).backend == "verification:backend"
