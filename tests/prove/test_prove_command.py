"""`sessionproof prove`, with a process that stands in for pytest: what is refused, what is run, what is left."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.command.side import SCENARIOS
from harness.report.document import RunDocument
from harness.report.proof_document import ProofDocument
from harness.scenario import Scenario, SessionMode
from harness.verdict import Finding, FindingKind, Verdict
from tests.prove import shops
from tests.prove.conftest import STANDIN, Command
from tests.prove.test_checkouts import everything
from tests.report import documents
from tests.test_documents import SCENARIOS as SUITE

pytestmark = [pytest.mark.processes, pytest.mark.timeout(300)]

BACKEND = ("--backend", "shop.verification:backend")
LAST = ("prove", "--before", "HEAD~1", "--after", "HEAD", *BACKEND)
# What is loaded to see what the backend is: the adapter's protocol, without an application that takes long to import.
LIGHT = """
from contextlib import asynccontextmanager

import shop.agent
from harness.backend import Tenant, ToolUse
from harness.scenario import SessionMode, ToolRole


class Shop:
    name = "shop"
    modes = frozenset(map(SessionMode, [%s]))
    capabilities = frozenset()
    tenants = (Tenant(account="shop", agent="clerk", tools={ToolRole.READ: ToolUse(tool="opening_hours")}),)

    async def prepare(self, database_url): ...

    @asynccontextmanager
    async def start(self, settings):
        yield

    async def read_ledger(self, connection): ...


backend = Shop()
"""
OWN, SHARED, LOCKED = (LIGHT % mode for mode in ('"per_operation"', '"shared"', '"locked"'))
BOTH = LIGHT % '"shared", "per_operation"'


def run(*kinds: FindingKind, mode: SessionMode = SessionMode.PER_OPERATION) -> RunDocument:
    """A run of one cell in which these were found."""
    findings = [
        Finding(kind=kind, message=f"There is {kind}.", check="errors", stack=("shop/agent.py:3 in stock",))
        for kind in kinds
    ]
    return documents.document([documents.cell("two_parallel_tools", mode, findings=findings)])


BUGGY, CLEAN = run(FindingKind.SESSION_OVERLAP), run()


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The repair, with an adapter in the second revision alone."""
    folder = shops.repository(tmp_path / "shop")
    shops.commit(folder, "Open the shop", {"shop/__init__.py": "", "shop/agent.py": "x = 1\n"})
    shops.commit(folder, "Repair it", {"shop/agent.py": "x = 2\n", "shop/verification.py": OWN})
    return folder


def told(notes: Path, name: str) -> dict[str, Any]:
    """What the process that ran a revision was told."""
    value: dict[str, Any] = json.loads((notes / f"{name}.told.json").read_text(encoding="utf-8"))
    return value


def proof(folder: Path) -> ProofDocument:
    """The proof that was left."""
    return ProofDocument.model_validate_json((folder / "proof.json").read_bytes())


def test_a_proof_ends_with_0_and_leaves_nothing_but_its_report(
    shop: Path, standing_in: Command, notes: Path, tmp_path: Path
) -> None:
    """In a work tree in the middle of something, from below its top, with the adapter of the second revision."""
    shops.written(shop, {"shop/agent.py": "changed", "new.txt": "", "staged.txt": ""})
    shops.git(shop, "add", "staged.txt")
    before = everything(shop)

    result = standing_in(shop / "shop", *LAST, before={"document": BUGGY}, after={"document": CLEAN})

    assert result.exit_code == 0, result.output
    assert everything(shop) == before
    assert "PROVED: the bug shows before" in result.stdout
    assert "'HEAD~1' has no adapter, and was started by that of 'HEAD'" in result.stdout
    (left,) = (tmp_path / "scratch").iterdir()
    assert {path.name for path in left.iterdir()} == {"after", "before", "proof.json", "proof.md"}
    assert proof(left).verdict is Verdict.PASSED
    assert [side.revision.subject for side in (proof(left).before, proof(left).after)] == ["Open the shop", "Repair it"]
    assert not Path(told(notes, "before")["directory"]).exists()


