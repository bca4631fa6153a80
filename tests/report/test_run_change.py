"""What changed from one run to another."""

import io
import re
from dataclasses import replace

import pytest
from inline_snapshot import snapshot
from rich.console import Console

from harness.evidence import Record, ToolOutcome
from harness.report.cell_change import Became
from harness.report.digest import Outcome
from harness.report.document import CellDocument, NotVerifiedDocument, RunDocument
from harness.report.redact import redact
from harness.report.run_change import change_status, compare_runs, conclusion
from harness.report.run_change_markdown import change_page
from harness.report.run_change_terminal import show_change
from harness.report.run_json import JsonWriter
from harness.report.steps import first_difference
from harness.scenario import PoolState, SessionMode
from harness.verdict import Expectation, FindingKind, Verdict
from tests.report import documents, two_tools
from tests.report.test_cell_change import WORSE, F, P, R, U, judged
from tests.report.test_markdown import rendered


def shown(before: RunDocument, after: RunDocument, *, width: int = 120) -> str:
    """What is printed, without colours."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    with console.capture() as capture:
        show_change(compare_runs(before, after), console)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def clean() -> CellDocument:
    return two_tools.own_sessions()


def broken() -> CellDocument:
    """The same cell, whose tools now share a session."""
    return two_tools.shared(expected=False, turn="another-turn", start=500.0)


def test_a_cell_that_got_worse_is_told_with_its_first_operation() -> None:
    """On both sides, whatever the identifiers and times are."""
    assert shown(two_tools.run(clean()), two_tools.run(broken())) == snapshot("""\
first run:  passed, 1 cell, 2030-01-02T03:04:05+00:00, sessionproof verify
second run: failed, 1 cell, 2030-01-02T03:04:05+00:00, sessionproof verify

WORSE two_parallel_tools/per_operation-warm-scripted: passed, now FAILED
  appeared, unexpected: session_overlap at app/services/vector.py:21 in VectorService.find: on Session 1,
  Session.execute of search_documents began while another was in flight
  because: unexpected finding 'session_overlap'
  first difference: turn 1, search_directory, step 1
    first run:  begin, on a session of its own
                before SELECT 1 FROM directory
                at app/search_directory.py:10 in search_directory
    second run: begin, on a session shared with search_documents
                before SELECT 1 FROM directory
                at app/search_directory.py:10 in search_directory
  $ sessionproof verify --scenario two_parallel_tools --mode per_operation --pool-state warm --tier scripted

0 cells with the outcome and the findings of before
WORSE: 1 of 1 cell worse
""")


def test_the_same_as_a_page() -> None:
    """For a pull request."""
    assert change_page(compare_runs(two_tools.run(clean()), two_tools.run(broken()))) == snapshot("""\
# WORSE: 1 of 1 cell worse

- first run: `passed, 1 cell, 2030-01-02T03:04:05+00:00, sessionproof verify`
- second run: `failed, 1 cell, 2030-01-02T03:04:05+00:00, sessionproof verify`
- 0 cells with the outcome and the findings of before

### worse: two_parallel_tools/per_operation-warm-scripted

Was passed, is **FAILED**.

- appeared, unexpected: **session_overlap**, at `app/services/vector.py:21 in VectorService.find`: `on Session 1, Session.execute of search_documents began while another was in flight`
- `unexpected finding 'session_overlap'`
- first difference: turn 1, search_directory, step 1
  - first run: `begin, on a session of its own`; `before SELECT 1 FROM directory`; `at app/search_directory.py:10 in search_directory`
  - second run: `begin, on a session shared with search_documents`; `before SELECT 1 FROM directory`; `at app/search_directory.py:10 in search_directory`

```sh
sessionproof verify --scenario two_parallel_tools --mode per_operation --pool-state warm --tier scripted
```

