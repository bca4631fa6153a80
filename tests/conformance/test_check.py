"""What is told of a backend by trying it: each violation where it is, and nothing of a backend that conforms."""

import secrets

import pytest
from inline_snapshot import snapshot

from fixtures.injected.adapter import SCOPES
from fixtures.minimal import MinimalBackend
from harness.backend import load_backend
from harness.conformance import Conformance, check_backend
from harness.postgres.clones import Clones, databases, is_template
from harness.postgres.server import RunningServer
from harness.scenario import SessionMode
from tests.conformance.shops import HINTED, LEGAL, MANY, REPEATED, VIOLATING

SECONDS = 30.0
"""Far more than anything takes that ends, on a busy machine too."""

SHORT = 2.0
"""For what does not end."""
pytestmark = pytest.mark.filterwarnings("ignore:.*was garbage collected.*")


async def checked(backend: object, clones: Clones, *, seconds: float = SECONDS) -> Conformance:
    return await check_backend(backend, clones, seconds=seconds)


@pytest.mark.parametrize("name", VIOLATING)
async def test_violation_is_told(name: str, sessionproof_clones: Clones) -> None:
    """One violation, of the part that violates, with what was seen."""
    backend, part, seen = VIOLATING[name]
    never_ends = "has not ended" in seen

    said = await checked(backend, sessionproof_clones, seconds=SHORT if never_ends else SECONDS)

    assert not said.conforms
    assert (said.violations[0].part, seen in said.violations[0].seen) == (part, True), said.violations
    assert {violation.part for violation in said.violations} == {part}


@pytest.mark.parametrize("name", HINTED)
async def test_hint_is_no_violation(name: str, sessionproof_clones: Clones) -> None:
    """What could be declared is told, and violates nothing."""
    backend, part, seen = HINTED[name]

    said = await checked(backend, sessionproof_clones)

    assert said.violations == ()
    assert [hint.part for hint in said.hints if seen in hint.seen] == [part]


@pytest.mark.parametrize("name", LEGAL)
async def test_nothing_is_told_of_what_conforms(name: str, sessionproof_clones: Clones) -> None:
    """What only looks like a violation is none."""
    said = await checked(LEGAL[name], sessionproof_clones)

    assert said.violations == ()


@pytest.mark.parametrize("spec", ["fixtures.backend.adapter:backend", "fixtures.injected.adapter:backend"])
async def test_backends_that_come_along_conform(spec: str, sessionproof_clones: Clones) -> None:
    """Without a hint, too."""
    said = await checked(load_backend(spec), sessionproof_clones)

    assert (said.violations, said.hints) == ((), ())
    assert not any(step.undecided for step in said.steps)


async def test_what_needs_what_is_violated_is_undecided(sessionproof_clones: Clones) -> None:
    """It is not tried, and the step says why."""
    backend, *_ = VIOLATING["a preparation that fails"]

    said = await checked(backend, sessionproof_clones)

    assert {step.undecided for step in said.steps} == {"", "no database was prepared"}


async def test_what_comes_after_a_second_start_that_failed_is_not_looked_at(sessionproof_clones: Clones) -> None:
    """Each of these steps says so, and why; the violation is told once, however often the start was tried."""
    backend, part, _ = VIOLATING["a start that works once"]

    said = await checked(type(backend)(), sessionproof_clones)  # one that no other test has started

    again = "the application could not be started again, or stopped"
    assert [(step.name, step.undecided) for step in said.steps[2:]] == [
        (
            "start in mode 'per_operation', with each kind of pool",
            "what is violated with 'pre_ping' comes before 'null'",
        ),
        ("sessions of each mode", f"in the mode 'per_operation' {again}"),
        ("tenants and roles", again),
        ("ledger", again),
        ("capabilities", again),
    ]
    assert [violation.part for violation in said.violations] == [part]


async def test_what_was_looked_at_before_a_stop_failed_is_looked_at(sessionproof_clones: Clones) -> None:
    """The turns, and the ledger that they left; and the capabilities are not, which take a start of their own."""
    backend, *_ = VIOLATING["a stop that fails"]

    said = await checked(backend, sessionproof_clones)

    undecided = [step.name for step in said.steps if step.undecided]
    assert undecided == ["start in mode 'per_operation', with each kind of pool", "capabilities"]


@pytest.mark.parametrize("name", REPEATED)
async def test_each_violation_is_told_once(name: str, sessionproof_clones: Clones) -> None:
    """Though it is seen in several modes, tenants, roles or turns: these are named beside it."""
    backend, part, also = REPEATED[name]

    said = await checked(backend, sessionproof_clones)

    assert [(violation.part, violation.also) for violation in said.violations] == [(part, also)]


async def test_two_sessions_in_the_mode_of_one_are_told_with_the_line(
    monkeypatch: pytest.MonkeyPatch, sessionproof_clones: Clones
) -> None:
    """Where the second tool uses its own; the line of `start`, where tools have connections without a session."""
    monkeypatch.setitem(SCOPES, SessionMode.SHARED, SCOPES[SessionMode.PER_OPERATION])
    of_connections, *_ = VIOLATING["a mode that is another"]

    (session,) = (await checked(load_backend("fixtures.injected.adapter:backend"), sessionproof_clones)).violations
    (connection,) = (await checked(of_connections, sessionproof_clones)).violations

    assert (session.part, connection.part) == ("modes", "modes")
    assert session.place.startswith("fixtures/injected/lending/services.py:")
    assert connection.place.startswith("fixtures/minimal/__init__.py:")


async def test_violations_are_in_the_order_in_which_they_are_mended(sessionproof_clones: Clones) -> None:
    """Of one turn before that of several, of the bill before that of a stream, whatever was tried first."""
    said = await checked(MANY, sessionproof_clones)

    assert [violation.part for violation in said.violations] == snapshot(
        [
            "tenants[0].tools[ToolRole.READ]",
            "tenants[0].tools[ToolRole.COMMIT]",
            "send to 'shop'/'clerk', 3 turns at once",
            "send to 'shop'/'clerk': its ledger row",
            "send to 'shop'/'clerk', streamed",
            "Capability.FALLBACK",
        ]
    )
    assert [hint.part for hint in said.hints] == snapshot(["ledger_table"])


async def test_an_object_that_is_no_backend_is_not_tried(sessionproof_clones: Clones) -> None:
    """Nothing of it is called."""

    class Shop(MinimalBackend):
        modes = frozenset({"per_operation"})  # type: ignore[arg-type]  # that is the mistake

        async def prepare(self, database_url: str) -> None:
            raise AssertionError("it was called")

    said = await checked(Shop(), sessionproof_clones)

    assert [violation.part for violation in said.violations] == ["modes"]
    assert {step.undecided for step in said.steps} == {"", "the object is no Backend"}


async def test_databases_of_a_check_are_gone(sessionproof_server: RunningServer) -> None:
    """Whatever a backend does, the copies are dropped; only the prepared template stays, for the run's end."""
    backend, *_ = VIOLATING["connections that are left"]
    clones = Clones(sessionproof_server, secrets.token_hex(4))

    await checked(backend, clones)

    async with clones.connect() as connection:
        left = await databases(connection, clones.prefix)
    await clones.drop_all()
    assert [is_template(name) for name in left] == [True]