def test_a_bare_clone_is_enough(shop: Path, standing_in: Command, tmp_path: Path) -> None:
    """On a server there may be no work tree at all."""
    shops.git(tmp_path, "clone", "--quiet", "--bare", str(shop), "bare")
    before = everything(tmp_path / "bare", tree=False)

    result = standing_in(tmp_path / "bare", *LAST, before={"document": BUGGY}, after={"document": CLEAN})

    assert result.exit_code == 0, result.output
    assert everything(tmp_path / "bare", tree=False) == before


def test_both_revisions_are_run_alike(shop: Path, standing_in: Command, notes: Path) -> None:
    """In the caller's folder of their own work tree, whose modules come first; in the mode of the claim."""
    standing_in(shop / "shop", *LAST, before={"document": BUGGY}, after={"document": CLEAN})

    seen = [told(notes, name) for name in ("before", "after")]
    for name, each in zip(("before", "after"), seen, strict=True):
        here = Path(each["directory"])
        path = each["environment"]["PYTHONPATH"].split(os.pathsep)
        assert here.name == "shop"
        assert here.parent.name.endswith(f"-{name}")
        assert path[:2] == [str(here), str(here.parent)]
        assert str(shop) not in path
        assert "--sessionproof-mode=per_operation" in each["arguments"]
        assert "--sessionproof-tier=scripted" in each["arguments"]
        chosen = [word.partition("=")[2] for word in each["arguments"] if word.startswith("--sessionproof-scenario=")]
        assert chosen == list(SCENARIOS)


def test_no_place_is_told_with_the_checkout_that_is_gone(shop: Path, standing_in: Command, tmp_path: Path) -> None:
    """The page is for others; below which folder the command was called has no part in it."""
    words = (*LAST, "--format", "markdown")
    place = "%(top)s/shop/agent.py:3 in stock"
    finding = Finding(kind=FindingKind.BLEED, message=f"seen at {place}", check="errors", stack=(place,))
    document = documents.document([documents.cell("two_parallel_tools", SessionMode.PER_OPERATION, findings=[finding])])

    result = standing_in(shop / "shop", *words, before={"document": document}, after={"document": CLEAN})

    assert result.exit_code == 0, result.output
    assert "at `shop/agent.py:3 in stock`" in result.stdout
    assert str(tmp_path / "scratch" / "sessionproof-prove-") not in result.stdout


def test_what_is_run_by_default_is_what_sharing_shows_in() -> None:
    """Each scenario of the suite without a fault and without a model that decides, that a shared session fails."""
    shows = [each for each in SUITE if not each.chosen and _shows(each)]

    assert sorted(SCENARIOS) == sorted(each.name for each in shows)


def _shows(scenario: Scenario) -> bool:
    states = scenario.pool_states[SessionMode.SHARED]
    return not all(scenario.expectation(SessionMode.SHARED, state).clean for state in states)


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (CLEAN, CLEAN, 1),
        (BUGGY, BUGGY, 1),
        (BUGGY, documents.document([]), 3),
        (documents.document([]), CLEAN, 3),
        (run(FindingKind.SERIALISED), CLEAN, 3),
    ],
)
def test_what_is_not_proved_ends_with_another_status(
    before: RunDocument, after: RunDocument, status: int, shop: Path, standing_in: Command
) -> None:
    """Never with 0."""
    result = standing_in(shop, *LAST, before={"document": before}, after={"document": after})

    assert result.exit_code == status


def test_a_symptom_can_be_the_bug(shop: Path, standing_in: Command, tmp_path: Path) -> None:
    """If it is named; the command that repeats it names it, too."""
    words = (*LAST, "--finding", "serialised", "--output", str(tmp_path / "out"))

    result = standing_in(shop, *words, before={"document": run(FindingKind.SERIALISED)}, after={"document": CLEAN})

    assert result.exit_code == 0
    assert proof(tmp_path / "out").bug == (FindingKind.SERIALISED,)
    assert "--finding serialised" in proof(tmp_path / "out").command


