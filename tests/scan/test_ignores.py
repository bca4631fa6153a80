"""Comments that accept findings, and comments that do not."""

from pathlib import Path

import pytest

from harness.scan.codes import Code
from tests.scan.programs import findings

BOTH = "async def f(session: AsyncSession):\n{above}    await asyncio.gather(use(session), use(session)){beside}\n"


def _found(folder: Path, *, above: str = "", beside: str = "") -> list[tuple[Code, str]]:
    above = f"    {above}\n" if above else ""
    found = findings(folder, BOTH.format(above=above, beside=f"  {beside}" if beside else ""))
    return [(each.code, each.message) for each in found]


@pytest.mark.parametrize("comment", ["# sessionproof: ignore[SP201] measured", "#sessionproof:ignore[sp201]: measured"])
def test_a_comment_with_a_reason_accepts(tmp_path: Path, comment: str) -> None:
    """On the line, and on one of its own above it."""
    assert not _found(tmp_path, beside=comment)
    assert not _found(tmp_path, above=comment)


def test_a_comment_without_a_reason_accepts_nothing(tmp_path: Path) -> None:
    """And is told."""
    assert {code for code, _ in _found(tmp_path, beside="# sessionproof: ignore[SP201]")} == {
        Code.GATHER,
        Code.NO_REASON,
    }


def test_a_code_that_is_unknown_is_told_with_the_nearest(tmp_path: Path) -> None:
    """Also if there is none at all."""
    found = _found(tmp_path, beside="# sessionproof: ignore[SP2O1] measured")
    bare = _found(tmp_path, beside="# sessionproof: ignore measured")

    assert {code for code, _ in found} == {code for code, _ in bare} == {Code.GATHER, Code.UNKNOWN_CODE}
    assert any("There is no code 'SP2O1'; did you mean SP201?" in message for _, message in found)


def test_a_code_that_is_like_none_is_told_with_all(tmp_path: Path) -> None:
    """As it was written; and one in small letters is one."""
    found = _found(tmp_path, beside="# sessionproof: ignore[shared-session] measured")
    small = _found(tmp_path, beside="# sessionproof: ignore[sp201] measured")

    assert any("There is no code 'shared-session'; there are SP101, " in message for _, message in found)
    assert not small


def test_a_comment_that_accepts_nothing_is_told(tmp_path: Path) -> None:
    """It would hide the next one."""
    found = _found(tmp_path, beside="# sessionproof: ignore[SP201,SP101] measured")

    assert [code for code, _ in found] == [Code.UNUSED]
    assert "Nothing with the code SP101 is found there." in found[0][1]


def test_a_comment_in_a_text_is_none(tmp_path: Path) -> None:
    """Only what Python takes for a comment."""
    assert not findings(tmp_path, 'x = "# sessionproof: ignore[SP999]"')


@pytest.mark.parametrize("before", ["# noqa: E501  ", "# why not  "])
@pytest.mark.parametrize("after", ["", "  # noqa: E501", "  # type: ignore[misc]"])
def test_other_comments_may_stand_beside_it(tmp_path: Path, before: str, after: str) -> None:
    """Before it and after it; they are no reason."""
    assert not _found(tmp_path, beside=f"{before}# sessionproof: ignore[SP201] measured{after}")
    assert Code.NO_REASON in {code for code, _ in _found(tmp_path, beside=f"# sessionproof: ignore[SP201]{after}")}


@pytest.mark.parametrize("mark", ["\x0c", "\x85", "\u2028"])
def test_lines_are_those_of_python(tmp_path: Path, mark: str) -> None:
    """Other marks end none, so that the comment above a line is the one above it."""
    text = BOTH.format(above="    # sessionproof: ignore[SP201] measured\n", beside="")

    assert not findings(tmp_path, f"# one{mark}two\n\n\n{text}")


def test_a_comment_at_the_end_of_a_statement_counts_for_all_of_it(tmp_path: Path) -> None:
    """Formatters move it there; one within the statement, or after the next, does not count for it."""
    text = "async def f(session: AsyncSession):\n    await asyncio.gather(\n        use(session),{within}\n"
    text += "        use(session),\n    ){end}\n    print(1){after}\n"
    comment = "  # sessionproof: ignore[SP201] measured"

    assert not findings(tmp_path, text.format(within="", end=comment, after=""))
    for where in ("within", "after"):
        given = {"within": "", "end": "", "after": ""} | {where: comment}
        assert {each.code for each in findings(tmp_path, text.format(**given))} == {Code.GATHER, Code.UNUSED}
