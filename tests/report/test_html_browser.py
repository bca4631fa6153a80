"""`report.html` in a real browser: Chromium, driven by Playwright, without a network.

A real run is made in `reports/runs/browser`, and gets
pictures; `SESSIONPROOF_RUN` names the folder of one that `sessionproof verify` has left.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import zlib
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.evidence import RaceKind, Record
from harness.report.document import RecordDocument, RunDocument
from harness.report.html import bench_html, html
from harness.report.packed import unpack
from harness.report.run_json import JsonWriter, read
from harness.report.timeline import MarkKind, timeline
from harness.report.turn_events import events
from harness.scenario import SessionMode
from harness.verdict import FindingKind
from tests.report import bench_documents, documents, racing

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SELECTION = (
    "--scenario two_parallel_tools --scenario failing_tool --scenario streaming "
    "--mode shared --mode per_operation --pool-state cold --pool-state warm --tier scripted"
)
SERIOUS = {"moderate", "serious", "critical"}


def with_source(document: RunDocument) -> RunDocument:
    """The document with lines of a service."""
    lines = ("async def search(session):", "    await session.execute(FIND)")
    return documents.with_lines(document, "app/services/vector_service.py", 20, *lines)


class Opened:
    """A page with what it said and asked for."""

    def __init__(self, browser: "Browser", path: Path, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page: Page = self.context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    def close(self) -> None:
        """Close it; it must have been silent, and have asked for itself alone."""
        self.context.close()

        assert self.messages == []
        assert [url for url in self.requests if not url.startswith("file:")] == []
        assert len(self.requests) == 1


@pytest.fixture
def opened(browser: "Browser", tmp_path: Path) -> Iterator[Any]:
    """Opens a page; in the end each must have been silent."""
    pages: list[Opened] = []

    def opens(content: str, **options: Any) -> "Page":
        path = tmp_path / f"report-{len(pages)}.html"
        path.write_text(content, encoding="utf-8")
        pages.append(Opened(browser, path, **options))
        return pages[-1].page

    yield opens
    for page in pages:
        page.close()


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


def go(page: "Page", place: str) -> None:
    """Change the address, and wait until the page has seen it."""
    page.evaluate(
        """place => new Promise(done => {
            if (location.hash === place) return done();
            addEventListener('hashchange', () => requestAnimationFrame(done), { once: true });
            location.hash = place;
        })""",
        place,
    )


def problems(page: "Page") -> list[str]:
    """What axe finds that keeps people out."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where it is asked for

    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"][:3]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_people_out(opened: Any, theme: str) -> None:
    """On the first screen, in a cell, and of a benchmark; in both themes."""
    for content, where in (
        (html(with_source(racing.run(turns=3))), ("", "#cell-1", "#cell-2-turn-2")),
        (html(documents.troubled()), ("", "#cell-2")),
        (html(documents.with_faults()), ("", "#cell-1")),
        (html(documents.empty()), ("",)),
        (bench_html(bench_documents.everything(), bench_documents.comparison()), ("",)),
    ):
        page = opened(content, color_scheme=theme)
        for place in where:
            go(page, place)
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")

            assert problems(page) == []


