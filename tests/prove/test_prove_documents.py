"""What docs/proving.md and docs/ci.md say is so: commands are commands, recipes are whole, and the page is a page."""

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from markdown_it import MarkdownIt

from harness.cli import main
from harness.report.document import NotVerifiedDocument
from harness.report.proof import Side, make_proof
from harness.report.proof_document import RevisionDocument
from harness.report.proof_markdown import proof_page
from harness.report.showing import SYMPTOMS, WITNESSES
from harness.scenario import PoolState, SessionMode
from harness.verdict import Finding, FindingKind
from tests.report import documents

DOCS = Path(__file__).parents[2] / "docs"
PROVING = (DOCS / "proving.md").read_text(encoding="utf-8")
CI = (DOCS / "ci.md").read_text(encoding="utf-8")
OTHER_PROGRAMS = ("python -m pip install ", "docker pull ")


def blocks(text: str, language: str = "") -> list[str]:
    """The code blocks of one language."""
    return [token.content for token in MarkdownIt().parse(text) if token.type == "fence" and token.info == language]


RECIPES: list[dict[Any, Any]] = [yaml.safe_load(block) for block in blocks(CI, "yaml")]
GITHUB = [recipe for recipe in RECIPES if "jobs" in recipe]
GITHUB_JOBS = [job for recipe in GITHUB for job in recipe["jobs"].values()]
(GITLAB,) = [recipe for recipe in RECIPES if "jobs" not in recipe]
GITLAB_JOBS = [job for job in GITLAB.values() if "script" in job]


def lines() -> Iterator[str]:
    """Every command line of the recipes."""
    for job in GITHUB_JOBS:
        yield from (step["run"] for step in job["steps"] if "run" in step)
    yield from GITLAB["default"]["before_script"]
    for job in GITLAB_JOBS:
        yield from job["script"]


def of_proving() -> list[str]:
    """The calls of `sessionproof` in docs/proving.md, also those by git."""
    found = [line.partition("#")[0].partition(">")[0] for block in blocks(PROVING) for line in block.splitlines()]
    return [line[line.index("sessionproof ") :].strip() for line in found if "sessionproof " in line]


CALLS = dict.fromkeys([*of_proving(), *(each for each in lines() if each.startswith("sessionproof "))])


@pytest.mark.parametrize("line", CALLS)
def test_commands_are_understood(line: str) -> None:
    """With their options, and values of these."""
    _, name, *options = shlex.split(line)

    context = main.commands[name].make_context(name, options, resilient_parsing=False)

    assert isinstance(context, click.Context)


def test_every_line_of_a_recipe_is_known(pytestconfig: pytest.Config) -> None:
    """A call of sessionproof, of pytest with options that it has, or one of a few others."""
    parser = pytestconfig._parser
    options = {
        name for group in [*parser._groups, parser._anonymous] for each in group.options for name in each.names()
    }

    for line in lines():
        assert "\n" not in line
        program, *words = shlex.split(line)
        if program == "pytest":
            assert {word.partition("=")[0] for word in words if word.startswith("-")} <= options
        else:
            assert program == "sessionproof" or line.startswith(OTHER_PROGRAMS)


def test_there_is_a_recipe_for_each_kind_of_database() -> None:
    """As the table of the document has them."""
    text = [" ".join([str(each), *map(str, job.get("services", {}))]) for job in GITHUB_JOBS for each in [job]]

    assert any("--postgres embedded" in each for each in text)
    assert any("--postgres container" in each for each in text)
    assert any("SESSIONPROOF_POSTGRES" in each and "services" in each for each in text)


@pytest.mark.parametrize("job", GITHUB_JOBS)
def test_jobs_of_github_are_whole(job: dict[str, Any]) -> None:
    """They end, cache what they install, and keep the report whatever came of it; a proof has both revisions."""
    uses = {step["uses"].partition("@")[0]: step for step in job["steps"] if "uses" in step}
    (call,) = [step["run"] for step in job["steps"] if re.match(r"sessionproof (verify|prove) ", step.get("run", ""))]
    upload = uses["actions/upload-artifact"]

    assert job["timeout-minutes"] <= 30
    assert uses["actions/setup-python"]["with"]["cache"] == "pip"
    assert upload["if"] == "always()"
    assert f"--output {upload['with']['path']}" in call
    if "prove" in call:
        assert uses["actions/checkout"]["with"]["fetch-depth"] == 0


