"""Where the verification suite and the reference backend are.

In a clone they stand beside the package (`scenarios/`, `fixtures/`); in an installed wheel they are carried below it
(`harness/_bundled/`), because `scenarios` and `fixtures` are names that other distributions install. Nothing here is
imported: places and names are given as paths and strings.
"""

from pathlib import Path

from harness.errors import EnvironmentMissing

__all__ = ["cassettes_directory", "default_backend", "python_path", "scenarios_directory"]

_PACKAGE = Path(__file__).parent
_BUNDLED = _PACKAGE / "_bundled"
_CLONE = _PACKAGE.parent


def _in_clone() -> bool:
    return not _BUNDLED.is_dir()


def scenarios_directory() -> Path:
    """The folder of the verification suite's pytest modules; raises `EnvironmentMissing` if there is none."""
    directory = (_CLONE if _in_clone() else _BUNDLED) / "scenarios"
    if not directory.is_dir():
        raise EnvironmentMissing(
            f"the verification suite is missing: looked for {_BUNDLED / 'scenarios'} (installed) and "
            f"{_CLONE / 'scenarios'} (clone); install the wheel, or work in a clone of the repository"
        )
    return directory


def cassettes_directory() -> Path:
    """The folder of the recordings that come with the suite; raises `EnvironmentMissing` if there is no suite."""
    return scenarios_directory() / "cassettes"


def default_backend() -> str:
    """The reference backend, as `load_backend` takes it."""
    return "fixtures.backend.adapter:backend" if _in_clone() else "harness._bundled.backend.adapter:backend"


def python_path() -> list[str]:
    """What must be on the import path for `default_backend` to be importable."""
    return [str(_CLONE)]