@pytest.mark.parametrize("form", ["markdown", "json"])
def test_the_report_can_be_printed(form: str, shop: Path, standing_in: Command, tmp_path: Path) -> None:
    """As it is, and nothing beside it; in a folder of one's own."""
    out = tmp_path / "out"
    words = (*LAST, "--format", form, "--output", str(out))

    result = standing_in(shop, *words, before={"document": BUGGY}, after={"document": CLEAN})

    assert result.stdout == (out / {"markdown": "proof.md", "json": "proof.json"}[form]).read_text(encoding="utf-8")


REFUSED = {
    "no such revision": (("--before", "nothing", "--after", "HEAD", *BACKEND), 2),
    "the same commit": (("--before", "HEAD", "--after", "main", *BACKEND), 2),
    "the same content": (("--before", "HEAD", "--after", "again", *BACKEND), 2),
    "no backend": (("--before", "HEAD~1", "--after", "HEAD"), 2),
    "no backend's name": (("--before", "HEAD~1", "--after", "HEAD", "--backend", "shop/verification.py"), 2),
    "a backend that neither has": (("--before", "HEAD~1", "--after", "HEAD", "--backend", "shop.checks:backend"), 2),
    "no such attribute": (("--before", "HEAD~1", "--after", "HEAD", "--backend", "shop.verification:other"), 2),
    "a backend that does not import": (("--before", "HEAD~1", "--after", "HEAD", "--backend", "broken:backend"), 3),
    "an adapter that is not there": ((*LAST[1:], "--adapter-from", "before"), 2),
    "an adapter that the work tree lacks": ((*LAST[1:5], "--backend", "a.b:c", "--adapter-from", "worktree"), 2),
    "a file that is not there": ((*LAST[1:], "--adapter-from", "nowhere.py"), 2),
    "no such scenario": ((*LAST[1:], "--scenario", "two_userz"), 2),
    "a revision is missing": (("--before", "HEAD", *BACKEND), 2),
}


