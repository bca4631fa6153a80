"""Finding the backend under test by name, and what is said if it cannot be."""

from pathlib import Path

import pytest

from harness.backend import PoolSettings, load_backend
from harness.errors import ConfigurationError
from harness.scenario import PoolState


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("spec", ["fixtures.backend.adapter:backend", "fixtures.minimal:backend"])
def test_backend_is_found(spec: str) -> None:
    """A backend is what `package.module:attribute` names."""
    assert load_backend(spec).tenants


@pytest.mark.parametrize("spec", ["", "module", "module:", ":attribute"])
def test_spec_of_another_form(spec: str) -> None:
    """A spec of another form is refused, with an example of the right one."""
    with pytest.raises(ConfigurationError, match=r"not of the form 'package\.module:attribute'"):
        load_backend(spec)


@pytest.mark.parametrize("spec", ["no_such_package.adapter:backend", "fixtures.no_such_module:backend"])
def test_missing_module(spec: str) -> None:
    """A module that does not exist is named, with what to do."""
    with pytest.raises(ConfigurationError, match=r"there is no module '(no_such_package|fixtures\.no_such_module)'"):
        load_backend(spec)


def test_module_that_fails_to_import(modules: Path) -> None:
    """A module that raises is shown by its error and its own line."""
    (modules / "failing_backend.py").write_text("x = 1\nraise RuntimeError('no settings')\n")

    with pytest.raises(ConfigurationError, match=r"RuntimeError: no settings \(.*failing_backend\.py:2\)"):
        load_backend("failing_backend:backend")


def test_module_that_imports_what_is_missing(modules: Path) -> None:
    """A missing import inside the module is told apart from a missing module."""
    (modules / "importing_backend.py").write_text("import no_such_dependency\n")

    with pytest.raises(ConfigurationError, match=r"cannot be imported: ModuleNotFoundError: .*no_such_dependency"):
        load_backend("importing_backend:backend")


def test_missing_attribute() -> None:
    """A missing attribute is answered by those that there are."""
    with pytest.raises(ConfigurationError, match=r"has no attribute 'backen'; it has .*backend"):
        load_backend("fixtures.minimal:backen")


def test_object_that_is_no_backend() -> None:
    """An object that lacks part of the protocol is refused by what it lacks."""
    with pytest.raises(ConfigurationError, match=r"is a Table without .*'prepare', 'start', 'read_ledger'"):
        load_backend("fixtures.minimal:BILLS")


@pytest.mark.parametrize("state", list(PoolState))
def test_pool_settings_of_a_state(state: PoolState) -> None:
    """Only the states that are named so ask for `pre_ping` and `NullPool`."""
    settings = PoolSettings.for_state(state)

    assert settings.pre_ping is (state is PoolState.PRE_PING)
    assert settings.null is (state is PoolState.NULL)
