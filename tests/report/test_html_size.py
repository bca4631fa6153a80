"""`report.html` is below a megabyte, whatever was run, and counts what it leaves out."""

import re
from collections.abc import Callable
from random import Random

from harness.report.document import CellDocument, NotVerifiedDocument
from harness.report.html import bench_html, html
from harness.scenario import SessionMode
from harness.verdict import FindingKind
from tests.report import bench_documents, documents, racing
from tests.report.pages import Page, data


def test_text_is_clipped_and_pages_stay_below_a_megabyte(page: str) -> None:
    """Also with a megabyte in one message."""
    assert len(page.encode()) < 1_000_000


def test_of_a_long_run_every_turn_has_a_line_and_the_most_telling_have_timelines() -> None:
    """As long as there is room for them: first what is not as expected, then the first turn of each cell."""
    unexpected = documents.cell("z", SessionMode.PER_OPERATION, evidence=racing.evidence(3), unknown="no ledger")
    document = documents.document([racing.racing(turns=400), racing.repaired(turns=3), unexpected])

    value = data(html(document, limit=20_000))

    kept = {
        (value["texts"][cell["scenario"]], cell["mode"]): (len(cell["turns"]), sorted(map(int, cell["details"])))
        for cell in value["cells"]
    }
    assert kept["z", "per_operation"] == (3, [0, 1, 2])
    assert kept["two_parallel_tools", "per_operation"][1][0] == 0
    turns, details = kept["two_parallel_tools", "shared"]
    assert turns == 400
    assert 0 < len(details) < 400
    assert details[0] == 0


def test_a_page_about_ten_thousand_turns_is_below_a_megabyte() -> None:
    """It says how all of them went, and shows some."""
    page = html(documents.document([racing.repaired(turns=10_000)]), limit=150_000)

    (cell,) = data(page)["cells"]
    assert len(page.encode()) < 500_000
    assert len(cell["turns"]) == 10_000
    assert 100 < len(cell["details"]) < 10_000


def failing(number: int, text: Callable[[int], str]) -> CellDocument:
    """A cell like no other that is not as expected, with texts of such lengths."""
    cell = racing.racing(f"scenario-{number}")
    findings = tuple(
        cell.findings[0].model_copy(
            update={
                "kind": kind,
                "message": f"{number} {text(1500)}",
                "unexpected": True,
                "stack": tuple(f"app/{text(60)}{place}.py:{place + 1} in f" for place in range(50)),
            }
        )
        for kind in list(FindingKind)[:8]
    )
    objections = tuple(f"{each} {text(500)}" for each in range(25))
    return cell.model_copy(update={"as_expected": False, "findings": findings, "objections": objections})


def noise(seed: int) -> Callable[[int], str]:
    """Texts that nothing compresses, with characters of three bytes."""
    source = Random(seed)
    return lambda length: "".join(chr(source.randrange(0x3041, 0x4DB5)) for _ in range(length))


def test_the_worst_build_stays_below_a_megabyte_and_counts_what_it_leaves_out() -> None:
    """The first in full, the next ones in a line each, the others by their number; all of them have a cell."""
    document = documents.document([failing(number, lambda length: "SQL " * (length // 4)) for number in range(120)])

    page = html(document)
    made = Page(page)
    articles = len([1 for tag, attributes in made.elements if tag == "article"])
    briefs = made.text.count("scenario-") - articles
    more = re.search(r"And (\d+) more", made.text)

    assert len(page.encode()) < 1_000_000
    assert articles >= 3
    assert more is not None
    assert int(more[1]) == 120 - articles
    assert briefs > 0
    assert "and 15 more, in run.json" in made.text
    assert "and 4 more kinds of findings" in made.text
    assert "(38 frames further out are in run.json)" in made.text
    assert len([cell for cell in data(page)["cells"] if cell is not None]) == 120


def test_the_page_is_below_a_megabyte_whatever_the_texts_are() -> None:
    """Of what cannot be compressed there is less, and at last fewer cells; it says how many it lacks."""
    page = html(documents.document([failing(number, noise(number)) for number in range(60)]))

    value = data(page)
    assert 500_000 < len(page.encode()) < 1_000_000
    assert len([cell for cell in value["cells"] if cell is not None]) + value["missing"] == 60


def test_very_long_texts_in_every_place_do_no_harm() -> None:
    """Neither in lists nor in what stands there once; each becomes longer when it is escaped."""
    mega = '"&<\u202e\U0001f600' * 30_000
    gaps = tuple(NotVerifiedDocument(scenario=mega, reason=f"{number}{mega}") for number in range(4))
    plain = documents.document([failing(0, lambda length: mega if length > 60 else ""), racing.repaired(mega)])
    environment = plain.environment.model_copy(
        update={"packages": {f"{number}{mega}": mega for number in range(2)}, "platform": mega, "backend": mega}
    )

    page = html(
        plain.model_copy(
            update={"problems": (mega,) * 2, "command": mega, "not_verified": gaps, "environment": environment}
        )
    )

    assert len(page.encode()) < 1_000_000


def test_turns_without_a_line_are_counted() -> None:
    """Of more turns than there is room for."""
    page = html(documents.document([racing.repaired(turns=3_000)]), limit=10_000)

    (cell,) = data(page)["cells"]
    assert cell["total"] == 3_000
    assert 0 < len(cell["turns"]) < 3_000


def test_what_lists_leave_out_is_counted() -> None:
    """Notes, objections, packages, squares, and a benchmark's remarks, rows and sections."""
    many = documents.as_expected()
    cell = racing.repaired()
    evidence = cell.evidence.model_copy(update={"notes": tuple(f"note {number}" for number in range(25))})
    environment = many.environment.model_copy(update={"packages": {f"p{number}": "1" for number in range(70)}})
    document = documents.document([cell.model_copy(update={"evidence": evidence})] * 30)

    page = html(document.model_copy(update={"environment": environment}))
    value = data(page)

    assert value["texts"][value["cells"][0]["notes"][-1]] == "and 5 more, in run.json"
    assert "p59 1 and 10 more, in run.json" in Page(page).text
    assert "and 6 more, in run.json" in Page(page).text.partition("Matrix")[2]
    bench = bench_documents.everything()
    warned = bench.model_copy(update={"warnings": tuple(f"warning {number} {'w' * 500}" for number in range(100))})
    assert re.search(r"and \d+ more, in bench.json", Page(bench_html(warned)).text)
