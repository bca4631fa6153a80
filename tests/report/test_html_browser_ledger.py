"""The bill of a turn in `report.html`, in Chromium: what differs is marked, and what was not recorded is said."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from harness.evidence import Record
from harness.report.document import RecordDocument
from harness.report.html import html
from harness.scenario import SessionMode
from tests.report import documents, racing
from tests.report.opening import go, problems

pytestmark = pytest.mark.browser


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