def test_the_timeline_has_the_marks_of_the_evidence_where_they_were(opened: Any) -> None:
    """As many of each kind in each lane, and each as far along the axis as its moment."""
    document = racing.run()
    cell = document.cells[1]
    expected = timeline(events(cell)[0])
    page = opened(html(document))
    number = next(number for number, each in enumerate(document.cells) if each is cell)
    page.goto(f"{page.url.partition('#')[0]}#cell-{number}")
    page.wait_for_selector(".track.own .mark")

    drawn = page.eval_on_selector_all(
        ".track.own .mark",
        """marks => marks.map(mark => {
            const box = mark.querySelector('rect, path').getBBox();
            const moved = /translate\\(([-0-9.e]+)/.exec(mark.querySelector('g')?.getAttribute('transform') ?? '');
            return {kind: mark.dataset.kind, lane: Number(mark.dataset.lane), start: Number(mark.dataset.start),
                    took: Number(mark.dataset.took), x: moved ? Number(moved[1]) : box.x, width: box.width};
        })""",
    )
    labels = page.eval_on_selector_all(".track.own .label", "labels => labels.map(label => label.textContent)")

    assert labels == [lane.label for lane in expected.lanes]
    twice = {MarkKind.STATEMENT, MarkKind.DELAY}
    wanted = sorted(
        (mark.kind.value, lane, round(mark.start * 1e6))
        for mark in expected.marks
        for lane in {mark.lane, *({mark.task} if mark.kind in twice and mark.task is not None else ())}
    )
    assert sorted((mark["kind"], mark["lane"], mark["start"]) for mark in drawn) == wanted
    width = page.eval_on_selector(".track.own .canvas", "canvas => canvas.clientWidth")
    statements = [mark for mark in drawn if mark["took"] > 1000]
    scale = {round(mark["width"] / mark["took"] * 1e6) for mark in statements}
    assert max(scale) - min(scale) <= 0.02 * max(scale)
    first = min(drawn, key=lambda mark: mark["start"])
    for mark in drawn:
        along = (mark["start"] - first["start"]) * statements[0]["width"] / statements[0]["took"]
        assert abs(mark["x"] - first["x"] - along) < 3
        assert -8 <= mark["x"] <= width


def test_both_session_modes_are_on_one_axis(opened: Any) -> None:
    """The same tool's delay is as long in both, and the longer turn looks longer; zooming moves both."""
    page = opened(html(racing.run()))
    go(page, "#cell-1")
    page.wait_for_selector(".track .mark")

    def widths() -> dict[str, list[float]]:
        return {
            mode: page.eval_on_selector_all(
                f".track[data-mode={mode}] .k-injected-delay .bar-shape",
                "bars => bars.map(bar => Number(bar.getAttribute('width')))",
            )
            for mode in ("shared", "per_operation")
        }

    before = widths()
    page.get_by_role("button", name="Zoom in").click()
    after = widths()

    assert [len(each) for each in before.values()] == [4, 4]
    assert max(before["shared"]) == pytest.approx(max(before["per_operation"]), abs=0.5)
    assert max(after["shared"]) == pytest.approx(1.6 * max(before["shared"]), rel=0.02)
    assert max(after["per_operation"]) == pytest.approx(max(after["shared"]), abs=0.5)


def test_a_finding_connects_two_lanes_and_leads_to_its_text(opened: Any) -> None:
    """The line goes from one tool's lane to the other's, at one moment; the enter key goes to the finding."""
    page = opened(html(with_source(racing.run())))
    go(page, "#cell-1")
    sign = page.locator(".track.own .sign[data-finding='2']")

    path = page.get_attribute(".track.own .link", "d") or ""
    points = [float(each) for each in re.findall(r"-?[\d.]+", path)]
    sign.focus()
    page.keyboard.press("Enter")

    assert points[0] == pytest.approx(points[-2], abs=0.5)
    assert abs(points[1] - points[-1]) > 20
    assert page.evaluate("document.activeElement.id") == "finding-3"
    assert "await session.execute(FIND)" in page.inner_text("#finding-3 .source")
    assert "search_directory" in page.inner_text("#finding-3 .accesses")


def test_the_matrix_filters(opened: Any) -> None:
    """By name, mode, pool state, model and outcome; what is left is counted."""
    document = documents.as_expected()
    page = opened(html(document))
    shown = ".squares a.chip[data-tier]:not([data-tier='']):not([hidden])"

    def visible() -> int:
        return int(page.eval_on_selector_all(shown, "chips => chips.filter(chip => chip.offsetParent).length"))

    assert visible() == len(document.cells)
    page.select_option("select[name=mode]", "shared")
    page.select_option("select[name=pool]", "cold")
    page.select_option("select[name=tier]", "wire")
    assert visible() == 4
    page.fill("input[name=text]", "single")
    assert visible() == 1
    assert page.inner_text(".filters output").startswith("1 of ")
    page.click("button[type=reset]")
    assert visible() == len(document.cells)
    page.select_option("select[name=outcome]", "reproduced")
    assert visible() == sum(cell.expected == "reproduced" for cell in document.cells)


