"""`report.html`: one file that holds everything, runs nothing but its own script, and shows text as text."""

import json
import re
from base64 import b64encode
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from random import Random
from typing import Any

import pytest

from harness.evidence import FaultSeen, IdleTransaction, Record, TimingPair
from harness.report import bench_digest, digest
from harness.report.bench_document import BenchDocument
from harness.report.charts import charts
from harness.report.document import (
    CellDocument,
    EvidenceDocument,
    NotVerifiedDocument,
    RecordDocument,
    RunDocument,
)
from harness.report.html import bench_html, html
from harness.report.packed import unpack
from harness.report.svg import SCHEMES
from harness.report.timeline import MarkKind
from harness.scenario import SessionMode
from harness.verdict import FindingKind, ModelChoices, Share, Verdict
from tests.report import bench_documents, documents, racing

RUNS: dict[str, Callable[[], RunDocument]] = {
    "as expected": documents.as_expected,
    "faults": documents.with_faults,
    "troubled": documents.troubled,
    "hostile": documents.hostile,
    "empty": documents.empty,
    "racing": racing.run,
}
BENCHES: dict[str, Callable[[], BenchDocument]] = {
    "everything": bench_documents.everything,
    "hostile": lambda: bench_documents.hostile(" ".join(documents.HOSTILE)),
}
PAGES: dict[str, Callable[[], str]] = {
    **{f"run, {name}": lambda make=make: html(make()) for name, make in RUNS.items()},  # type: ignore[misc]
    **{f"bench, {name}": lambda make=make: bench_html(make()) for name, make in BENCHES.items()},  # type: ignore[misc]
    "comparison": lambda: bench_html(bench_documents.everything(), bench_documents.comparison()),
}
OURS = {
    "a",
    "article",
    "b",
    "body",
    "br",
    "button",
    "circle",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "head",
    "header",
    "html",
    "i",
    "input",
    "label",
    "li",
    "main",
    "meta",
    "noscript",
    "ol",
    "option",
    "output",
    "p",
    "path",
    "pre",
    "script",
    "section",
    "select",
    "span",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "ul",
}
DRAWN = {"defs", "desc", "g", "line", "path", "pattern", "rect", "svg", "text", "title"}
EMPTY = {"br", "input", "meta"}


class Page(HTMLParser):
    """What a browser would make of it: elements with their attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.scripts: dict[str, str] = {}
        self.styles: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[self.elements[-1][1].get("id", "code")] = data
        elif self.open and self.open[-1] == "style":
            self.styles.append(data)
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        """Everything that is shown, with single spaces."""
        return " ".join(" ".join(self.texts).split())

    def attributes(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def data(page: str) -> Any:
    """What the page draws on demand."""
    return unpack(Page(page).scripts["data"])


@cache
def made_once(name: str) -> str:
    """A page of that kind."""
    return PAGES[name]()


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    """Each kind of page."""
    return made_once(request.param)


def test_the_same_document_gives_the_same_bytes() -> None:
    """Whatever is in it."""
    for make in PAGES.values():
        assert make() == make()


def test_it_is_well_formed_and_has_elements_of_ours_only(page: str) -> None:
    """Also if the backend says what looks like markup."""
    made = Page(page)

    assert made.open == []
    assert {tag for tag, _ in made.elements} <= OURS | DRAWN


def test_it_loads_nothing_and_leads_nowhere(page: str) -> None:
    """No address but places in the page itself, no handlers, no styles in attributes."""
    made = Page(page)

    assert not [
        value for name in ("src", "srcset", "action", "data", "poster", "ping") for value in made.attributes(name)
    ]
    assert all(re.fullmatch(r"#[a-z0-9-]*", value) for value in made.attributes("href"))
    names = {name for _, attributes in made.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | names & {
        "style",
        "srcdoc",
        "formaction",
        "xlink:href",
    }
    assert not re.search(r"@import|url\((?!#)", "".join(made.styles))


def test_the_policy_allows_this_script_and_this_style_and_nothing_else(page: str) -> None:
    """By their hashes; drawings have no style of their own."""
    made = Page(page)
    (policy,) = [attributes["content"] for tag, attributes in made.elements if "http-equiv" in attributes]
    (style,) = made.styles

    def hashed(text: str) -> str:
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

    assert policy == (
        f"default-src 'none'; script-src {hashed(made.scripts['code'])}; style-src {hashed(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def test_its_script_makes_no_markup_and_no_requests(page: str) -> None:
    """Text becomes text nodes; there is nothing that loads, evaluates or writes."""
    code = Page(page).scripts["code"]

    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|fetch\(|XMLHttp|Socket|import\(|\.src",
        code,
    )


def test_nothing_in_it_is_a_control_character(page: str) -> None:
    """They are shown as escapes, as are those that turn the reading direction round."""
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)


def test_hostile_text_stays_text() -> None:
    """It can be read on the page, and in what is drawn on demand."""
    page = html(documents.hostile())
    shown, drawn = Page(page), data(page)

    for text in ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", r"turned \u202eround\u2066"):
        assert text in shown.text
        assert any(text in said for said in drawn["texts"])
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", "".join(drawn["texts"]))


def test_text_is_clipped_and_pages_stay_below_a_megabyte(page: str) -> None:
    """Also with a megabyte in one message."""
    assert len(page.encode()) < 1_000_000


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


def test_cells_findings_and_turns_are_in_the_page() -> None:
    """Timelines with each mark, findings with both accesses, and the application's lines."""
    lines = ("def search():", "    return 1")

    value = data(html(documents.with_lines(racing.run(turns=2), "app/services/vector_service.py", 20, *lines)))

    cells = {value["texts"][cell["scenario"]]: cell for cell in value["cells"] if cell["mode"] == "shared"}
    cell = cells["two_parallel_tools"]
    assert cell["counts"] == {"session_overlap": 2, "concurrent_operation": 2, "missing_row": 2}
    kinds = Counter(value["marks"][mark[0]] for mark in cell["details"]["1"]["marks"])
    assert kinds[MarkKind.STATEMENT] == 2
    assert sorted(cell["details"]) == ["0", "1"]
    places = [
        [value["texts"][frame] for frame in value["stacks"][access[2]]] for access in cell["races"][0]["accesses"]
    ]
    assert places == [
        ["app/services/directory_service.py:42 in search"],
        ["app/services/vector_service.py:21 in search"],
    ]
    ((frame, first, at, lines),) = value["sources"]
    assert (value["texts"][frame], at) == ("app/services/vector_service.py:21 in search", 21)
    assert (first, [value["texts"][line] for line in lines]) == (20, ["def search():", "    return 1"])


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


