"""What `report.html` has not, in Chromium, and the commands that it offers: each is one that there is."""

import json
import shlex
import zlib
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli import main
from harness.report.html import html
from harness.report.packed import unpack
from harness.report.run_json import JsonWriter
from harness.scenario import SessionMode
from tests.report import documents, racing
from tests.report.opening import go

pytestmark = pytest.mark.browser


def test_a_companion_that_is_not_in_the_page_is_said_with_the_way_to_get_it(opened: Any, tmp_path: Path) -> None:
    """The command is one that there is, and its page has both."""
    document = documents.document([racing.racing(), racing.repaired(turns=2)])
    packed = html(document)
    value = unpack(packed.partition('id="data">')[2].partition("<")[0])
    value["cells"][1 if value["cells"][1]["mode"] == "per_operation" else 0]["details"] = {}
    again = b64encode(zlib.compress(json.dumps(value).encode())).decode()
    page = opened(packed.replace(packed.partition('id="data">')[2].partition("<")[0], again))
    shared = next(number for number, cell in enumerate(document.cells) if cell.session_mode is SessionMode.SHARED)
    go(page, f"#cell-{shared}")

    said = page.inner_text(".absent")
    words = shlex.split(page.inner_text(".absent code"))
    (tmp_path / "run.json").write_text(JsonWriter().write(document), encoding="utf-8")
    words[words.index("run.json")] = str(tmp_path / "run.json")
    words[words.index("part.html")] = str(tmp_path / "part.html")
    ended = CliRunner().invoke(main, words[1:])

    assert "the same turn in per_operation is not in this page" in said
    assert ended.exit_code == 0, ended.output
    part = opened((tmp_path / "part.html").read_text(encoding="utf-8"))
    go(part, "#cell-0")
    part.wait_for_selector(".track .mark")
    assert part.locator(".track").count() == 2


def test_a_cell_that_the_page_has_no_room_for_says_how_to_get_it(opened: Any) -> None:
    """With its name, where the matrix has it."""
    cells = [racing.racing(f"s{number}") for number in range(150)]
    page = opened(html(documents.document(cells), limit=3_000))
    go(page, "#cell-149")

    assert "this cell is not in this page" in page.inner_text("#cell")
    assert "--cell 's99/shared-warm-scripted'" in page.inner_text("#cell code")


def test_a_command_is_copied(opened: Any) -> None:
    """And that it was is said."""
    page = opened(html(racing.run()), permissions=["clipboard-read", "clipboard-write"])
    go(page, "#cell-1")
    page.locator("#cell .copy").first.click()

    page.wait_for_selector("#said:text-is('Copied')", state="attached")
    assert page.evaluate("navigator.clipboard.readText()").startswith(
        "sessionproof verify --scenario two_parallel_tools"
    )


def test_an_address_of_another_run_is_told_so(opened: Any) -> None:
    """Its cells may be more."""
    page = opened(html(racing.run()))
    go(page, "#cell-99999")

    assert page.inner_text("#cell-title") == "No cell 100000"
    page.get_by_role("link", name="All cells").click()
    assert page.is_visible("#matrix")


def test_the_name_of_a_cell_ends_no_word_of_a_command(opened: Any) -> None:
    """A command that is copied is one command, whatever a scenario is called; here of a cell that has no room."""
    name = "it's $(here)"
    packed = html(documents.document([racing.racing(name), racing.racing()]))
    value = unpack(packed.partition('id="data">')[2].partition("<")[0])
    place = next(number for number, cell in enumerate(value["cells"]) if value["texts"][cell["scenario"]] == name)
    value["cells"][place] = None
    again = b64encode(zlib.compress(json.dumps(value).encode())).decode()
    page = opened(packed.replace(packed.partition('id="data">')[2].partition("<")[0], again))
    go(page, f"#cell-{place}")

    words = shlex.split(page.inner_text("#cell code"))
    assert words[:3] == ["sessionproof", "report", "run.json"]
    assert words[-1].startswith(f"{name}/shared-")
