"""What is run of one state of the sources, and in which surroundings."""

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from inline_snapshot import snapshot

from harness import bundled
from harness.cli import main
from harness.command.side import (
    SCENARIOS,
    claimed_mode,
    import_path_of_now,
    module_of,
    of_cells,
    state_environment,
)
from harness.config import Config
from harness.errors import UsageError
from harness.revisions.look import Look
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


@pytest.mark.parametrize(
    ("spec", "meant"),
    [
        ("shop_adapter.py", "did you mean shop_adapter:backend?"),
        ("./shop/verification.py:shop", "did you mean shop.verification:shop?"),
        ("shop.verification", "did you mean shop.verification:backend?"),
        (":backend", "for example 'shop.verification:backend'"),
        ("a-b.py", "for example 'shop.verification:backend'"),
    ],
)
def test_what_may_be_meant_is_said(spec: str, meant: str) -> None:
    """A file stands for its module; what no module can be called stands for nothing."""
    with pytest.raises(UsageError) as caught:
        module_of(spec)

    assert str(caught.value) == f"backend {spec!r} is not of the form 'package.module:attribute', {meant}"


LOOKED_AT = {
    "a module that is nowhere": ("nothing_of_that_name:backend", "", True),
    "a package that is nowhere": ("nothing_of_that_name.checks:backend", "", True),
    "an attribute that is nowhere": ("looked_at:backend", "x = 1", True),
    "a module that needs another": ("looked_at:backend", "import nothing_of_that_name", False),
    "a module that asks for what is not there": ("looked_at:backend", "import os; os.nothing", False),
    "a module that exits": ("looked_at:backend", "raise SystemExit", False),
    "an object that is no backend": ("looked_at:backend", "backend = 1", False),
}


@pytest.mark.parametrize(("spec", "text", "missing"), LOOKED_AT.values(), ids=LOOKED_AT)
def test_what_is_missing_is_told_from_what_fails(
    spec: str, text: str, missing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is nowhere is a mistake of the caller's; a module that fails is the revision's."""
    shops.written(tmp_path, {"looked_at.py": text})
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "looked_at", raising=False)

    look = Look.at(spec)
    sys.modules.pop("looked_at", None)

    assert look.failure
    assert look.missing == missing


def test_the_import_path_of_now_has_sources_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is installed is not looked through for them."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    found = import_path_of_now()

    assert found[0] == tmp_path
    assert not [path for path in found if is_installed(path)]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "prove",
            ("there has to be one]", "those in which shared sessions show]", "tier [scripted].", "temporary files]"),
        ),
        (
            "reproduce",
            ("[the reference backend]", "those in which shared sessions show]", "[scripted].", "is not kept]"),
        ),
    ],
)
def test_the_help_says_what_is_done_without_a_value(command: str, said: tuple[str, ...]) -> None:
    """Which is not what `verify` does, of which the options come; its own help stays as it is."""
    texts = {name: " ".join(CliRunner().invoke(main, [name, "--help"]).output.split()) for name in (command, "verify")}

    assert not [words for words in said if words not in texts[command]]
    assert "tier [scripted, wire, recorded]." in texts["verify"]
