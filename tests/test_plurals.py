"""Messages count in words that fit the number."""

import io

from rich.console import Console

from harness.command.events import parse
from harness.command.progress import following
from harness.plurals import any_of, number_of, part_of


def test_one_is_no_plural() -> None:
    """Neither alone, nor as the whole of which something is a part."""
    assert [number_of(count, "cell") for count in (0, 1, 2, 1200)] == ["0 cells", "1 cell", "2 cells", "1,200 cells"]
    assert number_of(2, "entry", plural="entries") == "2 entries"
    assert [part_of(1, total, "cell") for total in (1, 4)] == ["1 of 1 cell", "1 of 4 cells"]
    assert [any_of(total, "cell") for total in (1, 4)] == ["the one cell", "any of 4 cells"]


def test_one_cell_is_announced_as_one() -> None:
    """Before the first of them is done."""
    stream = io.StringIO()
    event = parse('{"event": "planned", "cells": 1}')
    assert event is not None

    with following(Console(file=stream, width=80)) as progress:
        progress.take(event)

    assert stream.getvalue() == "1 cell to verify\n"
