"""A watched test suite in every format."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from inline_snapshot import snapshot
from sarif_pydantic import Sarif

from harness.evidence import RaceKind
from harness.report import schema
from harness.report.formats import sessions_formats
from harness.report.reading import read_document
from harness.report.sessions_causes import by_cause
from harness.report.sessions_document import SessionsDocument
from harness.report.sessions_github import sessions_annotations
from harness.report.sessions_html import sessions_html
from harness.report.sessions_markdown import sessions_markdown
from harness.report.sessions_sarif import sessions_sarif
from harness.report.sessions_terminal import render_sessions
from harness.sanitizer import WatchMode
from harness.sanitizer.reports import CAUSES
from harness.sanitizer.tally import Tally
from harness.verdict import Verdict
from tests.report import session_documents
from tests.report.documents import SECRETS
from tests.report.session_documents import SUITES, everything, failed, race, suite, tallied

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.mark.parametrize("name", SUITES)
def test_what_is_written_follows_the_published_schema(name: str, tmp_path: Path) -> None:
    """And is read back as the same."""
    document = SUITES[name]()
    published = json.loads(schema.SESSIONS.path.read_text(encoding="utf-8"))
    text = sessions_formats()["json"].render(document, "")["run.json"]
    (tmp_path / "run.json").write_text(text, encoding="utf-8")

    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.Draft202012Validator(published).validate(json.loads(text))
    assert read_document(tmp_path / "run.json") == document


def test_the_published_schema_is_that_of_the_model() -> None:
    """A change of the model is published with it."""
    assert schema.SESSIONS.is_published


@pytest.mark.parametrize("name", SUITES)
def test_every_format_has_the_same_bytes_again(name: str) -> None:
    """And, where people read it, no control character, whatever the program says."""
    for each in sessions_formats().values():
        first, second = (each.render(SUITES[name](), "") for _ in range(2))
        assert first == second
        assert all(text.encode() for text in first.values())
        assert each.name in {"json", "sarif"} or not _CONTROL.search("".join(first.values()))


def test_no_secret_reaches_a_report() -> None:
    """In any format."""
    document = SUITES["hostile"]()

    for each in sessions_formats().values():
        for text in each.render(document, "").values():
            assert not [secret for secret in SECRETS if secret in text], each.name


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (session_documents.clean(), Verdict.PASSED),
        (everything(), Verdict.FAILED),
        (failed(), Verdict.UNKNOWN),
        (session_documents.empty(), Verdict.UNKNOWN),
        (suite(Tally(), unwatched=("the worker gw0 was lost",)), Verdict.UNKNOWN),
        (suite(tallied([race()]), problems=("broken",)), Verdict.FAILED),
    ],
)
def test_the_verdict(document: SessionsDocument, verdict: Verdict) -> None:
    """What was found is found; nothing found is something only if everything was looked at."""
    assert document.verdict is verdict


def test_a_sanitizer_that_failed_is_unmistakable() -> None:
    """In every format that a person reads, and before anything else."""
    terminal, markdown, page = render_sessions(failed()), sessions_markdown(failed()), sessions_html(failed())

    for text in (terminal, markdown, page):
        assert "Nothing is known: the sanitizer failed" in text
        assert "THE SANITIZER FAILED, and watched no further" in text
        assert "NOT EVERYTHING WAS WATCHED" in text
        assert "No session race was found" not in text
    assert sessions_annotations(failed()).startswith("::error title=sessionproof::THE SANITIZER FAILED")
    (run,) = json.loads(sessions_sarif(failed()))["runs"]
    assert run["results"] == []
    assert run["invocations"][0]["executionSuccessful"] is False


def test_the_terminal() -> None:
    """Has each root cause once, its tests, what is suppressed and why, and what else is to be known."""
    text = render_sessions(everything())

    head, _, rest = text.partition("session race (foreign_thread")
    assert head.replace(CAUSES[RaceKind.BLEED], "…") == snapshot("""\
