"""Pages of each kind; and Chromium, for those who look at what others open in a browser.

`SESSIONPROOF_CHROMIUM` names another executable than Debian's.
"""

import os
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.report.pages import PAGES, made_once

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def lack(reason: str) -> NoReturn:
    """Skip, or fail where a browser was promised."""
    if os.environ.get("SESSIONPROOF_REQUIRE_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    """Chromium, for all tests of a module."""
    executable = os.environ.get("SESSIONPROOF_CHROMIUM") or shutil.which("chromium")
    if executable is None:
        lack("there is no chromium; apt-get install chromium, or name one by SESSIONPROOF_CHROMIUM")
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  # only where it is asked for
    except ImportError:
        lack("playwright is not installed; it is in the dependency group `browser`")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest) -> str:
    """Each kind of page."""
    return made_once(request.param)