def test_what_a_model_chose_is_told() -> None:
    """In a sentence on the first screen, and in full in its cell."""
    choices = ModelChoices(
        turns=12,
        outcomes={"answered": 11, "no answer": 1},
        calls={"search_directory": 12, "search_documents": 10},
        refused=1,
        called_together=10,
        together=10,
        share=Share(value=10 / 12, low=0.52, high=0.98),
        wrong=0,
        at_most=0.259,
    )
    document = documents.document([racing.repaired("real_model").model_copy(update={"choices": choices})])

    page = html(document)
    value = data(page)
    told = {value["texts"][name]: value["texts"][said] for name, said in value["cells"][0]["choices"]}

    assert next(iter(digest.choices(document))) in Page(page).text
    assert told["how they ended"] == "11 answered, 1 no answer"
    assert told["tool calls that ran"] == "12 search_directory, 10 search_documents"
    assert told["turns in which these came to the database together"] == (
        "10 (83.3% of all turns, 95 % interval 52.0% to 98.0%)"
    )
    assert told["so that of such turns, with 95 % confidence, at most"] == "25.9% are wrong"


def test_what_stands_in_no_turn_stands_in_its_cell() -> None:
    """Faults that struck, pairs of turns, transactions that were left open, requests that were refused."""
    evidence = replace(
        racing.evidence(),
        faults=Record.of("faults", [FaultSeen(label="cut"), FaultSeen(label="cut")]),
        pairs=Record.of("pairs", [TimingPair(parallel=2.0, sequential=4.0), TimingPair(parallel=0.0, sequential=1.0)]),
        idle_transactions=Record.of(
            "idle", [IdleTransaction(backend_pid=7, state="idle in transaction", query="SELECT 1", seconds=2.0)]
        ),
        refusals=Record.of("refusals", ["to example.org"]),
    )

    value = data(html(documents.document([documents.cell("s", SessionMode.SHARED, evidence=evidence)])))
    told = {value["texts"][name]: value["texts"][said] for name, said in value["cells"][0]["also"]}

    assert told == {
        "records that no turn has: between turns, or while several went on": "",
        "faults that struck": "2 cut",
        "one by one / together, of each pair of turns": "2.00, ?",
        "transactions that were left open": "idle in transaction: pid 7, SELECT 1",
        "requests that were not let through": "to example.org",
        "differences from the recording": "",
    }


def test_values_that_no_axis_has_do_no_harm() -> None:
    """A duration may be infinite, or no number, in a document that the model admits."""
    cell = racing.repaired().model_copy(update={"seconds": float("inf"), "clone_seconds": float("nan")})

    value = data(html(documents.document([cell])))

    assert (value["cells"][0]["seconds"], value["cells"][0]["clone"]) == (0.0, 0.0)


def told(value: Any, rows: Any) -> list[tuple[int, str, str]]:
    return [(row[0], row[1], value["texts"][row[2]]) for row in rows]


def lost(*names: str) -> CellDocument:
    """The racing cell without these records."""
    cell = racing.racing()
    records = {name: RecordDocument[Any](missing=f"no {name}") for name in names}
    return cell.model_copy(update={"evidence": cell.evidence.model_copy(update=records)})