def test_workflows_of_github_have_no_rights() -> None:
    """They run what a pull request brings. YAML takes the key `on` for a truth value."""
    for recipe in GITHUB:
        assert recipe["permissions"] == {"contents": "read"}
        assert "pull_request" in recipe[True]
        assert "pull_request_target" not in recipe[True]
    assert "secrets." not in CI


@pytest.mark.parametrize("job", GITLAB_JOBS)
def test_jobs_of_gitlab_are_whole(job: dict[str, Any]) -> None:
    """The same."""
    (call,) = job["script"]
    (path,) = job["artifacts"]["paths"]

    assert job["timeout"]
    assert job["artifacts"]["when"] == "always"
    assert f"--output {path}" in call
    if "prove" in call:
        assert job["variables"]["GIT_DEPTH"] == "0"


def test_passwords_stand_in_no_command() -> None:
    """As the document says."""
    assert not [line for line in lines() if "://" in line]


def test_the_sorts_of_findings_are_those_of_the_definition() -> None:
    """Each kind is where the document says that it is."""
    witnesses, symptoms = re.findall(r"((?:^> .*\n)+)", PROVING, flags=re.MULTILINE)

    assert {FindingKind(name) for name in re.findall(r"`(\w+)`", witnesses)} == WITNESSES
    assert {FindingKind(name) for name in re.findall(r"`(\w+)`", symptoms)} == SYMPTOMS


def example() -> str:
    """The page that the document shows."""
    overlap = Finding(
        kind=FindingKind.SESSION_OVERLAP,
        check="sessions",
        message="on Session 1, Session.scalar of stock at shop/agent.py:39 in stock began while Session.scalar of "
        "opening_hours at shop/agent.py:32 in opening_hours was in flight",
        stack=("shop/agent.py:39 in stock",),
    )
    missing = Finding(kind=FindingKind.MISSING_ROW, check="ledger", message="no row bills 431+62 tokens")
    gap = NotVerifiedDocument(scenario="streaming", reason="backend 'shop' does not stream its answers")
    states = (PoolState.COLD, PoolState.WARM)
    mode = SessionMode.PER_OPERATION
    cells = [
        [documents.cell("two_users", mode, pool_state=state, findings=found) for state in states]
        for found in ([overlap, missing], [])
    ]
    runs = [documents.document(each, not_verified=[gap]) for each in cells]
    names = (("3f7a91c2d0" * 4, "Answer faster"), ("b04e5d6a17" * 4, "Give each tool a session of its own"))
    before, after = (
        Side(
            revision=RevisionDocument(asked=commit[:7], commit=commit, subject=subject),
            backend="shop",
            document=run.model_copy(
                update={"environment": run.environment.model_copy(update={"backend": "shop.verification:backend"})}
            ),
            run=f"{side}/run.json",
        )
        for (commit, subject), run, side in zip(names, runs, ("before", "after"), strict=True)
    )
    return proof_page(
        make_proof(
            before,
            after,
            started_at=datetime(2030, 1, 2, tzinfo=UTC),
            seconds=60.0,
            command="sessionproof prove --before 3f7a91c2d0 --after b04e5d6a17 --backend shop.verification:backend",
            adapter="'3f7a91c' has no adapter, and was started by that of 'b04e5d6'",
        )
    )


def test_the_page_of_the_document_is_one() -> None:
    """As it is written."""
    (shown,) = blocks(PROVING, "markdown")

    assert shown == example()


def test_statuses_are_those_of_the_commands() -> None:
    """Each table has its own."""
    tables = re.findall(r"^\| (\d+)(?: and more)? \|", PROVING, flags=re.MULTILINE)

    assert tables == ["0", "1", "2", "3", "0", "1", "125", "128"]
