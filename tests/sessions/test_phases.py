"""In which phase of a test `pytest --sessions=MODE` fails it, and what stays the test's own."""

import re

import pytest

from tests.sessions.suites import Outcome, Suite, SuiteOften, failure_of

pytestmark = pytest.mark.processes


PHASES = """
@pytest.fixture
async def racy_setup(session):
    await share_quietly(session)

@pytest.fixture
async def racy_teardown(session):
    yield
    await share_quietly(session)

@pytest.fixture
async def refusing(racy_setup):
    pytest.skip("not here")

@pytest.fixture
async def failing(racy_setup):
    raise ValueError("the fixture's own")

def test_setup(racy_setup):
    pass

def test_teardown(racy_teardown):
    pass

async def test_both(racy_teardown, session):
    await share_quietly(session)

def test_refused(refusing):
    pass

def test_fixture_fails(failing):
    pass

async def test_skips_itself(session):
    await share_quietly(session)
    pytest.skip("not now")

async def test_fails_itself(session):
    await share_quietly(session)
    assert session is None, "the test's own"

@pytest.mark.xfail(reason="known")
async def test_expected(session):
    await share_quietly(session)

@pytest.mark.skip(reason="never")
async def test_skipped(session):
    await share_quietly(session)
"""


def test_in_every_phase(suite: Suite) -> None:
    """A test fails in its call; what only its teardown shows is an error. Its own failure stays, the race is added."""
    outcome = suite(PHASES, "--sessions=collect")

    assert outcome.tests == {
        "test_setup": "FAILED",
        "test_teardown": "PASSED ERROR",
        "test_both": "FAILED",
        "test_refused": "ERROR",
        "test_fixture_fails": "ERROR",
        "test_skips_itself": "FAILED",
        "test_fails_itself": "FAILED",
        "test_expected": "XFAIL",
    }, outcome.text
    assert "1 skipped, " in outcome.text
    assert "ERROR at teardown of test_teardown" in outcome.text
    for test, own in {
        "test_fixture_fails": "ValueError: the fixture's own",
        "test_fails_itself": "the test's own",
    }.items():
        assert re.search(rf"{own}\n(.|\n)*-+ session races -+\nsession race", failure_of(outcome, test))
    assert outcome.summary.count("    test_suite.py::test_both\n") == 2  # its fixture and itself are told apart
    assert "pytest_sessions.py" not in outcome.text


@pytest.mark.parametrize(("mode", "result"), [("raise", "FAILED"), ("collect", "ERROR FAILED")])
def test_an_error_that_is_not_swallowed(suite: Suite, mode: str, result: str) -> None:
    """Where the program was interrupted by it, what its teardown meets is a consequence, and no second failure."""
    module = """
    @pytest.fixture
    async def racy_elsewhere(session):
        yield
        await asyncio.gather(session.execute(SELECT), session.execute(SELECT), return_exceptions=True)

    async def test_racy(session, racy_elsewhere):
        await share(session)
    """
    outcome = suite(module, f"--sessions={mode}")

    assert outcome.tests == {"test_racy": result}, outcome.text
    assert ("FAILED test_suite.py::test_racy - harness.errors.SessionRaceError: " in outcome.text) is (mode == "raise")
    assert "- session races -" not in failure_of(outcome, "test_racy")
    assert outcome.summary.count("    test_suite.py::test_racy\n") == 2


EXITS = """
async def test_racy(session):
    await share_quietly(session)
    WITHIN

def test_exits():
    pytest.exit("enough", returncode=0)
"""


WITHIN = ("pass", 'pytest.exit("enough", returncode=0)')
FAILING = {"raise": 1, "collect": 1, "log": 0}


@pytest.fixture(scope="module")
def exits(suite_often: SuiteOften) -> dict[tuple[str, str], Outcome]:
    """What became of each, by what is in the racy test, and by the mode."""
    calls = [(f"--sessions={mode}",) for mode in FAILING]
    outcomes = [outcome for within in WITHIN for outcome in suite_often(EXITS.replace("WITHIN", within), *calls)]
    return dict(zip([(within, mode) for within in WITHIN for mode in FAILING], outcomes, strict=True))


@pytest.mark.parametrize("within", WITHIN)
@pytest.mark.parametrize("mode", FAILING)
def test_an_exit_makes_nothing_pass(exits: dict[tuple[str, str], Outcome], mode: str, within: str) -> None:
    """Not even one that says so: what was found fails the run where it fails tests, also in the test that ends it."""
    outcome = exits[within, mode]

    assert outcome.status == FAILING[mode], outcome.text
    assert "test_suite.py::test_racy" in outcome.summary
