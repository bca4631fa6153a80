"""Annotations, and the page in a job's summary."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from harness.report import digest
from harness.report.document import RunDocument
from harness.report.github import GithubWriter, command, fitting
from harness.report.markdown import MarkdownWriter
from harness.report.redact import redact
from harness.scenario import PoolState, SessionMode
from harness.verdict import Finding, FindingKind
from tests.report import documents, two_tools

law = settings(derandomize=True, deadline=None, max_examples=300)

_COMMAND = re.compile(r"::(?P<name>error|warning|notice)(?: (?P<given>[^:]*))?::(?P<text>.*)")


def lines(document: RunDocument, *, root: str = "") -> list[str]:
    """The annotations."""
    return GithubWriter(root=root).write(document).splitlines()


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner takes it apart."""
    found = _COMMAND.fullmatch(line)
    assert found is not None, line
    given = dict(each.split("=", 1) for each in (found["given"] or "").split(",") if each)
    return found["name"], {key: unescaped(value) for key, value in given.items()}, unescaped(found["text"])


def unescaped(text: str) -> str:
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def test_a_run_as_expected_has_one_notice() -> None:
    """What reproduced as expected is no error."""
    assert lines(documents.as_expected()) == snapshot(
        [
            "::notice title=sessionproof::per_operation: 32 of 32 cells passed%0Ashared: bug reproduced in 22 of 22, as expected; 10 of 10 clean cells passed%0Alocked: 8 of 8 cells passed%0Asequential: 8 of 8 cells passed%0Anot verified: 1, with the reasons in the job's summary and in run.json%0AAS EXPECTED: 80 of 80 cells, 80 turns, 42.1 s"  # noqa: E501  # golden text
        ]
    )


def test_an_unexpected_finding_is_an_error_beside_the_code() -> None:
    """With cause, repair and the command that shows it again."""
    line, _ = lines(two_tools.run(two_tools.shared(expected=False)))

    name, given, text = parsed(line)
    assert name == "error"
    assert given == {
        "file": "app/services/vector.py",
        "line": "21",
        "title": "session_overlap in two_parallel_tools/per_operation-warm-scripted",
    }
    assert text.splitlines()[0].startswith("on Session 1, Session.execute of search_documents began")
    assert text.splitlines()[-1] == (
        "To see it: sessionproof verify --scenario two_parallel_tools --mode per_operation --pool-state warm "
        "--tier scripted"
    )
    assert "\nRepair: Open a session per operation" in text


def test_paths_are_relative_to_the_workspace() -> None:
    """Also if the run was started below it; a file outside of it is not named, because GitHub could not show it."""
    document = two_tools.run(two_tools.shared(expected=False))
    outside = replace(two_tools.finding(two_tools.overlap()), stack=("/usr/lib/x.py:3 in f",))

    assert parsed(lines(document, root="/home/ci")[0])[1]["file"] == "shop/app/services/vector.py"
    (line, _) = lines(two_tools.run(documents.cell("single_tool", SessionMode.PER_OPERATION, findings=[outside])))
    assert "file" not in parsed(line)[1]


def test_what_could_not_be_decided_is_a_warning_and_what_did_not_appear_an_error() -> None:
    """A finding that was expected is none, in a cell that lacks another one; a problem of the run is the first."""
    told = [
        (name, given["title"], text.splitlines()[0]) for name, given, text in map(parsed, lines(documents.troubled()))
    ]

    assert told == snapshot(
        [
            ("error", "sessionproof", "worker 'gw1' crashed"),
            (
                "error",
                "missing_row in two_parallel_tools/per_operation-warm-scripted",
                "The provider served 1 request, and no row bills it.",
            ),
            (
                "error",
                "not as expected: two_parallel_tools/shared-warm-scripted",
                "expected finding 'concurrent_operation' did not appear",
            ),
            (
                "warning",
                "not as expected: single_tool/per_operation-warm-scripted",
                "check 'ledger' could not decide: the ledger could not be read: no such table",
            ),
            ("notice", "sessionproof", "per_operation: 1 of 3 cells passed; 1 FAILED; 1 UNKNOWN"),
        ]
    )


def test_a_run_that_verified_nothing_is_an_error() -> None:
    """Also if it names no problem."""
    assert [line.split("::")[1].split()[0] for line in lines(documents.document([]))] == ["error", "notice"]
    assert "nothing was verified" in lines(documents.document([]))[0]


