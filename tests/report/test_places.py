"""Where in the code a finding is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.evidence import PlaceSeen, RaceKind
from harness.report.document import FindingDocument
from harness.report.places import Roots, innermost, parse_frame, race_of, races_of_findings
from harness.scenario import SessionMode
from tests.report import documents, two_tools

law = settings(derandomize=True, deadline=None, max_examples=300)


@pytest.mark.parametrize(
    ("file", "roots", "relative"),
    [
        ("/w/shop/app/a.py", Roots(directory="/w/shop"), "app/a.py"),
        ("app/a.py", Roots(directory="/w/shop"), "app/a.py"),
        ("app/a.py", Roots(directory="/w/shop/back", root="/w/shop"), "back/app/a.py"),
        ("../app/a.py", Roots(directory="/w/shop/back", root="/w/shop"), "app/a.py"),
        ("/w/shop/app/a.py", Roots(directory="/w/shop", root="/elsewhere/shop"), "app/a.py"),
        ("/w/shopping/a.py", Roots(directory="/w/shop"), None),
        ("/usr/lib/a.py", Roots(directory="/w/shop"), None),
        ("../a.py", Roots(directory="/w/shop"), None),
        ("app/a.py", Roots(), "app/a.py"),
        ("../a.py", Roots(), None),
        ("/w/a.py", Roots(), None),
        ("C:\\shop\\app\\a.py", Roots(directory="c:\\Shop"), "app/a.py"),
        ("app\\a.py", Roots(directory="C:\\shop"), "app/a.py"),
        ("D:\\app\\a.py", Roots(directory="C:\\shop"), None),
        ("/a.py", Roots(directory="/"), "a.py"),
        ("C:\\app\\a.py", Roots(directory="/w/shop"), None),
        ("<string>", Roots(directory="/w/shop"), None),
        ("<frozen importlib._bootstrap>", Roots(), None),
    ],
)
def test_a_file_is_relative_to_the_root_or_to_where_the_run_was(file: str, roots: Roots, relative: str | None) -> None:
    """Also if it was named relative, on another machine, or on another system."""
    assert roots.relative(file) == relative


@pytest.mark.parametrize(
    ("file", "directory", "uri"),
    [
        ("/usr/lib/a b.py", "/w/shop", "file:///usr/lib/a%20b.py"),
        ("../a.py", "/w/shop", "file:///w/a.py"),
        ("../a.py", "", "../a.py"),
        ("odd:name.py", "", "odd%3Aname.py"),
        ("//usr/lib/a.py", "/w", "file:///usr/lib/a.py"),
        ("C:\\lib\\a b#c.py", "", "file:///C:/lib/a%20b%23c.py"),
        ("D:/lib/a.py", "C:\\shop", "file:///D:/lib/a.py"),
        ("..\\a.py", "C:\\shop\\back", "file:///C:/shop/a.py"),
        ("\\\\server\\share\\lib\\a.py", "C:\\shop", "file://server/share/lib/a.py"),
        ("\\\\?\\C:\\lib\\a.py", "", "file:///C:/lib/a.py"),
        ("\\\\?\\UNC\\server\\share\\a.py", "", "file://server/share/a.py"),
        ("C:\\a.py", "/w/shop", "file:///C:/a.py"),
    ],
)
def test_a_file_has_an_address(file: str, directory: str, uri: str) -> None:
    """By the rules of its own system; a colon stands where it is a drive's, and nowhere else."""
    assert Roots(directory=directory).uri(file) == uri


@law
@given(st.text(), st.text(), st.text())
def test_a_relative_path_stays_below(file: str, directory: str, root: str) -> None:
    """Whatever the names are, nothing is called relative that leaves the folder."""
    found = Roots(directory=directory, root=root).relative(file)

    assert found is None or (".." not in found.split("/")[:1] and not found.startswith("/"))


def test_a_file_has_a_name_that_is_the_same_everywhere() -> None:
    """Within the sources, within its package, or only its own."""
    roots = Roots(directory="/w/shop")

    assert roots.stable("/w/shop/app/a.py") == "app/a.py"
    assert roots.stable("/venv/lib/python3.13/site-packages/pkg/a.py") == "pkg/a.py"
    assert roots.stable("/w/shop/.venv/lib/python3.13/site-packages/pkg/a.py") == "pkg/a.py"
    assert roots.stable("/tmp/made/a.py") == "a.py"