def test_counts_of_records_that_are_missing_are_not_zero() -> None:
    """They are nothing; and the sides of the bill that nobody recorded are named with the reason."""
    value = data(html(documents.document([lost("tools", "statements", "ledger")])))

    (cell,) = value["cells"]
    bill = cell["details"]["0"]["bill"]
    assert cell["turns"][0][4:7] == [None, None, None]
    assert [(side, value["texts"][reason]) for side, reason in bill["missing"]] == [("ledger", "no ledger")]
    assert (bill["whole"], bill["sums"][2]) == (False, [])
    assert bill["found"] == [1]
    assert {name: value["texts"][reason] for name, reason in cell["gaps"]}["tools"] == "no tools"


def test_a_bill_has_the_numbers_of_the_findings_of_the_ledger_check() -> None:
    """And its verdict: the check knows the prices, which the document has not."""
    cells = [racing.racing(), racing.repaired()]
    value = data(html(documents.document([cells[0], cells[1].model_copy(update={"checks": ()})])))

    wrong, unchecked = (cell["details"]["0"]["bill"] for cell in value["cells"])
    assert [value["cells"][0]["findings"][number][1] for number in wrong["found"]] == ["missing_row"]
    assert (unchecked["found"], unchecked["check"]) == ([], "")


def test_a_row_of_no_turn_has_null_for_the_names_that_it_lacks() -> None:
    """As everywhere in the ledger."""
    row = replace(documents.ledger_row(), session_id="elsewhere", provider=None, model=None, account_slug=None)
    seen = replace(racing.evidence(shared=False), ledger=Record.of("ledger", [row]))
    value = data(html(documents.document([documents.cell("s", SessionMode.SHARED, evidence=seen)])))

    (cell,) = value["cells"]
    assert [value["texts"][each] for each in cell["others"][0]][1:4] == ["elsewhere", "NULL/simple_chat", "NULL"]


def test_a_turn_of_which_no_end_is_known_has_not_failed() -> None:
    """It is told apart from one that has: an error is one, and neither an error nor an answer is none."""
    cell = racing.racing()
    first, *others = cell.evidence.turns
    turns = (replace(first, answer=None, error=None, error_type=None), *others)
    evidence = cell.evidence.model_copy(update={"turns": turns})

    (told,) = data(html(documents.document([cell.model_copy(update={"evidence": evidence})])))["cells"]

    assert told["turns"][0][3] == "not recorded"


def test_records_of_no_turn_are_counted() -> None:
    """They are drawn nowhere, and that is said."""
    cell = racing.racing()
    items = cell.evidence.statements.items
    elsewhere = cell.evidence.statements.model_copy(
        update={"items": tuple(replace(each, turn="00000000-0000-4000-8000-00000000dead") for each in items)}
    )
    evidence = cell.evidence.model_copy(update={"statements": elsewhere})

    value = data(html(documents.document([racing.racing(), cell.model_copy(update={"evidence": evidence})])))

    also = [{value["texts"][name]: value["texts"][said] for name, said in each["also"]} for each in value["cells"]]
    told = [next(said for name, said in each.items() if name.startswith("records that no turn has")) for each in also]
    assert told == ["", f"{len(items)} of statements"]


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


def many_findings(count: int) -> CellDocument:
    """The racing cell with so many findings at one moment."""
    cell = racing.racing()
    finding = next(each for each in cell.findings if each.kind is FindingKind.CONCURRENT_OPERATION)
    findings = tuple(finding.model_copy(update={"message": f"m{number}"}) for number in range(count))
    return cell.model_copy(update={"findings": findings})


def test_every_sign_of_a_timeline_has_its_finding() -> None:
    """Also those beyond the ones that stand in the cell."""
    value = data(html(documents.document([many_findings(200)])))

    (cell,) = value["cells"]
    detail = cell["details"]["0"]
    rows = [*cell["findings"], *detail["findings"]]
    assert len(cell["findings"]) == 60
    assert sorted(told(value, rows)) == [(number, "concurrent_operation", f"m{number}") for number in range(200)]
    assert {sign[0] for sign in detail["signs"]} == set(range(200))


def test_not_verified_can_be_filtered() -> None:
    """It is one of the outcomes, if there is such a square."""

    def outcomes(document: RunDocument) -> str:
        page = html(document)
        return page.partition('<select name="outcome">')[2].partition("</select>")[0]

    assert "<option>not verified</option>" in outcomes(documents.as_expected())
    assert "not verified" not in outcomes(documents.with_faults())


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


def test_all_cells_of_a_fault_are_there() -> None:
    """Also if there are several in one mode."""
    document = documents.with_faults()
    first = next(cell for cell in document.cells if cell.fault)
    twice = document.model_copy(update={"cells": (first, first)})

    links = [value for value in Page(html(twice)).attributes("href") if value.startswith("#cell-")]

    assert {"#cell-0", "#cell-1"} <= set(links)


def test_what_is_drawn_on_demand_is_plain_letters() -> None:
    """So that nothing in it can end the element that it is in."""
    packed = Page(html(documents.hostile())).scripts["data"]

    assert re.fullmatch(r"[A-Za-z0-9+/]+=*", packed)
    assert json.dumps(unpack(packed))


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
