"""What `docs/findings.md` shows is so: each program of the sanitizer's part is run, each kind of the suite is there."""

import ast
import asyncio
import inspect
import re
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from harness import watch_sessions
from harness.evidence import RaceKind
from harness.explain import EXPLANATIONS
from harness.verdict import FindingKind

TEXT = (Path(__file__).parents[2] / "docs" / "findings.md").read_text(encoding="utf-8")
SANITIZER, SUITE = TEXT.split("## What the verification suite finds")
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def _sections(text: str) -> dict[str, str]:
    parts = re.split(r"^### `(\w+)`.*$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _found(program: str, url: str) -> set[RaceKind]:
    """The kinds that a program shows."""
    (imports, *_) = _BLOCK.findall(SANITIZER)
    names: dict[str, Any] = {}
    exec(compile(f"{imports}\n\n{program}", "findings.py", "exec"), names)  # our own document

    async def run() -> None:
        engine = create_async_engine(url)
        try:
            await names["main"](engine)
        finally:
            await engine.dispose()

    with watch_sessions() as watch, suppress(Exception):  # what a race makes of it is not the question
        names["program"](url) if "program" in names else asyncio.run(run())
    assert watch.problems == ()
    return {finding.kind for finding in watch.findings}


@pytest.mark.filterwarnings("ignore")  # connections of a loop that has ended are left behind: that is what is shown
@pytest.mark.parametrize("kind", list(RaceKind))
def test_programs_show_what_they_are_there_for(kind: RaceKind, database_url: str) -> None:
    """Before the repair just that kind, after it nothing."""
    before, after = _BLOCK.findall(_sections(SANITIZER)[kind])

    assert _found(before, database_url) == {kind}
    assert _found(after, database_url) == set()


def test_every_kind_of_the_sanitizer_is_there() -> None:
    """In the order of the enumeration, and no other."""
    assert list(_sections(SANITIZER)) == [kind.value for kind in RaceKind]


def test_every_kind_of_the_suite_is_there() -> None:
    """In the order of the enumeration, with the words of the reports, an excerpt before, and one after."""
    sections = _sections(SUITE)

    assert list(sections) == [kind.value for kind in FindingKind]
    for kind in FindingKind:
        said = " ".join(sections[kind].split())
        assert said.startswith(" ".join(EXPLANATIONS[kind].cause.split()))
        assert f"**Repair.** {EXPLANATIONS[kind].repair}" in said


@pytest.mark.parametrize("kind", list(FindingKind))
def test_excerpts_are_python(kind: FindingKind) -> None:
    """They can be compiled, as the body of a coroutine, and differ."""
    before, after = _BLOCK.findall(_sections(SUITE)[kind])

    for excerpt in (before, after):
        body = textwrap.indent(excerpt, "    ")
        assert compile(f"async def excerpt():\n{body}", str(kind), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    assert inspect.cleandoc(before) != inspect.cleandoc(after)