def test_the_keyboard_reaches_everything(opened: Any) -> None:
    """Links, filters, marks, findings; arrow keys go from mark to mark, along a lane and across lanes."""
    page = opened(html(racing.run()))
    go(page, "#cell-1")
    page.wait_for_selector(".track .mark")

    page.evaluate("document.getElementById('cell').focus()")
    reached = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                """(() => {
                    const e = document.activeElement;
                    if (e.closest('.track svg')) return e.closest('.track.own') ? 'own timeline' : 'other timeline';
                    return e.getAttribute('aria-label') || e.textContent.trim();
                })()"""
            )
        )
    assert {"own timeline", "other timeline", "Zoom in", "All cells", "Copy"} <= reached

    marks = page.locator(".track.own .mark, .track.own .sign").count()
    page.locator(".track.own [tabindex='0']").focus()
    page.keyboard.press("Home")
    labels = set()
    for _ in range(marks):
        labels.add(page.evaluate("[...document.querySelectorAll('.mark, .sign')].indexOf(document.activeElement)"))
        page.keyboard.press("ArrowRight")
    assert len(labels) == marks
    lane = page.evaluate("document.activeElement.dataset.lane")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.dataset.lane") != lane


def test_what_is_focused_is_shown_in_full(opened: Any) -> None:
    """A statement with its SQL, when it was and how long; the enter key keeps it."""
    page = opened(html(racing.run()))
    go(page, "#cell-1")
    statement = page.locator(".track.own .k-statement").first

    statement.focus()
    page.keyboard.press("Enter")
    page.locator(".track.own .k-tool").first.focus()

    shown = page.inner_text(".inspector")
    assert racing.SQL in shown
    assert "3.80 ms" in shown
    page.keyboard.press("Escape")
    page.locator(".track.own .k-commit").focus()
    assert "app/services/directory_service.py:42 in search" in page.inner_text(".inspector")


def test_the_table_says_what_the_timeline_shows(opened: Any) -> None:
    """A row for each mark, and for each finding that has a place."""
    document = racing.run()
    made = timeline(events(document.cells[1])[0])
    page = opened(html(document))
    go(page, "#cell-1")
    page.locator(".track.own .as-table summary").click()
    page.wait_for_selector(".track.own .marks tbody tr")

    rows = page.locator(".track.own .marks tbody tr")

    assert rows.count() == len(made.marks) + len(made.signs)
    assert racing.SQL in page.inner_text(".track.own .marks")


def test_ten_thousand_turns_open_at_once_and_are_paged(opened: Any) -> None:
    """Aggregates, and a page of turns; the rest of them on demand."""
    page = opened(html(documents.document([racing.repaired(turns=10_000)])))
    go(page, "#cell-0")
    page.wait_for_selector(".turns")

    assert "10,000 answered" in page.inner_text(".aggregates")
    assert page.locator(".turns tbody tr").count() == 25
    page.get_by_role("button", name="Next").first.click()
    assert "26 to 50 of 10,000" in page.inner_text(".pager")
    assert page.evaluate("document.querySelectorAll('*').length") < 3000


def test_the_ledger_marks_what_differs(opened: Any) -> None:
    """With a sign, not by colour alone; sums have all their digits."""
    page = opened(html(racing.run()))
    go(page, "#cell-1")
    assert "≠ 0" in page.inner_text(".bill tfoot")
    go(page, "#cell-2")
    assert "per_operation" in page.title()
    assert "0.0053275" in page.inner_text(".bill tfoot")
    assert "≠" not in page.inner_text(".bill")


