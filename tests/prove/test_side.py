"""What is run of one state of the sources, and in which surroundings."""

import os
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from harness import bundled
from harness.command.side import SCENARIOS, claimed_mode, import_path_of_now, module_of, of_cells, state_environment
from harness.config import Config
from harness.errors import UsageError
from harness.revisions.roots import Checkout, is_installed
from harness.scenario import ModelTier, PoolState, SessionMode
from tests.prove import shops

CONFIG = Config(backend="shop.verification:backend")


def checkout(top: Path, *roots: str) -> Checkout:
    """A checkout with these import roots, after its top."""
    return Checkout(top=top, directory=top, roots=[top, *(top / root for root in roots)])


def test_modules_of_the_checkout_come_first(tmp_path: Path) -> None:
    """Then the harness's, then what the environment names, but for what lies in a work tree of the user's."""
    given = {"PYTHONPATH": os.pathsep.join(["/opt/lib", str(tmp_path / "own" / "src"), ""])}

    made = state_environment(CONFIG, given, checkout(tmp_path, "src"), own=[tmp_path / "own"])

    places = [str(tmp_path), str(tmp_path / "src"), *bundled.python_path(), "/opt/lib"]
    assert made["PYTHONPATH"].split(os.pathsep) == places


def test_a_job_of_github_is_told_which_commit_is_run(tmp_path: Path) -> None:
    """Not the one that the job has checked out: reports link to sources. Elsewhere nothing is made up."""
    given = {"GITHUB_SHA": "1" * 40, "GITHUB_REF_NAME": "main", "GIT_DIR": "/x"}

    made = state_environment(CONFIG, given, checkout(tmp_path), own=(), commit="2" * 40)
    elsewhere = state_environment(CONFIG, {}, checkout(tmp_path), own=(), commit="2" * 40)

    assert (made["GITHUB_SHA"], made["GITHUB_REF_NAME"], "GIT_DIR" in made) == ("2" * 40, "", False)
    assert "GITHUB_SHA" not in elsewhere


def test_sources_that_would_take_the_harness_place_are_refused(tmp_path: Path) -> None:
    """In whichever root; those of the harness itself are none."""
    shops.written(tmp_path, {"src/harness/__init__.py": ""})

    with pytest.raises(UsageError) as caught:
        state_environment(CONFIG, {}, checkout(tmp_path, "src"), own=())

    assert str(caught.value).replace(str(tmp_path), "DIR") == snapshot(
        "the sources have a package 'harness' in 'DIR/src', which would be taken for sessionproof's own package of that name: it cannot be verified"  # noqa: E501  # golden text
    )
    state_environment(CONFIG, {}, checkout(Path(bundled.python_path()[0]).resolve()), own=())


def test_what_nobody_chose_is_chosen() -> None:
    """And nothing else; session modes that are set for `verify` are not asked for here."""
    named = Config(
        scenarios=("two_*",), tiers=(ModelTier.WIRE,), pool_states=(PoolState.COLD,), modes=tuple(SessionMode)
    )

    assert of_cells(Config()).scenarios == SCENARIOS
    assert of_cells(Config()).tiers == (ModelTier.SCRIPTED,)
    assert of_cells(named, [SessionMode.SHARED]) == Config(
        scenarios=("two_*",), tiers=(ModelTier.WIRE,), pool_states=(PoolState.COLD,), modes=(SessionMode.SHARED,)
    )
    assert of_cells(Config(scenario_file=Path("case.json"))).scenarios == ()


def test_a_backend_is_started_as_it_says_that_it_is_right() -> None:
    """Failing that, as it says that it is."""
    assert claimed_mode([SessionMode.SHARED, SessionMode.PER_OPERATION]) is SessionMode.PER_OPERATION
    assert claimed_mode([SessionMode.SHARED, SessionMode.DURABLE]) is SessionMode.DURABLE
    assert claimed_mode([SessionMode.SEQUENTIAL, SessionMode.LOCKED]) is SessionMode.LOCKED
    assert all(claimed_mode([mode]) is mode for mode in SessionMode)


@pytest.mark.parametrize("spec", ["", "shop", "shop:", ":backend", "shop/verification.py:backend", "a..b:c", "../x:y"])
def test_what_names_no_module_is_refused(spec: str) -> None:
    """Before anything is checked out."""
    with pytest.raises(UsageError, match=r"is not of the form 'package\.module:attribute'"):
        module_of(spec)


def test_the_import_path_of_now_has_sources_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is installed is not looked through for them."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    found = import_path_of_now()

    assert found[0] == tmp_path
    assert not [path for path in found if is_installed(path)]
