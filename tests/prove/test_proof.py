"""Whether a bug shows, and what two runs prove together."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from inline_snapshot import snapshot
from markdown_it import MarkdownIt
from rich.console import Console

from harness.cli import main
from harness.report.document import CellDocument, NotVerifiedDocument, RunDocument
from harness.report.formats import proof_formats
from harness.report.proof import Side, make_proof
from harness.report.proof_document import ProofDocument, RevisionDocument, proof_status
from harness.report.proof_markdown import proof_page
from harness.report.proof_terminal import show_proof
from harness.report.proof_words import conclusion
from harness.report.proof_write import proof_json, write_proof
from harness.report.redact import masked, masker
from harness.report.schema import PROOF
from harness.report.showing import SYMPTOMS, WITNESSES, Showing, showing, showing_of_run
from harness.scenario import PoolState, SessionMode
from harness.verdict import Expectation, Finding, FindingKind, Verdict
from tests.report import documents

BEFORE = RevisionDocument(asked="HEAD~1", commit="1" * 40, subject="Open the shop")
AFTER = RevisionDocument(asked="HEAD", commit="2" * 40, subject="Give each tool a session of its own")
UNRELATED = sorted(set(FindingKind) - WITNESSES - SYMPTOMS)
COLD, WARM = PoolState.COLD, PoolState.WARM


def found(kind: FindingKind, line: int = 7) -> Finding:
    """A finding of this kind."""
    return Finding(kind=kind, message=f"There is {kind}.", check="errors", stack=(f"shop/agent.py:{line} in stock",))


def cell(
    *kinds: FindingKind,
    mode: SessionMode = SessionMode.PER_OPERATION,
    pool_state: PoolState = WARM,
    unknown: str = "",
    expectation: Expectation | None = None,
    scenario: str = "two_parallel_tools",
) -> CellDocument:
    """A cell in which these were found."""
    findings = [found(kind) for kind in kinds]
    return documents.cell(
        scenario, mode, pool_state=pool_state, findings=findings, unknown=unknown, expectation=expectation
    )


def prove(before: Sequence[CellDocument] | RunDocument, after: Sequence[CellDocument] | RunDocument) -> ProofDocument:
    """What these runs prove."""
    runs = [each if isinstance(each, RunDocument) else documents.document(each) for each in (before, after)]
    sides = [
        Side(revision=revision, backend="shop", document=run, run=f"{name}/run.json")
        for revision, run, name in zip((BEFORE, AFTER), runs, ("before", "after"), strict=True)
    ]
    return make_proof(
        *sides,
        started_at=datetime(2030, 1, 2, tzinfo=UTC),
        seconds=12.5,
        command="sessionproof prove --before 1111111111 --after 2222222222",
        adapter="'HEAD~1' has no adapter, and was started by that of 'HEAD'",
    )


BUGGY = cell(FindingKind.SESSION_OVERLAP, FindingKind.SERIALISED)
CLEAN = cell()


def test_every_kind_is_of_one_sort() -> None:
    """A new kind has to be thought about: these say nothing of sharing."""
    assert not WITNESSES & SYMPTOMS
    assert [str(kind) for kind in UNRELATED] == [
        "broken_total",
        "connection_leak",
        "duplicate_row",
        "foreign_request",
        "foreign_row",
        "idle_in_transaction",
        "loop_blocked",
        "nil_identifier",
        "null_priced_as_zero",
        "unrecorded_request",
        "unseen_response",
        "wrong_cost",
        "wrong_model",
        "wrong_tokens",
        "zero_cost",
    ]


@pytest.mark.parametrize("kind", sorted(WITNESSES))
def test_a_witness_shows_the_bug(kind: FindingKind) -> None:
    """Whatever else could not be decided."""
    assert showing(cell(kind, unknown="no ledger")) is Showing.SHOWS


@pytest.mark.parametrize("kind", sorted(SYMPTOMS))
def test_a_symptom_alone_is_no_proof(kind: FindingKind) -> None:
    """Of the bug, nor of its absence; unless it was named."""
    assert showing(cell(kind)) is Showing.SYMPTOMS
    assert showing(cell(kind), frozenset({kind})) is Showing.SHOWS


@pytest.mark.parametrize("kind", UNRELATED)
def test_what_is_unrelated_leaves_a_cell_clear(kind: FindingKind) -> None:
    """If every check could decide."""
    assert showing(cell(kind)) is Showing.CLEAR
    assert showing(cell(kind, unknown="no ledger")) is Showing.UNKNOWN


def test_a_cell_that_could_not_decide_is_not_clear() -> None:
    """In no mode."""
    for mode in SessionMode:
        assert showing(cell(mode=mode)) is Showing.CLEAR
        assert showing(cell(mode=mode, unknown="no ledger")) is Showing.UNKNOWN


def test_what_a_scenario_admits_in_a_repaired_mode_does_not_count() -> None:
    """A fault may lose a row, and where it must, not losing it is a doubt; a shared session is not excused."""
    lost, kind = Expectation(required=frozenset({FindingKind.MISSING_ROW})), FindingKind.MISSING_ROW

    assert showing(cell(kind, expectation=lost)) is Showing.CLEAR
    assert showing(cell(expectation=lost)) is Showing.UNKNOWN
    assert showing(cell(kind, mode=SessionMode.SHARED, expectation=lost)) is Showing.SYMPTOMS
    assert showing(documents.expected_to_show("failing_tool", SessionMode.SHARED)) is Showing.SHOWS


def test_a_run_is_as_bad_as_its_worst_cell() -> None:
    """One without cells, or with a problem, is not clear."""
    order = [cell(FindingKind.WRONG_COST), cell(unknown="no ledger"), cell(FindingKind.SERIALISED), BUGGY]

    worst = [showing_of_run(documents.document(order[: count + 1])) for count in range(len(order))]

    assert worst == [Showing.CLEAR, Showing.UNKNOWN, Showing.SYMPTOMS, Showing.SHOWS]
    assert showing_of_run(documents.document([])) is Showing.UNKNOWN
    assert showing_of_run(documents.document([CLEAN], problems=["a worker died"])) is Showing.UNKNOWN


def test_the_bug_before_and_not_after_is_a_proof() -> None:
    """In one cell of several; with a mode of its own on each side."""
    shared = cell(FindingKind.BLEED, mode=SessionMode.SHARED)

    assert prove([BUGGY], [CLEAN]).verdict is Verdict.PASSED
    assert prove([BUGGY, cell(pool_state=COLD)], [CLEAN, cell(pool_state=COLD)]).verdict is Verdict.PASSED
    assert prove([shared], [CLEAN]).verdict is Verdict.PASSED
    assert proof_status(prove([BUGGY], [CLEAN])) == 0


NOT_PROVED = {
    "not before": ([CLEAN], [CLEAN]),
    "still after": ([BUGGY], [BUGGY]),
    "after alone": ([CLEAN], [BUGGY]),
    "after, in one of two": ([BUGGY], [CLEAN, cell(FindingKind.BLEED, pool_state=COLD)]),
    "a symptom stays": ([BUGGY], [cell(FindingKind.SERIALISED)]),
    "something new": ([BUGGY], [cell(FindingKind.CONNECTION_LEAK)]),
    "something new where nobody looked": ([BUGGY], [CLEAN, cell(FindingKind.WRONG_COST, pool_state=COLD)]),
    "not before, and unknown after": ([CLEAN], [cell(unknown="no ledger")]),
    "unknown before, and still after": ([cell(unknown="no ledger")], [BUGGY]),
}


@pytest.mark.parametrize(("before", "after"), NOT_PROVED.values(), ids=NOT_PROVED)
def test_what_speaks_against_it_is_no_proof(before: list[CellDocument], after: list[CellDocument]) -> None:
    """And ends with 1, whatever else is unknown."""
    proof = prove(before, after)

    assert proof.verdict is Verdict.FAILED
    assert proof.reasons
    assert proof_status(proof) == 1


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [([CLEAN], [BUGGY], True), ([CLEAN], [CLEAN], False), ([BUGGY], [BUGGY], False), ([BUGGY], [CLEAN], False)],
    ids=["swapped", "nowhere", "both", "proved"],
)
def test_revisions_that_look_swapped_are_told(
    before: list[CellDocument], after: list[CellDocument], told: bool
) -> None:
    """Only if the bug shows after, and in no cell before."""
    said = "--before and --after look swapped"

    assert (said in conclusion(prove(before, after))) == told


NOT_KNOWN = {
    "nothing was run before": ([], [CLEAN]),
    "nothing was run after": ([BUGGY], []),
    "undecided before": ([cell(unknown="no ledger")], [CLEAN]),
    "undecided after": ([BUGGY], [cell(unknown="no ledger")]),
    "undecided after, in one of two": ([BUGGY], [CLEAN, cell(pool_state=COLD, unknown="no ledger")]),
    "symptoms before": ([cell(FindingKind.MISSING_ROW)], [CLEAN]),
    "less was run after": ([BUGGY, cell(FindingKind.BLEED, pool_state=COLD)], [CLEAN]),
    "another scenario was run after": ([BUGGY], [cell(scenario="no_tools")]),
}


@pytest.mark.parametrize(("before", "after"), NOT_KNOWN.values(), ids=NOT_KNOWN)
def test_missing_evidence_is_no_proof(before: list[CellDocument], after: list[CellDocument]) -> None:
    """And ends with 3."""
    proof = prove(before, after)

    assert proof.verdict is Verdict.UNKNOWN
    assert proof.reasons
    assert proof_status(proof) == 3


def test_a_problem_of_the_second_run_is_missing_evidence() -> None:
    """One of the first is not, where the bug shows all the same."""
    trouble = ["a worker died"]

    assert prove([BUGGY], documents.document([CLEAN], problems=trouble)).verdict is Verdict.UNKNOWN
    assert prove(documents.document([BUGGY], problems=trouble), [CLEAN]).verdict is Verdict.PASSED


def test_what_is_wrong_in_both_and_unrelated_does_not_stand_in_the_way() -> None:
    """It is told."""
    proof = prove([cell(FindingKind.BLEED, FindingKind.WRONG_COST)], [cell(FindingKind.WRONG_COST)])

    assert proof.verdict is Verdict.PASSED
    assert [trace.kind for trace in proof.remaining] == [FindingKind.WRONG_COST]
    assert [trace.kind for trace in proof.vanished] == [FindingKind.BLEED]


def test_a_finding_is_the_same_in_another_line() -> None:
    """What counts is the function."""
    moved = documents.cell(
        "two_parallel_tools", SessionMode.PER_OPERATION, findings=[found(FindingKind.BLEED, line=70)]
    )

    proof = prove([cell(FindingKind.BLEED)], [moved])

    assert [(trace.kind, trace.place) for trace in proof.remaining] == [
        (FindingKind.BLEED, "shop/agent.py:70 in stock")
    ]
    assert not proof.vanished
    assert not proof.appeared


def side_below(top: str, *files: str) -> Side:
    """A run from a folder below the top of its checkout, with a finding in each of these files of it."""
    findings = [
        Finding(
            kind=FindingKind.BLEED,
            message=f"at {top}/{file}:7 in stock, under {top}",
            check="errors",
            stack=(f"{top}/{file}:7 in stock",),
        )
        for file in files
    ]
    run = documents.document([documents.cell("two_users", SessionMode.PER_OPERATION, findings=findings)])
    environment = run.environment.model_copy(update={"directory": f"{top}/sub"})
    run = run.model_copy(update={"environment": environment, "problems": (f"{top}/conftest.py ends",)})
    return Side(revision=BEFORE, backend="shop", document=run, run="run.json", root=top)


def test_what_is_told_is_below_the_top_of_the_checkout() -> None:
    """From whichever folder it was run; files of one name are not one place, and one place is the same in both."""
    before = side_below("/tmp/x/x-before", "shop/agent.py", "desk/agent.py")
    after = side_below("/tmp/x/x-after", "shop/agent.py")

    proof = make_proof(
        before, after, started_at=datetime(2030, 1, 2, tzinfo=UTC), seconds=1, command="sessionproof prove", adapter="a"
    )

    assert [trace.place for trace in proof.vanished] == ["desk/agent.py:7 in stock"]
    assert [trace.place for trace in proof.remaining] == ["shop/agent.py:7 in stock"]
    assert proof.remaining[0].message == "at shop/agent.py:7 in stock, under ."
    assert "/tmp/x" not in proof_json(proof) + proof_page(proof)


def whole() -> ProofDocument:
    """A proof with something in each of its parts."""
    gaps = [NotVerifiedDocument(scenario="streaming", reason="backend 'shop' does not stream its answers")]
    before = documents.document(
        [BUGGY, cell(FindingKind.BLEED, FindingKind.WRONG_COST, pool_state=COLD)], not_verified=gaps
    )
    after = documents.document([CLEAN, cell(FindingKind.WRONG_COST, pool_state=COLD)], not_verified=gaps)
    return prove(before, after)


def test_the_page_for_a_pull_request() -> None:
    """What was run, at what, what came of it, what is not proved, and how to do it again."""
    assert proof_page(whole()) == snapshot("""\
