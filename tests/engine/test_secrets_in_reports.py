"""Secrets that a real backend tells reach no file of any format."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.postgres.server import RunningServer
from harness.report.document import CellDocument
from harness.report.formats import run_formats
from harness.report.write import write_reports
from harness.scenario import SessionMode
from harness.verdict import FindingKind
from scenarios.test_four_mixed_tools import FOUR_MIXED_TOOLS
from tests.engine.telling import HEADER, OTHER_URL_PASSWORD, VARIABLE
from tests.report import documents

RunCell = Callable[..., Awaitable[CellDocument]]
PLANTED = "planted-in-the-environment-5417"


def files(directory: Path) -> dict[str, str]:
    """The text of each file in a folder and below."""
    return {path.name: path.read_text(encoding="utf-8") for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("mode", [SessionMode.SHARED, SessionMode.PER_OPERATION])
async def test_secrets_reach_no_file(
    run_cell: RunCell,
    sessionproof_server: RunningServer,
    mode: SessionMode,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of the environment, of database URLs and of headers, in errors, logs and SQL; by every writer."""
    monkeypatch.setenv(VARIABLE, PLANTED)
    cell = await run_cell(FOUR_MIXED_TOOLS, backend="tests.engine.telling:backend", mode=mode)
    own = sessionproof_server.address.password
    secrets = [PLANTED, HEADER, OTHER_URL_PASSWORD, *([own] if own and own != sessionproof_server.address.user else [])]

    write_reports(documents.document([cell]), tmp_path / "run")
    words = [word for name in run_formats() for word in ("--format", name)]
    again = CliRunner().invoke(
        main, ["report", str(tmp_path / "run" / "run.json"), *words, "--output", f"{tmp_path / 'again'}/"]
    )
    shown = CliRunner().invoke(main, ["report", str(tmp_path / "run" / "run.json")])
    changes = CliRunner().invoke(main, ["report", *[str(tmp_path / "run" / "run.json")] * 2, "--format", "markdown"])

    assert (again.exit_code, shown.exit_code, changes.exit_code) == (0, 0, 0), again.output
    assert FindingKind.UNEXPECTED_ERROR in {finding.kind for finding in cell.findings}
    texts = files(tmp_path) | {"shown": shown.output, "changes": changes.output}
    assert {each.filename for each in run_formats().values()} <= set(texts)
    assert "cannot reach postgresql+asyncpg://" in texts["run.json"]
    assert [(name, secret) for name, text in texts.items() for secret in secrets if secret in text] == []
