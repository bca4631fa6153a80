"""The report on a terminal."""

import io

import pytest
from inline_snapshot import snapshot
from rich.console import Console
from rich.text import Text

from harness.report import terminal
from harness.report.document import RunDocument
from harness.report.markdown import MarkdownWriter
from harness.report.redact import redact
from tests.report import documents


def test_a_run_as_expected_is_a_table_and_a_few_sentences() -> None:
    """Rows are scenarios, columns are modes, and it fits 80 columns."""
    assert terminal.render(documents.as_expected(), width=80) == snapshot("""\
backend fixtures.backend.adapter:backend
PostgreSQL 18.1, embedded: no Docker engine answers

scenario            shared          per_operation  locked        sequential
───────────────────────────────────────────────────────────────────────────
four_mixed_tools    reproduced 8/8  passed 8/8     passed 2/2    passed 2/2
single_tool         passed 8/8      passed 8/8     passed 2/2    passed 2/2
streaming           -               -              not verified  -
two_parallel_tools  reproduced 8/8  passed 8/8     passed 2/2    passed 2/2
two_users_at_once   reproduced 6/6  passed 8/8     passed 2/2    passed 2/2
                    passed 2/2

Not verified (1)
  streaming, locked: the backend cannot stream

per_operation: 32 of 32 cells passed
shared: bug reproduced in 22 of 22, as expected; 10 of 10 clean cells passed
locked: 8 of 8 cells passed
sequential: 8 of 8 cells passed
AS EXPECTED: 80 of 80 cells, 80 turns, 42.1 s
""")


def test_what_is_not_as_expected_follows_in_full() -> None:
    """Unexpected findings with their command, what was not verified, and the problems."""
    assert terminal.render(documents.troubled(), width=100) == snapshot("""\
backend fixtures.backend.adapter:backend
PostgreSQL 18.1, embedded: no Docker engine answers

scenario            shared        per_operation  locked
─────────────────────────────────────────────────────────────
single_tool         -             UNKNOWN 1/1    not verified
streaming           not verified  not verified   not verified
two_parallel_tools  FAILED 1/2    FAILED 1/2     -

Not as expected
  FAILED two_parallel_tools, shared warm scripted (expected: reproduced)
    expected finding 'concurrent_operation' did not appear
    $ sessionproof verify --scenario two_parallel_tools --mode shared --pool-state warm --tier scripted

  FAILED two_parallel_tools, per_operation warm scripted (expected: clean)
    missing_row: The provider served 1 request, and no row bills it. (turn 1), 2 times
      app/services/llm_request_tracker.py:88 in track_request
      usual cause: The provider served a response, and its cost row was never written, or was rolled
      back together with another tool's work.
      repair: Let the cost tracker write and commit in a session of its own.
    $ sessionproof verify --scenario two_parallel_tools --mode per_operation --pool-state warm --tier scripted

  UNKNOWN single_tool, per_operation warm scripted (expected: clean)
    check 'ledger' could not decide: the ledger could not be read: no such table
    $ sessionproof verify --scenario single_tool --mode per_operation --pool-state warm --tier scripted

Not verified (2)
  single_tool, locked: the backend has no mode 'locked'
  streaming, all modes: the backend cannot stream

Problems of the run
  worker 'gw1' crashed

per_operation: 1 of 3 cells passed; 1 FAILED; 1 UNKNOWN
shared: bug reproduced in 1 of 2; 1 FAILED
NOT AS EXPECTED: 3 of 5 cells, 5 turns, 42.1 s
""")


def test_a_run_without_cells_says_that_nothing_was_verified() -> None:
    """There is no empty table, and the last line says UNKNOWN."""
    assert terminal.render(documents.empty()) == snapshot("""\
backend fixtures.backend.adapter:backend
no PostgreSQL server was started

Problems of the run
  no PostgreSQL server could be started

UNKNOWN: nothing was verified (0 turns, 42.1 s)
""")


@pytest.mark.parametrize(
    ("reserved", "more"),
    [("0", ""), ("0.012", ", and 0.012 more at most, for those whose cost is not known")],
)
def test_what_a_run_has_cost(reserved: str, more: str) -> None:
    """With what is not known of it; on the page, too, and nowhere if there is no budget."""
    made = documents.paid(reserved=reserved)
    said = f"model requests have cost 0.0000012 US dollars{more}; the budget is 0.50"

    assert said in terminal.render(made, width=200).splitlines()
    assert f"- {said}" in MarkdownWriter().write(made).splitlines()
    assert "budget" not in terminal.render(documents.troubled()) + MarkdownWriter().write(documents.troubled())


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_command_is_never_broken(width: int) -> None:
    """It is there to be copied."""
    made = documents.troubled()

    lines = terminal.render(made, width=width).splitlines()

    for cell in made.cells:
        if not cell.as_expected:
            assert f"    $ {cell.reproduce}" in lines


@pytest.mark.parametrize("made", [documents.as_expected(), documents.troubled(), documents.empty()])
def test_colour_is_never_the_only_sign(made: RunDocument) -> None:
    """With colours and without, the words are the same."""
    stream = io.StringIO()
    terminal.show(made, Console(file=stream, width=100, force_terminal=True, color_system="truecolor"))
    coloured = stream.getvalue()

    words = [line.plain.rstrip() for line in Text.from_ansi(coloured).split()]

    assert "\x1b[" in coloured
    assert "\n".join(words).strip() == terminal.render(made, width=100).strip()


def test_hostile_text_neither_drives_the_terminal_nor_is_read_as_markup() -> None:
    """Control characters are shown as escapes, markup as it is, and a megabyte is cut."""
    shown = terminal.render(redact(documents.hostile()), width=120)

    assert all(character.isprintable() or character == "\n" for character in shown)
    assert "[bold red]not markup[/]" in shown
    assert r"escape\x1b[31m" in shown
    assert len(shown) < 40_000


def test_the_whole_matrix_fits_80_columns() -> None:
    """Where wide gaps would break a scenario's name, the gaps are narrow."""
    cells = [
        documents.expected_to_show("two_parallel_tools", mode) for mode in documents.ORDINARY_MODES for _ in range(8)
    ]

    table = terminal.render(documents.document(cells), width=80).splitlines()

    assert "two_parallel_tools reproduced 8/8 reproduced 8/8 reproduced 8/8 reproduced 8/8" in table
