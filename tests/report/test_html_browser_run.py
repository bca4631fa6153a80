"""`report.html` of a real run in Chromium, as the command has written it.

The run is made in `reports/runs/browser`, and gets pictures; `SESSIONPROOF_RUN` names the folder of one that
`sessionproof verify` has left.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.report.run_json import read
from harness.report.timeline import timeline
from harness.report.turn_events import events
from tests.report.opening import Opened, go, problems

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SELECTION = (
    "--scenario two_parallel_tools --scenario failing_tool --scenario streaming "
    "--mode shared --mode per_operation --pool-state cold --pool-state warm --tier scripted"
)


@pytest.fixture(scope="module")
def real() -> Path:
    """The folder of a real run: the bug and its repair, on both kinds of pool, and a turn that streams."""
    named = os.environ.get("SESSIONPROOF_RUN")
    folder = Path(named or ROOT / "reports" / "runs" / "browser")
    if not named:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SESSIONPROOF_")}
        words = f"verify {SELECTION} --postgres embedded -n 0 --output"
        ended = subprocess.run(
            [sys.executable, "-m", "harness.cli", *words.split(), str(folder)],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder


def test_the_report_of_a_real_run(browser: "Browser", real: Path) -> None:
    """As the command has written it: silent, asks for nothing, keeps nobody out, and has what the run has."""
    document = read(real / "run.json")
    opened = Opened(browser, real / "report.html")
    page = opened.page

    assert problems(page) == []
    assert page.locator(".squares a.chip[data-tier]:not([data-tier=''])").count() == len(document.cells)
    for number, cell in enumerate(document.cells):
        turns = events(cell)
        if not turns:
            continue
        made = timeline(turns[0])
        go(page, f"#cell-{number}")
        page.wait_for_selector(f".track.own[data-mode={cell.session_mode}] .mark")
        shown = page.eval_on_selector_all(".track.own .label", "labels => labels.map(label => label.textContent)")
        assert shown == [lane.label for lane in made.lanes]
        page.locator(".track.own .as-table summary").click()
        page.wait_for_selector(".track.own .marks tbody tr")
        assert page.locator(".track.own .marks tbody tr").count() == len(made.marks) + len(made.signs)
        assert page.locator("#cell article[id^='finding-']").count() == min(len(cell.findings), 60)
        if cell.findings and cell.as_expected:
            assert problems(page) == []
    opened.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pictures(browser: "Browser", real: Path, theme: str) -> None:
    """The first screen, a cell with its findings, and both as printed, are left in the run's folder."""
    document = read(real / "run.json")
    racy = next(number for number, cell in enumerate(document.cells) if cell.findings and events(cell))
    opened = Opened(browser, real / "report.html", color_scheme=theme)
    page = opened.page
    names = [f"report-{theme}.png", f"cell-{theme}.png", f"printed-{theme}.png"]

    page.screenshot(path=real / names[0], full_page=True)
    go(page, f"#cell-{racy}")
    page.wait_for_selector(".track .mark")
    page.screenshot(path=real / names[1], full_page=True)
    page.emulate_media(media="print")
    page.screenshot(path=real / names[2], full_page=True)
    opened.close()

    assert [(real / name).read_bytes()[:4] for name in names] == [b"\x89PNG"] * 3