## sessionproof: PROVED: the bug shows before, at 1111111111, in 2 of 2 cells, and after, at 2222222222, in none of 2

| | revision | message | shared sessions |
| --- | --- | --- | --- |
| before | `1111111111` | `Open the shop` | shows (2 of 2 cells, per_operation) |
| after | `2222222222` | `Give each tool a session of its own` | does not show (2 of 2 cells, per_operation) |

| scenario | before | after |
| --- | --- | --- |
| streaming | not verified | not verified |
| two_parallel_tools | shows 2/2 | clear 2/2 |

### Found before, and not after

- **bleed** at `shop/agent.py:7 in stock`, in 1 cell: `There is bleed.`
- **serialised** at `shop/agent.py:7 in stock`, in 1 cell: `There is serialised.`
- **session_overlap** at `shop/agent.py:7 in stock`, in 1 cell: `There is session_overlap.`

### Found before and after

- **wrong_cost** at `shop/agent.py:7 in stock`, in 1 cell: `There is wrong_cost.`

### Not looked at

- before and after: `streaming: backend 'shop' does not stream its answers`

### What this does not prove

- Only the interleavings that ran were judged: another schedule can still show another race.
- Only the tools and paths that the scenarios call were looked at; the rest of the backend was not.
- Latencies are scripted. Ratios were compared; absolute times say nothing about production.
- One process, one event loop, one server: no replicas, no poolers in between, no failovers.
- No real model answered: which tools a model calls together, and how often, was not measured.