def many(count: int) -> RunDocument:
    """So many defects, of which the last costs money and the one before has no place."""
    findings = [
        Finding(
            kind=FindingKind.UNEXPECTED_ERROR, message=f"error {number}", check="errors", stack=(f"a.py:{number} in f",)
        )
        for number in range(1, count - 1)
    ]
    placeless = Finding(kind=FindingKind.UNEXPECTED_ERROR, message="somewhere", check="errors")
    costly = Finding(kind=FindingKind.MISSING_ROW, message="lost", check="ledger")
    return documents.document(
        [
            documents.cell(f"scenario_{number:02}", SessionMode.PER_OPERATION, findings=[finding])
            for number, finding in enumerate([*findings, placeless, costly])
        ]
    )


@pytest.mark.parametrize(("count", "shown", "left"), [(10, 10, 0), (11, 9, 2), (40, 9, 31)])
def test_at_most_ten_errors_are_printed(count: int, shown: int, left: int) -> None:
    """What costs money first; without a place last; and if there are more, how many."""
    told = [parsed(line) for line in lines(many(count))]
    errors = [text.splitlines()[0] for name, _, text in told if name == "error"]

    assert len(errors) == shown + bool(left)
    assert errors[:2] == ["lost", "error 1"]
    assert ("somewhere" in errors) is not bool(left)
    if left:
        assert errors[-1] == f"and {left} more, in the job's summary and in run.json"


def test_a_defect_in_several_cells_is_told_once() -> None:
    """With how many others there are."""
    cells = documents.troubled_cells("single_tool", SessionMode.PER_OPERATION)
    cells += documents.troubled_cells("two_users", SessionMode.PER_OPERATION)

    errors = [line for line in lines(documents.document(cells)) if line.startswith("::error")]

    assert len(errors) == 1
    assert parsed(errors[0])[2].endswith("Alike in 7 more cells.")


def test_cells_that_are_alike_but_for_the_place_are_told_apart() -> None:
    """Each place has its line; only what is the same in others is called alike."""
    told = two_tools.finding(two_tools.overlap())
    cells = [
        documents.cell(
            "single_tool", SessionMode.PER_OPERATION, pool_state=state, findings=[replace(told, stack=stack)]
        )
        for state, stack in zip(PoolState, [("a.py:1 in f",), ("a.py:1 in f",), ("b.py:2 in g",)], strict=False)
    ]

    errors = [parsed(line) for line in lines(documents.document(cells)) if line.startswith("::error")]

    assert [(given["file"], text.endswith("Alike in 1 more cell.")) for _, given, text in errors] == [
        ("a.py", True),
        ("b.py", False),
    ]


def test_objections_of_alike_cells_are_told_once() -> None:
    """With the command of the first."""
    cells = [
        documents.cell("single_tool", SessionMode.SHARED, pool_state=state, unknown="no table") for state in PoolState
    ]

    (warning,) = [parsed(line) for line in lines(documents.document(cells)) if line.startswith("::warning")]

    assert warning[2].endswith("Alike in 3 more cells.")


def test_hostile_text_is_no_command() -> None:
    """Each line is one command, and the runner finds in it what was put into it."""
    told = lines(redact(documents.hostile()))

    assert all(_COMMAND.fullmatch(line) for line in told)
    assert all(line.isprintable() for line in told)
    assert max(map(len, told)) < 20_000


@law
@given(st.text(), st.text())
def test_any_text_stays_in_its_place(title: str, text: str) -> None:
    """No character ends a command, a property or a line, and nothing is lost that can be shown."""
    line = command("error", text, title=title)

    name, given, shown = parsed(line)
    assert name == "error"
    assert "\n" not in line
    assert "\r" not in line
    assert set(given) <= {"title"}
    ordinary = "".join(character for character in text if character.isascii() and character.isalnum())
    assert len(text) > 1000 or all(character in shown for character in ordinary)


@law
@given(st.text(alphabet="ab`\n é", max_size=300), st.integers(0, 400))
def test_a_page_that_does_not_fit_is_cut(page: str, room: int) -> None:
    """To what there is room for, with a word about it; what fits is not touched."""
    made = fitting(page, room)

    assert len(made.encode()) <= room
    if len(page.encode()) <= room:
        assert made == page
    else:
        assert not made or made.endswith("`summary.md`\n")


def test_a_page_that_is_cut_is_still_a_page() -> None:
    """A fence that is open is closed, so that the word about it can be read."""
    page = MarkdownWriter().write(documents.troubled())
    inside = page.index("app/services/llm_request_tracker.py")

    made = fitting(page, len(page[:inside].encode()) + 140)

    assert made.count("```") % 2 == 0
    assert made.splitlines()[-3:-1] == ["```", ""]


def test_the_notice_has_what_faults_did_to_the_ledger() -> None:
    """A run of nothing but faults has no other sentence about its modes."""
    said = lines(documents.with_faults())[-1]

    for sentence in digest.losses(documents.with_faults()):
        assert sentence in said.replace("%25", "%")
    assert digest.losses(documents.with_faults())
