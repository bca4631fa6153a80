"""Projects for tests, out of Markdown: each block of code is a file, named by the line above it."""

import re
from pathlib import Path

from markdown_it import MarkdownIt

__all__ = ["ADAPTER", "ROOT", "files_of", "write_project"]

ROOT = Path(__file__).parents[2]
ADAPTER = "verification.py"
"""What a document may have beside the project: what `init` writes for it."""


def files_of(document: Path) -> dict[str, str]:
    """The files of a document, by their paths."""
    found: dict[str, str] = {}
    name = ""
    for token in MarkdownIt().parse(document.read_text(encoding="utf-8")):
        if token.type == "inline" and re.fullmatch(r"`[\w/.]+\.\w+`", token.content):
            name = token.content.strip("`")
        elif token.type == "fence" and name:
            found[name], name = token.content, ""
    return found


def write_project(document: Path, folder: Path, *changes: tuple[str, str, str]) -> Path:
    """Write a document's files into a folder, with changes `(file, before, after)`, and return the folder."""
    files = files_of(document)
    for name, before, after in changes:
        if before not in files[name]:
            raise AssertionError(f"{name} does not have {before!r}")
        files[name] = files[name].replace(before, after)
    files.pop(ADAPTER, None)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
