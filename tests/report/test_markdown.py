"""The summary in Markdown."""

import re

from inline_snapshot import snapshot
from linkify_it import LinkifyIt
from linkify_it.main import Match
from markdown_it import MarkdownIt

from harness.report.markdown import MarkdownWriter, code, escape, fence
from harness.report.redact import redact
from harness.scenario import SessionMode
from tests.report import documents


def rendered(markdown: str) -> str:
    """As a page that allows HTML, tables and bare links would show it.

    Bare are those of GitHub's Markdown: with a protocol, and what begins with `www.`, but not any `name.org`.
    """
    page = MarkdownIt("gfm-like")
    links = LinkifyIt(options={"fuzzy_link": False})
    for prefix in ("www.", "WWW."):
        links.add(prefix, {"validate": re.compile(r"[\w.-]+"), "normalize": _from_www})
    page.linkify = links
    return str(page.render(markdown))


def _from_www(_: object, match: Match) -> None:
    match.url = f"http://{match.url}"


def test_a_page_makes_links_of_bare_ones() -> None:
    """Else nothing would be shown by pages without any."""
    for link in ("www.evil.example", "see WWW.evil.example", "https://evil.example", "a@evil.org"):
        assert "<a href=" in rendered(f"{link} is a link"), link
    assert "<a " not in rendered("summary.md and evil.com are none")


def test_a_run_as_expected() -> None:
    """The verdict in words first, then the table, the gaps, what the bug looks like, and what is not proved."""
    assert MarkdownWriter().write(documents.as_expected()) == snapshot("""\
# sessionproof: as expected

- **per_operation**: 32 of 32 cells passed
- **shared**: bug reproduced in 22 of 22, as expected; 10 of 10 clean cells passed
- **locked**: 8 of 8 cells passed
- **sequential**: 8 of 8 cells passed
- 80 turns in 80 cells of 4 scenarios, 42.1 s
- PostgreSQL 18.1, embedded: no Docker engine answers
- backend `fixtures.backend.adapter:backend`

| scenario | shared | per_operation | locked | sequential |
| --- | --- | --- | --- | --- |
| four_mixed_tools | reproduced 8/8 | passed 8/8 | passed 2/2 | passed 2/2 |
| single_tool | passed 8/8 | passed 8/8 | passed 2/2 | passed 2/2 |
| streaming | - | - | not verified | - |
| two_parallel_tools | reproduced 8/8 | passed 8/8 | passed 2/2 | passed 2/2 |
| two_users_at_once | reproduced 6/6<br>passed 2/2 | passed 8/8 | passed 2/2 | passed 2/2 |

## Not verified: 1

- streaming, locked: `the backend cannot stream`

## What the bug looks like

Each kind that was reproduced, in how many cells, the first of them, and the usual cause.

- **concurrent_operation** in 22 cells: `SQLAlchemy refused two operations on one session.`
  Two tasks used one session at the same moment, and SQLAlchemy noticed, because the session was just getting its connection. On a warm pool the same code may raise nothing.
  `sessionproof verify --scenario four_mixed_tools --mode shared --pool-state cold --tier scripted`
- **unbilled_response** in 22 cells: `The answer names no ledger row (llm_request_id is None).`
  The cost tracker failed, its error was logged, and the user got the answer without a ledger row.
  `sessionproof verify --scenario four_mixed_tools --mode shared --pool-state cold --tier scripted`

## What this does not prove

- Only the interleavings that ran were judged: another schedule can still show another race.
- Only the tools and paths that the scenarios call were looked at; the rest of the backend was not.
- Latencies are scripted. Ratios were compared; absolute times say nothing about production.
- One process, one event loop, one server: no replicas, no poolers in between, no failovers.
- No real model answered: which tools a model calls together, and how often, was not measured.

## Where it ran

- `sessionproof verify`
- Python 3.13.0, Linux-6.1-x86_64, 2 CPUs
- sqlalchemy 2.1.9, asyncpg 0.32.0
""")  # noqa: E501  # golden text


