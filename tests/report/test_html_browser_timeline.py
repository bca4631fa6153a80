"""The timeline of `report.html` in Chromium: marks and signs are where the evidence has them, and all in its table."""

import re
from dataclasses import replace
from typing import Any

import pytest

from harness.evidence import RaceKind
from harness.report.document import RecordDocument, RunDocument
from harness.report.html import html
from harness.report.timeline import MarkKind, timeline
from harness.report.turn_events import events
from harness.verdict import FindingKind
from tests.report import racing
from tests.report.opening import go, with_source

pytestmark = pytest.mark.browser


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