""")  # noqa: E501  # golden text


@pytest.mark.parametrize(
    ("before", "after", "became", "status"),
    [
        (clean(), broken(), [Became.WORSE], 1),
        (broken(), clean(), [Became.BETTER], 0),
        (clean(), two_tools.own_sessions(turn="other", start=99.0), [], 0),
        (broken(), broken(), [], 0),
        (clean(), None, [], 3),
        (None, clean(), [], 0),
        (None, broken(), [], 1),
        (None, None, [], 3),
    ],
    ids=["worse", "better", "same", "still wrong", "gone", "new", "new and wrong", "nothing"],
)
def test_the_status_says_whether_something_is_worse(
    before: CellDocument | None, after: CellDocument | None, became: list[Became], status: int
) -> None:
    """1 if so; 3 if what was decided is not any more; 0 only if all of it was looked at again."""
    one, other = (two_tools.run(*([cell] if cell is not None else [])) for cell in (before, after))

    change = compare_runs(one, other)

    assert [each.became for each in change.changed] == became
    assert change_status(change) == status


def test_what_became_unknown_is_unknown() -> None:
    """Missing evidence is neither worse nor good."""
    doubtful = documents.cell(
        "two_parallel_tools", SessionMode.PER_OPERATION, unknown="no ledger", evidence=two_tools.evidence(shared=False)
    )

    change = compare_runs(two_tools.run(clean()), two_tools.run(doubtful))

    assert change_status(change) == 3
    assert conclusion(change) == "UNKNOWN: 1 of 1 cell undecided"


def test_findings_that_moved_are_the_same() -> None:
    """Other lines, identifiers, times and counts do not make another finding; another function does."""
    one = two_tools.run(two_tools.shared())
    seen = [two_tools.overlap(turn="b", line=99)] * 2
    twice = documents.cell(
        "two_parallel_tools",
        SessionMode.SHARED,
        findings=list(map(two_tools.finding, seen)),
        expectation=Expectation(required=frozenset({FindingKind.SESSION_OVERLAP})),
        evidence=two_tools.evidence(turn="b", start=70.0, races=seen),
    )
    stack = ("app/elsewhere.py:3 in elsewhere",)
    elsewhere = twice.model_copy(update={"findings": (twice.findings[0].model_copy(update={"stack": stack}),)})

    assert not compare_runs(one, two_tools.run(twice)).changed
    (changed,) = compare_runs(one, two_tools.run(elsewhere)).changed
    assert changed.became is Became.OTHER
    assert [seen.place for seen in changed.appeared] == ["app/elsewhere.py:3 in elsewhere"]
    assert [seen.place for seen in changed.vanished] == ["app/services/vector.py:21 in VectorService.find"]


def test_cells_of_one_run_only_are_named() -> None:
    """And are not passed over."""
    other = two_tools.own_sessions(pool_state=PoolState.COLD)
    before, after = two_tools.run(clean(), other), two_tools.run(clean(), two_tools.shared())

    text, page = shown(before, after), change_page(compare_runs(before, after))

    assert "Only in the first run (1)\n  two_parallel_tools/per_operation-cold-scripted: passed\n" in text
    assert "Only in the second run (1)\n  two_parallel_tools/shared-warm-scripted: reproduced\n" in text
    assert text.endswith(
        "1 cell with the outcome and the findings of before\n"
        "UNKNOWN: 1 cell only in the first run, 1 cell only in the second run\n"
    )
    assert "## Only in the first run: 1\n\n- `two_parallel_tools/per_operation-cold-scripted`: passed\n" in page


def test_nothing_is_said_to_have_vanished_for_which_nobody_looked() -> None:
    """Nor to have appeared."""
    seen = judged(
        F, seen=[(FindingKind.MISSING_ROW, False)], checks={"errors": Verdict.FAILED, "ledger": Verdict.PASSED}
    )
    blind = judged(U, checks={"errors": Verdict.UNKNOWN, "ledger": Verdict.PASSED})

    gone, come = shown(*map(two_tools.run, (seen, blind))), shown(*map(two_tools.run, (blind, seen)))

    assert "seen before, undecided now: missing_row" in gone
    assert gone.endswith("UNKNOWN: 1 of 1 cell undecided\n")
    assert "seen now, undecided before, unexpected: missing_row" in come
    assert "vanished" not in gone + come
    assert "appeared" not in gone + come


@pytest.mark.parametrize(("outcome", "status"), [(P, 0), (R, 0), (F, 1), (U, 3)])
def test_a_cell_that_only_the_second_run_has_counts(outcome: Outcome, status: int) -> None:
    """By its outcome, which is said."""
    before = documents.document([clean()])
    change = compare_runs(before, documents.document([clean(), judged(outcome)]))

    assert change_status(change) == status
    assert conclusion(change).endswith("1 cell only in the second run" + ("" if outcome.good else f" (1 {outcome})"))


def test_cells_of_one_name_do_not_hide_each_other() -> None:
    """They are compared in their order."""
    change = compare_runs(documents.document([judged(P), judged(P)]), documents.document([judged(F), judged(P)]))

    assert [each.became for each in change.changed] == [WORSE]
    assert change.unchanged == 1


def gap(reason: str = "no key", mode: SessionMode | None = None) -> NotVerifiedDocument:
    return NotVerifiedDocument(scenario="streaming", reason=reason, session_mode=mode)


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        ([], ["worker 'gw1' crashed"], 3),
        (["worker 'gw0' crashed"], ["worker 'gw1' crashed"], 3),
        (["worker 'gw1' crashed"], ["worker 'gw1' crashed"] * 2, 3),
        (["worker 'gw1' crashed"], ["worker 'gw1' crashed"], 0),
        (["worker 'gw1' crashed"], [], 0),
        ([], [gap()], 3),
        ([gap("no engine")], [gap()], 3),
        ([gap(mode=SessionMode.SHARED)], [gap()], 3),
        ([gap()], [gap(mode=SessionMode.SHARED)], 0),
        ([gap()], [gap()], 0),
        ([gap()], [], 0),
    ],
)
def test_problems_and_gaps_of_one_run_alone_are_shown(before: list[object], after: list[object], status: int) -> None:
    """In both formats, and in the last word; those of the second run leave the answer unknown."""
    runs = [
        documents.document(
            [clean()],
            problems=[each for each in told if isinstance(each, str)],
            not_verified=[each for each in told if isinstance(each, NotVerifiedDocument)],
        )
        for told in (before, after)
    ]
    change = compare_runs(*runs)
    text, page = shown(*runs), change_page(change)

    assert change_status(change) == status
    for only, side in ((change.only_before, "first"), (change.only_after, "second")):
        listed = {
            f"Problems of the {side} run alone": only.problems,
            f"Not verified in the {side} run alone": only.gaps,
        }
        for title, what in listed.items():
            assert (f"{title} ({len(what)})\n" in text) == bool(what)
            assert (f"## {title}: {len(what)}\n" in page) == bool(what)
        assert (f"of the {side} run alone" in conclusion(change)) == any(listed.values())


def test_a_second_run_that_verified_nothing_says_so() -> None:
    """It is not that nothing changed."""
    assert conclusion(compare_runs(documents.document([]), documents.document([]))) == (
        "UNKNOWN: the second run verified nothing"
    )


def cell(seen: object) -> CellDocument:
    return documents.cell("single_tool", SessionMode.SHARED, evidence=seen)  # type: ignore[arg-type]  # an Evidence


def test_the_first_difference_is_the_earliest() -> None:
    """Not that of the first tool: the second one went another way before."""
    one, other = two_tools.evidence(shared=False), two_tools.evidence(shared=False, turn="b", start=3.0)
    first, second = other.statements.items
    changed = replace(
        other,
        statements=Record.of("statements", [first, replace(second, sql="DELETE FROM notes", failed=True)]),
        tools=Record.of(
            "tools", [replace(run, outcome=ToolOutcome.RAISED, error_type="E") for run in other.tools.items]
        ),
    )

    found = first_difference(cell(one), cell(changed))

    assert (found.turn, found.actor, found.step, found.reason) == (1, "search_documents", 2, "")
    assert found.before is not None
    assert found.after is not None
    assert (found.before.operation, found.before.sql) == ("statement", "INSERT INTO notes VALUES ($1)")
    assert (found.after.operation, found.after.sql) == ("statement that failed", "DELETE FROM notes")
    assert found.after.place == "app/search_documents.py:11 in search_documents"


def test_a_side_may_have_no_further_step() -> None:
    """A tool that did less."""
    one, other = two_tools.evidence(), two_tools.evidence(turn="b", start=3.0)
    less = replace(
        other,
        operations=Record.of("operations", other.operations.items[:2]),
        tools=Record.of("tools", other.tools.items[:1]),
    )

    found = first_difference(cell(one), cell(less))

    assert (found.actor, found.step, found.after) == ("search_documents", 3, None)
    assert found.before is not None
    assert found.before.operation == "commit"


def test_where_all_did_the_same_the_order_is_compared() -> None:
    """And if that is the same too, it is said."""
    one, other = two_tools.evidence(), two_tools.evidence(turn="b", start=3.0)
    first, second = other.statements.items
    swapped = [replace(first, interval=second.interval), replace(second, interval=first.interval)]

    order = first_difference(cell(one), cell(replace(other, statements=Record.of("statements", swapped))))
    same = first_difference(cell(one), cell(other))

    assert order.reason == "every task did the same, and in another order"
    assert (order.before and order.before.actor, order.after and order.after.actor) == (
        "search_directory",
        "search_documents",
    )
    assert same.reason == "every task did the same with the database, and in the same order"


def test_tools_of_one_name_are_told_apart_by_the_plan() -> None:
    """Whatever their calls' identifiers are."""
    one, other = two_tools.evidence(shared=False), two_tools.evidence(shared=False, turn="b")
    seen = []
    for each in (one, other):
        (turn,) = each.turns
        planned = tuple(replace(call, tool="search") for call in turn.planned)
        runs = [replace(run, tool="search") for run in each.tools.items]
        seen.append(replace(each, turns=(replace(turn, planned=planned),), tools=Record.of("tools", runs)))
    seen[1] = replace(seen[1], statements=Record.of("statements", seen[1].statements.items[:1]))

    assert first_difference(cell(seen[0]), cell(seen[1])).actor == "search #2"


