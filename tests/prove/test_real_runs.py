"""`prove`, `reproduce` and `git bisect run` on a real application, a real PostgreSQL, and real histories.

Each side is a run that loads everything: what documents prove together is asked in `test_proof`, and what the command
makes of them in `test_prove_command`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.report.proof_document import ProofDocument
from harness.report.run_json import read
from harness.report.showing import Showing
from harness.verdict import FindingKind
from tests.prove import shops
from tests.prove.test_checkouts import everything

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

BACKEND = ("--backend", "shop.verification:backend")
# One cell, in this process: what is looked at here is what becomes of it.
SMALL = ("--scenario", "two_users", "--pool-state", "cold", "-n", "0")
COMMAND = (sys.executable, "-m", "harness.cli")


@pytest.fixture(autouse=True)
def _server(server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One server for all of them."""
    monkeypatch.setenv("SESSIONPROOF_POSTGRES", server_url)


def call(folder: Path, *words: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Call the command in a folder."""
    given = os.environ | dict(environment or {})
    return subprocess.run(
        [*COMMAND, *words], cwd=folder, env=given, capture_output=True, text=True, check=False, timeout=800
    )


def prove(
    folder: Path, before: str, after: str, *words: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Prove it of the shop; what is left of it lies beside that, unless the words say where."""
    output = ("--output", tempfile.mkdtemp(prefix="proof-", dir=folder.parent))
    given = ("--before", before, "--after", after, *BACKEND, *SMALL, *output, *words)
    return call(folder, "prove", *given, environment=environment)


def test_a_repair_in_src_is_proved(tmp_path: Path) -> None:
    """By both of its revisions, while the work tree has something else in it, of which nothing is touched.

    Nor is it imported, though the work tree's is installed so that Python finds that everywhere.
    """
    shop = shops.repository(tmp_path / "shop")
    shops.commit(shop, "Open", {"src/shop/__init__.py": "", "src/shop/agent.py": shops.SHARED})
    shops.commit(shop, "Repair", {"src/shop/agent.py": shops.REPAIRED, "src/shop/verification.py": shops.ADAPTER})
    broken = dict.fromkeys(("src/shop/agent.py", "src/shop/verification.py"), "raise RuntimeError\n")
    shops.written(shop, broken)
    untouched, out = everything(shop), tmp_path / "out"
    path = os.pathsep.join([str(shop / "src"), os.environ.get("PYTHONPATH", "")])

    ended = prove(shop, "HEAD~1", "HEAD", "--output", str(out), environment={"PYTHONPATH": path})

    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert everything(shop) == untouched
    proof = ProofDocument.model_validate_json((out / "proof.json").read_bytes())
    assert (proof.before.showing, proof.after.showing) == (Showing.SHOWS, Showing.CLEAR)
    places = {trace.kind: trace.place for trace in proof.vanished}
    assert places[FindingKind.SESSION_OVERLAP].startswith("src/shop/agent.py:")
    assert not proof.appeared
    for side in (proof.before, proof.after):
        assert read(out / side.run).environment.backend == "shop.verification:backend"
        assert (out / side.run).with_name("report.html").is_file()
    assert str(tmp_path / "shop") not in json.dumps([each.place for each in proof.vanished])


def test_a_repair_the_wrong_way_round_is_not_proved(tmp_path: Path) -> None:
    """The bug shows after, and does not show before: each would be enough, and both are said."""
    shop = tmp_path / "shop"
    shops.history(shop)
    shops.commit(shop, "Rename", {"shop/agent.py": shops.SHARED.replace("The shop's agent", "The agent")})

    ended = prove(shop, "HEAD~1", "HEAD", "--adapter-from", "before")

    assert ended.returncode == 1, ended.stderr
    said = " ".join(ended.stdout.split())
    assert "the bug shows after" in said
    assert "the bug does not show before" in said


def test_a_lock_around_the_shared_session_is_no_repair(tmp_path: Path) -> None:
    """Nothing overlaps any more, and nothing runs side by side either."""
    shop = tmp_path / "shop"
    shops.history(shop)
    shops.commit(shop, "Lock it", {"shop/agent.py": shops.LOCKED})

    ended = prove(shop, "HEAD~2", "HEAD", "--adapter-from", "after")

    assert ended.returncode == 1, ended.stderr + ended.stdout
    assert "there are symptoms of the bug: serialised" in " ".join(ended.stdout.split())


def test_the_five_minutes_of_the_document(tmp_path: Path) -> None:
    """Line by line, with the repair where it says so."""
    text = (Path(__file__).parents[2] / "docs" / "proving.md").read_text(encoding="utf-8")
    reproduce, commit, prove_it = text.partition("```\n")[2].partition("```")[0].splitlines()
    shop = shops.repository(tmp_path / "shop")
    files = {"shop/__init__.py": "", "shop/agent.py": shops.SHARED, "shop/verification.py": shops.ADAPTER}
    shops.commit(shop, "Open the shop", files | {".gitignore": "sessionproof-runs/\n"})
    output = f'--output "$(mktemp -d {tmp_path}/out.XXXXXX)"'
    command = f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@" -n 0 {output}\n'
    shops.written(tmp_path / "bin", {"sessionproof": command})
    (tmp_path / "bin" / "sessionproof").chmod(0o755)
    settings = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "SESSIONPROOF_POSTGRES": "embedded",
        "SESSIONPROOF_SCENARIOS": "two_users",
        "SESSIONPROOF_POOL_STATES": "cold",
    }

    def shell(line: str) -> str:
        given = os.environ | settings
        return subprocess.run(line, shell=True, cwd=shop, env=given, capture_output=True, text=True, check=True).stdout

    shown = shell(reproduce)
    assert "REPRODUCED: the bug shows in 1 of 1 cell" in shown
    assert (
        "$ sessionproof reproduce --backend shop.verification:backend --mode per_operation --pool-state cold "
        "--tier scripted --scenario two_users"
    ) in shown
    shops.written(shop, {"shop/agent.py": shops.REPAIRED})
    shell(commit)
    assert "PROVED: the bug shows before" in shell(prove_it)