@law
@given(st.text(min_size=1), st.integers(1, 999_999), st.text(min_size=1))
def test_a_frame_is_read_back(file: str, line: int, function: str) -> None:
    """As far as the text can tell: a function's name may have anything in it."""
    place = PlaceSeen(file=file, line=line, function=function)

    read = parse_frame(str(place))

    assert read is not None
    assert str(read) == str(place)


@pytest.mark.parametrize("frame", ["", "app.py", "app.py:x in f", "app.py:0 in f", ":1 in f", "app.py:1 in "])
def test_what_is_no_frame_has_no_place(frame: str) -> None:
    """Without an error."""
    assert parse_frame(frame) is None


def test_the_innermost_frame_of_the_sources_is_the_place() -> None:
    """A library's frames are taken only if there are no others."""
    own, library = (PlaceSeen(file=file, line=1, function="f") for file in ("/w/shop/a.py", "/usr/lib/b.py"))
    roots = Roots(directory="/w/shop")

    assert innermost([own, library], roots) == own
    assert innermost([library], roots) == library
    assert innermost([], roots) is None


def test_what_is_no_file_is_the_place_only_if_there_is_no_other() -> None:
    """It says nothing to whoever looks for the line."""
    real, none = (PlaceSeen(file=file, line=1, function="f") for file in ("/usr/lib/b.py", "<string>"))

    assert innermost([real, none], Roots(directory="/w/shop")) == real
    assert innermost([none], Roots(directory="/w/shop")) == none


@pytest.mark.parametrize("kind", RaceKind)
def test_findings_find_their_races(kind: RaceKind) -> None:
    """Two of one place each get their own, in their order; a finding of another check gets none."""
    seen = [two_tools.race(kind, turn=turn) for turn in ("a", "b")]
    other = documents.troubled_cells("single_tool", SessionMode.SHARED)[0].findings[0]
    made = documents.cell(
        "single_tool",
        SessionMode.SHARED,
        findings=[two_tools.finding(each) for each in reversed(seen)],
        evidence=two_tools.evidence(races=seen),
    )
    made = made.model_copy(update={"findings": (other, *made.findings)})

    assert races_of_findings(made) == {1: seen[1], 2: seen[0]}


@pytest.mark.parametrize("kind", RaceKind)
def test_a_finding_finds_its_race_among_others(kind: RaceKind) -> None:
    """The same one as among all of the cell; a bleed also if its finding has another frame."""
    seen = [two_tools.race(kind, turn=turn) for turn in ("a", "b")]
    told = [FindingDocument.of(two_tools.finding(each), "") for each in seen]
    elsewhere = told[0].model_copy(update={"stack": ("app/elsewhere.py:1 in f",)})

    assert [race_of(each, seen) for each in told] == seen
    assert race_of(told[0], seen[1:]) is None
    assert race_of(elsewhere, seen) == (seen[0] if kind is RaceKind.BLEED else None)


@pytest.mark.parametrize(
    ("file", "started", "name"),
    [
        ("app/a.py", "/w/shop", "app/a.py"),
        ("a.py", "/w/shop/app", "app/a.py"),
        ("/w/shop/app/a.py", "/w/shop/tests", "app/a.py"),
        ("/w/other/a.py", "/w/shop/app", "a.py"),
        ("/w/shop/.venv/lib/site-packages/stock/a.py", "/w/shop/app", "stock/a.py"),
    ],
)
def test_a_file_has_one_name_from_whichever_folder_of_the_work_tree_the_run_was_started(
    file: str, started: str, name: str
) -> None:
    """What tells findings of two runs apart is the same; what is shown is still relative to where it ran."""
    assert Roots(directory=started, top="/w/shop").stable(file) == name
    assert Roots(directory=started, top="/w/shop").relative(file) == Roots(directory=started).relative(file)


def test_a_root_that_is_named_goes_before_the_work_tree() -> None:
    """As in proofs, whose checkouts lie elsewhere."""
    assert Roots(directory="/w/shop/app", top="/w", root="/w/shop").stable("a.py") == "app/a.py"
