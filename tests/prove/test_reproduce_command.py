"""`sessionproof reproduce`, with a process that stands in for pytest: statuses for people, and for `git bisect run`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.report.document import RunDocument
from harness.scenario import SessionMode
from harness.verdict import FindingKind
from tests.prove import shops
from tests.prove.conftest import Command
from tests.prove.test_prove_command import BACKEND, BUGGY, CLEAN, OWN, run
from tests.report import documents

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

UNDECIDED = documents.document([documents.cell("two_users", SessionMode.PER_OPERATION, unknown="no ledger")])


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A shop with an adapter, in a repository."""
    folder = shops.repository(tmp_path / "shop")
    files = {"shop/__init__.py": "", "shop/agent.py": "x = 1\n", "shop/verification.py": OWN}
    shops.commit(folder, "Open the shop", files)
    return folder


@pytest.mark.parametrize(
    ("document", "statuses"),
    [
        (BUGGY, (0, 1)),
        (CLEAN, (1, 0)),
        (run(FindingKind.WRONG_COST), (1, 0)),
        (UNDECIDED, (3, 125)),
        (run(FindingKind.TURN_FAILED), (3, 125)),
        (documents.document([]), (3, 125)),
        (documents.document([CLEAN.cells[0]], problems=["?"]), (3, 125)),
    ],
    ids=["shows", "clear", "unrelated", "undecided", "symptoms", "nothing run", "a problem"],
)
def test_the_status_is_the_answer(
    document: RunDocument, statuses: tuple[int, int], shop: Path, standing_in: Command, tmp_path: Path
) -> None:
    """Under `--bisect` no report is left where nobody asked for one."""
    words = ("reproduce", *BACKEND)
    before = shops.git(shop, "status", "--porcelain")

    for_git = standing_in(shop, *words, "--bisect", any={"document": document})
    left = list((tmp_path / "scratch").iterdir())
    for_people = standing_in(shop, *words, "--output", str(tmp_path / "out"), any={"document": document})

    assert (for_people.exit_code, for_git.exit_code) == statuses, for_people.output + for_git.output
    assert left == []
    assert len(for_git.stdout.splitlines()) == 1
    assert shops.git(shop, "status", "--porcelain") == before


SKIPPED: dict[str, dict[str, str]] = {
    "a module that does not import": {"shop/agent.py": "import nothing_of_that_name\n"},
    "a syntax error": {"shop/agent.py": "x = (\n"},
    "a module that exits": {"shop/agent.py": "raise SystemExit(0)\n"},
    "a module that ends the process": {"shop/agent.py": "import os\nos._exit(0)\n"},
    "settings that cannot be read": {"pyproject.toml": "[tool.sessionproof\n"},
    "settings that do not exist": {"pyproject.toml": "[tool.sessionproof]\nmodus = 'x'\n"},
}


@pytest.mark.parametrize("files", SKIPPED.values(), ids=SKIPPED)
def test_what_another_revision_may_not_have_is_skipped(files: dict[str, str], shop: Path, standing_in: Command) -> None:
    """With one message; for people it is an error of its own."""
    shops.written(shop, files)

    skipped = standing_in(shop, "reproduce", *BACKEND, "--bisect", any={"document": BUGGY})

    assert skipped.exit_code == 125, skipped.output
    assert skipped.stderr.startswith("error: ")
    assert "Traceback" not in skipped.output


STOPPED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "no such option": (("--bisekt",), {}),
    "no such value": (("--pool-state", "tepid"), {}),
    "no name of a backend": (("--backend", "shop"), {}),
    "a module that is nowhere": (("--backend", "nope:backend"), {}),
    "an attribute that is nowhere": (("--backend", "shop.verification:nope"), {}),
    "a scenario that is nowhere": ((*BACKEND, "--scenario", "two_userz"), {}),
    "no database": (BACKEND, {"problem": ["environment", "no server"]}),
    "no such scenario": (BACKEND, {"problem": ["usage", "there is no scenario 'x'"]}),
    "code from elsewhere": (BACKEND, {"document": BUGGY, "origins": {"shop": "/usr/lib/shop.py"}}),
}


@pytest.mark.parametrize(("words", "behaviour"), STOPPED.values(), ids=STOPPED)
def test_what_no_revision_can_cure_ends_the_bisection(
    words: tuple[str, ...], behaviour: dict[str, Any], shop: Path, standing_in: Command
) -> None:
    """Git goes on after any status below 128."""
    stopped = standing_in(shop, "reproduce", "--bisect", *words, any=behaviour)

    assert 128 <= stopped.exit_code <= 255, stopped.output
    assert "Traceback" not in stopped.output


def test_an_adapter_that_the_revision_names_is_its_own(shop: Path, standing_in: Command) -> None:
    """Another revision may name one that is there."""
    shops.written(shop, {"pyproject.toml": "[tool.sessionproof]\nbackend = 'nope:backend'\n"})

    assert standing_in(shop, "reproduce", "--bisect").exit_code == 125
    assert standing_in(shop, "reproduce").exit_code == 2


def test_settings_above_the_folder_name_the_adapter_beside_them(standing_in: Command, tmp_path: Path) -> None:
    """Also in the middle of a repository: its modules are looked for there, and not where the command is called."""
    folder = shops.repository(tmp_path / "shops")
    files = {"shop/__init__.py": "", "shop/agent.py": "x = 1\n", "shop/verification.py": OWN, "docs/index.md": ""}
    settings = {"pyproject.toml": "[tool.sessionproof]\nbackend = 'shop.verification:backend'\n"}
    shops.commit(folder, "Open it", {f"town/{name}": text for name, text in (files | settings).items()})
    shops.commit(folder, "Repair it", {"town/shop/agent.py": "x = 2\n"})

    below = standing_in(folder / "town" / "docs", "reproduce", any={"document": BUGGY})
    proof = standing_in(
        folder / "town" / "docs",
        *("prove", "--before", "HEAD~1", "--after", "HEAD"),
        before={"document": BUGGY},
        after={"document": CLEAN},
    )

    assert below.exit_code == 0, below.output
    assert proof.exit_code == 0, proof.output


def test_wrong_usage_is_wrong_usage_without_bisecting(shop: Path, standing_in: Command) -> None:
    """As in all commands."""
    assert standing_in(shop, "reproduce", "--pool-state", "tepid").exit_code == 2
    assert standing_in(shop, "reproduce", "--backend", "shop").exit_code == 2


def test_no_repository_is_needed(standing_in: Command, tmp_path: Path) -> None:
    """What is looked at is the folder."""
    files = {"shop/__init__.py": "", "shop/agent.py": "x = 1\n", "shop/verification.py": OWN}
    folder = shops.written(tmp_path / "copy", files)

    result = standing_in(
        folder,
        "reproduce",
        *BACKEND,
        "--output",
        str(tmp_path / "out"),
        any={"document": BUGGY},
        out={"document": BUGGY},
    )

    assert result.exit_code == 0, result.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_what_cannot_be_said_ends_the_bisection(shop: Path) -> None:
    """A full disk is no bad revision."""
    words = [sys.executable, "-m", "harness.cli", "reproduce", "--bisect", "--backend", "nothing_of_that_name:backend"]

    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(words, cwd=shop, stdout=full, stderr=full, check=False, timeout=250)

    assert ended.returncode >= 128