def test_an_import_hook_that_goes_first_is_refused(tmp_path: Path) -> None:
    """Some editable installs have one: what it finds is the work tree's code, whatever the path says."""
    shop = tmp_path / "shop"
    shops.history(shop)
    hook = (
        "import importlib.machinery, sys\n"
        "class Hook:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        f"        return importlib.machinery.PathFinder.find_spec(name, [{str(shop)!r}]) if name == 'shop' else None\n"
        "sys.meta_path.insert(0, Hook)\n"
    )
    shops.written(tmp_path / "site", {"sitecustomize.py": hook})
    path = os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])

    ended = prove(shop, "HEAD~1", "HEAD", environment={"PYTHONPATH": path})

    assert ended.returncode == 3, ended.stderr + ended.stdout
    assert "the code under test did not come from the revision, but 'shop'" in ended.stderr


def test_a_revision_that_does_not_start_is_missing_evidence(tmp_path: Path) -> None:
    """Before, or after: what it says is in the report."""
    shop = tmp_path / "shop"
    shops.history(shop)
    broken = shops.ADAPTER.replace(
        "            await connection.execute", "            raise OSError('no disk')\n    #"
    )
    shops.commit(shop, "Break it", {"shop/verification.py": broken})

    ended = prove(shop, "HEAD~2", "HEAD", "--adapter-from", "own")

    assert ended.returncode == 3, ended.stderr + ended.stdout
    assert "no disk" in ended.stdout


def test_the_work_tree_is_reproduced_in(tmp_path: Path) -> None:
    """1 if it does not show; that it does is what the document begins with."""
    shop = tmp_path / "shop"
    shops.history(shop)

    clear = call(shop, "reproduce", *BACKEND, *SMALL, "--output", str(tmp_path / "clear"))

    assert clear.returncode == 1, clear.stderr
    assert "NOT REPRODUCED" in clear.stdout


def test_git_bisect_finds_the_commit(tmp_path: Path) -> None:
    """Among eight, of which one cannot be imported, and one does not answer; with an adapter that git does not know."""
    shop = shops.repository(tmp_path / "shop")
    failing = shops.REPAIRED.replace(
        "    async with sessions() as session:\n",
        "    raise KeyError(message)\n    async with sessions() as session:\n",
    )
    states = {
        "Open the shop": shops.REPAIRED,
        "Describe it": f"# A shop.\n{shops.REPAIRED}",
        "Forget a parenthesis": f"{shops.REPAIRED}\nprint((\n",
        "Find it again": shops.REPAIRED,
        "Share the session": shops.SHARED,
        "Answer nobody": failing,
        "Answer again": f"# Again.\n{shops.SHARED}",
        "Describe it better": f"# A fine shop.\n{shops.SHARED}",
    }
    assert failing != shops.REPAIRED
    commits = {
        subject: shops.commit(shop, subject, {"shop/__init__.py": "", "shop/agent.py": text})
        for subject, text in states.items()
    }
    shops.written(shop, {"checks.py": shops.ADAPTER})
    shops.git(shop, "bisect", "start", commits["Describe it better"], commits["Open the shop"])

    words = [*COMMAND, "reproduce", "--bisect", "--backend", "checks:backend", *SMALL]
    ended = subprocess.run(
        ["git", "bisect", "run", *words],
        cwd=shop,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"{commits['Share the session']} is the first bad commit" in ended.stdout
    assert (shop / "checks.py").is_file()
    assert shops.git(shop, "status", "--porcelain", "--untracked-files=all") == "?? checks.py"
