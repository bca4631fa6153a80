"""Pages of each kind; and Chromium, for those who look at what others open in a browser.

`SESSIONPROOF_CHROMIUM` names another executable than Debian's.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.promises import lack
from tests.report.opening import Opened
from tests.report.pages import PAGES, made_once

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

BROWSER = "SESSIONPROOF_REQUIRE_BROWSER"


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium, for all tests of a module."""
    executable = os.environ.get("SESSIONPROOF_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        lack("there is no chromium; apt-get install chromium, or name one by SESSIONPROOF_CHROMIUM", promise=BROWSER)
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  # only where it is asked for
    except ImportError:
        lack("playwright is not installed; it is in the dependency group `browser`", promise=BROWSER)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: "Browser", tmp_path: Path) -> Iterator[Any]:
    """Opens a page; in the end each must have been silent."""
    pages: list[Opened] = []

    def opens(content: str, **options: Any) -> "Page":
        path = tmp_path / f"report-{len(pages)}.html"
        path.write_text(content, encoding="utf-8")
        pages.append(Opened(browser, path, **options))
        return pages[-1].page

    yield opens
    for page in pages:
        page.close()


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    """Each kind of page."""
    return made_once(request.param)
