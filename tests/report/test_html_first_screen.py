"""What `report.html` says before its script has run: of a run the first screen, of a benchmark everything."""

from typing import Any

from harness.report import bench_digest, digest
from harness.report.bench_document import BenchDocument
from harness.report.charts import charts
from harness.report.document import CellDocument, EvidenceDocument, RecordDocument, RunDocument
from harness.report.html import bench_html, html
from harness.report.svg import SCHEMES
from harness.verdict import Verdict
from tests.report import bench_documents, documents, racing
from tests.report.pages import Page, lost


def test_the_first_screen_has_the_verdict_the_gaps_the_limits_and_the_versions() -> None:
    """In the words of the other reports, and without a script."""
    document = documents.as_expected()

    shown = Page(html(document)).text

    assert f"✓ As expected {digest.conclusion(document).partition(': ')[2]}" in shown
    for sentence in digest.headline(document):
        mode, _, said = sentence.partition(": ")
        assert f"{mode} {said}" in shown
    for limit in digest.limits(document):
        assert limit in shown
    assert "Not verified 1 the backend cannot stream streaming (locked)" in shown
    assert digest.server(document) in shown
    assert "Model scripted, wire" in shown
    assert "sqlalchemy 2.1.9" in shown
    assert "fixtures.backend.adapter:backend" in shown


def test_every_cell_is_a_link_in_the_matrix_or_among_the_faults() -> None:
    """With a shape and words for its outcome, so that nothing is told by colour alone."""
    for document in (documents.as_expected(), documents.with_faults()):
        made = Page(html(document))
        links = [attributes for tag, attributes in made.elements if tag == "a" and "data-mode" in attributes]
        cells = [link for link in links if link["href"].startswith("#cell-")]

        assert {f"#cell-{number}" for number in range(len(document.cells))} == {link["href"] for link in cells}
        for link in cells:
            cell = document.cells[int(link["href"].removeprefix("#cell-"))]
            outcome = digest.Outcome.of(cell)
            assert link["aria-label"] == f"{outcome}: {cell.session_mode}, {cell.pool_state}, {cell.tier}"


def test_what_is_not_as_expected_comes_first_with_its_cause_repair_and_command() -> None:
    """Before the matrix, and with the problems of the run."""
    lines = ("    async def track_request(self):", "        await session.commit()")
    document = documents.with_lines(documents.troubled(), "app/services/llm_request_tracker.py", 87, *lines)

    shown = Page(html(document)).text

    assert "▸ 88 await session.commit()" in shown
    assert shown.index("Problems of the run worker 'gw1' crashed") < shown.rindex("Not as expected")
    assert shown.index("missing_row") < shown.index("Matrix")
    assert "Let the cost tracker write and commit in a session of its own." in shown
    assert "sessionproof verify --scenario two_parallel_tools --mode per_operation" in shown
    assert "expected finding 'concurrent_operation' did not appear" in shown


def test_a_run_of_nothing_says_so() -> None:
    """Rather than to look clean."""
    shown = Page(html(documents.empty())).text

    assert "Unknown" in shown
    assert "Nothing was verified." in shown
    assert "no PostgreSQL server could be started" in shown


ALL = "Everything that was asked for was looked at."


def test_everything_was_looked_at_only_if_nothing_speaks_against_it() -> None:
    """No cells, a problem, a record that is missing, something undecided or not verified: each is said instead."""
    whole = documents.document([whole_cell()])
    clean = Page(html(whole)).text
    for changed, said in (
        ({"cells": ()}, "Nothing was looked at."),
        ({"problems": ("crashed",)}, "The run had problems"),
        ({"cells": (lost("spans"),)}, "In 1 cell a record is missing"),
        (
            {"cells": (whole_cell().model_copy(update={"verdict": Verdict.UNKNOWN}),)},
            "In 1 cell something could not be decided",
        ),
        ({"not_verified": documents.as_expected().not_verified}, "Not verified 1"),
    ):
        shown = Page(html(whole.model_copy(update=changed))).text
        assert said in shown
        assert ALL not in shown
    assert ALL in clean


def whole_cell() -> CellDocument:
    """A cell of which every record was made."""
    cell = racing.repaired()
    records = {
        name: RecordDocument[Any]()
        for name in EvidenceDocument.model_fields
        if getattr(getattr(cell.evidence, name), "missing", None) is not None
    }
    return cell.model_copy(update={"evidence": cell.evidence.model_copy(update=records)})


def test_not_verified_can_be_filtered() -> None:
    """It is one of the outcomes, if there is such a square."""

    def outcomes(document: RunDocument) -> str:
        page = html(document)
        return page.partition('<select name="outcome">')[2].partition("</select>")[0]

    assert "<option>not verified</option>" in outcomes(documents.as_expected())
    assert "not verified" not in outcomes(documents.with_faults())


def test_all_cells_of_a_fault_are_there() -> None:
    """Also if there are several in one mode."""
    document = documents.with_faults()
    first = next(cell for cell in document.cells if cell.fault)
    twice = document.model_copy(update={"cells": (first, first)})

    links = [value for value in Page(html(twice)).attributes("href") if value.startswith("#cell-")]

    assert {"#cell-0", "#cell-1"} <= set(links)


def test_a_benchmark_has_its_answer_its_charts_and_its_numbers() -> None:
    """Charts follow the page's theme."""
    document, compared = bench_documents.everything(), bench_documents.comparison()

    page = bench_html(document, compared)
    made = Page(page)

    assert page.count('class="sessionproof-chart"') == len(charts(document, compared))
    assert "prefers-color-scheme" not in page.partition("</style>")[2]
    assert f"light-dark({SCHEMES['light'].ink},{SCHEMES['dark'].ink})" in made.styles[0]
    assert digest_of(document) in made.text


def digest_of(document: BenchDocument) -> str:
    return " ".join(bench_digest.answer(document).split())
