"""A scenario in a file of its own: JSON, so that a case that somebody found can be handed on and run again.

Everything that a scenario says is in it but what each mode is expected to show: a case from a file is expected to be
clean, in the modes, pool states and tiers that it names.
"""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from harness.errors import ConfigurationError
from harness.scenario import Scenario

__all__ = ["read_scenario", "write_scenario"]

_ADAPTER = TypeAdapter(Scenario)
_LEFT_OUT = {"expectations"}


def write_scenario(scenario: Scenario, path: Path) -> None:
    """Write the scenario, without what is expected of it."""
    path.write_bytes(_ADAPTER.dump_json(scenario, exclude=_LEFT_OUT, exclude_defaults=True, indent=2) + b"\n")


def read_scenario(path: Path) -> Scenario:
    """The scenario in a file, which must be clean wherever it runs.

    Raises `ConfigurationError` if the file cannot be read, or says what no scenario can; the message names the place.
    """
    try:
        scenario = _ADAPTER.validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"the scenario {str(path)!r} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ConfigurationError(f"the scenario {str(path)!r} is not one: {place}: {first['msg']}") from error
    if scenario.expectations:
        raise ConfigurationError(
            f"the scenario {str(path)!r} has expectations; one from a file is expected to be clean: leave them out"
        )
    return scenario
