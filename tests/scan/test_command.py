"""`sessionproof scan`: formats, exit statuses, and what it refuses."""

import json
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from harness.cli import main
from harness.report import schema
from tests.scan.programs import PRELUDE

BROKEN = f"{PRELUDE}\nasync def f(session: AsyncSession):\n    await asyncio.gather(use(session), use(session))\n"
ASK = "agent = Agent()\nasync def f(session: AsyncSession):\n    await use(session)\n    await agent.run('')\n"
HELD = f"{PRELUDE}\n{ASK}"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in a folder with a few files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    files = {"broken.py": BROKEN, "held.py": HELD, "right.py": PRELUDE, "bad.py": "def f(:\n", "notes.txt": ""}
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")
    Path("empty").mkdir()
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["scan", *arguments])


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["right.py"], 0),
        (["held.py"], 0),
        (["broken.py"], 1),
        (["bad.py"], 3),
        (["bad.py", "right.py"], 3),
        (["bad.py", "broken.py"], 1),
        (["broken.py", "--ignore", "SP201"], 0),
        (["broken.py", "--select", "SP1"], 0),
        (["."], 1),
        (["empty"], 2),
        (["missing"], 2),
        ([""], 2),
        (["right.py", ""], 2),
        (["right.py", "--select", "SP999"], 2),
        (["right.py", "--select", ""], 2),
        (["right.py", "--select", "SP101,"], 2),
        (["right.py", "--select", "SP201", "--ignore", "SP201"], 2),
        (["right.py", "--select", "SP201", "--ignore", "SP2"], 2),
        (["broken.py", "--select", "SP2", "--ignore", "SP202"], 1),
        (["right.py", "--format", "jsn"], 2),
        (["right.py", "--output", ""], 2),
        (["right.py", "--output", "empty"], 2),
        ([], 2),
    ],
)
def test_the_exit_status_says_what_became_of_it(arguments: list[str], status: int) -> None:
    """And there is no traceback."""
    done = _run(*arguments)

    assert done.exit_code == status, done.output
    assert "Traceback" not in done.output


def test_a_file_that_cannot_be_read_is_told() -> None:
    """With its line, in every format."""
    assert "not scanned: bad.py:1: it is no Python: invalid syntax" in _run("bad.py").output
    assert "::error file=bad.py,line=1,title=not scanned::" in _run("bad.py", "--format", "github").output
    assert json.loads(_run("bad.py", "--format", "json").output)["problems"][0]["file"] == "bad.py"
    (run,) = json.loads(_run("bad.py", "--format", "sarif").output)["runs"]
    assert run["invocations"][0]["executionSuccessful"] is False


def test_the_json_follows_its_schema() -> None:
    """The published one."""
    document = json.loads(_run(".", "--format", "json").output)
    published = json.loads(schema.SCAN.path.read_text(encoding="utf-8"))

    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.Draft202012Validator(published).validate(document)
    assert schema.SCAN.is_published
    assert [each["code"] for each in document["findings"]] == ["SP201", "SP301"]


def test_sarif_has_a_result_with_the_way_of_the_session() -> None:
    """Relative to the root of the sources, and with a fingerprint that stays when lines move."""
    (run,) = json.loads(_run("broken.py", "--format", "sarif").output)["runs"]
    Path("broken.py").write_text(f"\n\n{BROKEN}", encoding="utf-8")
    (moved,) = json.loads(_run("broken.py", "--format", "sarif").output)["runs"]
    (result,), (later,) = run["results"], moved["results"]
    where = result["locations"][0]["physicalLocation"]["artifactLocation"]

    assert (result["ruleId"], result["level"], where["uri"], where["uriBaseId"]) == (
        "SP201",
        "error",
        "broken.py",
        "%SRCROOT%",
    )
    assert len(result["codeFlows"][0]["threadFlows"][0]["locations"]) > 1
    assert result["partialFingerprints"] == later["partialFingerprints"]
    assert result["locations"] != later["locations"]


def test_sarif_without_its_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the status of what is missing."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    done = _run("broken.py", "--format", "sarif")

    assert done.exit_code == 3
    assert "pip install 'sessionproof[sarif]'" in done.output


def test_annotations_are_escaped() -> None:
    """A file's name ends no command."""
    Path("odd,%::x.py").write_text(BROKEN, encoding="utf-8")

    (line, _) = _run("odd,%::x.py", "--format", "github").output.splitlines()

    assert line.startswith("::error file=odd%2C%25%3A%3Ax.py,line=")


def test_the_output_is_written_whole() -> None:
    """To a file, in a folder that is made for it; the terminal stays empty."""
    done = _run("broken.py", "--format", "json", "--output", "reports/scan.json")

    assert (done.exit_code, done.output) == (1, "")
    assert json.loads(Path("reports/scan.json").read_text(encoding="utf-8"))["status"] == 1


def test_nothing_of_the_source_is_run() -> None:
    """Not even at its top."""
    Path("evil.py").write_text(f"{PRELUDE}\nopen('ran', 'w').close()\nraise SystemExit(7)\n", encoding="utf-8")

    assert _run("evil.py").exit_code == 0
    assert not Path("ran").exists()


def test_a_wrong_code_is_told_with_the_nearest() -> None:
    """And an empty one as such."""
    assert "there is no code 'SP2O1'; did you mean 'SP201'?" in _run("right.py", "--select", "SP2O1").output
    assert "a code is empty" in _run("right.py", "--select", "SP101,,SP201").output


def test_a_colon_in_a_name_makes_no_path_absolute() -> None:
    """It is relative to the root of the sources in SARIF, too."""
    Path("odd:name.py").write_text(BROKEN, encoding="utf-8")
    (run,) = json.loads(_run("odd:name.py", "--format", "sarif").output)["runs"]

    where = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]

    assert where == {"uri": "odd%3Aname.py", "uriBaseId": "%SRCROOT%"}