@pytest.mark.parametrize(("words", "status"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_one_message(
    words: tuple[str, ...], status: int, shop: Path, standing_in: Command, tmp_path: Path
) -> None:
    """And nothing is left, not even of an earlier proof where that would have been."""
    shops.git(shop, "branch", "again", shops.git(shop, "commit-tree", "HEAD^{tree}", "-m", "Again"))
    shops.git(shop, "checkout", "--quiet", "--detach")
    shops.commit(shop, "Break it", {"broken.py": "import nothing_of_that_name\n"})
    shops.git(shop, "checkout", "--quiet", "main")
    if "broken:backend" in words:
        shops.git(shop, "merge", "--quiet", "--ff-only", "HEAD@{1}")
    before = everything(shop)

    result = standing_in(shop, "prove", *words)

    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    assert len([line for line in result.stderr.splitlines() if line.lower().startswith("error: ")]) == 1
    assert str(tmp_path / "scratch") not in result.stderr
    assert everything(shop) == before


def test_settings_of_a_revision_that_cannot_be_read_are_told(shop: Path, standing_in: Command) -> None:
    """By their line, and not by how another package fails on them."""
    shops.commit(shop, "Break the settings", {"pyproject.toml": "[project]\nname\n"})
    shops.written(shop, {"pyproject.toml": ""})

    result = standing_in(shop, *LAST, before={"document": BUGGY})

    assert result.exit_code == 3
    said = "backend 'shop.verification:backend' cannot be loaded: pyproject.toml is not valid TOML: "
    assert said in result.stderr
    assert "(at line 2, column 5)" in result.stderr
    assert "logfire" not in result.output


def test_a_folder_without_git_is_told(standing_in: Command, tmp_path: Path) -> None:
    """With what to do."""
    folder = shops.written(tmp_path / "copy", {"shop/__init__.py": ""})

    result = standing_in(folder, *LAST)

    assert result.exit_code == 2
    assert "is in no git repository" in result.stderr


def test_an_adapter_in_the_work_tree_alone_is_hinted_at(shop: Path, standing_in: Command) -> None:
    """And taken, if that is asked for; it is the user's, and stays as it is."""
    shops.written(shop, {"checks/shop.py": OWN})
    words = ("prove", "--before", "HEAD~1", "--after", "HEAD", "--backend", "checks.shop:backend")
    before = everything(shop)
    runs: dict[str, Any] = {"before": {"document": BUGGY}, "after": {"document": CLEAN}}

    refused = standing_in(shop, *words)
    taken = standing_in(shop, *words, "--adapter-from", "worktree", **runs)

    assert refused.exit_code == 2
    assert "--adapter-from worktree takes it from there" in refused.stderr
    assert taken.exit_code == 0, taken.output
    assert "both revisions were started by the adapter in 'checks/shop.py'" in taken.stdout
    assert everything(shop) == before


@pytest.mark.parametrize("source", ["after", "FILE"])
def test_an_adapter_goes_before_that_of_a_revision(
    source: str, shop: Path, standing_in: Command, tmp_path: Path
) -> None:
    """Where it was asked for: the modes of the sides tell whose it was."""
    shops.commit(shop, "Another adapter", {"shop/verification.py": SHARED})
    shops.written(tmp_path, {"mine.py": LOCKED})
    given = str(tmp_path / "mine.py") if source == "FILE" else source

    result = standing_in(shop, *LAST, "--adapter-from", given, before={"document": BUGGY}, after={"document": CLEAN})

    assert result.exit_code == 0, result.output
    mode = "locked" if source == "FILE" else "shared"
    for name in ("before", "after"):
        assert f"--sessionproof-mode={mode}" in told(tmp_path / "notes", name)["arguments"]


def test_each_side_is_started_as_its_backend_says(shop: Path, standing_in: Command, notes: Path) -> None:
    """An adapter that knows the bug as `shared`, and the repair as `per_operation`; --mode goes before that."""
    shops.commit(shop, "Adapter", {"shop/verification.py": SHARED})
    shops.commit(shop, "Repair", {"shop/verification.py": BOTH})
    shared = run(FindingKind.BLEED, mode=SessionMode.SHARED)

    result = standing_in(shop, *LAST, before={"document": shared}, after={"document": CLEAN})
    modes = [told(notes, name)["arguments"] for name in ("before", "after")]
    standing_in(shop, *LAST, "--mode", "shared", before={"document": shared}, after={"document": CLEAN})

    assert result.exit_code == 0, result.output
    assert ["--sessionproof-mode=shared" in each for each in modes] == [True, False]
    assert "--sessionproof-mode=shared" in told(notes, "after")["arguments"]


def test_a_bug_that_does_not_show_before_may_be_another_mode(shop: Path, standing_in: Command) -> None:
    """Which is hinted at."""
    shops.commit(shop, "Both", {"shop/verification.py": BOTH})
    words = ("prove", "--before", "HEAD~1", "--after", "HEAD", *BACKEND, "--adapter-from", "after")

    result = standing_in(shop, *words, before={"document": CLEAN}, after={"document": CLEAN})

    assert result.exit_code == 1
    assert "its backend also has the mode 'shared'" in " ".join(result.stdout.split())


def test_other_code_is_no_proof(shop: Path, standing_in: Command, notes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose modules came from the work tree is refused, whatever it says."""
    stray = {"shop.agent": str(shop / "shop" / "agent.py")}

    result = standing_in(shop, *LAST, before={"document": BUGGY, "origins": stray}, after={"document": CLEAN})

    assert result.exit_code == 3
    assert "the code under test did not come from the revision, but 'shop.agent'" in result.stderr
    assert not (notes / "after.told.json").exists()


def test_an_import_path_into_the_work_tree_is_carried_over(
    shop: Path, standing_in: Command, monkeypatch: pytest.MonkeyPatch, notes: Path, tmp_path: Path
) -> None:
    """`PYTHONPATH` stands for the same place in the revision; what lies elsewhere stays, so that an adapter may."""
    shops.written(tmp_path / "elsewhere", {"outside.py": OWN})
    paths = [str(shop / "shop"), str(tmp_path / "elsewhere"), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    words = ("prove", "--before", "HEAD~1", "--after", "HEAD", "--backend", "outside:backend")

    result = standing_in(shop, *words, before={"document": BUGGY}, after={"document": CLEAN})

    assert result.exit_code == 0, result.output
    path = told(notes, "before")["environment"]["PYTHONPATH"].split(os.pathsep)
    here = told(notes, "before")["directory"]
    assert path[:2] == [here, f"{here}/shop"]
    assert str(tmp_path / "elsewhere") in path
    assert not [entry for entry in path if Path(entry).is_relative_to(shop)]


@pytest.mark.parametrize(("category", "status"), [("usage", 2), ("environment", 3)])
def test_what_keeps_a_run_from_starting_is_one_message(
    category: str, status: int, shop: Path, standing_in: Command
) -> None:
    """Without a password, and without the second run."""
    problem = [category, "no server at postgresql://app:hunter22@db/app"]

    result = standing_in(shop, *LAST, before={"problem": problem})

    assert result.exit_code == status
    assert "at 'HEAD~1'" in result.stderr
    assert "hunter22" not in result.output


def test_a_pytest_that_leaves_nothing_is_missing_evidence(shop: Path, standing_in: Command) -> None:
    """And its log is named, and stays."""
    result = standing_in(shop, *LAST, before={"document": BUGGY}, after={"status": 9})

    assert result.exit_code == 3
    assert "pytest ended with status 9 and left no result" in result.stderr


def test_messages_of_commits_are_masked_and_escaped(shop: Path, standing_in: Command, tmp_path: Path) -> None:
    """Wherever they are shown."""
    subject = "Use postgresql://app:hunter22@db/app <img src=x> \x1b[31m | [bold]"
    shops.commit(shop, subject, {"shop/agent.py": "x = 3\n"})
    words = (*LAST, "--format", "markdown", "--output", str(tmp_path / "out"))

    result = standing_in(shop, *words, before={"document": BUGGY}, after={"document": CLEAN})

    assert result.exit_code == 0
    assert "hunter22" not in result.output + (tmp_path / "out" / "proof.json").read_text(encoding="utf-8")
    assert "\x1b" not in result.output
    assert r"<img src=x> \x1b[31m \| [bold]`" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(number: signal.Signals, shop: Path, notes: Path, tmp_path: Path) -> None:
    """No process, no work tree, no note of git's, no temporary folder but that of the report."""
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored here, by nohup for example, and so it is by what is started")
    (notes / "behaviour.json").write_text('{"any": {"waits": true}}', encoding="utf-8")
    before, scratch = everything(shop), tmp_path / "scratch"
    scratch.mkdir()
    program = [sys.executable, str(STANDIN), str(notes)]
    code = f"from harness.cli import main; main({list(LAST)!r}, obj={program!r})"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=shop,
        env=os.environ | {"TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 240  # so long may a machine take that is busy with other things
        while not (notes / "waiting").exists() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.05)
        child = int((notes / "waiting").read_text(encoding="utf-8"))
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 128 + number
    assert f"interrupted by {number.name}" in said
    assert f"what there is so far is in {scratch}/sessionproof-proof-" in said
    with suppress(psutil.NoSuchProcess):
        assert psutil.Process(child).status() == psutil.STATUS_ZOMBIE
    assert everything(shop) == before
    assert [path.name.rpartition("-")[0] for path in scratch.iterdir()] == ["sessionproof-proof"]
