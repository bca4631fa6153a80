"""Comments that accept a finding: `# sessionproof: ignore[SP101] reason`.

Mechanism: such a comment counts for its own line, or, if it stands alone, for the next line that is none; on the last
line of a statement it counts for all of it. Comments are those that the tokenizer sees, so that text in a string is
none.

Guarantee: a comment without a reason, with an unknown code, or that accepts nothing, is told as a finding of its own,
and accepts nothing.
"""

import ast
import difflib
import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.project.module import Module
from harness.scan.codes import CODES, Code
from harness.scan.finding import Finding, Ignored
from harness.scan.values import Place

__all__ = ["Comment", "comments_of", "sorted_out"]

_WRITTEN = re.compile(
    r"#\s*sessionproof:\s*ignore(?:\[(?P<codes>[^\]]*)\])?(?P<reason>.*?)(?=#\s*(?:noqa|type:)|$)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """One comment: where it is, for which lines it counts (`first` to `line`), and what it says."""

    place: Place
    line: int
    first: int
    codes: Sequence[str]
    reason: str


def comments_of(module: Module) -> list[Comment]:
    """The comments of a module that are meant for the scanner."""
    if "sessionproof:" not in module.text:
        return []
    lines = module.text.split("\n")  # as the tokenizer counts: not at a form feed, as `splitlines` does
    starts = _starts(module)
    found: list[Comment] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(module.text).readline):
            if token.type == tokenize.COMMENT and (match := _WRITTEN.search(token.string)):
                row, column = token.start
                alone = not lines[row - 1][:column].strip()
                found.append(_comment(module, match, row, column + match.start(), _next(lines, row) if alone else row))
                if not alone:
                    found[-1] = replace(found[-1], first=starts.get(row, row))
    except (tokenize.TokenError, SyntaxError):
        return found
    return found


def _comment(module: Module, match: re.Match[str], row: int, column: int, line: int) -> Comment:
    codes = [code.strip() for code in (match["codes"] or "").split(",") if code.strip()]
    place = Place(file=str(module.path), line=row, column=column + 1)
    return Comment(place=place, line=line, first=line, codes=codes, reason=match["reason"].strip(" -:#\t"))


def _starts(module: Module) -> Mapping[int, int]:
    """Where statements of several lines begin, by the lines on which they end; those that have a body are none."""
    statements = (node for node in ast.walk(module.tree) if isinstance(node, ast.stmt) and not hasattr(node, "body"))
    return {node.end_lineno or node.lineno: node.lineno for node in statements if not isinstance(node, ast.Match)}


def _next(lines: Sequence[str], row: int) -> int:
    for number in range(row, len(lines)):
        if lines[number].strip() and not lines[number].lstrip().startswith("#"):
            return number + 1
    return row


def sorted_out(findings: Iterable[Finding], comments: Iterable[Comment]) -> tuple[list[Finding], list[Ignored]]:
    """What is left of the findings, with what is wrong with comments, and what comments accept."""
    left = list(findings)
    ignored: list[Ignored] = []
    for comment in comments:
        wrong = [*_wrong(comment)]
        left += wrong
        if wrong:
            continue
        met = [each for each in left if _meant(comment, each)]
        ignored += [Ignored(finding=each, reason=comment.reason) for each in met]
        left = [each for each in left if each not in met]
        unused = [code for code in comment.codes if code.upper() not in {each.code for each in met}]
        left += [_complaint(Code.UNUSED, comment, f"Nothing with the code {code} is found there.") for code in unused]
    return left, ignored


def _meant(comment: Comment, finding: Finding) -> bool:
    here = finding.place.file == comment.place.file and comment.first <= finding.place.line <= comment.line
    return here and finding.code in map(str.upper, comment.codes)


def _wrong(comment: Comment) -> Iterator[Finding]:
    known = [str(code) for code in CODES]
    for code in comment.codes:
        if code.upper() not in known:
            near = difflib.get_close_matches(code.upper(), known, n=1, cutoff=0.5)
            meant = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}."
            yield _complaint(Code.UNKNOWN_CODE, comment, f"There is no code {code!r}{meant}")
    if not comment.codes:
        yield _complaint(Code.UNKNOWN_CODE, comment, "It names no code: write `# sessionproof: ignore[SP101] why`.")
    if not comment.reason:
        yield _complaint(Code.NO_REASON, comment, "Write the reason after the code.")


def _complaint(code: Code, comment: Comment, message: str) -> Finding:
    return Finding(
        code=code,
        place=comment.place,
        message=f"{CODES[code].sentence} {message}",
        variable="",
        users=(),
        path=(),
        repair=CODES[code].repair,
    )