def billed(unknown: str = "", **changed: Any) -> str:
    """A page of the repaired cell, the row of which says something else; `unknown`: its check could not decide."""
    seen = racing.evidence(shared=False)
    rows = [replace(seen.ledger.items[0], **changed)]
    evidence = replace(seen, ledger=Record.of("ledger", rows))
    return html(documents.document([documents.cell("s", SessionMode.SHARED, evidence=evidence, unknown=unknown)]))


def test_the_ledger_says_what_was_compared(opened: Any) -> None:
    """Never that nothing differs: what tokens should have cost the page does not know, and says so."""
    bill = "section[aria-labelledby=bill-title]"
    page = opened(billed())
    go(page, "#cell-0")
    right = page.inner_text(bill)
    page = opened(billed("because", total_cost=None))
    go(page, "#cell-0")
    unpriced = page.inner_text(bill)

    assert "Tokens, models, the number of rows, and sums are the same on all sides. " in right
    assert "the ledger check did not run" in right
    assert "run.json has no prices for the invoice and the responses" in right
    assert "are the same on all sides, as far as there is no NULL." in unpriced
    assert "The ledger check could not decide" in unpriced


def test_what_a_row_says_wrong_is_marked_with_the_reason(opened: Any) -> None:
    """Where the sums of its tokens are right."""
    page = opened(
        billed(
            model="other",
            total_tokens=1,
            prompt_cost=Decimal(0),
            completion_cost=Decimal(999),
            total_cost=Decimal(0),
            completion_status="failed",
        )
    )
    go(page, "#cell-0")

    marked = page.locator(".bill tbody .differs")
    assert marked.all_inner_texts() == ["≠ openai/other", "≠ 1", "≠ 0", "≠ failed"]
    assert [marked.nth(place).get_attribute("title") for place in (1, 2)] == [
        "is not the sum of prompt and completion",
        "is not the sum of prompt cost and completion cost",
    ]
    assert "4 differences, marked ≠." in page.inner_text("section[aria-labelledby=bill-title]")


def test_the_ledger_names_the_findings_of_its_check(opened: Any) -> None:
    """By the numbers that they have on the page; a turn without a row is no turn with a row without a price."""
    page = opened(html(racing.run()))
    go(page, "#cell-1")

    assert "The ledger check has 1 finding about this turn: 2. " in page.inner_text(
        "section[aria-labelledby=bill-title]"
    )
    assert page.inner_text("#finding-2 .kind") == "missing_row"
    assert page.locator(".bill tfoot .differs").all_inner_texts() == ["≠ no row", "≠ 0", "≠ 0"]
    assert page.locator(".bill tfoot .differs").first.get_attribute("title").startswith("one row is to bill")
    assert "NULL" not in page.inner_text(".bill tfoot")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_records_that_are_missing_look_like_nothing_else(opened: Any, theme: str) -> None:
    """Sides of a bill, counts of turns, and what a timeline lacks: said with the reason, and no sums of 0."""
    document = racing.run(turns=2)
    gone = {
        name: RecordDocument[Any](missing=f"no {name}")
        for name in ("invoice", "responses", "ledger", "statements", "tools")
    }
    cells = [
        cell.model_copy(update={"evidence": cell.evidence.model_copy(update=gone)}) if cell.evidence.turns else cell
        for cell in document.cells
    ]
    page = opened(html(document.model_copy(update={"cells": tuple(cells)})), color_scheme=theme)
    go(page, "#cell-1")
    page.wait_for_selector(".track.own .label")

    bill = page.locator("section[aria-labelledby=bill-title]").inner_text()
    assert [page.locator(".bill tfoot td").nth(place).inner_text() for place in range(3)] == ["not recorded"] * 3
    assert "Ledger's rows: not recorded, no ledger" in bill
    assert "not known: not everything was recorded" in bill
    assert "No difference" not in bill
    assert "Nothing was served" not in bill
    section = page.locator("section.timeline").inner_text()
    assert "Not recorded, so that the drawing lacks it: tools (no tools); statements (no statements)" in section
    assert page.locator(".turns tbody tr").first.inner_text().count("not recorded") == 2
    assert "Statements\nnot recorded" in page.inner_text(".aggregates")
    assert problems(page) == []