def test_a_run_with_troubles() -> None:
    """Everything that is not as expected stands there in full, with the command."""
    assert MarkdownWriter().write(documents.troubled()) == snapshot("""\
# sessionproof: not as expected

- **per_operation**: 1 of 3 cells passed; 1 FAILED; 1 UNKNOWN
- **shared**: bug reproduced in 1 of 2; 1 FAILED
- 5 turns in 5 cells of 2 scenarios, 42.1 s
- PostgreSQL 18.1, embedded: no Docker engine answers
- backend `fixtures.backend.adapter:backend`

## Problems of the run

```text
worker 'gw1' crashed
```

| scenario | shared | per_operation | locked |
| --- | --- | --- | --- |
| single_tool | - | **UNKNOWN 1/1** | not verified |
| streaming | not verified | not verified | not verified |
| two_parallel_tools | **FAILED 1/2** | **FAILED 1/2** | - |

## Not as expected: 3 of 5 cells

### FAILED: two_parallel_tools, shared-warm-scripted

Do two tools of one turn get in each other's way? Expected: reproduced.

- `expected finding 'concurrent_operation' did not appear`

Reproduce it:

```sh
sessionproof verify --scenario two_parallel_tools --mode shared --pool-state warm --tier scripted
```

### FAILED: two_parallel_tools, per_operation-warm-scripted

Do two tools of one turn get in each other's way? Expected: clean.

- **missing_row**, at `turn 1` (2 times, the first is shown)

```text
The provider served 1 request, and no row bills it.
  app/services/llm_request_tracker.py:88 in track_request
```

Usual cause: The provider served a response, and its cost row was never written, or was rolled back together with another tool's work.
Repair: Let the cost tracker write and commit in a session of its own.

Reproduce it:

```sh
sessionproof verify --scenario two_parallel_tools --mode per_operation --pool-state warm --tier scripted
```

### UNKNOWN: single_tool, per_operation-warm-scripted

Do two tools of one turn get in each other's way? Expected: clean.

- `check 'ledger' could not decide: the ledger could not be read: no such table`

Reproduce it:

```sh
sessionproof verify --scenario single_tool --mode per_operation --pool-state warm --tier scripted
```


## Not verified: 2

- single_tool, locked: `the backend has no mode 'locked'`
- streaming, all modes: `the backend cannot stream`

## What the bug looks like

Each kind that was reproduced, in how many cells, the first of them, and the usual cause.

- **concurrent_operation** in 1 cell: `SQLAlchemy refused two operations on one session.`
  Two tasks used one session at the same moment, and SQLAlchemy noticed, because the session was just getting its connection. On a warm pool the same code may raise nothing.
  `sessionproof verify --scenario two_parallel_tools --mode shared --pool-state cold --tier scripted`

## What this does not prove

- Only the interleavings that ran were judged: another schedule can still show another race.
- Only the tools and paths that the scenarios call were looked at; the rest of the backend was not.
- Latencies are scripted. Ratios were compared; absolute times say nothing about production.
- One process, one event loop, one server: no replicas, no poolers in between, no failovers.
- No real model answered: which tools a model calls together, and how often, was not measured.

## Where it ran

- `sessionproof verify`
- Python 3.13.0, Linux-6.1-x86_64, 2 CPUs
- sqlalchemy 2.1.9, asyncpg 0.32.0
""")  # noqa: E501  # golden text


def test_hostile_text_brings_no_html_links_or_pictures() -> None:
    """What the backend said is shown as text wherever it stands, and leaves the table in shape."""
    page = rendered(MarkdownWriter().write(redact(documents.hostile())))

    tags = set(re.findall(r"<\s*/?\s*([a-zA-Z0-9]+)", page))

    assert tags <= {"h1", "h2", "h3", "ul", "li", "p", "strong", "code", "pre", "br"} | {
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    rows = re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)
    assert {row.count("<td") + row.count("<th") for row in rows} == {2}


def test_every_hostile_text_is_shown_as_it_is() -> None:
    """Escaping changes what a text does, never what it says."""
    for text in (*documents.HOSTILE[:7], *documents.HOSTILE[-2:]):
        shown = re.sub(r"<[^>]+>", "", rendered(escape(text)))
        span = re.sub(r"<[^>]+>", "", rendered(code(text)))
        block = re.sub(r"<[^>]+>", "", rendered(fence(text)))
        for html in (shown, span, block):
            plain = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
            assert plain.strip() == text


def test_the_summary_stays_small_however_much_went_wrong() -> None:
    """Two thousand failures are cut to what a page can hold, and the rest is counted."""
    failures = [
        cell
        for number in range(500)
        for cell in documents.troubled_cells(f"scenario_{number:03}", SessionMode.PER_OPERATION)
    ]

    page = MarkdownWriter().write(documents.document(failures))

    assert len(page.encode()) < 200_000
    assert "more, in `run.json`" in page
    assert "and 300 more scenarios" in page
