"""Cells and turns by their names."""

from dataclasses import replace

import pytest

from harness.errors import UsageError
from harness.evidence import Record
from harness.report.selection import cell_name, nearest, select_cells, select_turn
from harness.scenario import PoolState, SessionMode
from harness.verdict import Verdict
from tests.report import documents, two_tools


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ((), 5),
        (("single_tool",), 1),
        (("two_parallel_tools/shared-cold-scripted",), 1),
        (("two_parallel_tools/*",), 4),
        (("*/*-warm-*",), 3),
        (("single_tool", "*/shared-cold-scripted"), 2),
    ],
)
def test_cells_are_selected_by_name_scenario_or_pattern(wanted: tuple[str, ...], count: int) -> None:
    """All of them without a name."""
    (made,) = select_cells([documents.troubled()], wanted)

    assert len(made.cells) == count


def test_the_verdict_is_that_of_the_selected_cells() -> None:
    """A problem of the run is still one."""
    (good,) = select_cells([documents.troubled()], ["*-cold-*"])
    (bad,) = select_cells([documents.as_expected()], ["single_tool/*"])

    assert (good.verdict, bad.verdict) == (Verdict.UNKNOWN, Verdict.PASSED)
    assert good.turns == 2


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        ("single_tool", ["streaming", "single_tool"]),
        ("single_tool/per_operation-warm-scripted", ["streaming", "single_tool"]),
        ("two_parallel_tools/*-cold-*", ["streaming"]),
        ("streaming", ["streaming"]),
    ],
)
def test_what_was_not_verified_is_left_out_only_with_its_scenario(wanted: str, kept: list[str]) -> None:
    """A gap of a scenario without any cell belongs to none that could be left out."""
    (made,) = select_cells([documents.troubled()], [wanted])

    assert [gap.scenario for gap in made.not_verified] == kept


def test_a_scenario_that_was_not_verified_can_be_selected() -> None:
    """It has no cell, and so no verdict."""
    (made,) = select_cells([documents.troubled()], ["streaming"])

    assert (made.cells, made.verdict) == ((), Verdict.UNKNOWN)


def test_what_is_said_of_the_whole_run_stays() -> None:
    """Costs above all: the requests of the cells that are left out were paid, too."""
    whole = documents.paid()

    (made,) = select_cells([whole], ["single_tool"])

    assert made == whole
    assert made.costs is not None


def test_a_cell_that_is_not_there_names_the_nearest() -> None:
    """Also of two runs, where one having it is enough."""
    run = two_tools.run(two_tools.shared())
    with pytest.raises(UsageError) as caught:
        select_cells([run], ["two_paralel_tools/shared-warm-scripted"])

    assert str(caught.value) == (
        "there is no cell 'two_paralel_tools/shared-warm-scripted' in the run; "
        "the nearest is 'two_parallel_tools/shared-warm-scripted'"
    )
    chosen = select_cells([run, two_tools.run(two_tools.own_sessions())], ["*/shared-*"])
    assert [len(each.cells) for each in chosen] == [1, 0]


def test_without_a_near_name_there_is_a_list() -> None:
    """Of a few."""
    assert nearest("x", ["aaa", "bbb"]) == "there are aaa, bbb"
    assert nearest("x", []) == "there are none"
    assert nearest("x", map(str, range(10, 20))) == "there are 10, 11, 12, 13, 14 and 5 more"


def test_a_turn_is_selected_by_number_id_or_its_beginning() -> None:
    """With what was seen of it, and the findings of it and of no turn."""
    document = two_tools.run(two_tools.shared())

    for wanted in ("1", two_tools.TURN, two_tools.TURN[:8]):
        (cell,) = select_turn(document, wanted).cells
        assert cell.evidence.tools == document.cells[0].evidence.tools
        assert cell.evidence.races == document.cells[0].evidence.races
        assert len(cell.findings) == 1


def test_what_belongs_to_another_turn_is_left_out() -> None:
    """And what has no turn is kept if it was then."""
    seen, other = two_tools.evidence(), two_tools.evidence(turn="other", start=50.0)
    (given, _) = seen.pool.items
    nobodys = [replace(given, turn=None), replace(given, turn=None, at=50.0)]
    both = replace(
        seen,
        turns=seen.turns + other.turns,
        races=Record.of("races", [two_tools.overlap(), two_tools.overlap(turn="other")]),
        operations=Record.of("operations", seen.operations.items + other.operations.items),
        pool=Record.of("pool", nobodys),
    )
    document = two_tools.run(documents.cell("single_tool", SessionMode.SHARED, evidence=both))

    (cell,) = select_turn(document, "2").cells

    assert [turn.id for turn in cell.evidence.turns] == ["other"]
    assert {operation.turn for operation in cell.evidence.operations.items} == {"other"}
    assert [each.at for each in cell.evidence.pool.items] == [50.0]
    assert len(cell.evidence.races.items) == 1


@pytest.mark.parametrize("wanted", ["0", "2", "9", "1f8b", "", "0f8b6f3e-0000-4000-8000-000000000002"])
def test_a_turn_that_is_not_there_is_refused(wanted: str) -> None:
    """With what there is."""
    with pytest.raises(UsageError, match=r"^there is no turn '.*' in the cells that were asked for; .*0f8b6f3e"):
        select_turn(two_tools.run(two_tools.shared()), wanted)


def test_a_number_needs_one_cell() -> None:
    """Each cell has a first turn."""
    document = two_tools.run(two_tools.shared(), two_tools.own_sessions(turn="other"))

    with pytest.raises(UsageError, match=r"turn '1' is not one turn but 2: name its cell by --cell"):
        select_turn(document, "1")
    assert cell_name(select_turn(document, "other").cells[0]) == "two_parallel_tools/per_operation-warm-scripted"


def test_a_record_that_is_absent_stays_absent() -> None:
    """What was not seen in the run was not seen in the turn."""
    cell = documents.cell("single_tool", SessionMode.SHARED, pool_state=PoolState.COLD)

    (made,) = select_turn(two_tools.run(cell), "1").cells

    assert made.evidence.tools.missing == "it was not installed"
