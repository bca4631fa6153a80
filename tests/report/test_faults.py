"""The table of faults: what each did to the ledger in each way of billing, in every report for people."""

from harness.report import digest, terminal
from harness.report.markdown import MarkdownWriter
from harness.scenario import SessionMode
from harness.verdict import Damage
from tests.report import documents


def test_faults_have_a_table_of_their_own_in_the_summary() -> None:
    """With what is missing, twice there and wrong, and what failed; in capitals where it is not as expected."""
    page = MarkdownWriter().write(documents.with_faults())

    assert (
        "| fault | shared | per_operation | durable |\n"
        "| --- | --- | --- | --- |\n"
        "| connection &lt;cut&gt; | 1/0/0, tools 2 of 2, turns 0 of 1 | **FAILED** 1/0/0, tools 2 of 2, turns 0 of 1 "
        "| 0/0/0, tools 1 of 2, turns 1 of 1 |\n"
        "| latency | 0/0/0, tools 1 of 2, turns 1 of 1 | - | 0/0/0, tools 1 of 2, turns 1 of 1 |\n"
    ) in page


def test_the_matrix_and_its_headline_have_no_faults_in_them() -> None:
    """They are counted by themselves."""
    document = documents.with_faults()

    assert [name for name, _ in digest.matrix(document)] == ["single_tool"]
    assert digest.headline(document) == ["per_operation: 1 of 1 cell passed"]
    assert digest.losses(document) == [
        "shared: under 2 faults, ledger rows missing 1, twice 0, wrong 0; as expected",
        "per_operation: under 1 fault, ledger rows missing 1, twice 0, wrong 0; 1 NOT AS EXPECTED",
        "durable: under 2 faults, ledger rows missing 0, twice 0, wrong 0; as expected",
    ]


def test_the_terminal_shows_rows_per_fault() -> None:
    """One line each."""
    lines = [line.split() for line in terminal.render(documents.with_faults()).splitlines()]

    assert ["connection", "<cut>", "1/0/0", "FAILED", "1/0/0", "0/0/0"] in lines
    assert ["latency", "0/0/0", "-", "0/0/0"] in lines


def test_a_run_without_faults_says_nothing_of_them() -> None:
    """Neither a table nor a sentence."""
    document = documents.as_expected()

    assert digest.losses(document) == []
    assert "faults" not in MarkdownWriter().write(document)
    assert "missing/twice/wrong" not in terminal.render(document)


def test_what_nobody_could_count_is_not_none() -> None:
    """A cell that could not be reconciled shows question marks, and is told apart in the sum."""
    unknown = Damage(missing=None, duplicate=None, wrong=None, tools=None, failed_tools=None, turns=1, failed_turns=1)
    found = documents.cell(
        "ledger_cut", SessionMode.DURABLE, fault="a cut", damage=unknown, unknown="there is no invoice"
    )
    document = documents.document([*documents.with_faults().cells, found])

    assert "?/?/?, tools ? of ?, turns 1 of 1" in MarkdownWriter().write(document)
    assert digest.losses(document)[-1].startswith(
        "durable: under 3 faults, ledger rows missing 0, twice 0, wrong 0, unknown under 1; 1 NOT AS EXPECTED"
    )