def test_turns_are_compared_in_their_order() -> None:
    """One more is a difference after all others."""
    one, two = two_tools.evidence(), two_tools.evidence(turn="b", start=11.0)
    both = replace(
        one,
        turns=one.turns + two.turns,
        operations=Record.of("operations", one.operations.items + two.operations.items),
        statements=Record.of("statements", one.statements.items + two.statements.items),
        tools=Record.of("tools", one.tools.items + two.tools.items),
    )

    found = first_difference(cell(one), cell(both))

    assert (found.turn, found.reason) == (2, "only the second run has turn 2")


@pytest.mark.parametrize("name", ["operations", "statements", "tools"])
def test_a_record_that_is_absent_is_said(name: str) -> None:
    """Nothing is concluded from what nobody saw."""
    seen = two_tools.evidence()
    blind = replace(two_tools.evidence(turn="b"), **{name: Record.absent(name, "it was not installed")})  # type: ignore[arg-type]  # a record

    found = first_difference(cell(seen), cell(blind))

    assert found.reason == f"the second run has no record of its {name}: it was not installed"


def test_where_there_is_no_turn_nothing_was_the_same() -> None:
    """And of what names no turn it is said that it was not compared."""
    seen = two_tools.evidence()
    nowhere = [replace(each, turn=None) for each in seen.statements.items]
    strayed = cell(replace(seen, statements=Record.of("statements", nowhere)))
    bare = cell(replace(seen, turns=()))

    assert first_difference(bare, bare).reason == "neither run has a turn of it"
    assert first_difference(strayed, strayed).reason == (
        "every task did the same with the database, and in the same order; not compared: 4 records that name no turn"
    )


@pytest.mark.parametrize("width", [60, 120])
def test_hostile_runs_are_compared(width: int) -> None:
    """Nothing of theirs drives a terminal, or is a link, picture or HTML of a page."""
    hostile = redact(documents.hostile())
    after = RunDocument.model_validate_json(
        JsonWriter().write(hostile).replace('"as_expected": true', '"as_expected": false')
    )

    text, page = shown(hostile, after, width=width), change_page(compare_runs(hostile, after))

    assert "\x1b" not in text + page
    assert "\u202e" not in text + page
    assert "[bold red]not markup[/]" in " ".join(text.split())
    assert set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", rendered(page))) <= {
        *("h1", "h2", "h3", "ul", "li", "p", "strong", "code", "pre"),
    }
    assert len(page) < 200_000
