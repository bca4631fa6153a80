"""Findings for code scanning."""

import json
import math
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot
from sarif_pydantic import Sarif

from harness.evidence import PlaceSeen
from harness.report.document import CellDocument, RunDocument
from harness.report.redact import redact
from harness.report.sarif import SarifWriter
from harness.scenario import PoolState, SessionMode
from harness.verdict import Expectation, FindingKind
from tests.report import documents, two_tools

law = settings(derandomize=True, deadline=None, max_examples=60)

FINGERPRINT = "sessionproof/v1"


def written(document: RunDocument, *, root: str = "") -> dict[str, Any]:
    """The one run of the log."""
    log = json.loads(SarifWriter(root=root).write(document))
    (made,) = log["runs"]
    assert isinstance(made, dict)
    return made


def nodes(value: Any) -> list[Any]:
    """A JSON value, and all in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(node for each in inner for node in nodes(each))]


def every(made: dict[str, Any], key: str) -> list[Any]:
    """What stands under a key, wherever."""
    return [node[key] for node in nodes(made) if isinstance(node, dict) and key in node]


CORPUS = {
    "as_expected": documents.as_expected(),
    "troubled": documents.troubled(),
    "hostile": redact(documents.hostile()),
    "empty": documents.empty(),
    "faults": documents.with_faults(),
    "two_tools": two_tools.run(
        two_tools.shared(), two_tools.shared(expected=False), two_tools.own_sessions(pool_state=PoolState.COLD)
    ),
}


@pytest.mark.parametrize("name", CORPUS)
def test_what_is_written_is_sarif(name: str) -> None:
    """By the model of the package, and by what the standard asks for beyond it."""
    text = SarifWriter().write(CORPUS[name])
    log = json.loads(text)
    made = log["runs"][0]
    rules = made["tool"]["driver"]["rules"]

    assert Sarif.model_validate(log).version == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    assert [rule["id"] for rule in rules] == sorted({result["ruleId"] for result in made["results"]})
    for result in made["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"]
        assert len(result["locations"]) == 1
        assert result["occurrenceCount"] >= 1
        numbers = [location["id"] for location in result.get("relatedLocations", [])]
        assert numbers == list(range(1, len(numbers) + 1))
    assert all(region["startLine"] >= 1 for region in every(made, "region"))
    assert all(flow["locations"] for flows in every(made, "threadFlows") for flow in flows)
    assert None not in nodes(log)


@pytest.mark.parametrize("name", CORPUS)
def test_addresses_are_uris(name: str) -> None:
    """A relative one, below the root of the sources if that is known, or a whole one of a file."""
    for location in every(written(CORPUS[name]), "artifactLocation"):
        parts = urlsplit(location["uri"])
        assert location["uri"].isascii()
        assert parts.scheme in {"", "file"}
        assert parts.path.startswith("/") is (parts.scheme == "file")
        assert not parts.scheme or "uriBaseId" not in location
        assert not {" ", "\\", "<", ">", '"'} & set(location["uri"])


def test_a_race_has_both_accesses() -> None:
    """As related locations with where tasks and session were made, and as two threads of a code flow."""
    (result,) = written(two_tools.run(two_tools.shared(expected=False)))["results"]

    assert result["level"] == "error"
    assert result["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "app/services/vector.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 21},
    }
    assert result["locations"][0]["logicalLocations"] == [
        {"name": "find", "fullyQualifiedName": "VectorService.find", "kind": "function"}
    ]
    related = [
        (each["message"]["text"], each["physicalLocation"]["artifactLocation"]["uri"])
        for each in result["relatedLocations"]
    ]
    assert related == snapshot(
        [
            ("The first access: Session.execute of tool search_directory.", "app/services/directory.py"),
            ("The second access: Session.execute of tool search_documents.", "app/services/vector.py"),
            ("Session 1 was made here.", "app/database.py"),
            ("The task of the first access was created here.", "app/agent.py"),
            ("The task of the second access was created here.", "app/agent.py"),
        ]
    )
    (flow,) = result["codeFlows"]
    steps = [
        [
            (
                step["location"]["physicalLocation"]["artifactLocation"]["uri"],
                step["nestingLevel"],
                step.get("executionOrder"),
                step["importance"],
            )
            for step in thread["locations"]
        ]
        for thread in flow["threadFlows"]
    ]
    assert steps == [
        [("app/tools.py", 0, None, "important"), ("app/services/directory.py", 1, 1, "essential")],
        [("app/services/vector.py", 0, 2, "essential")],
    ]
    assert "stacks" not in result


def test_any_other_finding_has_its_stack() -> None:
    """The innermost frame first."""
    results = written(documents.troubled())["results"]

    (stack,) = next(result["stacks"] for result in results if result["ruleId"] == "concurrent_operation")
    lines = [frame["location"]["physicalLocation"]["region"]["startLine"] for frame in stack["frames"]]
    assert lines == [27, 41]


def test_a_rule_says_what_it_is_and_how_to_repair_it() -> None:
    """For each kind that was found, and no other."""
    rules = written(two_tools.run(two_tools.shared()))["tool"]["driver"]["rules"]

    assert rules == snapshot(
        [
            {
                "id": "session_overlap",
                "name": "SessionOverlap",
                "shortDescription": {"text": "Session overlap"},
                "fullDescription": {
                    "text": "Two tasks used one session, or the connection below it, at the same moment. On a warm pool nothing is raised: the driver lets one wait for the other."  # noqa: E501  # golden text
                },
                "defaultConfiguration": {"enabled": True, "level": "error"},
                "help": {
                    "text": """\