sessionproof: 3 session races, by root cause; 5 pairs of operations show them
2 tests ran, in 2 processes, watched in the mode raise, 12.5 s; 1 finding is suppressed

session race (bleed, 2 times) on Session 3: …
  first: Session.execute in task 'Ada', tool 'read' (call call_1)
    shop/notes.py:30 in Notes.read
    tests/test_chat.py:9 in test_chat
    the task was created at
      shop/chat.py:77 in answer
  second: Session.execute in task 'Ben'
    shop/notes.py:31 in Notes.read
    tests/test_chat.py:9 in test_chat
    the task was created at
      shop/chat.py:77 in answer
  the session was made at
    tests/conftest.py:4 in session
  repair: give each task a session of its own: a lock around a shared one keeps statements apart, not transactions
  3 pairs of operations have this root cause (1 overlap, 1 unordered, 1 bleed), 10 times in all; others are
    shop/notes.py:10 and shop/notes.py:11 (overlap, 6 times on Session 3)
    shop/notes.py:20 and shop/notes.py:21 (unordered, 2 times on Session 3)
  seen in
    tests/test_chat.py::test_chat (6 times)
    tests/test_chat.py::test_other (2 times)
    outside of any test (2 times)

""")
    assert "suppressed: " + rest.partition("suppressed: ")[2].partition("\nPython ")[0] == snapshot("""\
suppressed: overlap, 2 times on Session 3, shop/legacy.py:31 and shop/legacy.py:32
  reason: moves in spring (suppression 1, until 2027-03-01)
  seen in
    tests/test_legacy.py::test_report (2 times)

unused: suppression 2 (at gone.py) matched nothing in this run of 2 tests; if these are all, it can go
expired: suppression 3 (at shop/old.py) suppresses nothing since 2020-01-01 is over: overdue
limit: the driver aiosqlite is not watched itself
""")


def test_the_page_in_the_summary_of_a_job() -> None:
    """The answer is its heading; stacks stand in fences."""
    assert sessions_markdown(suite(tallied([race()]))).partition("## Where it ran")[0] == snapshot("""\
# 1 session race, by root cause

2 tests ran, watched in the mode raise, 12.5 s

## overlap, 2 times on Session 3, shop/notes.py:31 and shop/notes.py:32

```text
session race (overlap, 2 times) on Session 3: the second operation began while the first was in flight
  first: Session.execute in task 'Ada', tool 'read' (call call_1)
    shop/notes.py:31 in Notes.read
    tests/test_chat.py:9 in test_chat
    the task was created at
      shop/chat.py:77 in answer
  second: Session.execute in task 'Ben'
    shop/notes.py:32 in Notes.read
    tests/test_chat.py:9 in test_chat
    the task was created at
      shop/chat.py:77 in answer
  the session was made at
    tests/conftest.py:4 in session
  repair: give each task a session of its own
```

Seen in:

- `tests/test_chat.py::test_chat (2 times)`


## What this does not say

- A race is found where both accesses were made: what no test does is not looked at.
- Who does not appear in a finding is not proved to be right: the sanitizer sees one run of each test.

