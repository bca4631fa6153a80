"""`report.html`: one file that holds everything, runs nothing but its own script, and shows text as text."""

import json
import re
from base64 import b64encode
from hashlib import sha256

from harness.report.html import html
from harness.report.packed import unpack
from tests.report import documents
from tests.report.pages import PAGES, Page, data

OURS = {
    "a",
    "article",
    "b",
    "body",
    "br",
    "button",
    "circle",
    "code",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "head",
    "header",
    "html",
    "i",
    "input",
    "label",
    "li",
    "main",
    "meta",
    "noscript",
    "ol",
    "option",
    "output",
    "p",
    "path",
    "pre",
    "script",
    "section",
    "select",
    "span",
    "style",
    "summary",
    "svg",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "ul",
}
DRAWN = {"defs", "desc", "g", "line", "path", "pattern", "rect", "svg", "text", "title"}


def test_the_same_document_gives_the_same_bytes() -> None:
    """Whatever is in it."""
    for make in PAGES.values():
        assert make() == make()


def test_it_is_well_formed_and_has_elements_of_ours_only(page: str) -> None:
    """Also if the backend says what looks like markup."""
    made = Page(page)

    assert made.open == []
    assert {tag for tag, _ in made.elements} <= OURS | DRAWN


def test_it_loads_nothing_and_leads_nowhere(page: str) -> None:
    """No address but places in the page itself, no handlers, no styles in attributes."""
    made = Page(page)

    assert not [
        value for name in ("src", "srcset", "action", "data", "poster", "ping") for value in made.attributes(name)
    ]
    assert all(re.fullmatch(r"#[a-z0-9-]*", value) for value in made.attributes("href"))
    names = {name for _, attributes in made.elements for name in attributes}
    assert not {name for name in names if name.startswith("on")} | names & {
        "style",
        "srcdoc",
        "formaction",
        "xlink:href",
    }
    assert not re.search(r"@import|url\((?!#)", "".join(made.styles))


def test_the_policy_allows_this_script_and_this_style_and_nothing_else(page: str) -> None:
    """By their hashes; drawings have no style of their own."""
    made = Page(page)
    (policy,) = [attributes["content"] for tag, attributes in made.elements if "http-equiv" in attributes]
    (style,) = made.styles

    def hashed(text: str) -> str:
        return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

    assert policy == (
        f"default-src 'none'; script-src {hashed(made.scripts['code'])}; style-src {hashed(style)}; "
        "base-uri 'none'; form-action 'none'"
    )


def test_its_script_makes_no_markup_and_no_requests(page: str) -> None:
    """Text becomes text nodes; there is nothing that loads, evaluates or writes."""
    code = Page(page).scripts["code"]

    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|fetch\(|XMLHttp|Socket|import\(|\.src",
        code,
    )


def test_nothing_in_it_is_a_control_character(page: str) -> None:
    """They are shown as escapes, as are those that turn the reading direction round."""
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)


def test_hostile_text_stays_text() -> None:
    """It can be read on the page, and in what is drawn on demand."""
    page = html(documents.hostile())
    shown, drawn = Page(page), data(page)

    for text in ("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", r"turned \u202eround\u2066"):
        assert text in shown.text
        assert any(text in said for said in drawn["texts"])
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", "".join(drawn["texts"]))


def test_what_is_drawn_on_demand_is_plain_letters() -> None:
    """So that nothing in it can end the element that it is in."""
    packed = Page(html(documents.hostile())).scripts["data"]

    assert re.fullmatch(r"[A-Za-z0-9+/]+=*", packed)
    assert json.dumps(unpack(packed))