Usual cause: Two tasks used one session, or the connection below it, at the same moment. On a warm pool nothing is raised: the driver lets one wait for the other.

Repair: Open a session per operation from the session factory, and keep no session in the agent's deps.\
""",  # noqa: E501  # golden text
                    "markdown": """\
**Usual cause.** Two tasks used one session, or the connection below it, at the same moment. On a warm pool nothing is raised: the driver lets one wait for the other.

**Repair.** Open a session per operation from the session factory, and keep no session in the agent's deps.\
""",  # noqa: E501  # golden text
                },
            }
        ]
    )


def test_what_was_expected_and_seen_is_a_note() -> None:
    """What must not be is an error, and what was expected in a cell that is not as expected a warning."""
    seen = two_tools.shared()
    doubtful = seen.model_copy(update={"as_expected": False, "objections": ("check 'ledger' could not decide",)})

    levels = [
        result["level"]
        for cell in (seen, two_tools.shared(expected=False), doubtful)
        for result in written(two_tools.run(cell))["results"]
    ]

    assert levels == ["note", "error", "warning"]


def test_one_defect_is_one_result_that_names_its_cells() -> None:
    """And counts how often it was seen; the worst come first."""
    cells = [
        two_tools.shared(turn=str(number) * 8, start=10.0 * number, pool_state=state)
        for number, state in enumerate(PoolState, 1)
    ]
    other = documents.troubled_cells("single_tool", SessionMode.PER_OPERATION)
    results = written(two_tools.run(*cells, *other))["results"]

    assert [(result["level"], result["occurrenceCount"]) for result in results] == [("error", 4), ("note", 4)]
    assert results[1]["properties"]["cellCount"] == 4
    assert results[1]["properties"]["cells"][0] == "two_parallel_tools/shared-cold-scripted"
    assert results[1]["message"]["text"].endswith(
        "Seen in two_parallel_tools/shared-cold-scripted and 3 more. To see it again: sessionproof verify "
        "--scenario two_parallel_tools --mode shared --pool-state cold --tier scripted"
    )


def seen_at(line: int, *, mode: SessionMode = SessionMode.SHARED, expected: bool = False) -> CellDocument:
    """A cell with the race, whose second access is at that line of the same function."""
    seen = two_tools.overlap(line=line)
    told = two_tools.finding(seen)
    expectation = Expectation(required=frozenset({told.kind})) if expected else None
    return documents.cell(
        "two_parallel_tools",
        mode,
        findings=[told],
        expectation=expectation,
        evidence=two_tools.evidence(races=[seen]),
    )