""")


def test_annotations() -> None:
    """One for each root cause, beside the second access; suppressed ones are none."""
    lines = sessions_annotations(everything()).splitlines()

    assert [line.partition("::session race")[0].partition(": ")[0] for line in lines] == snapshot(
        [
            "::error file=shop/notes.py,line=31,title=session race (bleed)",
            "::error file=shop/notes.py,line=41,title=session race (foreign_thread)",
            "::error file=shop/notes.py,line=51,title=session race (foreign_loop)",
            "::notice title=sessionproof::3 session races, by root cause; 5 pairs of operations show them",
        ]
    )


def test_there_are_as_many_annotations_as_are_shown() -> None:
    """The last one counts the others; they are warnings where they fail nothing."""
    many = suite(tallied(race(line=10 * number, made=number) for number in range(1, 21)), mode=WatchMode.WARN)
    lines = sessions_annotations(many).splitlines()

    assert len(lines) == 11
    assert lines[9] == "::warning title=sessionproof::and 11 more, in the job's summary and in run.json"
    assert all(line.startswith("::warning file=shop/notes.py,line=") for line in lines[:9])


@pytest.mark.parametrize("name", SUITES)
def test_what_is_written_is_sarif(name: str) -> None:
    """By the model of the package; each result has its rule, its place, and a fingerprint of its own."""
    log = json.loads(sessions_sarif(SUITES[name]()))
    (made,) = log["runs"]
    rules = made["tool"]["driver"]["rules"]

    assert Sarif.model_validate(log).version == "2.1.0"
    assert [rule["id"] for rule in rules] == sorted({result["ruleId"] for result in made["results"]})
    for result in made["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert len(result["locations"]) == 1


def test_results() -> None:
    """Paths are below the root of the sources; what is suppressed says so, and why; both tasks have their threads."""
    (made,) = json.loads(sessions_sarif(everything()))["runs"]
    shown, hidden = made["results"][0], made["results"][-1]

    assert shown["locations"][0]["physicalLocation"] == snapshot(
        {"artifactLocation": {"uri": "shop/notes.py", "uriBaseId": "%SRCROOT%"}, "region": {"startLine": 11}}
    )
    assert len(shown["codeFlows"][0]["threadFlows"]) == 2
    assert shown["occurrenceCount"] == 6
    assert "suppressions" not in shown
    assert hidden["suppressions"] == snapshot(
        [
            {
                "kind": "external",
                "status": "accepted",
                "justification": "moves in spring (suppression 1, until 2027-03-01)",
            }
        ]
    )
    assert [each["message"]["text"] for each in made["invocations"][0]["toolExecutionNotifications"]] == snapshot(
        [
            "the driver aiosqlite is not watched itself",
            "unused: suppression 2 (at gone.py) matched nothing in this run of 2 tests; if these are all, it can go",
            "expired: suppression 3 (at shop/old.py) suppresses nothing since 2020-01-01 is over: overdue",
        ]
    )


def test_a_fingerprint_outlives_an_edit() -> None:
    """It does not know lines."""
    first, later = (json.loads(sessions_sarif(suite(tallied([race(line=line)])))) for line in (31, 57))

    assert [log["runs"][0]["results"][0]["partialFingerprints"] for log in (first, later)] == [
        first["runs"][0]["results"][0]["partialFingerprints"]
    ] * 2


def test_a_large_suite_is_a_small_page() -> None:
    """What has no room is counted."""
    many = suite(tallied(race(line=10 * number, made=number, task="x" * 1000) for number in range(1, 3001)))
    page = sessions_html(many)

    assert len(page.encode()) < 1_000_000
    assert re.search(r"and \d+ more root causes, in run.json", page)
    assert len(sessions_markdown(many).encode()) < 200_000


def test_a_large_cause_is_a_small_page() -> None:
    """What has no room of its pairs is counted, in every format that people read."""
    many = suite(tallied(race(line=10 * number) for number in range(1, 3001)))
    page, markdown, annotations = sessions_html(many), sessions_markdown(many), sessions_annotations(many)

    assert len(page.encode()) < 1_000_000
    assert "2999 more pairs of operations with this root cause" in page
    assert "and 2499 more, in the document" in page
    assert "and 2989 more, in the document" in markdown
    assert annotations.count("::error ") == 1
    assert "and 2994 more, in run.json" in annotations


@pytest.mark.parametrize("name", SUITES)
def test_a_document_from_before_causes(name: str) -> None:
    """Has each finding as a cause of its own, in every format."""
    document = SUITES[name]()
    old = document.model_copy(update={"races": tuple(each.model_copy(update={"cause": 0}) for each in document.races)})

    assert [len(cause.pairs) for cause in by_cause(old.races)] == [1] * len(document.races)
    for each in sessions_formats().values():
        assert each.render(old, "")