def crowded(count: int) -> RunDocument:
    """The racing run with so many findings at one moment of one lane."""
    document = racing.run()
    cell = document.cells[1]
    finding = next(each for each in cell.findings if each.kind is FindingKind.CONCURRENT_OPERATION)
    findings = tuple(finding.model_copy(update={"message": f"message {number}"}) for number in range(count))
    crowd = cell.model_copy(update={"findings": findings})
    return document.model_copy(update={"cells": (document.cells[0], crowd, document.cells[2])})


SIGNS = """() => {
    const edges = document.querySelector('.track.own .canvas').getBoundingClientRect();
    return [...document.querySelectorAll('.track.own .sign, .track.own .sign-group')]
        .filter(each => each.getClientRects().length)
        .map(each => each.getBoundingClientRect())
        .map(box => box.left >= edges.left && box.right <= edges.right);
}"""


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("count", [2, 3, 4, 200])
def test_however_many_findings_are_in_a_place_their_signs_are_inside(opened: Any, count: int, width: int) -> None:
    """More than a few have one sign; it leads to each of them, also to those that do not stand in the list at first."""
    page = opened(html(crowded(count)), viewport={"width": width, "height": 900})
    go(page, "#cell-1")
    page.wait_for_selector(".track.own .mark")

    assert page.evaluate(SIGNS) == [True] * (count if count <= 3 else 1)
    if count <= 3:
        page.locator(f".track.own .sign[data-finding='{count - 1}']").focus()
        page.keyboard.press("Enter")
    else:
        page.locator(".track.own .sign-group").focus()
        page.keyboard.press("+")
        page.locator(".track.own .sign-group").focus()
        page.keyboard.press("Enter")
        assert page.locator(".grouped button").count() == count
        assert page.evaluate("document.activeElement.textContent").startswith("1 concurrent_operation")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.getAttribute('class')") == "sign-group"
        page.keyboard.press("Enter")
        page.locator(".grouped button").last.focus()
        page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == f"finding-{count}"
    assert page.inner_text(f"#finding-{count} .said") == f"message {count - 1}"


def test_signs_part_when_the_axis_is_zoomed(opened: Any) -> None:
    """And what had the focus keeps it, or its part does."""
    document = racing.run()
    cell = document.cells[1]
    (race,) = cell.evidence.races.items
    finding = next(each for each in cell.findings if each.kind is FindingKind.SESSION_OVERLAP)
    races = [replace(race, at=race.at + number / 1000) for number in range(5)]
    evidence = cell.evidence.model_copy(update={"races": RecordDocument(items=tuple(races))})
    changed = cell.model_copy(update={"findings": (finding,) * 5, "evidence": evidence})
    page = opened(html(document.model_copy(update={"cells": (document.cells[0], changed, document.cells[2])})))
    go(page, "#cell-1")
    group = page.locator(".track.own .sign-group")

    assert group.get_attribute("data-count") == "5"
    group.focus()
    for _ in range(8):
        page.keyboard.press("+")

    assert group.count() == 0
    assert page.evaluate("document.activeElement.getAttribute('class')") == "sign"
    page.keyboard.press("0")
    assert page.evaluate("document.activeElement.getAttribute('class')") == "sign-group"