### Run it again

```sh
sessionproof prove --before 1111111111 --after 2222222222
```

Backend `fixtures.backend.adapter:backend`; 'HEAD\\~1' has no adapter, and was started by that of 'HEAD'.
""")


def test_a_page_of_what_is_not_proved_says_why() -> None:
    """First."""
    lines = proof_page(prove([BUGGY], [BUGGY])).splitlines()

    assert lines[:3] == snapshot(
        [
            "## sessionproof: NOT PROVED",
            "",
            "- the bug shows after, at 2222222222, in 1 of 1 cell: two_parallel_tools/per_operation-warm-scripted",
        ]
    )


def test_the_terminal() -> None:
    """The same, shorter, with the answer last."""
    console = Console(width=100, record=True, file=None, force_terminal=False, color_system=None)
    with console.capture() as capture:
        show_proof(whole(), console)

    assert "\n".join(line.rstrip() for line in capture.get().splitlines()) == snapshot("""\
backend fixtures.backend.adapter:backend; 'HEAD~1' has no adapter, and was started by that of 'HEAD'
before 1111111111 Open the shop
  shows (2 of 2 cells, per_operation)
after  2222222222 Give each tool a session of its own
  does not show (2 of 2 cells, per_operation)

scenario             before         after
────────────────────────────────────────────────
streaming            not verified   not verified
two_parallel_tools   shows 2/2      clear 2/2

