"""A page in Chromium, driven by Playwright, without a network: what it says and asks for, and what keeps people out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.report.document import RunDocument
from tests.report import documents

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["Opened", "go", "problems", "with_source"]

SERIOUS = {"moderate", "serious", "critical"}


def with_source(document: RunDocument) -> RunDocument:
    """The document with lines of a service."""
    lines = ("async def search(session):", "    await session.execute(FIND)")
    return documents.with_lines(document, "app/services/vector_service.py", 20, *lines)


class Opened:
    """A page with what it said and asked for."""

    def __init__(self, browser: "Browser", path: Path, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page: Page = self.context.new_page()
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-ready]")

    def close(self) -> None:
        """Close it; it must have been silent, and have asked for itself alone."""
        self.context.close()

        assert self.messages == []
        assert [url for url in self.requests if not url.startswith("file:")] == []
        assert len(self.requests) == 1


def go(page: "Page", place: str) -> None:
    """Change the address, and wait until the page has seen it."""
    page.evaluate(
        """place => new Promise(done => {
            if (location.hash === place) return done();
            addEventListener('hashchange', () => requestAnimationFrame(done), { once: true });
            location.hash = place;
        })""",
        place,
    )


def problems(page: "Page") -> list[str]:
    """What axe finds that keeps people out."""
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415  # only where it is asked for

    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"][:3]
    ]