def test_what_has_one_fingerprint_is_one_result_of_the_worst_level() -> None:
    """With the line and the command of the worst, all its cells, and every other line at which it was seen."""
    cells = [
        seen_at(21, expected=True),
        seen_at(30, mode=SessionMode.PER_OPERATION),
        seen_at(40, mode=SessionMode.LOCKED),
    ]
    (result,) = written(two_tools.run(*cells))["results"]

    lines = [
        (each["message"]["text"], each["physicalLocation"]["region"]["startLine"])
        for each in result["relatedLocations"]
        if each["message"]["text"].startswith("The same")
    ]
    assert (result["level"], result["occurrenceCount"]) == ("error", 3)
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 30
    assert lines == [("The same was seen here.", 21), ("The same was seen here.", 40)]
    assert "--mode per_operation" in result["message"]["text"]
    assert result["properties"]["cells"] == [
        f"two_parallel_tools/{mode}-warm-scripted" for mode in ("per_operation", "locked", "shared")
    ]
    assert result["properties"]["cellsByLevel"] == {"error": 2, "note": 1}


@pytest.mark.parametrize("name", CORPUS)
def test_no_two_results_have_the_same_fingerprint(name: str) -> None:
    """A viewer would take one for the other."""
    prints = [result["partialFingerprints"][FINGERPRINT] for result in written(CORPUS[name])["results"]]

    assert len(prints) == len(set(prints))


@pytest.mark.parametrize(
    ("seconds", "ended"), [(1.5, "2030-01-02T03:04:06.500000Z"), (1e300, None), (math.nan, None), (-5.0, None)]
)
def test_a_run_that_ended_at_no_time_has_no_end(seconds: float, ended: str | None) -> None:
    """And is written all the same."""
    document = documents.troubled().model_copy(update={"seconds": seconds})

    assert written(document)["invocations"][0].get("endTimeUtc") == ended


def test_a_run_is_complete_if_no_cell_is_unknown() -> None:
    """One that failed does not keep the others from being looked at."""
    doubtful = documents.cell("single_tool", SessionMode.SHARED, unknown="no ledger")
    runs = [two_tools.run(two_tools.shared(expected=False)), two_tools.run(doubtful)]

    assert [written(each)["invocations"][0]["executionSuccessful"] for each in runs] == [True, False]


def test_what_python_calls_a_file_and_is_none_is_no_place() -> None:
    """A frame of it has the function alone, and a finding in nothing else is counted."""
    told = two_tools.finding(two_tools.overlap())
    stacks = [("<frozen importlib._bootstrap>:7 in _call",), ("app/a.py:3 in f", "<string>:1 in <module>")]
    cell = documents.cell("single_tool", SessionMode.SHARED, findings=[replace(told, stack=stack) for stack in stacks])

    made = written(two_tools.run(cell))
    (result,) = made["results"]

    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "app/a.py"
    assert [sorted(frame["location"]) for frame in result["stacks"][0]["frames"]] == [
        ["logicalLocations"],
        ["logicalLocations", "physicalLocation"],
    ]
    assert made["invocations"][0]["toolExecutionNotifications"][-1]["message"]["text"] == (
        "1 finding has no place in the code, and is in run.json alone."
    )


def fingerprint(document: RunDocument) -> str:
    """That of the one result."""
    (result,) = written(document)["results"]
    return str(result["partialFingerprints"][FINGERPRINT])


def test_a_fingerprint_is_stable() -> None:
    """Over runs, which have other identifiers and times, over machines, and over lines that were moved."""
    known = fingerprint(two_tools.run(two_tools.shared()))
    other_run = two_tools.run(two_tools.shared(turn="f" * 8, start=77.0))
    moved = two_tools.overlap(line=99)
    moved_cell = documents.cell(
        "two_parallel_tools",
        SessionMode.SHARED,
        findings=[two_tools.finding(moved)],
        evidence=two_tools.evidence(races=[moved]),
    )
    elsewhere = RunDocument.model_validate_json(other_run.model_dump_json().replace(two_tools.DIRECTORY, "/srv/b/shop"))

    assert [fingerprint(each) for each in (other_run, two_tools.run(moved_cell), elsewhere)] == [known] * 3