found before, and not after (3)
  bleed at shop/agent.py:7 in stock, in 1 cell: There is bleed.
  serialised at shop/agent.py:7 in stock, in 1 cell: There is serialised.
  session_overlap at shop/agent.py:7 in stock, in 1 cell: There is session_overlap.

found before and after (1)
  wrong_cost at shop/agent.py:7 in stock, in 1 cell: There is wrong_cost.

not looked at (1)
  before and after: streaming: backend 'shop' does not stream its answers

PROVED: the bug shows before, at 1111111111, in 2 of 2 cells, and after, at 2222222222, in none of 2
  $ sessionproof prove --before 1111111111 --after 2222222222\
""")


def hostile() -> ProofDocument:
    """A proof all of whose foreign texts are meant badly, and hold secrets."""
    nasty = " ".join([*documents.HOSTILE, *documents.SECRETS.values()])
    finding = replace(found(FindingKind.BLEED), message=nasty, stack=(f"{nasty[:60]}.py:3 in {nasty}",))
    bad = documents.cell("a | b <script>", SessionMode.PER_OPERATION, findings=[finding])
    gap = NotVerifiedDocument(scenario="x", reason=nasty)
    proof = prove(documents.document([bad], not_verified=[gap], problems=[nasty]), documents.document([]))
    revision = BEFORE.model_copy(update={"subject": nasty})
    side = proof.before.model_copy(update={"revision": revision, "notes": (nasty,), "backend": nasty})
    made = proof.model_copy(update={"before": side, "adapter": nasty, "backend": nasty, "command": nasty})
    return masked(made, masker({"A_TOKEN": "value-from-the-environment"}))


def test_a_hostile_proof_shows_itself_and_does_nothing() -> None:
    """No markup, no control character, no secret, in any form of it."""
    console = Console(width=100, file=None, force_terminal=False, color_system=None)
    with console.capture() as capture:
        show_proof(hostile(), console)
    page, shown = proof_page(hostile()), capture.get()
    html = MarkdownIt("gfm-like", {"html": True}).render(page)

    for text in (page, shown, proof_json(hostile())):
        assert not [secret for secret in documents.SECRETS if secret in text]
    for text in (page, shown):
        assert not {"\x1b", "\x00", "\x07", "\u202e"} & set(text)
    assert "<script" not in html
    assert "<img" not in html
    assert "<a " not in html
    assert html.count("<table>") == 2
    assert [row.count("<td") for row in html.split("<tr>")[2:] if "</th>" not in row] == [4, 4, 3, 3]


def test_a_huge_proof_has_a_bounded_page() -> None:
    """As long as GitHub takes for a pull request's description, and no longer."""
    nasty = "<&_*@" * 400
    gaps = [NotVerifiedDocument(scenario=f"{number}", reason=f"{number}{nasty}") for number in range(300)]
    findings = [replace(found(kind, line), message=nasty) for kind in FindingKind for line in range(5)]
    many = [documents.cell(f"{number}{nasty}", SessionMode.PER_OPERATION, findings=findings) for number in range(300)]

    page = proof_page(prove(documents.document(many, not_verified=gaps), many))

    assert len(page) < 65_536
    assert page.count("more, in `proof.json`") == 3


