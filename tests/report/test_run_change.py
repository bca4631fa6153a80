"""What changed from one run to another."""

import io
import re
from dataclasses import replace

import pytest
from inline_snapshot import snapshot
from rich.console import Console

from harness.evidence import Record, ToolOutcome
from harness.report.document import CellDocument, RunDocument
from harness.report.redact import redact
from harness.report.run_change import Became, change_status, compare_runs, conclusion
from harness.report.run_change_markdown import change_page
from harness.report.run_change_terminal import show_change
from harness.report.run_json import JsonWriter
from harness.report.steps import first_difference
from harness.scenario import PoolState, SessionMode
from harness.verdict import Expectation, FindingKind
from tests.report import documents, two_tools
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
  appeared: session_overlap at app/services/vector.py:21 in VectorService.find: on Session 1, Session.execute of
  search_documents began while another was in flight
  because: unexpected finding 'session_overlap'
  first difference: turn 1, search_directory, step 1
    first run:  begin, on a session of its own
                before SELECT 1 FROM directory
                at app/search_directory.py:10 in search_directory
    second run: begin, on a session shared with search_documents
                before SELECT 1 FROM directory
                at app/search_directory.py:10 in search_directory
  $ sessionproof verify --scenario two_parallel_tools --mode per_operation --pool-state warm --tier scripted

0 cells are as they were
WORSE: 1 of 1 cell worse
""")


def test_the_same_as_a_page() -> None:
    """For a pull request."""
    assert change_page(compare_runs(two_tools.run(clean()), two_tools.run(broken()))) == snapshot("""\
# WORSE: 1 of 1 cell worse

- first run: `passed, 1 cell, 2030-01-02T03:04:05+00:00, sessionproof verify`
- second run: `failed, 1 cell, 2030-01-02T03:04:05+00:00, sessionproof verify`
- 0 cells are as they were

### worse: two_parallel_tools/per_operation-warm-scripted

Was passed, is **FAILED**.

- appeared: **session_overlap**, at `app/services/vector.py:21 in VectorService.find`: `on Session 1, Session.execute of search_documents began while another was in flight`
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

    text = shown(before, after)

    assert "Only in the first run (1)\n  two_parallel_tools/per_operation-cold-scripted\n" in text
    assert "Only in the second run (1)\n  two_parallel_tools/shared-warm-scripted\n" in text
    assert text.endswith("1 cell is as it was\nUNKNOWN: 1 only in the first run, 1 only in the second run\n")


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
        seen.append(replace(each, turns=(replace(turn, planned=planned),)))
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


def test_a_record_that_is_absent_is_said() -> None:
    """Nothing is concluded from what nobody saw."""
    blind = documents.cell("single_tool", SessionMode.SHARED)

    found = first_difference(cell(two_tools.evidence()), blind)

    assert found.reason == "the second run has no record of its operations: it was not installed"


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