def test_a_fingerprint_tells_defects_apart() -> None:
    """By kind, function and operation."""
    kinds = [two_tools.overlap(), two_tools.bleed(), replace(two_tools.overlap(), first=two_tools.overlap().second)]
    made = {
        fingerprint(
            two_tools.run(
                documents.cell(
                    "two_parallel_tools",
                    SessionMode.SHARED,
                    findings=[two_tools.finding(seen)],
                    evidence=two_tools.evidence(races=[seen]),
                )
            )
        )
        for seen in kinds
    }

    assert len(made) == 3


def test_sources_are_named_if_they_are_known() -> None:
    """And not made up if not."""
    told, untold = (written(two_tools.run(two_tools.shared(), told=told)) for told in (True, False))

    assert told["versionControlProvenance"] == [
        {
            "repositoryUri": "https://github.com/o/shop",
            "revisionId": "c0ffee",
            "branch": "main",
            "mappedTo": {"uriBaseId": "%SRCROOT%"},
        }
    ]
    assert "versionControlProvenance" not in untold


def test_paths_are_relative_to_the_root_that_is_given() -> None:
    """The run may have been started in a folder below it."""
    uris = {
        location["uri"]
        for location in every(written(two_tools.run(two_tools.shared()), root="/home/ci"), "artifactLocation")
        if "uri" in location
    }

    assert uris == {
        f"shop/app/{name}.py" for name in ("tools", "agent", "database", "services/directory", "services/vector")
    }


def test_an_empty_list_of_results_is_no_proof() -> None:
    """What kept the run from deciding, and what has no place in the code, is said."""
    made = written(documents.troubled())["invocations"][0]

    assert made["executionSuccessful"] is False
    assert made["exitCode"] == 1
    assert [(each["level"], each["message"]["text"]) for each in made["toolExecutionNotifications"]] == snapshot(
        [
            ("error", "worker 'gw1' crashed"),
            (
                "error",
                "single_tool/per_operation-warm-scripted: check 'ledger' could not decide: the ledger could not be read: no such table",  # noqa: E501  # golden text
            ),
            (
                "warning",
                "two_parallel_tools/shared-warm-scripted: expected finding 'concurrent_operation' did not appear",
            ),
            ("warning", "two_parallel_tools/per_operation-warm-scripted: unexpected finding 'missing_row'"),
            ("note", "not verified: streaming, all modes: the backend cannot stream"),
            ("note", "not verified: single_tool, locked: the backend has no mode 'locked'"),
        ]
    )
    assert written(documents.empty())["invocations"][0]["toolExecutionNotifications"][-1]["message"] == {
        "text": "Nothing was verified."
    }


def test_findings_without_a_place_are_counted() -> None:
    """They are in run.json alone."""
    notes = written(documents.as_expected())["invocations"][0]["toolExecutionNotifications"]

    assert notes[-1]["message"]["text"].endswith(" findings have no place in the code, and are in run.json alone.")


@law
@given(st.text())
def test_text_makes_no_links_and_no_placeholders(text: str) -> None:
    """Whatever the backend says, and whatever its files are called."""
    place = PlaceSeen(file=f"/x/{text}/a.py", line=3, function=f"f{text}")
    seen = two_tools.overlap()
    seen = replace(seen, subject=f"Session {text}", second=replace(seen.second, stack=(place,), tool=text))
    told = replace(two_tools.finding(seen), message=f"{text} [here](1) {{0}} {text}")
    cell = documents.cell("single_tool", SessionMode.SHARED, findings=[told], evidence=two_tools.evidence(races=[seen]))

    made = written(redact(two_tools.run(cell), environment={}))

    texts = [node["text"] for node in nodes(made["results"]) if isinstance(node, dict) and "text" in node]
    assert texts
    assert not any("](" in each for each in texts)
    assert "{{0}}" in made["results"][0]["message"]["text"]
    uri = made["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert unquote(uri).startswith("file:///")


def test_every_kind_can_be_a_rule() -> None:
    """There is an explanation for each."""
    findings = [replace(two_tools.finding(two_tools.overlap()), kind=kind) for kind in FindingKind]
    cell = documents.cell("single_tool", SessionMode.SHARED, findings=findings)

    assert len(written(two_tools.run(cell))["tool"]["driver"]["rules"]) == len(FindingKind)
