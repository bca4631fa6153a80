"""The application's lines in a report."""

from collections.abc import Sequence

from harness.report.document import ExcerptDocument, RunDocument, SourceFileDocument
from harness.report.formats import run_formats
from harness.report.sources import FRAMES_LIMIT, Excerpt, frames_of, sources_of
from harness.scenario import SessionMode
from harness.verdict import Finding, FindingKind
from tests.report import documents


def pointing_to(*frames: str, files: Sequence[SourceFileDocument] = ()) -> RunDocument:
    finding = Finding(kind=FindingKind.MISSING_ROW, message="lost", check="ledger", stack=frames)
    made = documents.document([documents.cell("s", SessionMode.SHARED, findings=[finding])])
    return made.model_copy(update={"source_files": tuple(files)})


def kept(file: str, first: int, last: int) -> SourceFileDocument:
    lines = tuple(f"line {number}" for number in range(first, last + 1))
    return SourceFileDocument(file=file, excerpts=(ExcerptDocument(first=first, lines=lines),))


def test_a_place_is_shown_with_its_neighbours() -> None:
    """Two lines before and after, as far as they were kept."""
    document = pointing_to(
        "a.py:4 in work", "a.py:8 in work", "a.py:99 in work", "b.py:1 in f", files=[kept("a.py", 2, 9)]
    )

    assert sources_of(document) == {
        "a.py:4 in work": Excerpt(first=2, at=4, lines=("line 2", "line 3", "line 4", "line 5", "line 6")),
        "a.py:8 in work": Excerpt(first=6, at=8, lines=("line 6", "line 7", "line 8", "line 9")),
    }


def test_why_lines_are_missing_stands_in_their_place() -> None:
    """At the number of the line."""
    document = pointing_to("a.py:4 in work", files=[SourceFileDocument(file="a.py", missing="the file was changed")])

    assert sources_of(document) == {
        "a.py:4 in work": Excerpt(first=4, at=4, lines=("[not shown: the file was changed]",))
    }


def test_a_page_that_is_made_again_has_the_lines_of_the_run() -> None:
    """Whatever stands in this machine's files."""
    here = pointing_to(f"{__file__}:1 in f", files=[kept(__file__, 1, 3)])

    (page,) = run_formats()["html"].render(here, "").values()
    (without,) = run_formats()["html"].render(pointing_to(f"{__file__}:1 in f"), "").values()

    assert "line 1" in page
    assert "line 1" not in without
    assert "The application&#39;s lines in a report" not in page + without


def test_what_is_not_as_expected_comes_first() -> None:
    """So that it is what there is room for."""
    frames = [f"a.py:{number} in f" for number in range(1, 2 * FRAMES_LIMIT)]
    good = documents.expected_to_show("a", SessionMode.SHARED)
    document = documents.document([good, *pointing_to(*frames).cells]).model_copy(
        update={"source_files": (kept("a.py", 1, 2000),)}
    )

    assert next(frames_of(document))[0] == "a.py:1 in f"
    assert len(sources_of(document)) == FRAMES_LIMIT


def test_what_names_no_line_has_no_lines() -> None:
    """One definition of a frame for all reports: its line is a number from 1, before a function."""
    frames = ("no place at all", "a.py: in f", "a.py:0 in f", "C:\\shop\\a.py:41 in Shop.<locals>.work")

    assert [(frame, place.file, place.line) for frame, place in frames_of(pointing_to(*frames))] == [
        (frames[-1], "C:\\shop\\a.py", 41)
    ]
