"""The documentation as a whole: its pages are found, its links lead somewhere, its programs do what it says of them."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
NOT_PROVED = (ROOT / "docs" / "not-proved.md").read_text(encoding="utf-8")


def _links(page: Path) -> set[str]:
    """Where a page's links to files of the project lead, without the part after `#`."""
    tokens = [child for token in MarkdownIt().parse(page.read_text(encoding="utf-8")) for child in token.children or ()]
    targets = {str(token.attrGet("href")).partition("#")[0] for token in tokens if token.type == "link_open"}
    return {target for target in targets if target and "://" not in target}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link is a file."""
    assert not [target for target in _links(page) if not (page.parent / target).exists()]


def test_the_index_has_every_page() -> None:
    """Whoever opens the folder finds them all."""
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert {target for target in _links(ROOT / "docs" / "README.md") if "/" not in target} == pages


@pytest.mark.parametrize("number", [0, 1])
def test_what_the_sanitizer_takes_wrongly_is_what_the_document_says(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of its programs prints what stands below it."""
    blocks = [token for token in MarkdownIt().parse(NOT_PROVED) if token.type == "fence" and token.info == "python"]
    told = re.findall(r"^prints `(.*?)`", NOT_PROVED, flags=re.MULTILINE)

    exec(compile(blocks[number].content, "docs/not-proved.md", "exec"), {"__name__": "__main__"})

    assert len(blocks) == len(told) == 2
    assert capsys.readouterr().out.strip() == told[number]
