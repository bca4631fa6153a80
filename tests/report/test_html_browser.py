"""Getting around in `report.html`, in Chromium: filters, keyboard, pages of turns, themes, hostile text, any width."""

from typing import Any

import pytest

from harness.report.html import bench_html, html
from tests.report import bench_documents, documents, racing
from tests.report.opening import go, problems, with_source

pytestmark = pytest.mark.browser


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


def test_nothing_is_wider_than_a_narrow_window(opened: Any) -> None:
    """What is wider scrolls in its own place."""
    page = opened(html(with_source(racing.run(turns=3))), viewport={"width": 400, "height": 800})
    for place in ("", "#cell-1"):
        go(page, place)
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