def test_the_table_has_the_whole_stack_and_all_of_a_finding(opened: Any) -> None:
    """Its kind, its message, the other access, and whether that one's moment is its own."""
    document = racing.run()
    cell = document.cells[1]
    (race,) = cell.evidence.races.items
    bleed = next(each for each in cell.findings if each.kind is FindingKind.SESSION_OVERLAP).model_copy(
        update={"kind": FindingKind.BLEED, "message": "b ended what a wrote"}
    )
    deep = tuple(replace(each, stack=("app/a.py:1 in outer", *each.stack)) for each in cell.evidence.operations.items)
    evidence = cell.evidence.model_copy(
        update={
            "races": RecordDocument(items=(replace(race, kind=RaceKind.BLEED),)),
            "operations": RecordDocument(items=deep),
        }
    )
    changed = cell.model_copy(update={"findings": (bleed,), "evidence": evidence})
    page = opened(html(document.model_copy(update={"cells": (document.cells[0], changed, document.cells[2])})))
    go(page, "#cell-1")
    page.locator(".track.own .as-table summary").first.click()
    page.wait_for_selector(".track.own .marks tbody tr")
    page.evaluate("document.querySelectorAll('.track.own .marks details').forEach(each => each.open = true)")

    row = page.locator(".track.own .marks tr", has_text="finding 1: bleed").inner_text()

    assert "b ended what a wrote" in row
    assert re.search(r"search_directory at [\d.]+ ms \(its last recorded moment before\)", row)
    assert "app/services/vector_service.py:21 in search" in row
    assert "app/a.py:1 in outer" in page.inner_text(".track.own .marks")


def test_the_skip_link_stays_in_the_cell_and_back_goes_to_what_was_followed(opened: Any) -> None:
    """Whoever uses the keyboard is where they were."""
    page = opened(html(racing.run()))
    chip = page.locator(".squares a.chip[href='#cell-1']")
    chip.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#cell-title")

    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("[location.hash, document.activeElement.id]") == ["#cell-1", "cell"]
    page.go_back()
    page.wait_for_selector("#content:not([hidden])")

    assert page.evaluate("document.activeElement.getAttribute('href')") == "#cell-1"


def test_what_was_not_verified_can_be_filtered(opened: Any) -> None:
    """It is counted beside the cells, and stays whatever pool state and model are asked for."""
    page = opened(html(documents.as_expected()))
    shown = "chips => chips.filter(chip => chip.offsetParent).map(chip => chip.dataset.outcome)"

    page.select_option("select[name=outcome]", "not verified")
    assert page.eval_on_selector_all(".squares a.chip", shown) == ["not verified"]
    assert page.inner_text(".filters output").endswith("1 not verified")
    page.select_option("select[name=pool]", "cold")
    assert page.eval_on_selector_all(".squares a.chip", shown) == ["not verified"]


def test_a_companion_that_is_not_in_the_page_is_said_with_the_way_to_get_it(opened: Any, tmp_path: Path) -> None:
    """The command is one that there is, and its page has both."""
    document = documents.document([racing.racing(), racing.repaired(turns=2)])
    packed = html(document)
    value = unpack(packed.partition('id="data">')[2].partition("<")[0])
    value["cells"][1 if value["cells"][1]["mode"] == "per_operation" else 0]["details"] = {}
    again = b64encode(zlib.compress(json.dumps(value).encode())).decode()
    page = opened(packed.replace(packed.partition('id="data">')[2].partition("<")[0], again))
    shared = next(number for number, cell in enumerate(document.cells) if cell.session_mode is SessionMode.SHARED)
    go(page, f"#cell-{shared}")

    said = page.inner_text(".absent")
    words = shlex.split(page.inner_text(".absent code"))
    (tmp_path / "run.json").write_text(JsonWriter().write(document), encoding="utf-8")
    words[words.index("run.json")] = str(tmp_path / "run.json")
    words[words.index("part.html")] = str(tmp_path / "part.html")
    ended = CliRunner().invoke(main, words[1:])

    assert "the same turn in per_operation is not in this page" in said
    assert ended.exit_code == 0, ended.output
    part = opened((tmp_path / "part.html").read_text(encoding="utf-8"))
    go(part, "#cell-0")
    part.wait_for_selector(".track .mark")
    assert part.locator(".track").count() == 2


