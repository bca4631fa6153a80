"""What is told of a backend by trying it: each violation where it is, and nothing of a backend that conforms."""

import secrets

import pytest

from fixtures.minimal import MinimalBackend
from harness.backend import load_backend
from harness.conformance import Conformance, check_backend
from harness.postgres.clones import Clones, databases, is_template
from harness.postgres.server import RunningServer
from tests.conformance.shops import HINTED, LEGAL, VIOLATING

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