def test_the_document_follows_its_schema() -> None:
    """And is read again as what it was."""
    for proof in (whole(), hostile(), prove([], [])):
        text = proof_json(proof)
        jsonschema.validate(json.loads(text), PROOF.value)

        assert ProofDocument.model_validate_json(text) == proof
    assert PROOF.is_published


def test_the_last_word_is_one_line() -> None:
    """For each verdict."""
    words = [conclusion(prove(*each)) for each in (([BUGGY], [CLEAN]), ([CLEAN], [CLEAN]), ([], [CLEAN]))]

    assert words == snapshot(
        [
            "PROVED: the bug shows before, at 1111111111, in 1 of 1 cell, and after, at 2222222222, in none of 1",
            "NOT PROVED: the bug does not show before, at 1111111111, in the one cell",
            "UNKNOWN: whether the bug shows before, at 1111111111, is not known: nothing was verified",
        ]
    )


@pytest.mark.parametrize("name", proof_formats())
def test_a_proof_is_rendered_again(name: str, tmp_path: Path) -> None:
    """By `sessionproof report`, from its document alone; its cells are in the runs."""
    write_proof(whole(), tmp_path)
    path = str(tmp_path / "proof.json")
    words = ["report", path, "--format", name]

    printed = CliRunner().invoke(main, words)
    placed = CliRunner().invoke(main, [*words, "--output", f"{tmp_path / 'out'}/"])

    (file,) = (tmp_path / "out").iterdir()
    assert (printed.exit_code, placed.exit_code) == (0, 0)
    if name != "terminal":
        assert printed.stdout == file.read_text(encoding="utf-8") == (tmp_path / file.name).read_text(encoding="utf-8")
    assert "PROVED" in printed.stdout or name == "json"


def test_a_proof_is_no_run(tmp_path: Path) -> None:
    """It has no cell to choose, and is not compared: the message says what is."""
    write_proof(whole(), tmp_path)
    path = str(tmp_path / "proof.json")

    refused = [
        CliRunner().invoke(main, ["report", path, *words])
        for words in (("--cell", "x"), (path,), ("--format", "sarif"))
    ]

    assert [result.exit_code for result in refused] == [2, 2, 2]
    assert [result.stderr.replace(path, "PATH") for result in refused] == snapshot(
        [
            "error: 'PATH' is a proof; its cells are in the runs beside it, before/run.json and after\n",
            "error: a proof compares two runs already, those beside it: give these, before/run.json and after\n",
            "error: a proof has no format 'sarif'; there are terminal, markdown, json\n",
        ]
    )