def test_a_cell_that_the_page_has_no_room_for_says_how_to_get_it(opened: Any) -> None:
    """With its name, where the matrix has it."""
    cells = [racing.racing(f"s{number}") for number in range(150)]
    page = opened(html(documents.document(cells), limit=3_000))
    go(page, "#cell-149")

    assert "this cell is not in this page" in page.inner_text("#cell")
    assert "--cell 's99/shared-warm-scripted'" in page.inner_text("#cell code")


def test_hostile_text_runs_nothing(opened: Any) -> None:
    """It is read on the page; no element comes of it, and the policy was never asked."""
    page = opened(html(documents.hostile()))
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))

    for place in ("#cell-0", "#cell-1", ""):
        go(page, place)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        assert page.locator("img, iframe, object, embed, a[href^='javascript']").count() == 0
        assert page.locator("script").count() == 2
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    go(page, "#cell-0")
    page.wait_for_selector("#cell .said")
    assert "<script>alert(1)</script>" in page.inner_text("#cell")
    assert dialogs == []


def test_the_theme_is_the_systems_until_one_is_chosen(opened: Any) -> None:
    """A benchmark's charts follow it, too."""
    for content in (html(racing.run()), bench_html(bench_documents.everything())):
        page = opened(content, color_scheme="dark")
        ground = "getComputedStyle(document.documentElement).backgroundColor"

        dark = page.evaluate(ground)
        page.get_by_role("button", name="Light").click()
        light = page.evaluate(ground)

        assert dark != light
        if page.locator(".sp-ground").count():
            assert page.evaluate("getComputedStyle(document.querySelector('.sp-ground')).fill") == "rgb(255, 255, 255)"
        page.get_by_role("button", name="Auto").click()
        assert page.evaluate(ground) == dark


def test_a_command_is_copied(opened: Any) -> None:
    """And that it was is said."""
    page = opened(html(racing.run()), permissions=["clipboard-read", "clipboard-write"])
    go(page, "#cell-1")
    page.locator("#cell .copy").first.click()

    page.wait_for_selector("#said:text-is('Copied')", state="attached")
    assert page.evaluate("navigator.clipboard.readText()").startswith(
        "sessionproof verify --scenario two_parallel_tools"
    )


def test_nothing_is_wider_than_a_narrow_window(opened: Any) -> None:
    """What is wider scrolls in its own place."""
    page = opened(html(with_source(racing.run(turns=3))), viewport={"width": 400, "height": 800})
    for place in ("", "#cell-1"):
        go(page, place)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400


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


def test_an_address_of_another_run_is_told_so(opened: Any) -> None:
    """Its cells may be more."""
    page = opened(html(racing.run()))
    go(page, "#cell-99999")

    assert page.inner_text("#cell-title") == "No cell 100000"
    page.get_by_role("link", name="All cells").click()
    assert page.is_visible("#matrix")


def test_the_name_of_a_cell_ends_no_word_of_a_command(opened: Any) -> None:
    """A command that is copied is one command, whatever a scenario is called; here of a cell that has no room."""
    name = "it's $(here)"
    packed = html(documents.document([racing.racing(name), racing.racing()]))
    value = unpack(packed.partition('id="data">')[2].partition("<")[0])
    place = next(number for number, cell in enumerate(value["cells"]) if value["texts"][cell["scenario"]] == name)
    value["cells"][place] = None
    again = b64encode(zlib.compress(json.dumps(value).encode())).decode()
    page = opened(packed.replace(packed.partition('id="data">')[2].partition("<")[0], again))
    go(page, f"#cell-{place}")

    words = shlex.split(page.inner_text("#cell code"))
    assert words[:3] == ["sessionproof", "report", "run.json"]
    assert words[-1].startswith(f"{name}/shared-")
