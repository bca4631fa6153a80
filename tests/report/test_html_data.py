"""What `report.html` carries to draw on demand: cells, turns, findings and bills, and what was not recorded of them."""

from collections import Counter
from dataclasses import replace
from typing import Any

from harness.evidence import FaultSeen, IdleTransaction, Record, TimingPair
from harness.report import digest
from harness.report.document import CellDocument
from harness.report.html import html
from harness.report.timeline import MarkKind
from harness.scenario import SessionMode
from harness.verdict import FindingKind, ModelChoices, Share
from tests.report import documents, racing
from tests.report.pages import Page, data, lost


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
